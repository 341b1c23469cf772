import { sql, type Transaction } from 'kysely';
import type { ControlSchema } from '../database/schema.ts';

/** Acts that take the lock of a name go one after the other, in all processes; until the end of the transaction. */
export async function lock(tx: Transaction<ControlSchema>, name: string): Promise<void> {
  await sql`SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended(${name}, 0))`.execute(
    tx,
  );
}
