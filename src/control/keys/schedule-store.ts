import { sql, type Kysely, type Transaction } from 'kysely';
import type { ControlSchema } from '../../database/schema.ts';

/** What time brings for keys: secrets and keys that end, schedules by which secrets are replaced, and those that nobody has taken yet. */

/** A key was rotated: what its schedule counts from; what was not collected before is not the newest any more. */
export async function noteRotation(
  tx: Transaction<ControlSchema>,
  keyId: string,
  now: Date,
): Promise<void> {
  await forgetUncollected(tx, keyId);
  await tx
    .updateTable('api_keys')
    .set({ next_rotation_at: sql`${now}::timestamptz + rotate_every_days * interval '24 hours'` })
    .where('key_id', '=', keyId)
    .where('rotate_every_days', 'is not', null)
    .execute();
}

/** Of environments and organizations that are active. */
export async function dueForRotation(
  db: Kysely<ControlSchema>,
  now: Date,
  most: number,
): Promise<readonly { readonly key_id: string; readonly env_id: string }[]> {
  return await db
    .selectFrom('api_keys as k')
    .innerJoin('environments as e', 'e.env_id', 'k.env_id')
    .innerJoin('organizations as o', 'o.org_id', 'e.org_id')
    .select(['k.key_id', 'k.env_id'])
    .where('k.revoked_at', 'is', null)
    .where('k.next_rotation_at', '<=', now)
    .where((eb) => eb.or([eb('k.expires_at', 'is', null), eb('k.expires_at', '>', now)]))
    .where('e.status', '=', 'active')
    .where('o.status', '=', 'active')
    .orderBy('k.next_rotation_at')
    .limit(most)
    .execute();
}

/** Whether it is, now that its key is locked. */
export async function isDueForRotation(
  tx: Transaction<ControlSchema>,
  keyId: string,
  now: Date,
): Promise<boolean> {
  const row = await tx
    .selectFrom('api_keys')
    .select('key_id')
    .where('key_id', '=', keyId)
    .where('revoked_at', 'is', null)
    .where('next_rotation_at', '<=', now)
    .executeTakeFirst();
  return row !== undefined;
}

export interface Uncollected {
  readonly keyId: string;
  readonly secretId: string;
  readonly sealed: Buffer;
  readonly createdAt: Date;
}

export async function keepUncollected(
  tx: Transaction<ControlSchema>,
  { keyId, secretId, sealed, createdAt }: Uncollected,
): Promise<void> {
  await tx
    .insertInto('uncollected_secrets')
    .values({ key_id: keyId, secret_id: secretId, sealed, created_at: createdAt })
    .execute();
}

/** Once: it is not there any more afterwards. Whoever takes it knows it from then on. */
export async function takeUncollected(
  tx: Transaction<ControlSchema>,
  keyId: string,
  givenTo: string,
): Promise<
  { readonly secretId: string; readonly sealed: Buffer; readonly createdAt: Date } | undefined
> {
  const row = await tx
    .deleteFrom('uncollected_secrets')
    .where('key_id', '=', keyId)
    .returning(['secret_id', 'sealed', 'created_at'])
    .executeTakeFirst();
  if (row === undefined) return undefined;
  await tx
    .updateTable('api_key_secrets')
    .set({ given_to: givenTo })
    .where('secret_id', '=', row.secret_id)
    .execute();
  return { secretId: row.secret_id, sealed: row.sealed, createdAt: row.created_at };
}

export async function forgetUncollected(
  tx: Transaction<ControlSchema>,
  keyId: string,
): Promise<void> {
  await tx.deleteFrom('uncollected_secrets').where('key_id', '=', keyId).execute();
}

/** Of a key: a secret of it that ends, or all of it. */
export interface Ending {
  readonly key_id: string;
  readonly name: string;
  readonly org_id: string;
  readonly env_id: string;
  readonly prefix: string;
  readonly expires_at: Date;
}

/**
 * Secrets that were replaced and end before `soon`, marked as told. Whoever marks one tells of it, in the same transaction; what another
 * has locked, he tells.
 */
