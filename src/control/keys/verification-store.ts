import { sql, type Kysely } from 'kysely';
import { LRUCache } from 'lru-cache';
import type { Tier } from '../../api/tiers.ts';
import { authorityOf, parseScopes, type Authority } from '../../policy/authority.ts';
import { noGrants, parseGrants } from '../../policy/limits.ts';
import type { EnvironmentId, KeyId, SecretId } from '../../ports.ts';
import type { ControlSchema } from '../../database/schema.ts';

export interface StoredSecret {
  readonly keyId: KeyId;
  readonly secretId: SecretId;
  readonly environment: EnvironmentId;
  readonly orgId: string;
  readonly tier: Tier;
  readonly agent: string;
  readonly authority: Authority;
  /** Its own end or the key's, whichever is first. */
  readonly expiresAt: Date | undefined;
  readonly networks: readonly string[];
  readonly hash: string;
}

/** Keys that may do the same share one, so that what was judged for one key is known for the others. */
const authorities = new LRUCache<string, Authority>({ max: 1_000 });

/** What a key's row says that it may do; undefined where this version does not understand it: then it may nothing. */
export function storedAuthority(scope: string, limits: string | null): Authority | undefined {
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

/** Secrets that count at `now`: neither they nor their key have ended, and environment and organization are active. */
export function activeSecrets(db: Kysely<ControlSchema>, now: Date) {
  return db
    .selectFrom('api_key_secrets as s')
    .innerJoin('api_keys as k', 'k.key_id', 's.key_id')
    .innerJoin('environments as e', 'e.env_id', 'k.env_id')
    .innerJoin('organizations as o', 'o.org_id', 'e.org_id')
    .where('s.ended_at', 'is', null)
    .where('k.revoked_at', 'is', null)
    .where((eb) => eb.or([eb('s.expires_at', 'is', null), eb('s.expires_at', '>', now)]))
    .where((eb) => eb.or([eb('k.expires_at', 'is', null), eb('k.expires_at', '>', now)]))
    .where('e.status', '=', 'active')
    .where('o.status', '=', 'active');
}

/** An active secret by its prefix. */
export async function findActiveSecret(
  db: Kysely<ControlSchema>,
  prefix: string,
  now: Date,
): Promise<StoredSecret | undefined> {
  const row = await activeSecrets(db, now)
    .select([
      'k.key_id',
      's.secret_id',
      'k.env_id',
      'e.org_id',
      'o.tier',
      'k.agent_id',
      'k.scope',
      'k.limits',
      'k.ip_allowlist',
      'k.expires_at as key_expires_at',
      's.expires_at',
      's.hash',
    ])
    .where('s.prefix', '=', prefix)
    .executeTakeFirst();
  if (row === undefined) return undefined;
  const authority = storedAuthority(row.scope, row.limits);
  if (authority === undefined) return undefined;
  return {
    keyId: row.key_id as KeyId,
    secretId: row.secret_id as SecretId,
    environment: row.env_id as EnvironmentId,
    orgId: row.org_id,
    tier: row.tier,
    agent: row.agent_id,
    authority,
    expiresAt: earlier(row.expires_at, row.key_expires_at),
    networks: row.ip_allowlist,
    hash: row.hash,
  };
}

function earlier(one: Date | null, other: Date | null): Date | undefined {
  if (one === null || other === null) return one ?? other ?? undefined;
  return one < other ? one : other;
}

/** Of the given secrets, those that are still active, with their end where it is known, and from where they may be used. */
export async function activeAmong(
  db: Kysely<ControlSchema>,
  secrets: readonly SecretId[],
  now: Date,
): Promise<Map<SecretId, Pick<StoredSecret, 'expiresAt' | 'networks'>>> {
  const rows = await activeSecrets(db, now)
    .select(['s.secret_id', 's.expires_at', 'k.expires_at as key_expires_at', 'k.ip_allowlist'])
    .where('s.secret_id', '=', sql<string>`ANY(${[...secrets]}::uuid[])`)
    .execute();
  return new Map(
    rows.map((row) => [
      row.secret_id as SecretId,
      { expiresAt: earlier(row.expires_at, row.key_expires_at), networks: row.ip_allowlist },
    ]),
  );
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
