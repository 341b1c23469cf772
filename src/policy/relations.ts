import type { RelationRef } from '../sql/statement.ts';
import { isUnrestricted, nameOf, type Authority, type Limits } from './authority.ts';
import type { Catalogue } from './catalogue.ts';
import { adminHint, type Refusal } from './refusal.ts';

/**
 * System relations that only unrestricted keys read, by name and whatever their schema (extensions put theirs where
 * they like). The engine's reader role is refused most of them as well; this list does not rely on it.
 */
const refused: ReadonlyMap<string, string> = new Map([
  ...because('it holds passwords or connection strings', [
    ...['pg_authid', 'pg_shadow', 'pg_user_mapping'],
    ...['user_mapping_options', '_pg_user_mappings'],
    ...['pg_stat_wal_receiver', 'pg_stat_subscription'],
  ]),
  ...because('it shows options, which may hold passwords or connection strings', [
    ...['foreign_server_options', '_pg_foreign_servers'],
    ...['foreign_data_wrapper_options', '_pg_foreign_data_wrappers'],
  ]),
  ...because("it shows the server's configuration files", [
    ...['pg_hba_file_rules', 'pg_file_settings', 'pg_ident_file_mappings'],
  ]),
  ...because('it shows what other sessions do', [
    ...['pg_stat_activity', 'pg_stat_replication', 'pg_stat_statements', 'pg_stat_statements_info'],
    ...['pg_locks', 'pg_stat_ssl', 'pg_stat_gssapi', 'pg_stat_progress_copy'],
  ]),
  ...because('it holds raw values of other relations', [
    ...['pg_largeobject', 'pg_statistic', 'pg_statistic_ext_data'],
  ]),
]);

/** They have a column of options, beside what psql and others list. */
const withOptions: ReadonlySet<string> = new Set([
  ...['pg_foreign_server', 'pg_foreign_data_wrapper', 'pg_user_mappings', 'pg_subscription'],
]);

/** They show values of columns and sequences, of all that the engine's role may read. */
const statistics: ReadonlySet<string> = new Set([
  ...['pg_stats', 'pg_stats_ext', 'pg_stats_ext_exprs', 'pg_sequences'],
]);

const refusedSchemas: ReadonlyMap<string, string> = new Map([
  ['pg_toast', 'it holds raw values of other relations'],
]);

export function judgeRelation(
  authority: Authority,
  ref: RelationRef,
  catalogue: Catalogue,
  seesOptions: boolean,
): Refusal | undefined {
  if (isUnrestricted(authority)) return undefined;
  const { schema, name } = ref;
  if (seesOptions && withOptions.has(name)) {
    const hint = 'Its options may hold passwords. Name the columns that you want, without them.';
    return refusal(authority, ref, hint);
  }
  const reason = refused.get(name) ?? refusedSchemas.get(schema ?? '');
  if (reason !== undefined) return refusal(authority, ref, `${capitalized(reason)}. ${adminHint}`);
  const { limits } = authority;
  const readsEverything = limits === undefined && authority.scopes.has('query:read');
  if (!readsEverything && statistics.has(name))
    return refusal(authority, ref, `It shows values of other relations. ${adminHint}`);
  if (limits === undefined || isSystemRelation(ref, catalogue) || isWithin(limits, ref))
    return undefined;
  const hint = `It is limited to ${describeLimits(limits)}.`;
  return { code: 'relation_beyond_limits', params: { relation: spelled(ref) }, hint };
}

/** One of PostgreSQL's own; a name without a schema is looked up there first. */
export function isSystemRelation({ schema, name }: RelationRef, catalogue: Catalogue): boolean {
  if (schema !== undefined) return schema === 'pg_catalog' || schema === 'information_schema';
  return name.startsWith('pg_') && !catalogue.relations.has(name);
}

/** The schemas that the search path of a key with limits may hold; see `settings.ts`. */
export function searchableSchemas({ schemas, tables }: Limits): readonly string[] {
  return schemas.size > 0 ? [...schemas] : [...tables.keys()];
}

/**
 * A name without a schema can mean any relation of that name in a searchable one, and what is created gets the first of
 * them: it must be open in each.
 */
function isWithin(limits: Limits, { schema, name }: RelationRef): boolean {
  const isNamed = (each: string): boolean => limits.tables.get(each)?.has(name) === true;
  if (schema !== undefined) return limits.schemas.has(schema) || isNamed(schema);
  return limits.schemas.size > 0 || searchableSchemas(limits).every(isNamed);
}

export function describeLimits({ schemas, tables }: Limits): string {
  const named = [...tables].flatMap(([schema, names]) =>
    [...names].map((name) => `${schema}.${name}`),
  );
  return [
    ...(schemas.size > 0 ? [`the schemas ${[...schemas].join(', ')}`] : []),
    ...(named.length > 0 ? [`the tables ${named.join(', ')}`] : []),
  ].join(' and ');
}

function refusal(authority: Authority, ref: RelationRef, hint: string): Refusal {
  const params = { who: nameOf(authority), relation: spelled(ref) };
  return { code: 'relation_not_allowed', params, hint };
}

function spelled({ schema, name }: RelationRef): string {
  return schema === undefined ? name : `${schema}.${name}`;
}

function capitalized(text: string): string {
  return `${text[0]?.toUpperCase() ?? ''}${text.slice(1)}`;
}

function because(reason: string, names: readonly string[]): [string, string][] {
  return names.map((name) => [name, reason]);
}
