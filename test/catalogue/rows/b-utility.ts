/** B: utility statements. */
import { expect } from 'vitest';
import { frontend as f } from '../../fixtures/raw-client.ts';
import { all, cannot, cannotCall, cannotRead, cannotSetTo, never } from '../model.ts';
import type { Row } from '../model.ts';
import { exchange, extended, settingsSql } from '../run-rows.ts';

export const utility: readonly Row[] = [
  {
    id: 'B14',
    title: 'DO',
    cases: all(
      cannot('DO'),
      "DO $$ BEGIN PERFORM pg_notify('a', 'b'); END $$",
      "DO LANGUAGE plpgsql 'BEGIN NULL; END'",
    ),
  },
  {
    id: 'B15',
    title: 'CALL',
    cases: all(cannot('CALL'), 'CALL p_del()', 'CALL p_commit()', 'CALL main.p_del()'),
  },
  {
    id: 'B16',
    title: 'SQL PREPARE and EXECUTE',
    cases: [
      ...all(
        cannot('DELETE'),
        'PREPARE d AS DELETE FROM u',
        'PREPARE d (int) AS DELETE FROM u WHERE id = $1',
        'PREPARE d AS DELETE FROM u; EXECUTE d',
      ),
      ...all(
        cannotCall('f_sd'),
        'PREPARE d AS SELECT f_sd()',
        'PREPARE d (int) AS SELECT 1; EXECUTE d (f_sd())',
      ),
      {
        text: 'PREPARE q AS SELECT id FROM t WHERE id > $1; EXECUTE q (18); DEALLOCATE q',
        rows: ['19', '20'],
        simpleOnly: true,
      },
    ],
  },
  {
    id: 'B17',
    title: 'cursors',
    cases: [
      {
        text: 'BEGIN; DECLARE c CURSOR FOR SELECT id FROM t ORDER BY id; FETCH 2 FROM c; COMMIT',
        rows: ['1', '2'],
        simpleOnly: true,
      },
      {
        text: 'DECLARE h CURSOR WITH HOLD FOR SELECT id FROM t ORDER BY id; FETCH LAST FROM h; CLOSE h',
        rows: ['20'],
        simpleOnly: true,
      },
      ...all(
        cannot('UPDATE'),
        'BEGIN; DECLARE c CURSOR FOR SELECT * FROM u; FETCH c; UPDATE u SET amount = 0 WHERE CURRENT OF c',
      ),
      ...all(cannot('DELETE'), 'DELETE FROM u WHERE CURRENT OF c'),
      ...all(cannot('SELECT FOR UPDATE'), 'BEGIN; DECLARE c CURSOR FOR SELECT * FROM u FOR UPDATE'),
    ],
  },
  {
    id: 'B18',
    title: 'maintenance',
    cases: [
      ...['VACUUM', 'ANALYZE'].flatMap((verb) =>
        all(cannot(verb), verb, `${verb} t`, `${verb} (VERBOSE) t`),
      ),
      ...all(cannot('CLUSTER'), 'CLUSTER', 'CLUSTER t USING t_pkey'),
      ...all(
        cannot('DDL'),
        'REINDEX TABLE t',
        'REINDEX INDEX CONCURRENTLY t_pkey',
        'REINDEX DATABASE hatidata',
      ),
    ],
  },
  {
    id: 'B19',
    title: 'LOCK TABLE',
    cases: [
      ...all(
        cannot('LOCK TABLE'),
        'LOCK u',
        'BEGIN; LOCK TABLE u IN ACCESS EXCLUSIVE MODE',
        'LOCK v IN EXCLUSIVE MODE',
        'LOCK TABLE u IN SHARE ROW EXCLUSIVE MODE',
        'LOCK TABLE u IN SHARE MODE NOWAIT',
        'LOCK TABLE u IN SHARE UPDATE EXCLUSIVE MODE',
        'LOCK TABLE ONLY u, t IN ROW EXCLUSIVE MODE',
        'LOCK TABLE u IN ROW SHARE MODE',
        'LOCK t IN ACCESS SHARE MODE; LOCK u IN ROW SHARE MODE',
      ),
      ...all(cannotRead('pg_authid'), 'LOCK t, pg_authid IN ACCESS SHARE MODE'),
      ...all(cannotRead('pg_locks'), 'LOCK pg_locks IN ACCESS SHARE MODE'),
      ...all(
        /^42501 Permission denied: readonly scope cannot read setting/,
        'LOCK pg_settings IN ACCESS SHARE MODE',
      ),
      ...all(
        '42501 Permission denied: _hatidata_keys needs the scope key:write',
        'LOCK _hatidata_keys.active_keys IN ACCESS SHARE MODE',
      ),
      {
        name: 'the lock of a read, as a read takes it',
        send: [
          f.query('BEGIN; LOCK TABLE t, ONLY u, v, pt IN ACCESS SHARE MODE'),
          f.query('LOCK v IN ACCESS SHARE MODE NOWAIT'),
          ...extended('LOCK TABLE main.t IN ACCESS SHARE MODE'),
          f.query('ROLLBACK'),
        ],
        sees: [
          ...['C BEGIN', 'C LOCK TABLE', 'Z T', 'C LOCK TABLE', 'Z T'],
          ...['1', '2', 'n', 'C LOCK TABLE', 'Z T', 'C ROLLBACK', 'Z I'],
        ],
      },
      {
        name: 'and no other than it',
        run: async (world) => {
          const client = await world.login('readonly');
          await exchange(client, [f.query('BEGIN; LOCK TABLE u, v IN ACCESS SHARE MODE')]);
          // This mode goes with ACCESS SHARE alone.
          const strict = 'LOCK TABLE t, u, v IN EXCLUSIVE MODE';
          await world.admin.query(`BEGIN; SET LOCAL lock_timeout = '5s'; ${strict}; ROLLBACK`);
          await exchange(client, [f.query('ROLLBACK')]);
          client.close();
        },
      },
      {
        name: 'as a text with what reads',
        text: 'LOCK TABLE t IN ACCESS SHARE MODE; SELECT 1',
        rows: ['1'],
        simpleOnly: true,
      },
    ],
  },
  {
    id: 'B20',
    title: 'the server itself',
    cases: [
      ...all(cannot('CHECKPOINT'), 'CHECKPOINT'),
      ...all(cannot('DDL'), "ALTER SYSTEM SET work_mem = '1MB'", 'ALTER SYSTEM RESET ALL'),
      ...all(cannot('LOAD'), "LOAD 'auto_explain'"),
      ...all(never('ALTER SYSTEM'), "ALTER SYSTEM SET work_mem = '1MB'").map((each) => ({
        ...each,
        as: 'admin' as const,
      })),
      ...all(never('LOAD'), "LOAD 'auto_explain'").map((each) => ({
        ...each,
        as: 'admin' as const,
      })),
    ],
  },
  {
    id: 'B21',
    title: 'other utility statements',
    cases: all(
      cannot('DDL'),
      ...[
        'REFRESH MATERIALIZED VIEW mv',
        'REFRESH MATERIALIZED VIEW CONCURRENTLY mv',
        "COMMENT ON TABLE t IS 'x'",
      ],
      ...[
        "SECURITY LABEL FOR anon ON COLUMN t.ssn IS 'MASKED WITH FUNCTION x()'",
        'GRANT SELECT ON t TO PUBLIC',
        'REVOKE ALL ON t FROM hatidata_reader',
        'TRUNCATE u',
      ],
    ),
  },
  {
    id: 'B22',
    title: 'LISTEN and NOTIFY',
    cases: [
      ...all(cannot('NOTIFY'), "NOTIFY ch, 'x'", 'NOTIFY ch'),
      ...all(cannot('LISTEN'), 'LISTEN ch', 'UNLISTEN ch; LISTEN ch'),
    ],
  },
  {
    id: 'B23',
    title: 'resets keep our clamps',
    cases: [
      {
        name: 'whatever is reset, the session is as it began',
        run: async (world) => {
          const client = await world.login('readonly', { application_name: 'resets' });
          const before = await exchange(client, [f.query(settingsSql)]);
          expect(before).toContain('D setting|default_transaction_read_only|on');
          expect(before).toContain('D setting|statement_timeout|300000');
          for (const text of [
            ...[
              'RESET ALL',
              'DISCARD ALL',
              'RESET default_transaction_read_only',
              'SET default_transaction_read_only TO DEFAULT',
            ],
            ...[
              'RESET statement_timeout',
              'SET LOCAL statement_timeout TO DEFAULT',
              'RESET client_encoding',
              'SET NAMES DEFAULT',
            ],
            ...[
              'RESET SESSION AUTHORIZATION',
              'RESET ROLE',
              'RESET TRANSACTION ISOLATION LEVEL',
              'DISCARD TEMP',
              'RESET search_path',
            ],
          ]) {
            const seen = await exchange(client, [
              f.query("SET statement_timeout = '1min'; SET application_name = 'y'"),
            ]);
            expect(seen).toEqual(['C SET', 'C SET', 'Z I']);
            await exchange(client, [f.query(text)]);
            await exchange(client, [f.query('RESET ALL')]);
            expect(await exchange(client, [f.query(settingsSql)]), text).toEqual(before);
          }
          client.close();
        },
      },
      ...all(
        cannotSetTo('default_transaction_read_only', 'off'),
        'RESET ALL; SET default_transaction_read_only = off',
      ),
      ...all(cannot('DELETE'), 'DISCARD ALL; DELETE FROM u'),
    ],
  },
  {
    id: 'B24',
    title: 'two-phase commit',
    cases: ['PREPARE TRANSACTION', 'COMMIT PREPARED', 'ROLLBACK PREPARED'].flatMap((verb) =>
      all(cannot(verb), `${verb} 'x'`),
    ),
  },
  {
    id: 'B25',
    title: 'objects of the network',
    cases: all(
      cannot('DDL'),
      ...[
        "CREATE SERVER x FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1')",
        "CREATE USER MAPPING FOR PUBLIC SERVER x OPTIONS (password 'x')",
      ],
      ...[
        "CREATE SUBSCRIPTION x CONNECTION 'host=127.0.0.1' PUBLICATION y",
        'IMPORT FOREIGN SCHEMA public FROM SERVER x INTO main',
        'CREATE EXTENSION hstore',
      ],
      ...[
        'CREATE FOREIGN DATA WRAPPER x',
        'CREATE FOREIGN TABLE x (a int) SERVER y',
        "ALTER SERVER x OPTIONS (SET host 'evil')",
      ],
    ),
  },
  {
    id: 'B26',
    title: 'definitions with code inside',
    cases: all(
      cannot('DDL'),
      ...[
        'CREATE RULE r AS ON SELECT TO v DO INSTEAD SELECT 1',
        'CREATE TRIGGER x AFTER INSERT ON t EXECUTE FUNCTION y()',
        'CREATE EVENT TRIGGER x ON ddl_command_end EXECUTE FUNCTION y()',
      ],
      ...[
        'CREATE DOMAIN x AS int CHECK (f_sd() > 0)',
        'CREATE TABLE x (a int DEFAULT f_sd(), b int GENERATED ALWAYS AS (f_imm()) STORED)',
        'CREATE CAST (text AS int) WITH INOUT',
      ],
      ...[
        'CREATE OPERATOR <<< (LEFTARG = int, FUNCTION = f_sd)',
        'CREATE AGGREGATE x (int) (SFUNC = f_add, STYPE = int)',
        "CREATE FUNCTION x() RETURNS int LANGUAGE sql AS 'SELECT 1'",
      ],
      ...[
        "CREATE PROCEDURE x() LANGUAGE sql AS ''",
        'CREATE INDEX ON t (f_imm())',
        'ALTER TABLE t ADD CHECK (f_sd() > 0)',
        'ALTER TABLE t ALTER amount SET DEFAULT f_sd()',
      ],
    ),
  },
  {
    id: 'B27',
    title: 'ALTER … USING as a read',
    cases: all(
      cannot('DDL'),
      'ALTER TABLE t ALTER ssn TYPE int USING ssn::int',
      'ALTER TABLE t ALTER id TYPE text',
    ),
  },
  {
    id: 'B28',
    title: 'temporary tables that exist already',
    cases: [
      ...all(
        cannot('DDL'),
        'BEGIN READ ONLY; CREATE TEMP TABLE z (a int)',
        'CREATE TEMP TABLE z (a int) ON COMMIT PRESERVE ROWS',
      ),
      ...all(
        cannot('INSERT'),
        'BEGIN READ ONLY; INSERT INTO pg_temp.z VALUES (1)',
        'INSERT INTO z SELECT ssn FROM t',
      ),
    ],
  },
];
