/**
 * Guessing is slow, and nobody can lock another one out by it.
 *
 * An attempt counts before it is decided, so that many at once gain nothing. Each network has its own count for an account: after ten
 * failures its next attempts have to wait, longer each time. Guessing from many networks at once meets a second limit, of the account;
 * where the account has logged in from before, that one does not hold. The counts are in the store, so all instances agree.
 */
import { randomUUID } from 'node:crypto';
import { sql, type Transaction } from 'kysely';
import type { ControlSchema } from '../../database/schema.ts';
import { HatiError, type ErrorCode } from '../../errors.ts';
import type { Act } from '../act.ts';
import { lock } from '../lock.ts';
import { dayMs, hourMs, type Attempter, type Change } from './model.ts';

/** Of one network, within a day, before it has to wait. */
const freeFailures = 10;
const firstWaitMs = 30_000;
const longestWaitMs = 15 * 60_000;
/** Of an account, within an hour, before networks that it does not know have to wait. */
const mostOfAccount = 100;
const knownMs = 30 * dayMs;

const failures: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'login_refused',
  'second_factor_wrong',
  'confirmation_wrong',
]);

/**
 * Throws `too_many_attempts` in place of doing the work. The work says by what it throws whether it failed; when all was right, it calls
 * `forgetAttempts` in its act.
 */
export async function attempting<T>(
  change: Change,
  who: Attempter,
  work: () => Promise<T>,
): Promise<T> {
  const attempt = await change((act) => begin(act, who));
  try {
    return await work();
  } catch (error) {
    const isFailure = error instanceof HatiError && failures.has(error.code);
    // Where the store is away it stays counted; what went wrong before is what is told.
    if (!isFailure) await change((act) => withdraw(act, attempt)).catch(() => undefined);
    throw error;
  }
}

/** From here the account has logged in: it is known, and begins anew. */
export async function forgetAttempts(act: Act, { account, network }: Attempter): Promise<void> {
  await act.tx
    .deleteFrom('login_attempts')
    .where('account', '=', account)
    .where('network', '=', network)
    .execute();
  await act.tx
    .insertInto('login_networks')
    .values({ account, network, last_at: act.now })
    .onConflict((conflict) =>
      conflict.columns(['account', 'network']).doUpdateSet({ last_at: act.now }),
    )
    .execute();
}

async function begin(act: Act, who: Attempter): Promise<string> {
  const { tx, now } = act;
  await lock(tx, `login:${who.account.toString('hex')}`);
  const waitMs = await waitOf(act, who);
  if (waitMs > 0) {
    const seconds = Math.ceil(waitMs / 1_000);
    throw new HatiError('too_many_attempts', {
      params: { seconds },
      details: { retry_after: seconds },
    });
  }
  await forgetOld(tx, now);
  const attempt = randomUUID();
  await tx
    .insertInto('login_attempts')
    .values({ attempt_id: attempt, ...who, at: now })
    .execute();
  return attempt;
}

async function withdraw({ tx }: Act, attempt: string): Promise<void> {
  await tx.deleteFrom('login_attempts').where('attempt_id', '=', attempt).execute();
}

async function waitOf({ tx, now }: Act, { account, network }: Attempter): Promise<number> {
  const time = now.getTime();
  const hourAgo = new Date(time - hourMs);
  const counts = await tx
    .selectFrom('login_attempts')
    .select(({ fn }) => [
      fn.countAll<string>().filterWhere('network', '=', network).as('here'),
      fn.max('at').filterWhere('network', '=', network).as('last_here'),
      fn.countAll<string>().filterWhere('at', '>', hourAgo).as('lately'),
      fn.min('at').filterWhere('at', '>', hourAgo).as('first_lately'),
    ])
    .where('account', '=', account)
    .where('at', '>', new Date(time - dayMs))
    .executeTakeFirstOrThrow();
  const beyond = Number(counts.here) - freeFailures;
  const wait = beyond < 0 ? 0 : Math.min(longestWaitMs, firstWaitMs * 2 ** beyond);
  const ownMs = wait === 0 ? 0 : counts.last_here.getTime() + wait - time;
  if (Number(counts.lately) < mostOfAccount) return ownMs;
  const known = await tx
    .selectFrom('login_networks')
    .select('network')
    .where('account', '=', account)
    .where('network', '=', network)
    .where('last_at', '>', new Date(time - knownMs))
    .executeTakeFirst();
  if (known !== undefined) return ownMs;
  return Math.max(ownMs, counts.first_lately.getTime() + hourMs - time);
}

/** A few at a time, since each attempt does it. */
const mostForgotten = 100;

async function forgetOld(tx: Transaction<ControlSchema>, now: Date): Promise<void> {
  await sql`DELETE FROM hatidata.login_attempts WHERE attempt_id IN (
    SELECT attempt_id FROM hatidata.login_attempts WHERE at <= ${new Date(now.getTime() - dayMs)}
     ORDER BY at LIMIT ${mostForgotten} FOR UPDATE SKIP LOCKED)`.execute(tx);
  await sql`DELETE FROM hatidata.login_networks WHERE (account, network) IN (
    SELECT account, network FROM hatidata.login_networks WHERE last_at <= ${new Date(now.getTime() - knownMs)}
     ORDER BY last_at LIMIT ${mostForgotten} FOR UPDATE SKIP LOCKED)`.execute(tx);
}
