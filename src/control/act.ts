import type { Kysely, Transaction } from 'kysely';
import type { NewEvent } from '../api/events.ts';
import { appendIamRecords, type IamRecord } from '../audit/iam.ts';
import type { ControlSchema } from '../database/schema.ts';
import type { Clock } from '../shared/clock.ts';
import { publishEvents } from './webhooks/outbox.ts';

/**
 * An administrative act is one transaction: what it changes, the record of it, and the answer that is kept in case the request comes
 * again. Either all of it is there or nothing.
 */
export interface Act {
  /** For all of it: whoever asked for another connection meanwhile could wait for others that do the same. */
  readonly tx: Transaction<ControlSchema>;
  /** The one time of the act. */
  readonly now: Date;
  /** Into the record of administrative acts, with who did it and from where. */
  record(entry: ActRecord): void;
  /** To the webhooks that want it, once it is durable. */
  emit(event: NewEvent): void;
  /** Once it is durable, and before the caller hears of it. Must not throw. */
  afterwards(work: () => void): void;
}

export interface ActRecord {
  readonly action: IamRecord['action'];
  /** Where the request could not say it yet: whoever logged in by it. */
  readonly actor?: string;
  /** What it was done to: a name or an id. */
  readonly target: string;
  /** Null for what is the server's. */
  readonly orgId: string | null;
  readonly envId?: string;
  /** Never a secret. `before` and `after` where something was changed. */
  readonly detail: Readonly<Record<string, unknown>>;
}

/** Who acts, as the record shows it. */
export interface ActOrigin {
  /** A user's or key's id, or what else there is. */
  readonly actor: string;
  readonly actorKeyId: string | null;
  readonly source: string;
  readonly requestId: string | null;
}

const mostAttempts = 3;

export interface ActsParts {
  readonly db: Kysely<ControlSchema>;
  readonly clock: Clock;
}

export class Acts {
  private readonly parts: ActsParts;

  constructor(parts: ActsParts) {
    this.parts = parts;
  }

  /** May run more than once, where the store asks for it; so it changes nothing but the store. */
  async run<T>(origin: ActOrigin, work: (act: Act) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.attempt(origin, work);
      } catch (error) {
        if (attempt < mostAttempts && mayBeRepeated(error)) continue;
        throw error;
      }
    }
  }

  private async attempt<T>(origin: ActOrigin, work: (act: Act) => Promise<T>): Promise<T> {
    const { db, clock } = this.parts;
    const consequences: (() => void)[] = [];
    const done = await db.transaction().execute(async (tx) => {
      const entries: ActRecord[] = [];
      const events: NewEvent[] = [];
      const now = clock();
      const result = await work({
        tx,
        now,
        record: (entry) => entries.push(entry),
        emit: (event) => events.push(event),
        afterwards: (consequence) => consequences.push(consequence),
      });
      if (entries.length > 0) {
        await appendIamRecords(
          tx,
          entries.map((entry) => ({
            action: entry.action,
            actor: entry.actor ?? origin.actor,
            actorKeyId: origin.actorKeyId,
            source: origin.source,
            target: entry.target,
            orgId: entry.orgId,
            envId: entry.envId ?? null,
            requestId: origin.requestId,
            detail: entry.detail,
          })),
        );
      }
      await publishEvents(tx, now, events);
      return result;
    });
    for (const consequence of consequences) consequence();
    return done;
  }
}

/** Serialization failures and deadlocks. */
function mayBeRepeated(error: unknown): boolean {
  const code = sqlstateOf(error);
  return code === '40001' || code === '40P01';
}

export function sqlstateOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : undefined;
}

/** The unique index that a row would have broken; undefined for any other fault. */
export function brokenIndex(error: unknown): string | undefined {
  return sqlstateOf(error) === '23505' && error instanceof Error && 'constraint' in error
    ? String(error.constraint)
    : undefined;
}
