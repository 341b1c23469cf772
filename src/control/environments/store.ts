import { sql, type Kysely, type Transaction } from 'kysely';
import type { Position } from '../../api/paging.ts';
import type { ControlSchema } from '../../database/schema.ts';
import type { EnvironmentRow } from './model.ts';

/** The channel on which every proxy hears of changes of an environment. The payload is its id. */
export const environmentChannel = 'hatidata_environment_changed';

export type FoundEngine = {
  readonly environment: string;
  /** 0: none. */
  readonly queryTimeoutMs: number;
  readonly mostQueries: number;
  /** Short reads of different sessions may go back to back on few connections. */
  readonly fastLane: boolean;
  readonly version: number;
} & (
  | { readonly kind: 'configured' }
  | { readonly kind: 'embedded' }
  | { readonly kind: 'url'; readonly url: Buffer; readonly readerUrl: Buffer | null }
);

/** Of an active environment. */
export async function findEngine(
  db: Kysely<ControlSchema>,
  environment: string,
): Promise<FoundEngine | undefined> {
  const row = await db
    .selectFrom('environments as e')
    .innerJoin('organizations as o', 'o.org_id', 'e.org_id')
    .select([
      'e.engine',
      'e.engine_url',
      'e.engine_reader_url',
      'e.query_timeout_ms',
      'e.max_concurrent_queries',
      'e.fast_lane',
      'e.version',
    ])
    .where('e.env_id', '=', environment)
    .where('e.status', '=', 'active')
    .where('o.status', '=', 'active')
    .executeTakeFirst();
  if (row === undefined) return undefined;
  const found = {
    environment,
    queryTimeoutMs: row.query_timeout_ms,
    mostQueries: row.max_concurrent_queries,
    fastLane: row.fast_lane,
    version: row.version,
  };
  if (row.engine !== 'url') return { ...found, kind: row.engine };
  if (row.engine_url === null) return undefined;
  return { ...found, kind: 'url', url: row.engine_url, readerUrl: row.engine_reader_url };
}

/** In the place of `tx` a transaction locks what it finds. */
export async function lockEnvironmentRow(
  tx: Transaction<ControlSchema>,
  envId: string,
): Promise<EnvironmentRow | undefined> {
  return await tx
    .selectFrom('environments')
    .selectAll()
    .where('env_id', '=', envId)
    .forUpdate()
    .executeTakeFirst();
}

export async function findEnvironment(
  db: Kysely<ControlSchema>,
  envId: string,
): Promise<EnvironmentRow | undefined> {
  return await db
    .selectFrom('environments')
    .selectAll()
    .where('env_id', '=', envId)
    .executeTakeFirst();
}

export interface EnvironmentListing {
  readonly orgId: string;
  readonly status: EnvironmentRow['status'] | undefined;
  readonly limit: number;
  /** Behind this one: its creation and its id. */
  readonly behind: Position | undefined;
}

/** Oldest first; one more than asked for where there are more. */
export async function listEnvironmentRows(
  db: Kysely<ControlSchema>,
  { orgId, status, limit, behind }: EnvironmentListing,
): Promise<{ rows: EnvironmentRow[]; total: number }> {
  const listed =
    status === undefined ? sql<boolean>`status <> 'archived'` : sql<boolean>`status = ${status}`;
  let page = db
    .selectFrom('environments')
    .selectAll()
    .where('org_id', '=', orgId)
    .where(listed)
    .orderBy('created_at')
    .orderBy('env_id')
    .limit(limit + 1);
  if (behind !== undefined) {
    const [createdAt, envId] = behind;
    page = page.where(sql<boolean>`(created_at, env_id) > (${createdAt}::timestamptz, ${envId})`);
  }
  const [rows, { total }] = await Promise.all([
    page.execute(),
    db
      .selectFrom('environments')
      .select((eb) => eb.fn.countAll<string>().as('total'))
      .where('org_id', '=', orgId)
      .where(listed)
      .executeTakeFirstOrThrow(),
  ]);
  return { rows, total: Number(total) };
}

/** Proxies hear of it when the transaction commits. */
export async function tellChanged(tx: Transaction<ControlSchema>, envId: string): Promise<void> {
  await sql`SELECT pg_catalog.pg_notify(${environmentChannel}, ${envId})`.execute(tx);
}
