import type { ScopeName } from './authority.ts';

/**
 * PostgreSQL's own functions that do more than compute, by family. The generator leaves them out of the allow-list
 * for readonly keys, whatever their declared volatility says (`query_to_xml` is "stable" and runs any SQL).
 */
export interface FunctionFamily {
  readonly reason: string;
  /** An unrestricted key may not call them either; they reach the engine's machine or its operation. */
  readonly never?: true;
  /** Keys with this scope may, unless they have limits; without it, unrestricted keys only. */
  readonly scope?: ScopeName;
  readonly names: RegExp;
}

export const functionFamilies: readonly FunctionFamily[] = [
  {
    reason: 'reads, writes or lists files of the server',
    never: true,
    names:
      /^(pg_read_(binary_)?file|pg_ls_\w+|pg_stat_file|pg_file_\w+|pg_logdir_ls|pg_current_logfile|lo_import|lo_export)$/,
  },
  {
    reason:
      'tells statements that others have prepared on the same connection; the view pg_prepared_statements tells your own',
    never: true,
    names: /^pg_prepared_statement$/,
  },
  {
    reason: 'operates the server',
    never: true,
    names:
      /^(pg_reload_conf|pg_rotate_logfile\w*|pg_promote|pg_switch_\w+|pg_backup_\w+|pg_start_backup|pg_stop_backup|pg_create_restore_point|pg_wal_replay_\w+|pg_log_\w+|binary_upgrade_\w+|pg_stop_making_pinned_objects|pg_nextoid|pg_config)$/,
  },
  {
    reason: 'reads or moves the write-ahead log: raw rows of every table',
    never: true,
    names:
      /^(pg_logical_slot_\w+|pg_(create|drop|copy)_\w*replication_slot|pg_replication_\w+|pg_sync_replication_slots|pg_available_wal_summaries|pg_wal_summary_contents|pg_get_wal_\w+)$/,
  },
  {
    reason: 'runs SQL that hides in a string, a table name or a cursor',
    names:
      /^((query|table|schema|database|cursor)_to_xml\w*|ts_stat|ts_rewrite|dblink\w*|crosstab\w*|connectby|xpath_table)$/,
  },
  {
    reason:
      'converts to a type, or checks a function, that a value names: both may run code of the user',
    names:
      /^(pg_input_(is_valid|error_info)|(domain|array|record|range|multirange)_in|(fmgr_\w+|plpgsql)_validator)$/,
  },
  {
    reason: 'signals another session',
    names: /^(pg_terminate_backend|pg_cancel_backend)$/,
  },
  {
    reason: 'takes locks that outlive the statement',
    scope: 'query:write',
    names: /^(pg_advisory_(xact_)?lock\w*|pg_try_advisory_\w+)$/,
  },
  {
    reason: 'sends messages',
    scope: 'query:write',
    names: /^(pg_notify|pg_logical_emit_message)$/,
  },
  {
    reason: 'moves or reads the state of sequences',
    scope: 'query:write',
    names: /^(nextval|setval|currval|lastval)$/,
  },
  { reason: 'works on large objects', scope: 'query:write', names: /^(lo_\w+|lowrite|loread)$/ },
  {
    reason: 'writes or resets statistics',
    names: /^(pg_restore_\w+_stats|pg_clear_\w+_stats|pg_stat_reset\w*|pg_stat_clear_snapshot)$/,
  },
  { reason: 'waits', scope: 'query:write', names: /^pg_sleep\w*$/ },
  {
    reason: 'hands a snapshot to other sessions',
    scope: 'query:write',
    names: /^pg_export_snapshot$/,
  },
  {
    reason: 'assigns a transaction id, which is a write',
    scope: 'query:write',
    names: /^(txid_current|pg_current_xact_id)$/,
  },
  {
    reason: 'tells how the transactions of others ended',
    scope: 'query:write',
    names: /^(txid_status|pg_xact_status)$/,
  },
  { reason: 'changes the outcome of later calls', scope: 'query:write', names: /^setseed$/ },
  {
    reason: 'shows what other sessions do, or their connection strings',
    names:
      /^(pg_stat_get_(activity|backend_\w+|wal_receiver|wal_senders|subscription|progress_info)|pg_lock_status|pg_prepared_xact)$/,
  },
  {
    reason: 'maintains indexes or catalogues',
    names:
      /^(brin_(de)?summarize_\w+|gin_clean_pending_list|pg_import_system_collations|pg_extension_config_dump|pg_prewarm)$/,
  },
];

/**
 * Volatile functions that were looked at one by one and only tell something. `set_config` is here because each call
 * is judged by its name and value (`settings.ts`); `strftime` is defined by the embedded engine for clients of
 * older warehouses.
 */
export const reviewedVolatile: readonly string[] = [
  ...[
    'clock_timestamp',
    'timeofday',
    'current_query',
    'pg_is_in_recovery',
    'set_config',
    'strftime',
  ],
  ...[
    'random',
    'random_normal',
    'gen_random_uuid',
    'uuidv4',
    'uuidv7',
    'array_sample',
    'array_shuffle',
  ],
  // TABLESAMPLE methods
  ...['bernoulli', 'system'],
  // Sizes and shapes, for \dt+, \l+, \db+, \dP
  ...['pg_relation_size', 'pg_table_size', 'pg_indexes_size', 'pg_total_relation_size'],
  ...['pg_database_size', 'pg_tablespace_size', 'pg_partition_tree', 'pg_partition_ancestors'],
  ...[
    'pg_sequence_last_value',
    'pg_get_sequence_data',
    'pg_collation_actual_version',
    'pg_database_collation_actual_version',
  ],
  // How far a standby is
  ...[
    'pg_current_wal_lsn',
    'pg_last_wal_receive_lsn',
    'pg_last_wal_replay_lsn',
    'pg_last_xact_replay_timestamp',
    'pg_is_wal_replay_paused',
  ],
  // Reports the session's own counts at once and not some seconds later
  'pg_stat_force_next_flush',
  // Giving back what cannot be taken: drivers send these when a connection returns to their pool
  ...['pg_advisory_unlock', 'pg_advisory_unlock_shared', 'pg_advisory_unlock_all'],
];
