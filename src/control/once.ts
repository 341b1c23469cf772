import { createHash } from 'node:crypto';
import type { Kysely } from 'kysely';
import type { ControlSchema } from '../database/schema.ts';
import { HatiError } from '../errors.ts';
import type { Clock } from '../shared/clock.ts';
import type { SecretBox } from '../shared/secret-box.ts';
import type { Act, ActOrigin, Acts } from './act.ts';
import { lock } from './lock.ts';

/** A request that may be sent again. */
export interface Repeatable {
  readonly caller: string;
  readonly key: string;
  /** Method, path and body. */
  readonly request: string;
}

/** How long an answer is kept. */
const keptMs = 24 * 3_600_000;

export interface OnceParts {
  readonly db: Kysely<ControlSchema>;
  readonly acts: Acts;
  readonly box: SecretBox;
  readonly clock: Clock;
}

/** Acts whose request may come again: then it gets the answer that it got, and nothing is done. The answer is part of the act. */
export class Once {
  private readonly parts: OnceParts;

  constructor(parts: OnceParts) {
    this.parts = parts;
  }

  async run<T>(
    origin: ActOrigin,
    again: Repeatable,
    work: (act: Act) => Promise<T>,
  ): Promise<{ readonly answer: T; readonly isReplay: boolean }> {
    const { acts, box } = this.parts;
    const hash = createHash('sha256').update(again.request).digest();
    const purpose = `answer:${again.caller}:${again.key}`;
    return await acts.run(origin, async (act) => {
      // Two of one caller with the same key go one after the other.
      await lock(act.tx, purpose);
      const before = await act.tx
        .selectFrom('idempotent_calls')
        .select(['request_hash', 'answer'])
        .where('caller', '=', again.caller)
        .where('idempotency_key', '=', again.key)
        .where('created_at', '>', new Date(act.now.getTime() - keptMs))
        .executeTakeFirst();
      if (before !== undefined) {
        if (!before.request_hash.equals(hash)) throw new HatiError('idempotency_key_reused');
        return { answer: JSON.parse(box.open(before.answer, purpose)) as T, isReplay: true };
      }
      const answer = await work(act);
      const row = {
        request_hash: hash,
        answer: box.seal(JSON.stringify(answer), purpose),
        created_at: act.now,
      };
      await act.tx
        .insertInto('idempotent_calls')
        .values({ caller: again.caller, idempotency_key: again.key, ...row })
        // One that is too old to be given again.
        .onConflict((conflict) => conflict.columns(['caller', 'idempotency_key']).doUpdateSet(row))
        .execute();
      return { answer, isReplay: false };
    });
  }

  /** Answers that are too old to be given again. */
  async forgetOld(): Promise<void> {
    const { db, clock } = this.parts;
    await db
      .deleteFrom('idempotent_calls')
      .where('created_at', '<=', new Date(clock().getTime() - keptMs))
      .execute();
  }
}
