/**
 * What a readonly key must not get past, sent by the simple and by the extended protocol to a real engine, and what it
 * must be able to do. After each refused row the database is as it was.
 */
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pipeline } from '../../src/proxy/pipeline.ts';
import { authorizeStep } from '../../src/proxy/steps/authorize.ts';
import { startTestProxy, type TestProxy } from '../fixtures/proxy.ts';

let proxy: TestProxy;
let admin: pg.Client;
let reader: pg.Client;

beforeAll(async () => {
  proxy = await startTestProxy();
  admin = await proxy.client();
  await admin.query(`
    CREATE TABLE t (id int PRIMARY KEY, ssn text, amount int);
    INSERT INTO t SELECT i, '123-45-' || lpad(i::text, 4, '0'), i FROM generate_series(1, 20) i;
    CREATE TABLE u (LIKE t INCLUDING ALL);
    INSERT INTO u SELECT * FROM t;
    CREATE VIEW v AS SELECT * FROM t;
    CREATE SEQUENCE s;
    CREATE FUNCTION f_sd() RETURNS int LANGUAGE plpgsql SECURITY DEFINER AS
      $$ BEGIN DELETE FROM u; RETURN 1; END $$;
    CREATE FUNCTION f_imm() RETURNS int LANGUAGE plpgsql IMMUTABLE SECURITY DEFINER AS
      $$ BEGIN RETURN 1; END $$;
    CREATE PROCEDURE p_del() LANGUAGE sql AS $$ DELETE FROM u $$;`);
  reader = await proxy.client(
    (await admin.query("SELECT create_api_key('r', 'readonly')")).rows[0].api_key,
  );
});
afterAll(() => proxy.stop());

/** Everything that a statement could have changed, in one value. */
async function digest(): Promise<string> {
  const { rows } = await admin.query(`
    SELECT md5(concat(
      (SELECT string_agg(t::text, ',' ORDER BY id) FROM t),
      (SELECT string_agg(u::text, ',' ORDER BY id) FROM u),
      (SELECT string_agg(format('%s %s %s %s', oid, relname, relkind, relnamespace), ',' ORDER BY oid) FROM pg_class
        WHERE relnamespace NOT IN (SELECT oid FROM pg_namespace WHERE nspname LIKE 'pg_%')),
      (SELECT string_agg(p.oid::text, ',' ORDER BY p.oid) FROM pg_proc p WHERE p.oid >= 16384),
      (SELECT string_agg(n::text, ',' ORDER BY oid) FROM pg_namespace n WHERE nspname NOT LIKE 'pg_%'),
      (SELECT string_agg(r::text, ',' ORDER BY oid) FROM pg_roles r),
      (SELECT string_agg(s::text, ',') FROM pg_db_role_setting s),
      (SELECT string_agg(x::text, ',') FROM pg_prepared_xacts x),
      (SELECT last_value::text || is_called FROM s),
      (SELECT string_agg(l::text, ',' ORDER BY oid) FROM pg_largeobject_metadata l)
    )) AS digest`);
  return rows[0].digest;
}

