import { newId } from '../../shared/ids.ts';
import type { Act } from '../act.ts';

export interface NewUser {
  readonly email: string;
  readonly name: string;
  readonly passwordHash: string;
}

/** @param orgId of the record: the organization that he is for, where there is one already */
export async function addUser(
  act: Act,
  { email: address, name, passwordHash }: NewUser,
  orgId: string | null,
): Promise<string> {
  const userId = newId('usr_');
  await act.tx
    .insertInto('users')
    .values({
      user_id: userId,
      email: address,
      name,
      password_hash: passwordHash,
      totp_secret: null,
      totp_confirmed_at: null,
      created_at: act.now,
      last_login_at: null,
    })
    .execute();
  act.record({ action: 'user.created', target: userId, orgId, detail: { email: address, name } });
  return userId;
}
