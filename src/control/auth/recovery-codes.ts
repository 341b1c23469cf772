/** Codes for who has lost his authenticator: ten, each good once in place of what it would have shown. */
import { randomCharacters } from '../../shared/ids.ts';
import type { Act } from '../act.ts';
import { digestOf } from './model.ts';

const count = 10;
/** Five groups of five: 129 bits, so that a digest is enough. */
const groups = 5;
const groupLength = 5;

/** In place of those that there were. They are shown this once. */
export async function replaceRecoveryCodes(
  { tx }: Act,
  userId: string,
): Promise<readonly string[]> {
  const codes = Array.from({ length: count }, newCode);
  await forgetRecoveryCodes({ tx }, userId);
  await tx
    .insertInto('recovery_codes')
    .values(codes.map((code) => ({ user_id: userId, code_hash: digestOf(code) })))
    .execute();
  return codes;
}

export async function forgetRecoveryCodes({ tx }: Pick<Act, 'tx'>, userId: string): Promise<void> {
  await tx.deleteFrom('recovery_codes').where('user_id', '=', userId).execute();
}

/** @returns whether it was one; then it is none any more. */
export async function takeRecoveryCode(act: Act, userId: string, code: string): Promise<boolean> {
  const { numDeletedRows } = await act.tx
    .deleteFrom('recovery_codes')
    .where('user_id', '=', userId)
    .where('code_hash', '=', digestOf(code.toLowerCase()))
    .executeTakeFirstOrThrow();
  if (numDeletedRows === 0n) return false;
  const { left } = await act.tx
    .selectFrom('recovery_codes')
    .select((eb) => eb.fn.countAll<string>().as('left'))
    .where('user_id', '=', userId)
    .executeTakeFirstOrThrow();
  act.record({
    action: 'user.recovery_code_used',
    actor: userId,
    target: userId,
    orgId: null,
    detail: { left: Number(left) },
  });
  return true;
}

function newCode(): string {
  return Array.from({ length: groups }, () => randomCharacters(groupLength)).join('-');
}
