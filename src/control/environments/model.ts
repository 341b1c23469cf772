import type { Selectable } from 'kysely';
import type { ControlSchema } from '../../database/schema.ts';

export type EnvironmentRow = Selectable<ControlSchema['environments']>;

/** Where clients of the proxy connect; the key says to which environment. */
export interface ProxyAddress {
  readonly host: string;
  readonly port: number;
}

export interface EnvironmentSettings {
  readonly query_timeout_ms: number;
  readonly max_concurrent_queries: number;
  readonly cache_enabled: boolean;
  readonly fast_lane: boolean;
}

/** What is not given stays as it is. */
export type SomeSettings = {
  readonly [Name in keyof EnvironmentSettings]?: EnvironmentSettings[Name] | undefined;
};

const kinds = ['production', 'staging', 'development'] as const;

export type EnvironmentKind = (typeof kinds)[number];

/** What it is for, where nobody says. */
export function kindOf(slug: string): EnvironmentKind {
  return kinds.find((kind) => kind === slug) ?? 'development';
}

export function settingsOf(row: EnvironmentRow): EnvironmentSettings {
  const { query_timeout_ms, max_concurrent_queries, cache_enabled, fast_lane } = row;
  return { query_timeout_ms, max_concurrent_queries, cache_enabled, fast_lane };
}

export interface Difference {
  readonly field: string;
  readonly source: number | boolean;
  readonly target: number | boolean;
}

/** In the order of `settingsOf`. */
export function differencesBetween(source: EnvironmentRow, target: EnvironmentRow): Difference[] {
  const [ours, theirs] = [settingsOf(source), settingsOf(target)];
  return (Object.keys(ours) as (keyof EnvironmentSettings)[])
    .filter((name) => ours[name] !== theirs[name])
    .map((name) => ({ field: `settings.${name}`, source: ours[name], target: theirs[name] }));
}

export function shown(row: EnvironmentRow, { host, port }: ProxyAddress) {
  return {
    env_id: row.env_id,
    org_id: row.org_id,
    name: row.name,
    slug: row.slug,
    kind: row.kind,
    status: row.status,
    engine: row.engine,
    connection: { host, port, database: 'hatidata' },
    settings: settingsOf(row),
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
  };
}

/** For the record: without its URLs, which hold passwords. */
export function recorded(row: EnvironmentRow): Readonly<Record<string, unknown>> {
  const { name, slug, kind, status, engine } = row;
  return { name, slug, kind, status, engine, settings: settingsOf(row) };
}
