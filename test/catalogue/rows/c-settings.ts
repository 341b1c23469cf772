/** C: settings that open what is closed. */
import { expect } from 'vitest';
import { frontend as f } from '../../fixtures/raw-client.ts';
import { all, cannot, cannotCall, cannotSet, cannotSetTo } from '../model.ts';
import type { Row } from '../model.ts';
import { exchange, extended } from '../run-rows.ts';

const off = "'default_transaction_read_only', 'off', false";

const hidden = `select set_config(${off.replaceAll("'", "''")})`;

export const settings: readonly Row[] = [
  {
    id: 'C01',
    title: 'turn read-only off',
    cases: all(
      cannotSetTo('default_transaction_read_only', 'off'),
      'SET default_transaction_read_only = off',
      'SET SESSION default_transaction_read_only TO off',
      'SET LOCAL default_transaction_read_only = off',
      'SET "default_transaction_read_only" = \'off\'',
    ).concat(
      all(
        cannotSetTo('default_transaction_read_only', 'false'),
        'SET default_transaction_read_only = false',
      ),
      all(
        cannotSetTo('default_transaction_read_only', '0'),
        'SET default_transaction_read_only = 0',
      ),
      all(
        cannotSetTo('default_transaction_read_only', 'of'),
        "SET default_transaction_read_only = 'of'",
      ),
    ),
  },
  {
    id: 'C02',
    title: 'the same by function',
    cases: all(
      cannotSetTo('default_transaction_read_only', 'off'),
      `SELECT set_config(${off})`,
      `SELECT pg_catalog.set_config(${off})`,
      `SELECT * FROM set_config(${off})`,
      `SELECT id FROM t ORDER BY set_config(${off})`,
    ),
  },
  {
    id: 'C03',
    title: 'the same by a computed name',
    cases: [
      ...all(
        cannotSet('with a computed name'),
        "SELECT set_config('default_' || 'transaction_read_only', 'off', false)",
        "SELECT set_config(x, 'off', false) FROM (VALUES ('default_transaction_read_only')) q(x)",
        "SELECT set_config((SELECT 'default_transaction_read_only'), 'off', false)",
        "SELECT set_config(lower('DEFAULT_TRANSACTION_READ_ONLY'), 'off', false)",
        "SELECT set_config(is_local => false, new_value => 'off', setting_name => 'row_security')",
      ),
      {
        name: 'the name as a parameter',
        send: [
          f.parse('', "SELECT set_config($1, 'off', false)"),
          f.bind('', '', ['default_transaction_read_only']),
          ...[f.execute(''), f.sync()],
        ],
        sees: [cannotSet('with a computed name'), 'Z I'],
      },
      {
        name: 'the value as a parameter',
        send: [
          f.parse('', "SELECT set_config('default_transaction_read_only', $1, false)"),
          f.bind('', '', ['off']),
          ...[f.execute(''), f.sync()],
        ],
        sees: [cannotSetTo('default_transaction_read_only', 'a computed value'), 'Z I'],
      },
    ],
  },
  {
    id: 'C04',
    title: 'hidden in SQL text',
    cases: [
      ...all(cannotCall('query_to_xml'), `SELECT query_to_xml('${hidden}', true, true, '')`),
      ...all(
        cannotCall('pg_catalog.query_to_xml'),
        `SELECT pg_catalog.query_to_xml('${hidden}', true, true, '')`,
      ),
      ...all(
        cannotCall('ts_stat'),
        `SELECT * FROM ts_stat('select to_tsvector(set_config(${off.replaceAll("'", "''")}))')`,
      ),
      ...all(
        cannotCall('ts_rewrite'),
        `SELECT ts_rewrite('a'::tsquery, 'select ''a''::tsquery, set_config(${off.replaceAll("'", "''")})::tsquery')`,
      ),
    ],
  },
  {
    id: 'C05',
    title: 'at the start of a transaction',
    cases: [
      ...all(
        cannotSetTo('transaction_read_only', 'off'),
        'BEGIN; SET LOCAL transaction_read_only = off',
      ),
      ...all(cannotSetTo('transaction_read_only', 'off'), 'SET transaction_read_only = off'),
      ...all(
        cannot('SET TRANSACTION READ WRITE'),
        'BEGIN; SET TRANSACTION READ WRITE; DELETE FROM u',
      ),
      {
        name: 'BEGIN, then SET LOCAL in a message of its own',
        send: [
          f.query('BEGIN'),
          f.query('SET LOCAL transaction_read_only = off'),
          f.query('DELETE FROM u'),
        ],
        sees: [
          ...['C BEGIN', 'Z T', cannotSetTo('transaction_read_only', 'off'), 'Z E'],
          ...[cannot('DELETE'), 'Z E'],
        ],
      },
    ],
  },
  {
    id: 'C06',
    title: 'inside a running statement',
    cases: all(
      cannotSetTo('transaction_read_only', 'off'),
      "SELECT set_config('transaction_read_only', 'off', true), f_sd()",
      "SELECT id FROM t WHERE set_config('transaction_read_only', 'off', true) = 'off'",
    ),
  },
  {
    id: 'C07',
    title: 'UPDATE on pg_settings',
    cases: all(
      cannot('UPDATE'),
      "UPDATE pg_settings SET setting = 'off' WHERE name = 'row_security'",
      "UPDATE pg_catalog.pg_settings SET setting = 'off' WHERE name = 'default_transaction_read_only'",
    ),
  },
  {
    id: 'C13',
    title: 'row_security off',
    cases: [
      {
        // Rows that a policy hides stay hidden: what would be filtered fails.
        name: 'lifts no policy',
        run: async (world) => {
          await world.superuser(`CREATE TABLE main.guarded AS SELECT 'hidden' AS x;
            ALTER TABLE main.guarded ENABLE ROW LEVEL SECURITY;
            GRANT SELECT ON main.guarded TO hatidata_reader`);
          for (const text of [
            'SET row_security = off',
            'BEGIN; SET LOCAL row_security TO off',
            "SELECT set_config('row_security', 'off', false)",
          ]) {
            const client = await world.login('readonly');
            expect(await exchange(client, [f.query('TABLE main.guarded')])).toContain('C SELECT 0');
            await exchange(client, [f.query(text)]);
            const seen = await exchange(client, [f.query('TABLE main.guarded')]);
            expect(seen[0]).toMatch(/^E 42501 query would be affected by row-level security/);
            expect(seen.join()).not.toContain('hidden');
            client.close();
          }
          await world.superuser('DROP TABLE main.guarded');
        },
      },
      ...all(
        cannotSetTo('row_security', 'a computed value'),
        "SELECT set_config('row_security', lower('OFF'), false)",
      ),
    ],
  },
  {
    id: 'C14',
    title: 'session_replication_role',
    cases: [
      ...all(
        cannotSet('session_replication_role'),
        'SET session_replication_role = replica',
        "SELECT set_config('session_replication_role', 'replica', false)",
      ),
      {
        text: 'SET session_replication_role = replica',
        refused: cannotSet('session_replication_role'),
        as: 'admin',
      },
    ],
  },
  {
    id: 'C15',
    title: 'resources',
    cases: [
      ...all(
        cannotSetTo('statement_timeout', '0'),
        'SET statement_timeout = -0',
        "SET statement_timeout = E'0'",
        "SELECT set_config('statement_timeout', '0', false)",
        "SELECT set_config('statement_timeout', '0', true) FROM t",
      ),
      ...all(cannotSetTo('statement_timeout', '3600001'), 'SET LOCAL statement_timeout = 3600001'),
      ...all(cannotSetTo('statement_timeout', '1h0'), "SET statement_timeout = '0'\n'0'"),
      {
        name: 'no limit is the longest one',
        send: [
          f.query('SET statement_timeout = 0; SET idle_in_transaction_session_timeout TO 0'),
          ...extended("SET SESSION idle_session_timeout = '0'"),
          f.query('SHOW statement_timeout; SHOW idle_in_transaction_session_timeout'),
          f.query("SET statement_timeout = '1s'"),
          f.query("BEGIN; SET LOCAL statement_timeout = '0s'"),
          f.query('SHOW statement_timeout'),
          f.query('ROLLBACK; SHOW statement_timeout; SHOW idle_session_timeout'),
          f.query('RESET ALL; SHOW statement_timeout'),
        ],
        sees: [
          ...['C SET', 'C SET', 'Z I', '1', '2', 'n', 'C SET', 'Z I'],
          ...['T', 'D 1h', 'C SHOW', 'T', 'D 1h', 'C SHOW', 'Z I'],
          ...['C SET', 'Z I', 'C BEGIN', 'C SET', 'Z T', 'T', 'D 1h', 'C SHOW', 'Z T'],
          ...['C ROLLBACK', 'T', 'D 1s', 'C SHOW', 'T', 'D 0', 'C SHOW', 'Z I'],
          ...['C RESET', 'T', 'D 5min', 'C SHOW', 'Z I'],
        ],
      },
      {
        name: 'for a prepared SET as well',
        send: [
          f.parse('none', 'SET statement_timeout = 0'),
          ...[f.bind('', 'none'), f.execute(''), f.sync()],
          f.query('SHOW statement_timeout'),
        ],
        sees: ['1', '2', 'C SET', 'Z I', 'T', 'D 1h', 'C SHOW', 'Z I'],
      },
      ...all(cannotSetTo('statement_timeout', '2h'), "SET statement_timeout = '2h'"),
      ...all(cannotSetTo('statement_timeout', '-1'), 'SET statement_timeout = -1'),
      ...all(
        cannotSetTo('idle_in_transaction_session_timeout', '61min'),
        "SET idle_in_transaction_session_timeout = '61min'",
      ),
      ...all(cannotSetTo('work_mem', '2GB'), "SET work_mem = '2GB'", "SET LOCAL work_mem = '2GB'"),
      ...all(cannotSetTo('work_mem', '2147483647'), 'SET work_mem = 2147483647'),
      ...all(cannotSetTo('hash_mem_multiplier', '1000'), 'SET hash_mem_multiplier = 1000'),
      ...all(
        cannotSet('temp_file_limit'),
        'SET temp_file_limit = -1',
        "SELECT set_config('temp_file_limit', '-1', false)",
      ),
      ...all(cannotSet('maintenance_work_mem'), "SET maintenance_work_mem = '2GB'"),
      ...all(cannotSet('max_stack_depth'), "SET max_stack_depth = '7MB'"),
      ...all(cannotSetTo('temp_buffers', '8GB'), "SET temp_buffers = '8GB'"),
      { text: "SET statement_timeout = '1min'", rows: 'none' },
    ],
  },
  {
    id: 'C19',
    title: 'settings of logs and errors',
    cases: [
      ...all(
        cannotSetTo('client_min_messages', 'debug5'),
        'SET client_min_messages = debug5',
        "SELECT set_config('client_min_messages', 'debug5', false)",
      ),
      ...[
        'log_statement',
        'debug_print_plan',
        'log_min_duration_statement',
        'log_min_messages',
        'log_error_verbosity',
      ]
        .concat([
          'debug_print_parse',
          'log_executor_stats',
          'log_parameter_max_length',
          'backtrace_functions',
        ])
        .concat(['track_activities', 'exit_on_error', 'zero_damaged_pages'])
        .flatMap((name) => all(cannotSet(name), `SET ${name} = 'on'`)),
    ],
  },
];
