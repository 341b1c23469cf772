/** D: functions and relations that tell something, code of users, and time. */
import { expect } from 'vitest';
import { frontend as f, show } from '../../fixtures/raw-client.ts';
import {
  all,
  cannotCall,
  cannotConvert,
  never,
  same,
  calls,
  neverCalls,
  closed,
  relations,
} from '../model.ts';
import type { Row, RowsCase } from '../model.ts';
import { exchange } from '../run-rows.ts';

export const reads: readonly Row[] = [
  {
    id: 'D12',
    title: 'transaction ids',
    cases: calls(
      'txid_current()',
      'pg_current_xact_id()',
      'txid_status(3)',
      "pg_xact_status('3'::xid8)",
    ),
  },
  {
    id: 'D13',
    title: 'time and size',
    cases: [
      ...calls('pg_sleep(0)', "pg_sleep_for('1 second')", 'pg_sleep_until(now())'),
      {
        name: 'what runs for long is ended by the timeout that every readonly session begins with',
        run: async (world) => {
          const client = await world.login('readonly');
          expect(await exchange(client, [f.query('SHOW statement_timeout')])).toContain('D 5min');
          await exchange(client, [f.query("SET statement_timeout = '200ms'")]);
          for (const text of [
            'WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n FROM r) SELECT count(*) FROM r',
            'SELECT count(*) FROM generate_series(1, 10000000000)',
            "SELECT 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' ~ '^(((a+)+)+)+(b|\\1)$' FROM generate_series(1, 1000000000)",
          ]) {
            expect(await exchange(client, [f.query(text)]), text).toContainEqual(
              expect.stringMatching(/^E 57014 /),
            );
          }
          client.close();
        },
      },
      { text: "SELECT repeat('x', 2000000000)", refused: /^(54000|XX000|22023) /, by: 'engine' },
    ],
  },
  {
    id: 'D14',
    title: 'maintenance',
    cases: calls(
      ...[
        "pg_import_system_collations('main')",
        "brin_summarize_new_values('t_brin')",
        "brin_summarize_range('t_brin', 0)",
        "brin_desummarize_range('t_brin', 0)",
      ],
      ...[
        "gin_clean_pending_list('doc_words')",
        "pg_prewarm('t')",
        "pg_extension_config_dump('t', '')",
        "heap_force_kill('t', '{(0,1)}')",
        "heap_force_freeze('t', '{(0,1)}')",
      ],
      ...[
        "pg_truncate_visibility_map('t')",
        "pgstattuple('t')",
        "pgstatindex('t_pkey')",
        'autoprewarm_start_worker()',
      ],
    ),
  },
  {
    id: 'D15',
    title: 'pages and log records',
    cases: [
      ...calls(
        ...[
          "get_raw_page('t', 0)",
          "heap_page_items('x'::bytea)",
          "bt_page_items('t_pkey', 1)",
          "heap_page_item_attrs('x'::bytea, 't')",
          "pg_get_wal_records_info('0/1', '0/2')",
        ].filter((call) => !call.startsWith('pg_get_wal')),
        ...[
          'pg_buffercache_pages()',
          "pgrowlocks('t')",
          "pg_visibility('t')",
          "bt_index_check('t_pkey')",
        ],
      ),
      ...neverCalls("pg_get_wal_records_info('0/1', '0/2')", "pg_get_wal_block_info('0/1', '0/2')"),
    ],
  },
  {
    id: 'D16',
    title: 'settings read',
    cases: [
      ...relations('pg_hba_file_rules', 'pg_file_settings', 'pg_ident_file_mappings'),
      ...calls('pg_hba_file_rules()', 'pg_show_all_file_settings()', 'pg_ident_file_mappings()'),
      ...closed(
        'SHOW data_directory',
        "SELECT current_setting('hba_file')",
        "SELECT current_setting('config_' || 'file')",
      ),
      // Commands and paths of the operator's.
      ...closed(
        'SHOW archive_command',
        "SELECT current_setting('restore_command')",
        'SHOW ssl_key_file',
      ),
      { text: 'SHOW server_version_num', rows: 'same' },
      { text: "SELECT current_setting('TimeZone')", rows: 'same' },
    ],
  },
  {
    id: 'D18',
    title: 'queries of others',
    cases: [
      ...relations('pg_stat_activity', 'pg_stat_statements', 'pg_stat_replication'),
      ...calls(
        'pg_stat_get_activity(NULL)',
        'pg_stat_get_backend_activity(1)',
        'pg_stat_statements(true)',
      ),
      {
        name: 'prepared statements, cursors and locks are the session’s own',
        run: async (world) => {
          const other = await world.login('admin');
          await exchange(other, [
            f.query(
              "PREPARE secret AS SELECT 'secret text'; BEGIN; DECLARE secret CURSOR FOR SELECT 'secret text' FROM t",
            ),
          ]);
          const client = await world.login('readonly');
          for (const text of [
            'SELECT statement FROM pg_prepared_statements',
            'SELECT statement FROM pg_cursors',
            'SELECT pid FROM pg_locks WHERE pid <> pg_backend_pid()',
          ]) {
            client.send(f.query(text));
            const seen = show(await client.untilReady());
            expect(
              seen.filter((line) => line.startsWith('D ')),
              text,
            ).toEqual([]);
          }
          other.close();
          client.close();
        },
      },
    ],
  },
  {
    id: 'D19',
    title: 'code of functions and views may be read: psql shows it',
    cases: same(
      "SELECT pg_get_functiondef('f_sd()'::regprocedure)",
      "SELECT prosrc FROM pg_proc WHERE proname = 'f_sd'",
      "SELECT pg_get_viewdef('v'::regclass)",
    ),
  },
  {
    id: 'D20',
    title: 'code of users',
    cases: [
      ...calls(
        'f_sd()',
        "f_run('DELETE FROM u')",
        'f_add(1, 2)',
        'agg_writes(id) FROM t',
        "main.wrote('x')",
        'to_pair(1)',
      ),
      ...all(
        /^42501 Permission denied: readonly scope cannot (use|call) .*===/,
        'SELECT 1 === 2',
        'SELECT 1 OPERATOR(main.===) 2',
        'SELECT id FROM t ORDER BY id === 1',
      ),
      ...all(cannotConvert('pair'), 'SELECT 1::pair', 'SELECT CAST(1 AS main.pair)'),
      ...all(cannotConvert('dom'), "SELECT 'x'::dom", 'SELECT ssn::dom FROM t'),
      ...all(
        /^42501 Permission denied: readonly scope cannot /,
        "SELECT '{x}'::dom[]",
        'SELECT x.f_of_t FROM t x',
        'SELECT (t).f_of_t FROM t',
        "SELECT pg_input_is_valid('x', 'dom')",
        "SELECT pg_input_is_valid('{x}', 'dom[]')",
        "SELECT pg_input_is_valid('x', 'main.dom'), pg_input_is_valid('x', 'pg_catalog.dom')",
        "SELECT pg_input_is_valid('x', 'd' || 'om')",
        "SELECT pg_input_is_valid('x', ssn) FROM t",
        "SELECT * FROM pg_catalog.pg_input_error_info('x', E'do\\x6d')",
      ),
    ],
  },
  {
    id: 'D21',
    title: 'extensions that the database may have',
    cases: calls(
      ...[
        "cron.schedule('x', '* * * * *', 'x')",
        "aws_lambda.invoke('x', '{}')",
        "aws_s3.query_export_to_s3('x', 'y')",
        "http_get('http://127.0.0.1')",
        "net.http_post('http://127.0.0.1')",
      ],
      ...[
        'pgsodium.crypto_secretbox_keygen()',
        "st_fromgdalraster('x'::bytea)",
        'plv8_reset()',
        "add_job('x', '1h')",
        "pg_background_launch('x')",
        'anon.anonymize_database()',
        "plpy_run('x')",
      ],
    ),
  },
  {
    id: 'D22',
    title: 'facts of process and host that drivers ask for',
    cases: [
      ...same(
        'SELECT version()',
        'SELECT current_database(), current_schema(), current_user',
        'SELECT pg_is_in_recovery()',
      ),
      ...[
        'SELECT pg_backend_pid()',
        'SELECT inet_server_addr() IS NULL',
        'SELECT pg_postmaster_start_time()',
      ].map((text): RowsCase => ({ text, rows: 'any' })),
      ...neverCalls('pg_ls_waldir()'),
    ],
  },
  {
    id: 'D23',
    title: 'position does not matter',
    cases: [
      ...all(
        never('function pg_create_logical_replication_slot'),
        "SELECT * FROM pg_create_logical_replication_slot('x', 'y')",
      ),
      ...all(
        cannotCall('pg_terminate_backend'),
        'SELECT 1 FROM t WHERE pg_terminate_backend(1)',
        'SELECT 1 FROM t ORDER BY pg_terminate_backend(1)',
      ),
      {
        text: 'SELECT x.pg_terminate_backend FROM unnest(ARRAY[1]) x',
        refused: /^42501 Permission denied: readonly scope cannot /,
      },
      ...all(
        cannotCall('pg_advisory_lock'),
        'SELECT 1 FROM t GROUP BY id HAVING pg_advisory_lock(id) IS NULL',
      ),
    ],
  },
];
