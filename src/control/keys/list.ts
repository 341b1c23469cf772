import { sql, type Kysely } from 'kysely';
import type { ControlSchema } from '../../database/schema.ts';
import type { Position } from '../../api/paging.ts';

export type KeyStatus = 'active' | 'expired' | 'revoked';

export interface KeyRow {
  readonly key_id: string;
  readonly agent_id: string;
  readonly scope: string;
  readonly given_scopes: string[] | null;
  readonly limits: string | null;
  readonly description: string;
  readonly ip_allowlist: string[];
  readonly created_at: Date;
  readonly created_by: string;
  readonly expires_at: Date | null;
  readonly revoked_at: Date | null;
  readonly last_used_at: Date | null;
  readonly version: number;
  readonly rotate_every_days: number | null;
  readonly next_rotation_at: Date | null;
  /** Of its newest secret, as it is found by. */
  readonly prefix: string;
}

function keysOf(db: Kysely<ControlSchema>, envId: string) {
  return db
    .selectFrom('api_keys as k')
    .innerJoinLateral(
      (eb) =>
        eb
          .selectFrom('api_key_secrets as s')
          .select('s.prefix')
          .whereRef('s.key_id', '=', 'k.key_id')
          .orderBy('s.issued_at', 'desc')
          .limit(1)
          .as('newest'),
      (join) => join.onTrue(),
    )
    .select([
      'k.key_id',
      'k.agent_id',
      'k.scope',
      'k.given_scopes',
      'k.limits',
      'k.description',
      'k.ip_allowlist',
      'k.created_at',
      'k.created_by',
      'k.expires_at',
      'k.revoked_at',
      'k.last_used_at',
      'k.version',
      'k.rotate_every_days',
      'k.next_rotation_at',
      'newest.prefix',
    ])
    .where('k.env_id', '=', envId);
}

export interface KeyListing {
  readonly envId: string;
  readonly status: KeyStatus | undefined;
  readonly name: string | undefined;
  readonly now: Date;
  readonly limit: number;
  /** Behind this one: its creation and its id. */
  readonly behind: Position | undefined;
}

/** Newest first; one more than asked for where there are more. */
export async function listKeyRows(
  db: Kysely<ControlSchema>,
  { envId, status, name, now, limit, behind }: KeyListing,
): Promise<{ rows: KeyRow[]; total: number }> {
  const ofStatus = withStatus(status, now);
  const counts = name === undefined ? ofStatus : sql<boolean>`${ofStatus} AND k.agent_id = ${name}`;
  let page = keysOf(db, envId)
    .where(counts)
    .orderBy('k.created_at', 'desc')
    .orderBy('k.key_id', 'desc')
    .limit(limit + 1);
  if (behind !== undefined) {
    const [createdAt, keyId] = behind;
    page = page.where(
      sql<boolean>`(k.created_at, k.key_id) < (${createdAt}::timestamptz, ${keyId})`,
    );
  }
  const [rows, { total }] = await Promise.all([
    page.execute(),
    db
      .selectFrom('api_keys as k')
      .select((eb) => eb.fn.countAll<string>().as('total'))
      .where('k.env_id', '=', envId)
      .where(counts)
      .executeTakeFirstOrThrow(),
  ]);
  return { rows, total: Number(total) };
}

function withStatus(status: KeyStatus | undefined, now: Date) {
  switch (status) {
    case undefined:
      return sql<boolean>`k.revoked_at IS NULL`;
    case 'revoked':
      return sql<boolean>`k.revoked_at IS NOT NULL`;
    case 'expired':
      return sql<boolean>`k.revoked_at IS NULL AND k.expires_at <= ${now}`;
    case 'active':
      return sql<boolean>`k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > ${now})`;
  }
}

export function findKeyRow(
  db: Kysely<ControlSchema>,
  envId: string,
  keyId: string,
): Promise<KeyRow | undefined> {
  return keysOf(db, envId).where('k.key_id', '=', keyId).executeTakeFirst();
}