const refused: readonly string[] = [
  // A: boundaries of statements and transactions
  'SELECT 1; DELETE FROM u',
  'COMMIT; DROP SCHEMA main CASCADE',
  'ROLLBACK; DELETE FROM u',
  'BEGIN READ WRITE',
  'START TRANSACTION READ WRITE',
  'BEGIN; SET TRANSACTION READ WRITE',
  'SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE',
  "SET client_encoding = 'GBK'",
  'SET standard_conforming_strings = off',
  // B: writes that look like reads, and utility statements
  'WITH x AS (DELETE FROM u RETURNING *) SELECT * FROM x',
  'WITH a AS (WITH b AS (DELETE FROM u RETURNING 1) SELECT * FROM b) SELECT * FROM a',
  'SELECT * FROM (WITH x AS (UPDATE u SET amount = 0 RETURNING 1) SELECT * FROM x) q',
  'SELECT 1 INTO z UNION SELECT 2',
  'SELECT * INTO TEMP z FROM t',
  'CREATE TABLE c AS SELECT * FROM t',
  'CREATE TEMP TABLE c AS SELECT * FROM t',
  'CREATE MATERIALIZED VIEW c AS SELECT * FROM t',
  'SELECT * FROM t FOR UPDATE',
  'SELECT * FROM t FOR NO KEY UPDATE',
  'SELECT * FROM t FOR SHARE',
  'SELECT * FROM (SELECT * FROM t FOR KEY SHARE) q',
  'EXPLAIN ANALYZE DELETE FROM u',
  'EXPLAIN (ANALYZE off, ANALYZE) DELETE FROM u',
  'EXPLAIN SELECT * FROM t WHERE id = f_imm()',
  'EXPLAIN ANALYZE CREATE TABLE c AS SELECT 1',
  'COPY (DELETE FROM u RETURNING *) TO STDOUT',
  "COPY (SELECT 1) TO PROGRAM 'id'",
  "COPY t TO '/tmp/x'",
  'COPY u FROM STDIN',
  "COPY u FROM '/etc/passwd'",
  'MERGE INTO u USING t ON t.id = u.id WHEN MATCHED THEN DELETE',
  "DO $$ BEGIN PERFORM pg_notify('a', 'b'); END $$",
  'CALL p_del()',
  'PREPARE d AS DELETE FROM u',
  'DECLARE c CURSOR FOR SELECT f_sd()',
  'VACUUM',
  'ANALYZE t',
  'CLUSTER t USING t_pkey',
  'REINDEX TABLE t',
  'BEGIN; LOCK u IN ACCESS EXCLUSIVE MODE',
  'BEGIN; LOCK u',
  'BEGIN; LOCK TABLE u IN ROW SHARE MODE',
  'BEGIN; LOCK TABLE ONLY u IN SHARE UPDATE EXCLUSIVE MODE NOWAIT',
  'CHECKPOINT',
  "ALTER SYSTEM SET work_mem = '1MB'",
  "LOAD 'auto_explain'",
  "COMMENT ON TABLE t IS 'x'",
  'GRANT SELECT ON t TO PUBLIC',
  'NOTIFY ch',
  'LISTEN ch',
  "PREPARE TRANSACTION 'x'",
  'CREATE EXTENSION pg_trgm',
  'CREATE SERVER x FOREIGN DATA WRAPPER y',
  'TRUNCATE u',
  'INSERT INTO u VALUES (100)',
  'UPDATE u SET amount = 1',
  'DELETE FROM u',
  'DROP TABLE u',
  'ALTER TABLE u ADD x int',
  'CREATE VIEW z AS SELECT 1',
  'CREATE RULE r AS ON SELECT TO v DO INSTEAD NOTHING',
  // C: session and privileges
  'SET default_transaction_read_only = off',
  "SELECT set_config('default_transaction_read_only', 'off', false)",
  "SELECT set_config('default_' || 'transaction_read_only', 'off', false)",
  "SELECT * FROM set_config('default_transaction_read_only', 'off', false)",
  "SELECT 1 ORDER BY set_config('default_transaction_read_only', 'off', false)",
  "SELECT pg_catalog.set_config('transaction_read_only', 'off', true)",
  "SELECT query_to_xml('select set_config(''default_transaction_read_only'',''off'',false)', true, true, '')",
  "SELECT * FROM ts_stat('select to_tsvector(set_config(''default_transaction_read_only'',''off'',false))')",
  "SELECT ts_rewrite('a'::tsquery, 'select ''a''::tsquery, ''b''::tsquery')",
  "UPDATE pg_settings SET setting = 'off' WHERE name = 'default_transaction_read_only'",
  'SET ROLE hatidata_writer',
  'SET SESSION AUTHORIZATION hatidata_writer',
  "SET role = 'hatidata_writer'",
  "SELECT set_config('role', 'hatidata_writer', false)",
  'SET session_replication_role = replica',
  'ALTER ROLE hatidata_reader SET default_transaction_read_only = off',
  'ALTER DATABASE hatidata SET default_transaction_read_only = off',
  // D: functions
  "SELECT pg_read_file('/etc/passwd')",
  "SELECT * FROM pg_ls_dir('/')",
  'SELECT pg_terminate_backend(pg_backend_pid())',
  'SELECT pg_cancel_backend(pid) FROM pg_stat_activity',
  'SELECT pg_advisory_lock(1)',
  'SELECT pg_try_advisory_lock(1)',
  "SELECT pg_notify('a', 'b')",
  "SELECT nextval('s')",
  "SELECT setval('s', 100)",
  'SELECT lo_create(0)',
  "SELECT lo_from_bytea(0, 'x')",
  "SELECT pg_restore_relation_stats('schemaname', 'main', 'relname', 't', 'relpages', 5)",
  "SELECT pg_clear_relation_stats('main', 't')",
  'SELECT pg_stat_reset()',
  "SELECT pg_logical_emit_message(false, 'a', 'b')",
  'SELECT pg_switch_wal()',
  'SELECT pg_export_snapshot()',
  'SELECT pg_sleep(1)',
  "SELECT table_to_xml('t', true, true, '')",
  "SELECT database_to_xml(true, true, '')",
  'SELECT f_sd()',
  'SELECT * FROM f_sd()',
  'SELECT id FROM t ORDER BY f_sd()',
  'SELECT id FROM t LIMIT (SELECT f_sd())',
  'SELECT (SELECT f_sd()) FROM t GROUP BY 1',
  'SELECT * FROM ROWS FROM (f_sd(), generate_series(1, 2)) q',
  'VALUES (f_sd())',
  'SELECT rolpassword FROM pg_authid',
  'SELECT * FROM pg_shadow',
  'SELECT query FROM pg_stat_activity',
  "SELECT set_config('hatidata.agent_id', 'other', false)",
];

