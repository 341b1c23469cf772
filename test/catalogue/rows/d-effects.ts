/** D: functions that do something; where the engine has their extension, they are really there. */
import { canaryFile } from '../digest.ts';
import { cannot, cannotCall, calls, neverCalls } from '../model.ts';
import type { Row, TextCase } from '../model.ts';

export const effects: readonly Row[] = [
  {
    id: 'D01',
    title: 'files',
    cases: [
      ...neverCalls(
        ...[
          "pg_read_file('/etc/passwd')",
          "pg_read_file('/etc/passwd', 0, 10)",
          "pg_read_binary_file('PG_VERSION')",
          "pg_ls_dir('/')",
        ],
        ...[
          'pg_ls_waldir()',
          'pg_ls_logdir()',
          'pg_ls_tmpdir()',
          'pg_ls_archive_statusdir()',
          "pg_stat_file('PG_VERSION')",
          'pg_current_logfile()',
        ],
        ...[
          `pg_file_write('${canaryFile}', 'x', false)`,
          "pg_file_unlink('x')",
          "pg_file_rename('x', 'y')",
          "lo_import('/etc/passwd')",
          `lo_export(4711, '${canaryFile}')`,
        ],
      ),
      { text: "SELECT ('/'::text).pg_ls_dir", refused: /^42501 / },
      {
        text: "CREATE FOREIGN TABLE z (x text) SERVER f OPTIONS (filename '/etc/passwd')",
        refused: cannot('DDL'),
      },
    ],
  },
  {
    id: 'D02',
    title: 'SQL in a string',
    cases: calls(
      ...[
        "query_to_xml('select ssn from t', true, true, '')",
        "query_to_xmlschema('select 1', true, true, '')",
        "query_to_xml_and_xmlschema('select 1', true, true, '')",
      ],
      ...[
        "table_to_xml('t', true, true, '')",
        "table_to_xmlschema('t', true, true, '')",
        "table_to_xml_and_xmlschema('t', true, true, '')",
        "schema_to_xml('main', true, true, '')",
      ],
      ...[
        "schema_to_xmlschema('main', true, true, '')",
        "schema_to_xml_and_xmlschema('main', true, true, '')",
        "database_to_xml(true, true, '')",
        "database_to_xmlschema(true, true, '')",
      ],
      ...[
        "database_to_xml_and_xmlschema(true, true, '')",
        "cursor_to_xml('c', 1, true, true, '')",
        "cursor_to_xmlschema('c', true, true, '')",
      ],
      ...[
        "ts_stat('select words from doc')",
        "ts_stat('select words from doc', 'a')",
        "ts_rewrite('a'::tsquery, 'select ''a''::tsquery, ''b''::tsquery')",
      ],
      ...[
        "ts_rewrite('a'::tsquery, 'b'::tsquery, 'c'::tsquery)",
        "crosstab('select 1, 2, 3')",
        "crosstab2('select 1, 2, 3')",
        "crosstab('select 1, 2, 3', 'select 1')",
      ],
      ...[
        "connectby('t', 'id', 'amount', '1', 0)",
        "xpath_table('id', 'x', 'doc', '/a', 'true')",
        "dblink('dbname=hatidata', 'select 1')",
        "cron.schedule('* * * * *', 'delete from u')",
      ],
    ),
  },
  {
    id: 'D03',
    title: 'remote SQL',
    cases: calls(
      ...[
        "dblink('host=127.0.0.1', 'delete from u')",
        "dblink_exec('host=127.0.0.1', 'delete from u')",
        "dblink_connect('x', 'host=127.0.0.1')",
        "dblink_connect_u('host=127.0.0.1')",
      ],
      ...[
        "dblink_send_query('x', 'select 1')",
        'dblink_get_connections()',
        "dblink_open('x', 'y', 'select 1')",
        "dblink_fetch('x', 'y', 1)",
        "dblink_build_sql_insert('t', '1', 1, '{1}', '{1}')",
      ],
      ...['postgres_fdw_get_connections()', 'postgres_fdw_disconnect_all()'],
    ),
  },
  {
    id: 'D04',
    title: 'signals',
    cases: [
      ...['pg_terminate_backend', 'pg_cancel_backend'].flatMap((name) => [
        {
          name: `${name} of a session of another role`,
          text: ({ bystander }) => `SELECT ${name}(${bystander})`,
          refused: cannotCall(name),
        } satisfies TextCase,
        ...calls(`${name}(pg_backend_pid())`),
      ]),
      ...calls('pg_terminate_backend(1, 1000)'),
      ...neverCalls(
        'pg_log_backend_memory_contexts(pg_backend_pid())',
        'pg_reload_conf()',
        'pg_rotate_logfile()',
        'pg_promote()',
      ),
    ],
  },
  {
    id: 'D05',
    title: 'locks that outlive the statement',
    cases: [
      ...calls(
        ...[
          'pg_advisory_lock(1)',
          'pg_advisory_lock(1, 2)',
          'pg_advisory_lock_shared(1)',
          'pg_advisory_xact_lock(1)',
          'pg_advisory_xact_lock_shared(1)',
        ],
        ...[
          'pg_try_advisory_lock(1)',
          'pg_try_advisory_lock_shared(1)',
          'pg_try_advisory_xact_lock(1)',
          'pg_try_advisory_xact_lock_shared(1, 2)',
        ],
      ),
      { text: 'SELECT pg_advisory_unlock_all()', rows: [''] },
    ],
  },
  {
    id: 'D06',
    title: 'messages',
    cases: calls("pg_notify('ch', 'x')", "pg_catalog.pg_notify('ch', ssn) FROM t"),
  },
  {
    id: 'D07',
    title: 'sequences',
    cases: calls(
      "nextval('s')",
      "setval('s', 99)",
      "setval('s', 99, false)",
      "nextval('main.s'::regclass)",
    ),
  },
  {
    id: 'D08',
    title: 'large objects',
    cases: calls(
      ...[
        'lo_create(0)',
        'lo_creat(-1)',
        'lo_unlink(4711)',
        "lo_from_bytea(0, 'x')",
        "lo_put(4711, 0, 'x')",
        "lowrite(0, 'x')",
        'lo_truncate(0, 0)',
        'lo_truncate64(0, 0)',
      ],
      ...[
        'lo_open(4711, 131072)',
        'lo_get(4711)',
        'loread(0, 1)',
        'lo_lseek(0, 0, 0)',
        'lo_close(0)',
      ],
    ),
  },
  {
    id: 'D09',
    title: 'statistics written',
    cases: calls(
      ...[
        "pg_restore_relation_stats('schemaname', 'main', 'relname', 't', 'relpages', 5)",
        "pg_restore_attribute_stats('schemaname', 'main', 'relname', 't')",
      ],
      ...[
        "pg_clear_relation_stats('main', 't')",
        "pg_clear_attribute_stats('main', 't', 'ssn', false)",
      ],
    ),
  },
  {
    id: 'D10',
    title: 'statistics reset',
    cases: calls(
      ...[
        'pg_stat_reset()',
        "pg_stat_reset_shared('wal')",
        "pg_stat_reset_slru('Notify')",
        'pg_stat_reset_single_table_counters(1)',
        'pg_stat_reset_single_function_counters(1)',
      ],
      ...[
        "pg_stat_reset_replication_slot('x')",
        'pg_stat_reset_subscription_stats(1)',
        'pg_stat_statements_reset()',
        'pg_stat_clear_snapshot()',
      ],
    ),
  },
  {
    id: 'D11',
    title: 'write-ahead log and slots',
    cases: [
      ...calls(
        "pg_logical_emit_message(true, 'a', 'b')",
        "pg_logical_emit_message(false, 'a', 'b'::bytea)",
      ),
      ...neverCalls(
        ...[
          'pg_switch_wal()',
          "pg_create_restore_point('x')",
          "pg_create_logical_replication_slot('x', 'test_decoding')",
          "pg_create_physical_replication_slot('x')",
        ],
        ...[
          "pg_drop_replication_slot('x')",
          "pg_replication_slot_advance('x', '0/1')",
          "pg_logical_slot_get_changes('x', NULL, NULL)",
          "pg_logical_slot_peek_changes('x', NULL, NULL)",
        ],
        ...[
          "pg_logical_slot_peek_binary_changes('x', NULL, NULL)",
          "pg_backup_start('x')",
          'pg_backup_stop()',
          'pg_wal_replay_pause()',
          "pg_replication_origin_create('x')",
        ],
      ),
    ],
  },
];
