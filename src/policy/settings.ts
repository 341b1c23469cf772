import type { HatiError } from '../errors.ts';
import { parsePathList } from '../sql/quote.ts';
import { isReadableSetting } from '../sql/readable-settings.ts';
import { settingName } from '../sql/setting-changes.ts';
import type { SettingChange } from '../sql/statement.ts';
import { timeLimits } from '../sql/time-limits.ts';
import { adminHint, refusalError, type Refusal } from './refusal.ts';
import { isUnrestricted, mayChange, nameOf, type Authority } from './authority.ts';
import { searchableSchemas } from './relations.ts';
import {
  any,
  duration,
  integer,
  listOf,
  memory,
  never,
  on,
  oneOf,
  safeSearchPath,
  utf8,
  type ValueRule,
} from './setting-values.ts';

/**
 * One table for SET, RESET, set_config, ALTER … SET and startup parameters.
 *
 * Resetting is always fine where setting is: the engine connection carries its clamps as startup options, so RESET,
 * SET … TO DEFAULT, RESET ALL and DISCARD ALL come back to them. Reading goes by `sql/readable-settings.ts`.
 */

/**
 * What no scope may touch, because the judgement of statements or the identity of the session stands on it.
 * A rule with a value leaves that value open.
 */
const protectedSettings: ReadonlyMap<string, ValueRule> = new Map([
  // What we read must be what the engine reads.
  ['client_encoding', utf8],
  ['standard_conforming_strings', on],
  // Who we are on the engine.
  ['role', never],
  ['session_authorization', never],
  // Triggers, rules and foreign keys stay on.
  ['session_replication_role', never],
  // Code of the server's file system, and the catalogue itself.
  ['dynamic_library_path', never],
  ['session_preload_libraries', never],
  ['local_preload_libraries', never],
  ['shared_preload_libraries', never],
  ['allow_system_table_mods', never],
]);

/** Names that are ours; they are answered by the proxy as statements of their own and never reach the engine. */
const ownPrefix = 'hatidata';

const planner = [
  ...[
    'enable_async_append',
    'enable_bitmapscan',
    'enable_distinct_reordering',
    'enable_gathermerge',
  ],
  ...[
    'enable_group_by_reordering',
    'enable_hashagg',
    'enable_hashjoin',
    'enable_incremental_sort',
    'enable_indexscan',
  ],
  ...[
    'enable_indexonlyscan',
    'enable_material',
    'enable_memoize',
    'enable_mergejoin',
    'enable_nestloop',
  ],
  ...[
    'enable_parallel_append',
    'enable_parallel_hash',
    'enable_partition_pruning',
    'enable_partitionwise_aggregate',
  ],
  ...[
    'enable_partitionwise_join',
    'enable_presorted_aggregate',
    'enable_self_join_elimination',
    'enable_seqscan',
  ],
  ...[
    'enable_sort',
    'enable_tidscan',
    'constraint_exclusion',
    'cpu_index_tuple_cost',
    'cpu_operator_cost',
  ],
  ...[
    'cpu_tuple_cost',
    'cursor_tuple_fraction',
    'effective_cache_size',
    'effective_io_concurrency',
    'geqo',
  ],
  ...[
    'geqo_threshold',
    'jit',
    'jit_above_cost',
    'jit_inline_above_cost',
    'jit_optimize_above_cost',
  ],
  ...[
    'min_parallel_index_scan_size',
    'min_parallel_table_scan_size',
    'parallel_leader_participation',
  ],
  ...[
    'parallel_setup_cost',
    'parallel_tuple_cost',
    'plan_cache_mode',
    'random_page_cost',
    'recursive_worktable_factor',
  ],
  ...['seq_page_cost', 'synchronize_seqscans'],
];

const presentation = [
  ...[
    'application_name',
    'bytea_output',
    'datestyle',
    'default_text_search_config',
    'escape_string_warning',
  ],
  ...['extra_float_digits', 'intervalstyle', 'lc_messages', 'lc_monetary', 'lc_numeric', 'lc_time'],
  ...['quote_all_identifiers', 'timezone', 'timezone_abbreviations', 'xmlbinary', 'xmloption'],
];