describe('a readonly key is refused', () => {
  test.each(refused)('%s', async (text) => {
    const before = await digest();
    for (const query of [text, { text, values: [] as unknown[], name: '' }]) {
      const protocol = typeof query === 'string' ? 'simple' : 'extended';
      const fresh = reader;
      const outcome = await fresh.query(query).then(
        () => 'ran',
        (error: unknown) => {
          const { code, message } = error as pg.DatabaseError;
          return `${code} ${message}`;
        },
      );
      expect(outcome, protocol).toMatch(/^(42501|0A000|22023) /);
      await fresh.query('ROLLBACK');
      const { rows } = await fresh.query('SHOW default_transaction_read_only');
      expect(rows).toEqual([{ default_transaction_read_only: 'on' }]);
    }
    expect(await digest()).toBe(before);
  });
});

const allowed: readonly string[] = [
  'SELECT count(*) AS delete FROM t',
  'SELECT 1 AS "update", 2 AS "drop", 3 AS "grant"',
  "SELECT 'DROP TABLE x; --' AS a -- delete",
  'SELECT $$ truncate $$ AS a /* insert */',
  'WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT sum(n) FROM r',
  'SELECT id, sum(amount) OVER (ORDER BY id), lag(amount) OVER w FROM t WINDOW w AS (ORDER BY id)',
  'SELECT amount % 2, count(*) FILTER (WHERE id > 3) FROM t GROUP BY GROUPING SETS ((1), ())',
  'SELECT * FROM t, LATERAL (SELECT t.id * 2 AS d) q LIMIT 3',
  "SELECT jsonb_path_query('{\"a\":[1,2]}', '$.a[*]')",
  'VALUES (1), (2)',
  'TABLE t',
  'SELECT * FROM t TABLESAMPLE system (50)',
  'EXPLAIN SELECT * FROM t',
  'EXPLAIN (FORMAT JSON) SELECT * FROM t',
  'EXPLAIN ANALYZE SELECT * FROM t',
  'BEGIN; SELECT 1; COMMIT',
  'BEGIN READ ONLY; SAVEPOINT a; ROLLBACK TO a; RELEASE a; COMMIT',
  'START TRANSACTION ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE; COMMIT',
  'SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY',
  'SET extra_float_digits = 3',
  "SET application_name = 'tool'",
  "SET TIME ZONE 'Europe/Berlin'",
  'SET client_min_messages = warning',
  "SET client_encoding = 'UTF8'",
  'SET standard_conforming_strings = on',
  'SHOW transaction_read_only',
  'SHOW server_version',
  'SELECT pg_advisory_unlock_all(); CLOSE ALL; UNLISTEN *; RESET ALL',
  "SELECT set_config('search_path', 'public', false)",
  'RESET search_path',
  'SELECT version(), current_user, current_database(), pg_backend_pid(), pg_is_in_recovery()',
  "SELECT U&'\\0441\\043b\\043e\\043d', E'a\\nb', 'ß字'",
  'PREPARE q AS SELECT count(*) FROM t WHERE id > $1; EXECUTE q(3); DEALLOCATE q',
  'BEGIN; DECLARE c CURSOR FOR SELECT * FROM t; FETCH 2 FROM c; CLOSE c; COMMIT',
  'SELECT now(), clock_timestamp(), random() < 2, gen_random_uuid() IS NOT NULL',
  'SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()',
  "SELECT pg_get_viewdef('v'::regclass), obj_description('t'::regclass), format_type(23, NULL)",
  "SELECT string_agg(ssn, ',' ORDER BY id), array_agg(id), percentile_cont(0.5) WITHIN GROUP (ORDER BY amount) FROM t",
  "SELECT * FROM v WHERE ssn LIKE '123%'",
  'SELECT row_to_json(t), to_jsonb(t) FROM t',
  'DISCARD ALL',
];

