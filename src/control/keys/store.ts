import { sql, type Kysely, type Transaction } from 'kysely';
import { LRUCache } from 'lru-cache';
import { authorityOf, parseScopes, type Authority } from '../../policy/authority.ts';
import { noGrants, parseGrants, printGrants } from '../../policy/limits.ts';
import type { KeyId, SecretId } from '../../ports.ts';
import type { ControlSchema } from '../../database/schema.ts';

export interface StoredSecret {
  readonly keyId: KeyId;
  readonly secretId: SecretId;
  readonly agent: string;
  readonly authority: Authority;
  readonly hash: string;
}

/** The channel on which every proxy of a store hears of secrets that end. The payload is the secret's id. */
export const endedChannel = 'hatidata_secret_ended';

/** Keys that may do the same share one, so that what was judged for one key is known for the others. */
const authorities = new LRUCache<string, Authority>({ max: 1_000 });

/** What a key's row says that it may do; undefined where this version does not understand it: then it may nothing. */
function storedAuthority(scope: string, limits: string | null): Authority | undefined {
  const key = JSON.stringify([scope, limits]);
  const known = authorities.get(key);
  if (known !== undefined) return known;
  const authority = readAuthority(scope, limits);
  if (authority !== undefined) authorities.set(key, authority);
  return authority;
}

function readAuthority(scope: string, limits: string | null): Authority | undefined {
  const scopes = parseScopes(scope);
  if (scopes === undefined) return undefined;
  try {
    const grants = limits === null ? noGrants : parseGrants(limits);
    return authorityOf(scopes, grants.limits, grants.functions);
  } catch {
    return undefined;
  }
}

/** An active secret by its prefix. */
export async function findActiveSecret(
  db: Kysely<ControlSchema>,
  prefix: string,
): Promise<StoredSecret | undefined> {
  const row = await db
    .selectFrom('api_key_secrets as s')
    .innerJoin('api_keys as k', 'k.key_id', 's.key_id')
    .select(['k.key_id', 's.secret_id', 'k.agent_id', 'k.scope', 'k.limits', 's.hash'])
    .where('s.prefix', '=', prefix)
    .where('s.ended_at', 'is', null)
    .where('k.revoked_at', 'is', null)
    .executeTakeFirst();
  if (row === undefined) return undefined;
  const authority = storedAuthority(row.scope, row.limits);
  if (authority === undefined) return undefined;
  return {
    keyId: row.key_id as KeyId,
    secretId: row.secret_id as SecretId,
    agent: row.agent_id,
    authority,
    hash: row.hash,
  };
}

/** Of the given secrets, those that are still active. */
export async function activeAmong(
  db: Kysely<ControlSchema>,
  secrets: readonly SecretId[],
): Promise<Set<SecretId>> {
  const rows = await db
    .selectFrom('api_key_secrets as s')
    .innerJoin('api_keys as k', 'k.key_id', 's.key_id')
    .select('s.secret_id')
    .where('s.secret_id', '=', sql<string>`ANY(${[...secrets]}::uuid[])`)
    .where('s.ended_at', 'is', null)
    .where('k.revoked_at', 'is', null)
    .execute();
  return new Set(rows.map((row) => row.secret_id as SecretId));
}

export interface LockedKey {
  readonly keyId: KeyId;
  readonly authority: Authority;
}

/** The active key of an agent, locked until the transaction ends. */
export async function lockActiveKey(
  tx: Transaction<ControlSchema>,
  agent: string,
): Promise<LockedKey | undefined> {
  const row = await tx
    .selectFrom('api_keys')
    .select(['key_id', 'scope', 'limits'])
    .where('agent_id', '=', agent)
    .where('revoked_at', 'is', null)
    .forUpdate()
    .executeTakeFirst();
  const authority = row && storedAuthority(row.scope, row.limits);
  return authority && { keyId: row.key_id as KeyId, authority };
}

export interface NewKey {
  readonly keyId: string;
  readonly agent: string;
  readonly authority: Authority;
  readonly description: string;
}

export async function insertKey(tx: Transaction<ControlSchema>, key: NewKey): Promise<void> {
  await tx
    .insertInto('api_keys')
    .values({
      key_id: key.keyId,
      agent_id: key.agent,
      scope: key.authority.scope,
      limits: printGrants(key.authority),
      description: key.description,
      revoked_at: null,
      last_used_at: null,
    })
    .execute();
}

export interface NewSecret {
  readonly secretId: string;
  readonly keyId: string;
  readonly prefix: string;
  readonly hash: string;
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
      ended_at: null,
    })
    .execute();
}

/** Ends every secret of a key and tells all proxies when the transaction commits. */
export async function endSecrets(
  tx: Transaction<ControlSchema>,
  keyId: string,
): Promise<SecretId[]> {
  const ended = await tx
    .updateTable('api_key_secrets')
    .set({ ended_at: sql<Date>`now()` })
    .where('key_id', '=', keyId)
    .where('ended_at', 'is', null)
    .returning('secret_id')
    .execute();
  for (const row of ended) {
    await sql`SELECT pg_catalog.pg_notify(${endedChannel}, ${row.secret_id})`.execute(tx);
  }
  return ended.map((row) => row.secret_id as SecretId);
}

export async function markRevoked(tx: Transaction<ControlSchema>, keyId: string): Promise<void> {
  await tx
    .updateTable('api_keys')
    .set({ revoked_at: sql<Date>`now()` })
    .where('key_id', '=', keyId)
    .execute();
}

/** Notes uses in one statement; a later time is never replaced by an earlier one. */
export async function noteUses(
  db: Kysely<ControlSchema>,
  uses: ReadonlyMap<KeyId, Date>,
): Promise<void> {
  const times = [...uses.values()].map((time) => time.toISOString());
  await sql`
    UPDATE hatidata.api_keys k
       SET last_used_at = greatest(k.last_used_at, u.at)
      FROM unnest(${[...uses.keys()]}::text[], ${times}::timestamptz[]) AS u (key_id, at)
     WHERE k.key_id = u.key_id`.execute(db);
}
