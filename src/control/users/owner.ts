import { z } from 'zod';
import { email, newPassword, text } from '../../api/fields.ts';
import { HatiError } from '../../errors.ts';
import type { Act } from '../act.ts';
import { resetPassword } from '../auth/password-reset.ts';
import { refuseUnfitPassword } from '../auth/passwords.ts';
import { findUser } from '../auth/store.ts';
import { firstEnvironment } from '../keys/store.ts';
import { addUser, type NewUser } from './new-user.ts';
import { makeOwner } from './store.ts';

const owner = z.strictObject({ email, name: text(200), password: newPassword });

/** Throws `request_invalid`. */
export function checkedOwner(given: z.input<typeof owner>): z.output<typeof owner> {
  return checked(owner, given);
}

const login = owner.omit({ name: true });

/** The same. */
export function checkedLogin(given: z.input<typeof login>): z.output<typeof login> {
  return checked(login, given);
}

function checked<T extends z.output<typeof login>>(schema: z.ZodType<T>, given: unknown): T {
  const { data, error } = schema.safeParse(given);
  if (data === undefined) {
    const [issue] = error!.issues;
    const field = issue!.path.join('.');
    throw new HatiError('request_invalid', {
      params: { message: `${field}: ${issue!.message}` },
      details: { field },
    });
  }
  refuseUnfitPassword(data.password, data.email, 'password');
  return data;
}

export interface CreatedOwner {
  readonly userId: string;
  readonly email: string;
  readonly orgId: string;
}

/** The owner of the first organization, where it has none: a new user, or one that there is, with this password from now on. */
export async function createOwner(act: Act, wish: NewUser): Promise<CreatedOwner> {
  const { tx } = act;
  const { orgId } = await firstEnvironment(tx);
  await refuseSecondOwner(act, orgId);
  const known = await findUser(tx, wish.email);
  const userId = known?.user_id ?? (await addUser(act, wish, orgId));
  const { passwordHash } = wish;
  if (known !== undefined) await resetPassword(act, userId, { passwordHash });
  await makeOwner(tx, { orgId, userId, at: act.now });
  act.record({ action: 'user.joined', target: userId, orgId, detail: { role: 'owner' } });
  return { userId, email: known?.email ?? wish.email, orgId };
}

/** Two who come at once take turns. */
async function refuseSecondOwner({ tx }: Act, orgId: string): Promise<void> {
  await tx
    .selectFrom('organizations')
    .select('org_id')
    .where('org_id', '=', orgId)
    .forUpdate()
    .execute();
  const there = await tx
    .selectFrom('memberships')
    .select('user_id')
    .where('org_id', '=', orgId)
    .where('role', '=', 'owner')
    .executeTakeFirst();
  if (there === undefined) return;
  throw new HatiError('conflict', {
    params: { message: 'the organization has an owner already' },
    hint: 'An owner gives it to another user over the API.',
  });
}
