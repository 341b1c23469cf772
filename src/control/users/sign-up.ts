import { randomInt } from 'node:crypto';
import type { ReplyOf } from '../../api/route.ts';
import { signUp } from '../../api/sign-up.ts';
import { HatiError } from '../../errors.ts';
import { brokenIndex, type Act } from '../act.ts';
import type { Change } from '../auth/model.ts';
import { refuseUnfitPassword, type Passwords } from '../auth/passwords.ts';
import { loginOf } from '../auth/routes.ts';
import type { Sessions } from '../auth/sessions.ts';
import { findUserById, membershipsOf } from '../auth/store.ts';
import { bind, type Binding } from '../http/binding.ts';
import type { OrganizationService } from '../organizations/service.ts';
import { hasSlug } from '../organizations/store.ts';
import { addUser } from './new-user.ts';

export interface SignUpParts {
  readonly passwords: Passwords;
  readonly sessions: Sessions;
  readonly organizations: OrganizationService;
  /** `api.signup` */
  readonly isAllowed: boolean;
}

interface SignUpWish {
  readonly name: string;
  readonly email: string;
  readonly password: string;
  readonly orgName: string;
  readonly source: string;
  readonly userAgent: string | undefined;
}

export function signUpBindings(parts: SignUpParts): readonly Binding[] {
  return [
    bind(signUp, async ({ body, source, userAgent, change }) => {
      const { name, email, password, org_name: orgName } = body;
      const wish = { name, email, password, orgName, source, userAgent };
      return { body: await enter(parts, change, wish) };
    }),
  ];
}

/** Throws `signup_off`, `account_exists`. */
async function enter(
  { passwords, sessions, organizations, isAllowed }: SignUpParts,
  change: Change,
  { name, email, password, orgName, source, userAgent }: SignUpWish,
): Promise<ReplyOf<typeof signUp>> {
  if (!isAllowed) throw new HatiError('signup_off');
  refuseUnfitPassword(password, email, 'password');
  const passwordHash = await passwords.hash(password);
  const sign = await sessions.signer();
  return await change(async (act) => {
    const userId = await orKnown(addUser(act, { email, name, passwordHash }, null));
    const { org_id: orgId } = await organizations.found(act, userId, {
      name: orgName,
      slug: await freeSlug(act, orgName),
      billing_email: email,
      cloud_region: 'us-east-1',
    });
    const [membership] = await membershipsOf(act.tx, userId);
    const tokens = await sessions.start(act, sign, {
      userId,
      orgId,
      role: 'owner',
      method: 'password',
      hasSecondFactor: false,
      source,
      userAgent,
    });
    const user = await findUserById(act.tx, userId);
    return { org_id: orgId, ...loginOf({ tokens, user: user!, membership: membership! }) };
  });
}

async function orKnown<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (brokenIndex(error) === 'users_email') throw new HatiError('account_exists');
    throw error;
  }
}

const longestStem = 30;

/** From its name, with digits behind it where somebody has that one. */
async function freeSlug({ tx }: Act, name: string): Promise<string> {
  const stem = name
    .normalize('NFKD')
    .replaceAll(/\p{M}/gu, '')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, longestStem)
    .replaceAll(/^-+|-+$/g, '');
  const slug = stem.length < 2 ? `org-${stem}`.replace(/-$/, '') : stem;
  return (await hasSlug(tx, slug)) ? `${slug}-${randomInt(100_000, 1_000_000)}` : slug;
}
