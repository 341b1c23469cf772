/** C: who a session is, what its names mean, and what it leaves behind. */
import { expect } from 'vitest';
import { frontend as f } from '../../fixtures/raw-client.ts';
import { all, cannot, cannotCall, cannotConvert, cannotSet, cannotSetTo, never } from '../model.ts';
import type { Row } from '../model.ts';
import { exchange, expectSeen } from '../run-rows.ts';
import type { World } from '../world.ts';

export const names: readonly Row[] = [
  {
    id: 'C08',
    title: 'become someone else',
    cases: [
      ...all(
        cannot('SET ROLE'),
        'SET ROLE hatidata_writer',
        "SET role = 'hatidata_writer'",
        'SET LOCAL ROLE hatidata_writer',
      ),
      ...all(
        cannot('SET SESSION AUTHORIZATION'),
        'SET SESSION AUTHORIZATION hatidata_writer',
        "SET session_authorization = 'hatidata_writer'",
      ),
      ...all(cannotSet('role'), "SELECT set_config('role', 'hatidata_writer', false)"),
      ...all(
        cannotSet('session_authorization'),
        "SELECT set_config('session_authorization', 'hatidata_writer', false)",
      ),
      {
        name: 'RESET ROLE and its kin bring back nobody but the reader',
        run: async (world) => {
          for (const text of [
            'RESET ROLE',
            'SET ROLE NONE',
            'RESET SESSION AUTHORIZATION',
            'SET SESSION AUTHORIZATION DEFAULT',
          ]) {
            const client = await world.login('readonly');
            await exchange(client, [f.query(text)]);
            const who = await exchange(client, [f.query('SELECT current_user, session_user')]);
            expect(who).toContain('D hatidata_reader|hatidata_reader');
            client.close();
          }
        },
      },
    ],
  },
  {
    id: 'C09',
    title: 'name resolution',
    cases: [
      ...all(cannotSetTo('search_path', 'pg_temp, public'), 'SET search_path = pg_temp, public'),
      ...all(cannotSetTo('search_path', 'evil, pg_catalog'), 'SET search_path = evil, pg_catalog'),
      ...all(
        cannotSetTo('search_path', 'pg_temp'),
        "SET SCHEMA 'pg_temp'",
        "SELECT set_config('search_path', 'pg_temp', false)",
      ),
      ...all(
        cannotSetTo('search_path', 'main,"pg_temp"'),
        `SELECT set_config('search_path', 'main,"pg_temp"', false)`,
      ),
      {
        name: 'a schema with a function by a built-in name',
        send: [f.query('SET search_path = evil'), f.query("SELECT initcap('a'::varchar)")],
        sees: ['C SET', 'Z I', cannotCall('initcap'), 'Z I'],
      },
      {
        text: "SELECT initcap('a'::text)",
        name: 'a function in a schema that is not searched hides no built-in',
        rows: ['A'],
      },
      {
        name: 'the table that the path names is the one that is read',
        send: [f.query('SET search_path = evil'), f.query('TABLE t')],
        sees: ['C SET', 'Z I', 'T', 'C SELECT 0', 'Z I'],
      },
    ],
  },
  {
    id: 'C10',
    title: 'temporary tables that shadow',
    cases: all(
      cannot('DDL'),
      'CREATE TEMP TABLE t (id int)',
      'CREATE TABLE pg_temp.t (id int)',
      'CREATE TEMP VIEW t AS SELECT 1 AS id',
      'CREATE TEMP SEQUENCE t',
      'SELECT 1 AS id INTO TEMP t',
    ),
  },
  {
    id: 'C11',
    title: 'a function that fits better than the built-in one',
    cases: [
      ...all(
        cannotCall('lower'),
        "SELECT lower('A'::varchar)",
        "SELECT id FROM t WHERE lower(ssn::varchar) = 'x'",
      ),
      { text: "SELECT pg_catalog.lower('A'::varchar)", rows: ['a'] },
    ],
  },
  {
    id: 'C12',
    title: 'search_path moved while a value is converted',
    cases: [
      ...all(
        cannotConvert('dom_path'),
        "SELECT 'evil'::dom_path",
        "SELECT CAST('evil' AS main.dom_path)",
      ),
      {
        name: 'a parameter of the domain, by a cast',
        send: [
          f.parse('', 'SELECT $1::dom_path'),
          f.bind('', '', ['evil']),
          f.execute(''),
          f.sync(),
        ],
        sees: [cannotConvert('dom_path'), 'Z I'],
      },
      {
        name: 'a parameter of the domain, by its OID',
        run: async (world) => {
          const [oid] = await world.observer.ask<number>("SELECT 'main.dom_path'::regtype::oid");
          const client = await world.login('readonly');
          const seen = await exchange(client, [
            ...[
              f.parse('', 'SELECT $1', [Number(oid)]),
              f.bind('', '', ['evil']),
              f.execute(''),
              f.sync(),
            ],
          ]);
          expect(seen).toEqual([
            expect.stringMatching(/^E 42501 Permission denied: readonly scope cannot convert/),
            'Z I',
          ]);
          expect(await exchange(client, [f.query('SHOW search_path')])).toContain('D main, public');
        },
      },
    ],
  },
  {
    id: 'C16',
    title: 'lasting defaults',
    cases: [
      ...all(
        cannot('DDL'),
        'ALTER ROLE hatidata_reader SET default_transaction_read_only = off',
        'ALTER ROLE CURRENT_USER SET default_transaction_read_only = off',
        'ALTER ROLE hatidata_reader IN DATABASE hatidata RESET ALL',
        'ALTER USER hatidata_reader SET search_path = evil',
      ),
      ...all(
        cannot('DDL'),
        'ALTER DATABASE hatidata SET default_transaction_read_only = off',
        'ALTER DATABASE hatidata RESET ALL',
      ),
      {
        text: 'ALTER ROLE hatidata_reader SET default_transaction_read_only = off',
        as: 'admin',
        refused: never('ALTER ROLE'),
      },
    ],
  },
  {
    id: 'C17',
    title: 'state left behind for the next session',
    cases: [
      {
        name: 'the next sessions of both keys see nothing of a session that ended',
        run: async (world) => {
          const left = await world.login('admin', { application_name: 'left' });
          await exchange(left, [
            f.query(
              "SET work_mem = '77MB'; CREATE TEMP TABLE left_behind AS SELECT ssn FROM t; PREPARE left_behind AS SELECT 1;" +
                'LISTEN left_behind; SELECT pg_advisory_lock(77); BEGIN; DECLARE left_behind CURSOR WITH HOLD FOR SELECT ssn FROM t; COMMIT',
            ),
          ]);
          left.close();
          await backendsGone(world);
          for (const who of ['readonly', 'admin'] as const) {
            const next = await world.login(who);
            const seen = await exchange(next, [
              f.query(
                `SELECT current_setting('work_mem') = '77MB', to_regclass('left_behind'),
                        (SELECT pg_catalog.count(*) FROM pg_prepared_statements), (SELECT pg_catalog.count(*) FROM pg_cursors),
                        (SELECT pg_catalog.count(*) FROM pg_listening_channels())`,
              ),
            ]);
            expectSeen(seen, ['T', 'D f||0|0|0', 'C SELECT 1', 'Z I'], who);
            next.close();
          }
          expect(
            await world.observer.ask(
              // The proxy's own sign of life is one in the control store.
              "SELECT count(*)::int FROM pg_locks l JOIN pg_database d ON d.oid = l.database WHERE locktype = 'advisory' AND datname = current_database()",
            ),
          ).toEqual([0]);
        },
      },
    ],
  },
  {
    id: 'C18',
    title: 'snapshots and transaction options',
    cases: [
      ...all(
        cannotCall('pg_export_snapshot'),
        'SELECT pg_export_snapshot()',
        'BEGIN; SELECT pg_export_snapshot()',
      ),
      {
        text: 'BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE; COMMIT',
        rows: 'none',
        simpleOnly: true,
      },
      {
        text: 'START TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT 1; COMMIT',
        rows: ['1'],
        simpleOnly: true,
      },
    ],
  },
  {
    id: 'C20',
    title: 'deceptive names',
    cases: [
      {
        name: 'an application_name with newlines, escapes and SQL stays one harmless line',
        run: async (world) => {
          const name = 'x\n{"level":60,"msg":"forged"}\r\u001b[2J\'; DROP TABLE u; --\u202e';
          const client = await world.login('readonly', { application_name: name });
          await exchange(client, [
            f.query(`SET application_name = '${name.replaceAll("'", "''")}'`),
          ]);
          const [shown] = await world.observer.ask<string>(
            "SELECT application_name FROM pg_stat_activity WHERE application_name LIKE 'hati:agent-readonly x%'",
          );
          expect(shown).toMatch(/^[\x20-\x7e]+$/);
          const lines = world.proxy.logged().trim().split('\n');
          expect(lines.length).toBeGreaterThan(0);
          for (const line of lines) expect(JSON.parse(line).msg).not.toBe('forged');
          client.close();
        },
      },
    ],
  },
];

/** A session that ended takes a moment to leave the engine. */
async function backendsGone(world: World): Promise<void> {
  await expect
    .poll(() =>
      world.observer.ask(
        "SELECT count(*)::int FROM pg_stat_activity WHERE application_name LIKE 'hati:agent-admin left'",
      ),
    )
    .toEqual([0]);
}