describe('a readonly key may', () => {
  test.each(allowed)('%s', async (text) => {
    await reader.query(text);
    if (!text.includes(';')) await reader.query({ text, values: [], name: '' });
    expect((await reader.query('SHOW default_transaction_read_only')).rows).toEqual([
      { default_transaction_read_only: 'on' },
    ]);
  });
});

/** Rights that PostgreSQL gives to every role; docs/threat-model.md says why that is bearable. */
const notTheEngines = [
  // A role may change its own defaults; ours are set for each session, and put right at each start.
  'ALTER ROLE hatidata_reader SET',
];

/** What PostgreSQL runs for a reader, in order; nothing of it changes what anybody else sees. docs/threat-model.md. */
const runsWithoutEffect = [
  // The read-only flag can be lifted; the role has no right to write all the same.
  'BEGIN READ WRITE',
  'START TRANSACTION READ WRITE',
  'BEGIN; SET TRANSACTION READ WRITE',
  'SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE',
  // Reported to us by ParameterStatus, and the session is ended.
  "SET client_encoding = 'GBK'",
  'SET standard_conforming_strings = off',
  // Preparing is allowed, executing is not.
  'PREPARE d AS DELETE FROM u',
  // Skipped with a warning for tables of others.
  'VACUUM',
  'ANALYZE t',
  // A warning: no privileges were granted.
  'GRANT SELECT ON t TO PUBLIC',
  // Reach sessions that listen; no right in PostgreSQL forbids it.
  'NOTIFY ch',
  'LISTEN ch',
  // The session's own settings. The clamp is reported as well, and the session ended.
  'SET default_transaction_read_only = off',
  "SELECT set_config('default_transaction_read_only', 'off', false)",
  "SELECT set_config('default_' || 'transaction_read_only', 'off', false)",
  "SELECT * FROM set_config('default_transaction_read_only', 'off', false)",
  "SELECT 1 ORDER BY set_config('default_transaction_read_only', 'off', false)",
  "SELECT pg_catalog.set_config('transaction_read_only', 'off', true)",
  "UPDATE pg_settings SET setting = 'off' WHERE name = 'default_transaction_read_only'",
  // Its own time.
  'SELECT pg_sleep(1)',
  "SELECT set_config('hatidata.agent_id', 'other', false)",
];

describe('the second lock', () => {
  test('with the first one taken out, the engine lets a reader change nothing', async () => {
    const open = await startTestProxy(
      {
        engine: { kind: 'url', url: urlOf('writer'), readerUrl: urlOf('reader') },
        controlDatabaseUrl: urlOf('control'),
      },
      { steps: pipeline.filter((step) => step !== authorizeStep) },
    );
    const key = (await admin.query("SELECT create_api_key('unlocked', 'readonly')")).rows[0]
      .api_key;
    const before = await digest();
    const ran: string[] = [];
    try {
      for (const text of refused.filter(
        (each) => !notTheEngines.some((part) => each.includes(part)),
      )) {
        const client = await open.client(key);
        // The caller lifts its clamp first, as far as the session lives on: for one transaction.
        await client.query('BEGIN READ WRITE');
        let outcome = await run(client, text);
        await client.query('COMMIT').catch(() => undefined);
        if (outcome.includes('transaction block')) outcome = await run(client, text);
        if (outcome === 'ran') ran.push(text);
        await client.end().catch(() => undefined);
      }
    } finally {
      await open.stop();
    }
    expect(await digest()).toBe(before);
    expect(ran).toEqual(runsWithoutEffect);
  });

  function run(client: pg.Client, text: string): Promise<string> {
    return client.query(text).then(
      () => 'ran',
      (error: unknown) => String(error),
    );
  }

  function urlOf(role: 'reader' | 'writer' | 'control'): string {
    const { host, port, user, password, database } = proxy.direct(role);
    return `postgres://${user}:${String(password)}@localhost:${port}/${database}?host=${encodeURIComponent(host!)}`;
  }
});