const transactions = [
  ...['transaction_isolation', 'default_transaction_isolation', 'transaction_deferrable'],
  ...['default_transaction_deferrable', 'check_function_bodies', 'synchronous_commit'],
];

/**
 * What a readonly key may set: how values look, how plans are made, and limits up to a ceiling, so that one agent
 * cannot take the server's memory or hold a connection for days. What is not listed is refused.
 */
const readonlySettings: ReadonlyMap<string, ValueRule> = new Map<string, ValueRule>([
  ...[...planner, ...presentation, ...transactions].map((name): [string, ValueRule] => [name, any]),
  ['search_path', safeSearchPath],
  // Lower levels print plans and values of other objects.
  ['client_min_messages', oneOf('log', 'info', 'notice', 'warning', 'error', 'fatal', 'panic')],
  ['default_transaction_read_only', on],
  ['transaction_read_only', on],
  // Off lifts no policy: a query fails that one would filter.
  ['row_security', any],
  // Takes something from the session alone; pg_dump wants it.
  ['restrict_nonsystem_relation_kind', listOf('view', 'foreign-table')],
  ...Object.entries(timeLimits).map(([name, most]): [string, ValueRule] => [
    name,
    // 0 would mean "no limit".
    duration('1ms', most),
  ]),
  ['lock_timeout', duration('0', '1h')],
  ['work_mem', memory(1, '256MB')],
  ['temp_buffers', memory(8, '64MB')],
  ['hash_mem_multiplier', integer(1, 4)],
  ['from_collapse_limit', integer(1, 20)],
  ['join_collapse_limit', integer(1, 20)],
  ['max_parallel_workers_per_gather', integer(0, 8)],
]);

/** What a key that changes data may set besides: its transactions are its own affair. */
const writerSettings: ReadonlyMap<string, ValueRule> = new Map<string, ValueRule>([
  ...readonlySettings,
  ['default_transaction_read_only', any],
  ['transaction_read_only', any],
  ['maintenance_work_mem', memory(1, '1GB')],
]);

export function judgeSetting(authority: Authority, change: SettingChange): HatiError | undefined {
  const refusal = refuseSetting(authority, change);
  return refusal && refusalError(refusal);
}

export function refuseSetting(authority: Authority, change: SettingChange): Refusal | undefined {
  if (change.operation === 'show') return refuseReading(authority, change.name);
  const { name, values } = change;
  if (name === undefined) return fixed('with a computed name', 'Give the name as a constant.');
  if (name.startsWith(ownPrefix)) {
    return fixed(
      name,
      `Use SET ${name} = 'value' as a statement of its own; it is kept by HatiData, not by the engine.`,
    );
  }
  const rule = ruleFor(authority, name);
  if (rule === 'free') return undefined;
  if (rule === never) return fixed(name);
  if (rule === undefined) return fixed(name, adminHint);
  if (values === undefined)
    return wrongValue(name, 'a computed value', 'Give the value as a constant.');
  if (!rule(values)) return refusedValue(authority, name, values);
  return name === 'search_path' ? refuseSearchPath(authority, values) : undefined;
}

/**
 * The names of settings that a bound statement reads: see `Statement.settingParameters`.
 * @param names undefined: one that nobody can know
 */
export function authorizeSettingNames(
  authority: Authority,
  names: readonly (string | null | undefined)[],
): HatiError | undefined {
  for (const name of names) {
    // NULL reads nothing.
    const refusal =
      name === null
        ? undefined
        : refuseReading(authority, name === undefined ? name : settingName(name));
    if (refusal) return refusalError(refusal);
  }
  return undefined;
}

/** `SHOW ALL` is a name like any other, and computed names mean any. */
function refuseReading(authority: Authority, name: string | undefined): Refusal | undefined {
  if (isUnrestricted(authority) || (name !== undefined && isReadableSetting(name)))
    return undefined;
  return {
    code: 'setting_not_readable',
    params: { who: nameOf(authority), setting: name ?? 'of a name that is not a constant' },
    hint: `Settings that say how the server is operated are not shown. Ask for others by name. ${adminHint}`,
  };
}

