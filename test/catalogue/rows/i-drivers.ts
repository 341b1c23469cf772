/** I: must stay allowed: what drivers, pools and tools send. */
import { expect } from 'vitest';
import { MessageWriter } from '../../../src/wire/writer.ts';
import { columns, frontend as f, show } from '../../fixtures/raw-client.ts';
import { same } from '../model.ts';
import type { Row, RowsCase } from '../model.ts';
import { exchange } from '../run-rows.ts';
import type { World } from '../world.ts';
import { toolQueries } from './i-tools.ts';

const none = (...texts: readonly string[]): RowsCase[] =>
  texts.map((text) => ({ text, rows: 'none' }));

export const drivers: readonly Row[] = [
  {
    id: 'I05',
    title: 'transactions as drivers make them',
    cases: [
      ...none(
        'SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY',
        'SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED',
        'SET TRANSACTION READ ONLY',
      ),
      ...none(
        'BEGIN; COMMIT',
        'BEGIN READ ONLY; COMMIT',
        'START TRANSACTION; ROLLBACK',
        'BEGIN ISOLATION LEVEL REPEATABLE READ; END',
      ).map((each): RowsCase => ({ ...each, simpleOnly: true })),
      {
        text: 'BEGIN; SELECT 1; SAVEPOINT a; SELECT 2; ROLLBACK TO SAVEPOINT a; RELEASE a; COMMIT',
        rows: ['1', '2'],
        simpleOnly: true,
      },
      {
        name: 'a transaction that failed goes on from its savepoint',
        send: ['BEGIN', 'SAVEPOINT a', 'SELECT 1/0', 'ROLLBACK TO a', 'SELECT 1', 'COMMIT'].map(
          f.query,
        ),
        sees: [
          ...[
            'C BEGIN',
            'Z T',
            'C SAVEPOINT',
            'Z T',
            '22012 division by zero',
            'Z E',
            'C ROLLBACK',
            'Z T',
          ],
          ...['T', 'D 1', 'C SELECT 1', 'Z T', 'C COMMIT', 'Z I'],
        ],
      },
      {
        name: 'also one in which we refused',
        send: ['BEGIN', 'SAVEPOINT a', 'DELETE FROM u', 'ROLLBACK TO a', 'SELECT 1', 'COMMIT'].map(
          f.query,
        ),
        sees: [
          ...[
            'C BEGIN',
            'Z T',
            'C SAVEPOINT',
            'Z T',
            '42501 Permission denied: readonly scope cannot execute DELETE',
            'Z E',
          ],
          ...['C ROLLBACK', 'Z T', 'T', 'D 1', 'C SELECT 1', 'Z T', 'C COMMIT', 'Z I'],
        ],
      },
    ],
  },
  {
    id: 'I06',
    title: 'how drivers set their sessions up',
    cases: [
      ...none(
        ...[
          'SET extra_float_digits = 3',
          "SET application_name = 'tool'",
          "SET TIME ZONE 'Europe/Berlin'",
          "SET TIME ZONE INTERVAL '-08:00' HOUR TO MINUTE",
          'SET client_min_messages = warning',
        ],
        ...[
          "SET client_min_messages TO 'warning'",
          "SET client_encoding = 'UTF8'",
          "SET NAMES 'UTF8'",
          "SET client_encoding TO 'utf-8'",
          'SET standard_conforming_strings = on',
          'SET DateStyle = ISO',
        ],
        ...[
          "SET SESSION timezone TO 'UTC'",
          'SET intervalstyle = iso_8601',
          'SET bytea_output = hex',
          "SET statement_timeout = '30s'",
          'SET lock_timeout = 1000',
          'SET search_path TO main, public',
          "SET work_mem = '64MB'",
        ],
        ...[
          "SET default_transaction_isolation TO 'read committed'",
          'SET default_transaction_read_only = on',
          'SET jit = off',
          'SET enable_seqscan = off',
          'SET xmloption = document',
        ],
      ),
      { text: 'SHOW transaction_read_only', rows: ['on'] },
      { text: 'SHOW transaction isolation level', rows: ['read committed'] },
      { text: 'SHOW standard_conforming_strings', rows: ['on'] },
      { text: 'SHOW server_version', rows: 'same' },
      { text: 'RESET ALL; SHOW search_path', rows: ['main, public'], simpleOnly: true },
    ],
  },
  {
    id: 'I07',
    title: 'how pools give a session back',
    cases: [
      {
        text: 'SELECT pg_advisory_unlock_all(); CLOSE ALL; UNLISTEN *; RESET ALL',
        rows: [''],
        simpleOnly: true,
      },
      ...none(
        'DISCARD ALL',
        'UNLISTEN *',
        'CLOSE ALL',
        'DEALLOCATE ALL',
        'RESET ALL',
        'DISCARD PLANS',
        'DISCARD SEQUENCES',
        'DISCARD TEMP',
        'RESET search_path',
      ),
      { text: 'SELECT pg_advisory_unlock_all()', rows: [''] },
    ],
  },
  {
    id: 'I08',
    title: 'catalogue queries of tools',
    cases: [
      {
        name: 'what pg_dump begins with',
        send: [
          f.query('SET statement_timeout = 0'),
          f.query('SET lock_timeout = 0'),
          f.query('SET idle_in_transaction_session_timeout = 0'),
          f.query('SET row_security = off'),
          f.query('BEGIN'),
          f.query('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY'),
          f.query('LOCK TABLE main.t, main.u IN ACCESS SHARE MODE'),
          f.query('COPY main.pt_1 TO stdout'),
          f.query('COMMIT'),
        ],
        sees: [
          ...['C SET', 'Z I', 'C SET', 'Z I', 'C SET', 'Z I', 'C SET', 'Z I'],
          ...['C BEGIN', 'Z T', 'C SET', 'Z T', 'C LOCK TABLE', 'Z T'],
          ...['H', 'd', 'd', 'c', 'C COPY 2', 'Z T', 'C COMMIT', 'Z I'],
        ],
      },
      {
        from: 17,
        text: 'SET transaction_timeout = 0; SHOW transaction_timeout',
        rows: ['0'],
        simpleOnly: true,
      },
      {
        from: 17,
        text: `SELECT set_config(name, 'view, foreign-table', false) FROM pg_settings
                WHERE name = 'restrict_nonsystem_relation_kind'`,
        rows: ['view, foreign-table'],
      },
      { text: 'RESET restrict_nonsystem_relation_kind', rows: 'none' },
      { from: 18, text: "SELECT * FROM pg_get_sequence_data('s')", rows: ['1|t'] },
      {
        from: 16,
        text: "SELECT pg_input_is_valid('x', 'int'), pg_input_is_valid('1', 'pg_catalog.int8[]')",
        rows: ['f|f'],
      },
      { from: 15, text: 'SELECT pg_stat_force_next_flush()', rows: [''] },
      ...Object.entries(toolQueries).map(([name, text]): RowsCase => ({
        name,
        text,
        rows: 'same',
      })),
    ],
  },
  {
    id: 'I09',
    title: 'set_config with an allowed literal',
    cases: [
      { text: "SELECT set_config('search_path', 'public', false)", rows: ['public'] },
      { text: "SELECT pg_catalog.set_config('search_path', '', false)", rows: [''] },
      {
        text: "SELECT set_config('search_path', 'main, public', true), set_config('TimeZone', 'UTC', true)",
        rows: ['main, public|UTC'],
      },
      {
        text: 'SELECT set_config(\'request.jwt.claims\', \'{"role": "x"}\', true)',
        rows: ['{"role": "x"}'],
      },
      {
        text: "RESET ALL; SELECT set_config('statement_timeout', '30s', true)",
        rows: ['30s'],
        simpleOnly: true,
      },
    ],
  },
  {
    id: 'I10',
    title: 'health checks',
    cases: [
      ...same(
        'SELECT version(), current_user, session_user, current_database(), current_schema, current_catalog, pg_is_in_recovery()',
        'SELECT 1',
        'SELECT current_schemas(true)',
      ),
      {
        text: 'SELECT pg_backend_pid(), now(), clock_timestamp(), pg_postmaster_start_time(), txid_current_if_assigned()',
        rows: 'any',
      },
      { text: 'SELECT inet_client_addr(), inet_server_port()', rows: 'any' },
    ],
  },
  {
    id: 'I11',
    title: 'every script of UTF-8',
    cases: [
      {
        text: "SELECT U&'\\0441\\043b\\043e\\043d', E'a\\nb', 'ß字', '😀', 'e\u0301', '\u202e'",
        rows: ['слон|a\nb|ß字|😀|e\u0301|\u202e'],
      },
      {
        text: 'SELECT "größe", "字" FROM (SELECT 1 AS "größe", 2 AS "字") "テーブル"',
        rows: ['1|2'],
      },
      { text: 'SELECT größe FROM (SELECT 1 AS größe) täbelle', rows: ['1'] },
      { text: "SELECT E'\\u00e9\\U0001F600\\x41', U&'!263a' UESCAPE '!'", rows: ['é😀A|☺'] },
      { text: "SELECT length('😀'), upper('ж') FROM t WHERE ssn <> 'ß' AND id = 1", rows: 'same' },
    ],
  },
  {
    id: 'I12',
    title: 'large and empty',
    cases: [
      { text: '', rows: 'none' },
      {
        name: '65,535 parameters',
        run: async (world) => {
          const count = 65_535;
          const client = await world.login('readonly');
          const list = Array.from({ length: count }, (_, i) => `$${i + 1}`).join();
          const values = Array.from({ length: count }, (_, i) => String(i + 1));
          const seen = await exchange(client, [
            f.parse('', `SELECT count(*), max(x) FROM unnest(ARRAY[${list}]::int[]) x`),
            ...[bindMany(values), f.execute(''), f.sync()],
          ]);
          expect(seen).toEqual(['1', '2', `D ${count}|${count}`, 'C SELECT 1', 'Z I']);
          client.close();
        },
      },
      ...[1, 8].map((megabytes) => ({
        name: `a parameter of ${megabytes} MB comes back whole`,
        run: async (world: World) => {
          const value = 'é'.repeat(megabytes * 512 * 1024);
          const client = await world.login('readonly');
          client.send(
            f.parse('', 'SELECT $1::text, length($1)'),
            f.bind('', '', [value]),
            f.execute(''),
            f.sync(),
          );
          const received = await client.untilReady();
          expect(columns(received.find(({ type }) => type === 'D')!.body)).toEqual([
            value,
            String(value.length),
          ]);
          expect(show(received.slice(-2))).toEqual(['C SELECT 1', 'Z I']);
          client.close();
        },
      })),
    ],
  },
];

/** Bind of the unnamed statement; it counts its values in 16 bits without a sign. */
function bindMany(values: readonly string[]): Buffer {
  const count = Buffer.alloc(2);
  count.writeUInt16BE(values.length);
  const writer = new MessageWriter().cstring('').cstring('').int16(0).add(count);
  for (const value of values) writer.int32(Buffer.byteLength(value)).text(value);
  return writer.int16(0).finish('B'.charCodeAt(0));
}
