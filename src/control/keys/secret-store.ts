import { sql, type Transaction } from 'kysely';
import type { SecretId } from '../../ports.ts';
import type { ControlSchema } from '../../database/schema.ts';

/** The channel on which every proxy of a store hears of secrets that end. The payload is the secret's id. */
export const endedChannel = 'hatidata_secret_ended';

/** The channel on which every proxy hears of secrets that will end. The payload is the secret's id and when, in Unix milliseconds. */
export const expiringChannel = 'hatidata_secret_expiring';

export interface NewSecret {
  readonly secretId: string;
  readonly keyId: string;
  readonly prefix: string;
  readonly hash: string;
  readonly issuedAt: Date;
  /** See `KeyActor.receiver`. */
  readonly givenTo: string;
}

export async function insertSecret(
  tx: Transaction<ControlSchema>,
  secret: NewSecret,
): Promise<void> {
  await tx
    .insertInto('api_key_secrets')
    .values({
      secret_id: secret.secretId,
      key_id: secret.keyId,
      prefix: secret.prefix,
      hash: secret.hash,
      issued_at: secret.issuedAt,
      ended_at: null,
      expires_at: null,
      given_to: secret.givenTo,
    })
    .execute();
}

/** Ends every secret of a key and tells all proxies when the transaction commits. */
export async function endSecrets(
  tx: Transaction<ControlSchema>,
  keyId: string,
  now: Date,
): Promise<SecretId[]> {
  const ended = await tx
    .updateTable('api_key_secrets')
    .set({ ended_at: now })
    .where('key_id', '=', keyId)
    .where('ended_at', 'is', null)
    .returning('secret_id')
    .execute();
  const ids = ended.map((row) => row.secret_id as SecretId);
  await tellEnded(tx, ids);
  return ids;
}

export async function tellEnded(
  tx: Transaction<ControlSchema>,
  ids: readonly SecretId[],
): Promise<void> {
  if (ids.length === 0) return;
  await sql`SELECT pg_catalog.pg_notify(${endedChannel}, id) FROM unnest(${[...ids]}::text[]) AS t (id)`.execute(
    tx,
  );
}

/** Those that don't have an end yet get this one. Proxies hear of it, to look at them again in time. */
export async function endSecretsAt(
  tx: Transaction<ControlSchema>,
  keyId: string,
  at: Date,
): Promise<void> {
  const ending = await tx
    .updateTable('api_key_secrets')
    .set({ expires_at: at })
    .where('key_id', '=', keyId)
    .where('ended_at', 'is', null)
    .where('expires_at', 'is', null)
    .returning('secret_id')
    .execute();
  for (const { secret_id } of ending) {
    const payload = `${secret_id} ${at.getTime()}`;
    await sql`SELECT pg_catalog.pg_notify(${expiringChannel}, ${payload})`.execute(tx);
  }
}

/** All keys of some environments that are not revoked yet, with their secrets. @returns how many keys */
export async function revokeKeys(
  tx: Transaction<ControlSchema>,
  envIds: readonly string[],
  by: { readonly at: Date; readonly who: string },
): Promise<number> {
  const ended = await tx
    .updateTable('api_key_secrets as s')
    .from('api_keys as k')
    .set({ ended_at: by.at })
    .whereRef('k.key_id', '=', 's.key_id')
    .where('k.env_id', '=', sql<string>`ANY(${[...envIds]}::text[])`)
    .where('s.ended_at', 'is', null)
    .returning('s.secret_id')
    .execute();
  await tellEnded(
    tx,
    ended.map((row) => row.secret_id as SecretId),
  );
  const { numUpdatedRows } = await tx
    .updateTable('api_keys')
    .set({ revoked_at: by.at, revoked_by: by.who })
    .where('env_id', '=', sql<string>`ANY(${[...envIds]}::text[])`)
    .where('revoked_at', 'is', null)
    .executeTakeFirstOrThrow();
  return Number(numUpdatedRows);
}
