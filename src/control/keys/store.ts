import type { Kysely, Transaction } from 'kysely';
import type { Tier } from '../../api/tiers.ts';
import type { Authority } from '../../policy/authority.ts';
import { printGrants } from '../../policy/limits.ts';
import type { EnvironmentId, KeyId, SecretId } from '../../ports.ts';
import { HatiError } from '../../errors.ts';
import { activeSecrets, storedAuthority } from './verification-store.ts';
import type { ControlSchema } from '../../database/schema.ts';
import type { EnvironmentKind } from './model.ts';

/** The environment whose engine is that of the configuration. */
export async function firstEnvironment(
  db: Kysely<ControlSchema>,
): Promise<{ readonly envId: EnvironmentId; readonly orgId: string }> {
  const row = await db
    .selectFrom('environments')
    .select(['env_id', 'org_id'])
    .where('is_first', '=', true)
    .executeTakeFirstOrThrow();
  return { envId: row.env_id as EnvironmentId, orgId: row.org_id };
}

export interface KeyPlace {
  readonly orgId: string;
  readonly kind: EnvironmentKind;
  readonly status: 'provisioning' | 'active' | 'archived';
  readonly tier: Tier;
}

/** Locked so that no two count its keys at once. */
export async function lockEnvironment(
  tx: Transaction<ControlSchema>,
  envId: string,
): Promise<KeyPlace | undefined> {
  const row = await tx
    .selectFrom('environments as e')
    .innerJoin('organizations as o', 'o.org_id', 'e.org_id')
    .select(['o.org_id', 'e.kind', 'e.status', 'o.tier'])
    .where('e.env_id', '=', envId)
    .where('o.status', '=', 'active')
    .forUpdate('e')
    .executeTakeFirst();
  if (row === undefined) return undefined;
  return { orgId: row.org_id, kind: row.kind, status: row.status, tier: row.tier };
}

/** Keys that are not revoked, counted up to `most`. */
export async function countKeys(
  tx: Transaction<ControlSchema>,
  envId: string,
  most: number,
): Promise<number> {
  const { count } = await tx
    .selectFrom((eb) =>
      eb
        .selectFrom('api_keys')
        .select('key_id')
        .where('env_id', '=', envId)
        .where('revoked_at', 'is', null)
        .limit(most)
        .as('counted'),
    )
    .select((eb) => eb.fn.countAll<string>().as('count'))
    .executeTakeFirstOrThrow();
  return Number(count);
}

export interface LockedKey extends KeyBounds {
  readonly keyId: KeyId;
  readonly envId: string;
  readonly name: string;
  readonly authority: Authority;
  readonly revokedAt: Date | null;
  readonly revokedBy: string | null;
  readonly version: number;
}

function lockedKeys(tx: Transaction<ControlSchema>) {
  return tx
    .selectFrom('api_keys')
    .select([
      'key_id',
      'env_id',
      'agent_id',
      'scope',
      'limits',
      'revoked_at',
      'revoked_by',
      'expires_at',
      'ip_allowlist',
      'version',
    ])
    .forUpdate();
}

/** The active key of a name, locked until the transaction ends. */
export async function lockActiveKey(
  tx: Transaction<ControlSchema>,
  envId: string,
  name: string,
): Promise<LockedKey | undefined> {
  const row = await lockedKeys(tx)
    .where('env_id', '=', envId)
    .where('agent_id', '=', name)
    .where('revoked_at', 'is', null)
    .executeTakeFirst();
  return row && locked(row);
}

/** Revoked ones as well. */
export async function lockKey(
  tx: Transaction<ControlSchema>,
  envId: string,
  keyId: string,
): Promise<LockedKey | undefined> {
  const row = await lockedKeys(tx)
    .where('env_id', '=', envId)
    .where('key_id', '=', keyId)
    .executeTakeFirst();
  return row && locked(row);
}

function locked(row: {
  key_id: string;
  env_id: string;
  agent_id: string;
  scope: string;
  limits: string | null;
  revoked_at: Date | null;
  revoked_by: string | null;
  expires_at: Date | null;
  ip_allowlist: string[];
  version: number;
}): LockedKey | undefined {
  const authority = storedAuthority(row.scope, row.limits);
  return (
    authority && {
      keyId: row.key_id as KeyId,
      envId: row.env_id,
      name: row.agent_id,
      authority,
      revokedAt: row.revoked_at,
      revokedBy: row.revoked_by,
      expiresAt: row.expires_at,
      networks: row.ip_allowlist,
      version: row.version,
    }
  );
}

/** From where and until when a key is good. */
export interface KeyBounds {
  /** None: from anywhere. */
  readonly networks: readonly string[];
  readonly expiresAt: Date | null;
}

/**
 * A key that acts, until the transaction ends: whoever revokes or rotates it waits, and finds what it has made. Throws
 * `credential_invalid` where it or its secret has ended meanwhile. No two acts of it are held at once, so that none waits for the other.
 */
export async function holdKey(
  db: Kysely<ControlSchema>,
  { keyId, secretId }: { readonly keyId: KeyId; readonly secretId: SecretId },
  now: Date,
): Promise<KeyBounds> {
  const held = await activeSecrets(db, now)
    .select(['k.ip_allowlist', 'k.expires_at'])
    .where('k.key_id', '=', keyId)
    .where('s.secret_id', '=', secretId)
    .forNoKeyUpdate(['k', 's'])
    .executeTakeFirst();
  if (held === undefined) throw new HatiError('credential_invalid');
  return { networks: held.ip_allowlist, expiresAt: held.expires_at };
}

export interface NewKey {
  readonly keyId: string;
  readonly envId: string;
  readonly name: string;
  readonly authority: Authority;
  readonly description: string;
  readonly createdBy: string;
  readonly createdAt: Date;
  readonly expiresAt: Date | null;
  readonly networks: readonly string[];
  readonly givenScopes: readonly string[] | null;
  readonly rotateEveryDays: number | null;
}

export async function insertKey(tx: Transaction<ControlSchema>, key: NewKey): Promise<void> {
  await tx
    .insertInto('api_keys')
    .values({
      key_id: key.keyId,
      env_id: key.envId,
      agent_id: key.name,
      scope: key.authority.scope,
      limits: printGrants(key.authority),
      description: key.description,
      created_by: key.createdBy,
      created_at: key.createdAt,
      expires_at: key.expiresAt,
      ip_allowlist: [...key.networks],
      given_scopes: key.givenScopes && [...key.givenScopes],
      revoked_at: null,
      last_used_at: null,
      rotate_every_days: key.rotateEveryDays,
      next_rotation_at: nextRotation(key.createdAt, key.rotateEveryDays),
    })
    .execute();
}

export function nextRotation(from: Date, days: number | null): Date | null {
  return days === null ? null : new Date(from.getTime() + days * dayMs);
}

const dayMs = 24 * 3_600_000;

export async function markRevoked(
  tx: Transaction<ControlSchema>,
  keyId: string,
  by: { readonly at: Date; readonly who: string },
): Promise<void> {
  await tx
    .updateTable('api_keys')
    .set({ revoked_at: by.at, revoked_by: by.who })
    .where('key_id', '=', keyId)
    .execute();
}
