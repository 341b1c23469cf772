import { randomBytes } from 'node:crypto';
import { sql, type Kysely } from 'kysely';
import type { ControlSchema } from '../../database/schema.ts';

/** What tells a proxy from the others of its store, and what it has in common with them. */
export interface Identity {
  /** From 1 to `largestNumber`; of no other proxy that lives. */
  readonly number: number;
  /** Known to every proxy of the store, and to nobody else. */
  readonly secret: Buffer;
}

export const largestNumber = 4_095;

/** Proxies that start at once take turns on this advisory lock of the control store. */
const numberLock = 5_439_002;
/** Each proxy shares an advisory lock of its number, on a connection that ends with it. */
const lifeLock = 5_439_003;
const secretName = 'cancel keys';

/**
 * Takes the number that has been out of use for longest. A proxy renews its own while it reaches the store; one that does
 * not is mistaken for a dead one only after as many starts of others as there are numbers.
 */
export async function takeIdentity(db: Kysely<ControlSchema>): Promise<Identity> {
  return db.transaction().execute(async (tx) => {
    await sql`SELECT pg_catalog.pg_advisory_xact_lock(${numberLock})`.execute(tx);
    await tx
      .insertInto('shared_secrets')
      .values({ name: secretName, value: randomBytes(32) })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
    const { value } = await tx
      .selectFrom('shared_secrets')
      .select('value')
      .where('name', '=', secretName)
      .executeTakeFirstOrThrow();
    const { rows } = await sql<{ number: number }>`
      INSERT INTO hatidata.instances (number, renewed_at)
      SELECT n, now() FROM generate_series(1, ${largestNumber}) AS n
        LEFT JOIN hatidata.instances AS i ON i.number = n
       ORDER BY i.renewed_at NULLS FIRST, n LIMIT 1
      ON CONFLICT (number) DO UPDATE SET renewed_at = now()
      RETURNING number`.execute(tx);
    return { number: rows[0]!.number, secret: value };
  });
}

export async function renewNumber(db: Kysely<ControlSchema>, number: number): Promise<void> {
  await db
    .updateTable('instances')
    .set({ renewed_at: sql<Date>`now()` })
    .where('number', '=', number)
    .execute();
}

/** For the connection that the others hear us on. Nobody locks it for himself, so it never waits. */
export function signOfLife(number: number): string {
  return `SELECT pg_catalog.pg_advisory_lock_shared(${lifeLock}, ${number})`;
}

/** Of proxies that the store has a connection of. */
export async function livingNumbers(db: Kysely<ControlSchema>): Promise<Set<number>> {
  const { rows } = await sql<{ number: number }>`
    SELECT l.objid::integer AS number
      FROM pg_catalog.pg_locks AS l
      JOIN pg_catalog.pg_database AS d ON d.oid = l.database
     WHERE l.locktype = 'advisory' AND l.objsubid = 2 AND l.classid::integer = ${lifeLock}
       AND d.datname = pg_catalog.current_database()`.execute(db);
  return new Set(rows.map(({ number }) => number));
}
