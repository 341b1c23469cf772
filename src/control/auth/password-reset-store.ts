import { sql, type Kysely, type Transaction } from 'kysely';
import type { ControlSchema } from '../../database/schema.ts';

/** Of the account that was named, those that are good still. */
export async function countResets(
  tx: Transaction<ControlSchema>,
  account: Buffer,
  now: Date,
): Promise<number> {
  const { count } = await tx
    .selectFrom('password_resets')
    .select((eb) => eb.fn.countAll<string>().as('count'))
    .where('account', '=', account)
    .where('expires_at', '>', now)
    .executeTakeFirstOrThrow();
  return Number(count);
}

export interface NewReset {
  readonly hash: Buffer;
  readonly account: Buffer;
  readonly userId: string | null;
  readonly createdAt: Date;
  readonly expiresAt: Date;
}

export async function insertReset(tx: Transaction<ControlSchema>, reset: NewReset): Promise<void> {
  await tx
    .insertInto('password_resets')
    .values({
      token_hash: reset.hash,
      account: reset.account,
      user_id: reset.userId,
      created_at: reset.createdAt,
      expires_at: reset.expiresAt,
    })
    .execute();
}

export async function findReset(
  db: Kysely<ControlSchema>,
  hash: Buffer,
  now: Date,
): Promise<{ readonly userId: string; readonly email: string } | undefined> {
  const row = await db
    .selectFrom('password_resets as r')
    .innerJoin('users as u', 'u.user_id', 'r.user_id')
    .select(['u.user_id', 'u.email'])
    .where('r.token_hash', '=', hash)
    .where('r.expires_at', '>', now)
    .executeTakeFirst();
  return row && { userId: row.user_id, email: row.email };
}

/** @returns whether it was good; of two who come at once, for one of them */
export async function takeReset(
  tx: Transaction<ControlSchema>,
  hash: Buffer,
  now: Date,
): Promise<boolean> {
  const { numDeletedRows } = await tx
    .deleteFrom('password_resets')
    .where('token_hash', '=', hash)
    .where('expires_at', '>', now)
    .executeTakeFirstOrThrow();
  return numDeletedRows === 1n;
}

/** He knows his password, or has another one. */
export async function forgetResets(tx: Transaction<ControlSchema>, userId: string): Promise<void> {
  await tx.deleteFrom('password_resets').where('user_id', '=', userId).execute();
}

/** A few at a time, since each request does it. */
const mostForgotten = 100;

export async function forgetOldResets(tx: Transaction<ControlSchema>, now: Date): Promise<void> {
  await sql`DELETE FROM hatidata.password_resets WHERE token_hash IN (
    SELECT token_hash FROM hatidata.password_resets WHERE expires_at <= ${now}
     ORDER BY expires_at LIMIT ${mostForgotten} FOR UPDATE SKIP LOCKED)`.execute(tx);
}
