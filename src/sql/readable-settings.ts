/**
 * Settings whose values a key that is not unrestricted may read: how the server behaves, not how it is operated. Commands,
 * paths, addresses, preloaded libraries, logging and replication are not among them: their values can hold secrets. A
 * name with a dot is an application's own variable, or an extension's, which PostgreSQL shows to everybody or nobody.
 */
const names: readonly string[] = [
  ...['array_nulls', 'allow_system_table_mods', 'application_name', 'backslash_quote'],
  ...['block_size', 'bytea_output', 'check_function_bodies', 'constraint_exclusion'],
  ...['cursor_tuple_fraction', 'data_checksums', 'datestyle', 'deadlock_timeout'],
  ...['escape_string_warning', 'exit_on_error', 'extra_float_digits', 'fsync', 'full_page_writes'],
  ...['hash_mem_multiplier', 'hot_standby', 'in_hot_standby', 'integer_datetimes'],
  ...['intervalstyle', 'is_superuser', 'lock_timeout', 'logical_decoding_work_mem'],
  ...[
    'maintenance_work_mem',
    'password_encryption',
    'plan_cache_mode',
    'port',
    'quote_all_identifiers',
  ],
  ...['random_page_cost', 'recursive_worktable_factor', 'reserved_connections', 'role'],
  'restrict_nonsystem_relation_kind',
  ...['row_security', 'scram_iterations', 'search_path', 'segment_size', 'seq_page_cost'],
  ...['session_authorization', 'session_replication_role', 'shared_buffers', 'ssl'],
  ...['standard_conforming_strings', 'statement_timeout', 'superuser_reserved_connections'],
  ...['synchronize_seqscans', 'synchronous_commit', 'timezone', 'timezone_abbreviations'],
  ...['transform_null_equals', 'wal_block_size', 'wal_buffers', 'wal_level', 'wal_segment_size'],
  ...['work_mem', 'xmlbinary', 'xmloption'],
];

const families =
  'autovacuum|bgwriter|checkpoint|client|cpu|default|effective|enable|geqo|gin|idle|jit|join_collapse|from_collapse|huge|lc|max|min|parallel|server|temp|track|transaction|vacuum';

/** Of the families, those that name code or files. */
const closed = 'jit_provider|\\w+_(library|libraries|directory|file|command)';

/** A regular expression over whole names, lower case, that JavaScript and PostgreSQL read alike. */
export const readablePattern = `^(.+\\..+|(?!(${closed})$)((${families})_\\w+|autovacuum|geqo|jit|${names.join('|')}))$`;

const readable = new RegExp(readablePattern);

export function isReadableSetting(name: string): boolean {
  return readable.test(name);
}
