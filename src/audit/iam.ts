import type { Insertable, Kysely } from 'kysely';
import type { ControlSchema } from '../database/schema.ts';

/** One administrative act or login, as it is written to `hatidata.iam_audit`. Never holds a secret. */
export interface IamRecord {
  readonly action:
    | 'key.created'
    | 'key.rotated'
    | 'key.revoked'
    | 'login.accepted'
    | 'login.refused'
    | 'login.unrecorded';
  readonly actor: string;
  readonly actorKeyId: string | null;
  /** Address that the act came from. */
  readonly source: string;
  readonly target: string | null;
  readonly detail: Readonly<Record<string, unknown>>;
}

/** Appends within the transaction of the act itself when `db` is a transaction. */
export async function appendIamRecords(
  db: Kysely<ControlSchema>,
  records: readonly IamRecord[],
): Promise<void> {
  const rows: Insertable<ControlSchema['iam_audit']>[] = records.map((record) => ({
    action: record.action,
    actor: record.actor,
    actor_key_id: record.actorKeyId,
    source: record.source,
    target: record.target,
    detail: JSON.stringify(record.detail),
  }));
  await db.insertInto('iam_audit').values(rows).execute();
}