/** `free` may even be computed; `undefined` is refused because nobody listed it. */
function ruleFor(authority: Authority, name: string): ValueRule | 'free' | undefined {
  const protectedRule = protectedSettings.get(name);
  if (protectedRule) return protectedRule;
  if (isUnrestricted(authority)) return 'free';
  // Names with a dot are the application's own variables. A computed value in one would carry data past every later
  // rule, so even these must be constants.
  if (name.includes('.')) return ownVariables(name);
  return (mayChange(authority) ? writerSettings : readonlySettings).get(name);
}

/** Of extensions that agents live on, with ceilings; those of others are not the application's to set. */
const extensionSettings: ReadonlyMap<string, ValueRule> = new Map<string, ValueRule>([
  ['pg_trgm.similarity_threshold', any],
  ['pg_trgm.word_similarity_threshold', any],
  ['pg_trgm.strict_word_similarity_threshold', any],
  ['hnsw.ef_search', integer(1, 1000)],
  ['hnsw.iterative_scan', any],
  ['hnsw.max_scan_tuples', integer(1, 100_000)],
  ['hnsw.scan_mem_multiplier', integer(1, 8)],
  ['ivfflat.probes', integer(1, 1000)],
  ['ivfflat.iterative_scan', any],
  ['ivfflat.max_probes', integer(1, 1000)],
]);

/** Prefixes that modules of the server have reserved, or may once they are loaded. */
const modules =
  /^(plpgsql|plperl|plpython\w*|pltcl|plv8|pljava|auto_explain|auth_delay|basic_archive|pg_\w+|pgaudit\w*|pgtle|pgl?ogical\w*|hnsw|ivfflat|postgis|postgres_fdw|dblink|citus|columnar|timescaledb\w*|cron|anon|age|sepgsql|supautils|vault|safeupdate|credcheck|passwordcheck\w*|isn|orafce|hypopg|rum|rds|aurora\w*|apg\w*|alloydb\w*|cloudsql|google\w*|azure|neon|crdb\w*|yb\w*)$/;

function ownVariables(name: string): ValueRule | undefined {
  const listed = extensionSettings.get(name);
  if (listed) return listed;
  return modules.test(name.slice(0, name.indexOf('.'))) ? undefined : any;
}

/**
 * A name without a schema must lie within the limits of the key, so its path holds only schemas that are. The same value
 * is one name in SET and a list in set_config; what would be two things there is refused.
 */
function refuseSearchPath({ limits }: Authority, values: readonly string[]): Refusal | undefined {
  if (limits === undefined) return undefined;
  const open = new Set(['', 'pg_catalog', ...searchableSchemas(limits)]);
  const barred = values.find(
    (value) => ![value, ...parsePathList(value)].every((name) => open.has(name)),
  );
  if (barred === undefined) return undefined;
  const hint = `The key is limited: its search path may hold ${searchableSchemas(limits).join(', ')}.`;
  return wrongValue('search_path', barred.slice(0, 64), hint);
}

function refusedValue(authority: Authority, name: string, values: readonly string[]): Refusal {
  const value = values.join(', ').slice(0, 64);
  if (name === 'client_encoding') return { code: 'client_encoding_fixed', params: { value } };
  const isCeiling = !isUnrestricted(authority) && !protectedSettings.has(name);
  return wrongValue(
    name,
    value === '' ? 'an empty value' : value,
    isCeiling ? adminHint : undefined,
  );
}

function wrongValue(setting: string, value: string, hint?: string): Refusal {
  return {
    code: 'setting_value_not_allowed',
    params: { setting, value },
    ...(hint !== undefined && { hint }),
  };
}

function fixed(setting: string, hint?: string): Refusal {
  return { code: 'setting_not_allowed', params: { setting }, ...(hint !== undefined && { hint }) };
}