export async function markEndingSecrets(
  tx: Transaction<ControlSchema>,
  { now, soon, most }: { readonly now: Date; readonly soon: Date; readonly most: number },
): Promise<readonly Ending[]> {
  const { rows } = await sql<Ending>`
    WITH ending AS (
      SELECT s.secret_id, k.key_id, k.agent_id AS name, e.org_id, e.env_id
        FROM hatidata.api_key_secrets s
        JOIN hatidata.api_keys k ON k.key_id = s.key_id
        JOIN hatidata.environments e ON e.env_id = k.env_id
       WHERE s.ended_at IS NULL AND s.expires_at > ${now} AND s.expires_at <= ${soon}
         AND s.expiry_told_at IS NULL AND k.revoked_at IS NULL
         AND (k.expires_at IS NULL OR k.expires_at > s.expires_at)
       LIMIT ${most}
         FOR UPDATE OF s SKIP LOCKED)
    UPDATE hatidata.api_key_secrets s SET expiry_told_at = ${now}
      FROM ending WHERE s.secret_id = ending.secret_id
    RETURNING ending.key_id, ending.name, ending.org_id, ending.env_id, s.prefix, s.expires_at`.execute(
    tx,
  );
  return rows;
}

/** The same for keys that end as a whole. */
export async function markEndingKeys(
  tx: Transaction<ControlSchema>,
  { now, soon, most }: { readonly now: Date; readonly soon: Date; readonly most: number },
): Promise<readonly Ending[]> {
  const { rows } = await sql<Ending>`
    WITH ending AS (
      SELECT k.key_id, e.org_id
        FROM hatidata.api_keys k
        JOIN hatidata.environments e ON e.env_id = k.env_id
       WHERE k.revoked_at IS NULL AND k.expires_at > ${now} AND k.expires_at <= ${soon}
         AND k.expiry_told_at IS NULL AND k.expired_at IS NULL
       LIMIT ${most}
         FOR UPDATE OF k SKIP LOCKED)
    UPDATE hatidata.api_keys k SET expiry_told_at = ${now}
      FROM ending WHERE k.key_id = ending.key_id
    RETURNING k.key_id, k.agent_id AS name, ending.org_id, k.env_id, k.expires_at,
              (SELECT s.prefix FROM hatidata.api_key_secrets s WHERE s.key_id = k.key_id
                ORDER BY s.issued_at DESC LIMIT 1) AS prefix`.execute(tx);
  return rows;
}

export interface Ended {
  readonly key_id: string;
  readonly name: string;
  readonly org_id: string;
  readonly env_id: string;
  readonly secrets: readonly string[];
}

/** Secrets that were replaced and whose time is over end in the store as well. */
export async function endOldSecrets(
  tx: Transaction<ControlSchema>,
  now: Date,
  most: number,
): Promise<readonly Ended[]> {
  const { rows } = await sql<Ended>`
    WITH over AS (
      SELECT secret_id FROM hatidata.api_key_secrets
       WHERE ended_at IS NULL AND expires_at <= ${now}
       LIMIT ${most}
         FOR UPDATE SKIP LOCKED)
    UPDATE hatidata.api_key_secrets s SET ended_at = ${now}
      FROM over, hatidata.api_keys k, hatidata.environments e
     WHERE s.secret_id = over.secret_id AND k.key_id = s.key_id AND e.env_id = k.env_id
    RETURNING k.key_id, k.agent_id AS name, e.org_id, e.env_id, ARRAY[s.secret_id::text] AS secrets`.execute(
    tx,
  );
  return rows;
}

/** Keys whose time is over, with all of their secrets. */
export async function endKeys(
  tx: Transaction<ControlSchema>,
  now: Date,
  most: number,
): Promise<readonly Ended[]> {
  const { rows } = await sql<Ended>`
    WITH over AS (
      SELECT key_id FROM hatidata.api_keys
       WHERE revoked_at IS NULL AND expired_at IS NULL AND expires_at <= ${now}
       LIMIT ${most}
         FOR UPDATE SKIP LOCKED
    ), keys AS (
      UPDATE hatidata.api_keys k SET expired_at = ${now} FROM over WHERE k.key_id = over.key_id
      RETURNING k.key_id, k.agent_id, k.env_id
    ), ended AS (
      UPDATE hatidata.api_key_secrets s SET ended_at = ${now}
        FROM over WHERE s.key_id = over.key_id AND s.ended_at IS NULL
      RETURNING s.key_id, s.secret_id::text
    ), uncollected AS (
      DELETE FROM hatidata.uncollected_secrets u USING over WHERE u.key_id = over.key_id)
    SELECT keys.key_id, keys.agent_id AS name, e.org_id, e.env_id,
           ARRAY(SELECT secret_id FROM ended WHERE ended.key_id = keys.key_id) AS secrets
      FROM keys JOIN hatidata.environments e ON e.env_id = keys.env_id`.execute(tx);
  return rows;
}
