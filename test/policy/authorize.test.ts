/** Who may do what, row by row of the bypass catalogue (its ids in brackets). */
import { beforeAll, describe, expect, test } from 'vitest';
import { adminAuthority, readonlyAuthority } from '../../src/policy/authority.ts';
import { authorize } from '../../src/policy/authorize.ts';
import { emptyCatalogue } from '../../src/policy/catalogue.ts';
import { analyse } from '../../src/sql/analyse.ts';
import { loadParser } from '../../src/sql/parse.ts';
import { authorities, readonlyCannot, refusal, scopes } from './judge.ts';

beforeAll(loadParser);

describe('readonly is refused, admin is not', () => {
  test.each([
    ['INSERT', 'INSERT INTO products VALUES (1)'],
    ['UPDATE', 'UPDATE products SET price = 1'],
    ['DELETE', 'DELETE FROM products'],
    ['MERGE', 'MERGE INTO u USING t ON true WHEN MATCHED THEN DELETE'], // B13
    ['DDL', 'DROP TABLE products'],
    ['DDL', 'CREATE TABLE c (a int)'],
    ['DDL', 'ALTER TABLE t ALTER ssn TYPE int USING ssn::int'], // B27
    ['DDL', 'TRUNCATE t'],
    ['DELETE', 'SELECT 1; DELETE FROM u'], // A01
    ['DDL', 'COMMIT; DROP SCHEMA public CASCADE'], // A02
    ['DELETE', 'ROLLBACK; DELETE FROM u'], // A03
    ['DELETE', 'COMMIT AND CHAIN; DELETE FROM u'],
    ['BEGIN READ WRITE', 'BEGIN READ WRITE'], // A04
    ['START TRANSACTION READ WRITE', 'START TRANSACTION READ WRITE'],
    ['SET TRANSACTION READ WRITE', 'BEGIN; SET TRANSACTION READ WRITE'],
    [
      'SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE',
      'SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE', // A05
    ],
    ['DELETE', "SELECT E'\\'' ; DELETE FROM u; -- '"], // A23
    ['DDL', 'SELECT $x$ ; $y$ $x$; DROP TABLE t'],
    ['DDL', '/* /* */ ; */ DROP TABLE t'],
    ['DELETE', 'WITH x AS (DELETE FROM u RETURNING *) SELECT * FROM x'], // B01
    ['INSERT', 'WITH a AS (WITH b AS (INSERT INTO t VALUES (1) RETURNING 1) TABLE b) TABLE a'],
    ['UPDATE', 'SELECT 1 FROM (WITH u AS (UPDATE t SET a = 1 RETURNING 1) SELECT 1) x'],
    ['DDL', 'SELECT * INTO z FROM t'], // B02
    ['DDL', 'SELECT 1 INTO z UNION SELECT 2'],
    ['DDL', 'SELECT 1 INTO TEMP z'],
    ['DDL', 'CREATE TABLE c AS SELECT 1'], // B03
    ['DDL', 'CREATE TEMP TABLE c AS EXECUTE p'], // A08
    ['DDL', 'CREATE VIEW v AS SELECT 1'],
    ['DDL', 'CREATE MATERIALIZED VIEW v AS SELECT 1'],
    ['SELECT FOR UPDATE', 'SELECT * FROM t FOR UPDATE'], // B04
    ['SELECT FOR NO KEY UPDATE', 'SELECT * FROM t FOR NO KEY UPDATE'],
    ['SELECT FOR SHARE', 'SELECT (SELECT 1 FROM t FOR SHARE)'],
    ['SELECT FOR KEY SHARE', 'WITH x AS (SELECT 1 FROM t FOR KEY SHARE SKIP LOCKED) TABLE x'],
    ['DELETE', 'EXPLAIN ANALYZE DELETE FROM u'], // B05
    ['DELETE', 'EXPLAIN (ANALYZE off, ANALYZE) DELETE FROM u'], // B06
    ['DELETE', 'EXPLAIN (ANALYZE, ANALYZE off) DELETE FROM u'],
    ['INSERT', 'EXPLAIN INSERT INTO t VALUES (1)'],
    ['MERGE', 'EXPLAIN ANALYZE MERGE INTO u USING t ON true WHEN MATCHED THEN DELETE'], // B08
    ['DDL', 'EXPLAIN ANALYZE CREATE TABLE c AS SELECT 1'],
    ['DDL', 'EXPLAIN ANALYZE REFRESH MATERIALIZED VIEW v'],
    ['DELETE', 'COPY (DELETE FROM u RETURNING *) TO STDOUT'], // B09
    ['COPY', 'COPY u FROM STDIN'], // B12
    ['DO', "DO $$ begin perform pg_notify('a','b'); end $$"], // B14
    ['CALL', 'CALL p()'], // B15
    ['DELETE', 'PREPARE d AS DELETE FROM u'], // B16
    ['UPDATE', 'UPDATE u SET a = 1 WHERE CURRENT OF c'], // B17
    ['SELECT FOR UPDATE', 'DECLARE c CURSOR FOR SELECT 1 FROM t FOR UPDATE'],
    ['VACUUM', 'VACUUM t'], // B18
    ['ANALYZE', 'ANALYZE t'],
    ['CLUSTER', 'CLUSTER t USING t_pkey'],
    ['DDL', 'REINDEX TABLE t'],
    ['LOCK TABLE', 'LOCK TABLE u IN ACCESS EXCLUSIVE MODE'], // B19
    ['CHECKPOINT', 'CHECKPOINT'], // B20
    ['DDL', 'REFRESH MATERIALIZED VIEW v'], // B21
    ['DDL', "COMMENT ON TABLE t IS 'x'"],
    ['DDL', "SECURITY LABEL ON COLUMN t.a IS 'x'"],
    ['DDL', 'GRANT SELECT ON t TO PUBLIC'],
    ['NOTIFY', "NOTIFY ch, 'x'"], // B22
    ['LISTEN', 'LISTEN ch'],
    ['PREPARE TRANSACTION', "PREPARE TRANSACTION 'x'"], // B24
    ['COMMIT PREPARED', "COMMIT PREPARED 'x'"],
    ['DDL', 'CREATE SERVER s FOREIGN DATA WRAPPER f'], // B25
    ['DDL', "CREATE USER MAPPING FOR PUBLIC SERVER s OPTIONS (password 'x')"],
    ['DDL', "CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p"],
    ['DDL', 'IMPORT FOREIGN SCHEMA a FROM SERVER s INTO b'],
    ['DDL', 'CREATE EXTENSION dblink'],
    ['DDL', 'CREATE RULE r AS ON INSERT TO t DO INSTEAD NOTHING'], // B26
    ['DDL', 'CREATE TRIGGER g BEFORE INSERT ON t EXECUTE FUNCTION f()'],
    ['DDL', 'CREATE DOMAIN d AS int CHECK (f())'],
    ['DDL', 'CREATE CAST (a AS b) WITH FUNCTION f(a)'],
    ['DDL', 'CREATE OPERATOR + (FUNCTION = f, RIGHTARG = int)'],
    ['INSERT', 'BEGIN READ ONLY; INSERT INTO temp_t VALUES (1)'], // B28
    ['DDL', 'ALTER DATABASE d SET work_mem = 1'], // C16
  ])('%s: %s', (verb, text) => {
    expect(refusal('readonly', text)).toBe(readonlyCannot(verb));
    expect(refusal('admin', text)).toBeUndefined();
  });
});

describe('nobody may', () => {
  test.each([
    ['COPY with a program of the server', "COPY (SELECT 1) TO PROGRAM 'id'"], // B10
    ['COPY with a file of the server', "COPY t TO '/tmp/x'"], // B11
    ['COPY with a program of the server', "COPY u FROM PROGRAM 'id'"],
    ['LOAD', "LOAD 'x'"], // B20
    ['SET ROLE', 'SET ROLE hi'], // C08
    ['SET ROLE', "SET LOCAL role = 'hi'"],
    ['SET SESSION AUTHORIZATION', 'SET SESSION AUTHORIZATION hi'],
    ['SET ROLE', "SET ROLE 'NONE'"],
    ['SET ROLE', 'SET ROLE "None"'],
    ['SET SESSION AUTHORIZATION', 'SET SESSION AUTHORIZATION none'],
  ])('%s: %s', (verb, text) => {
    expect(refusal('readonly', text)).toBe(readonlyCannot(verb));
    expect(refusal('admin', text)).toBe(
      `Permission denied: ${verb} is not available through HatiData`,
    );
  });

  test.each([
    ['ALTER SYSTEM', 'ALTER SYSTEM SET work_mem = 1'], // B20
    ['CREATE TABLESPACE', "CREATE TABLESPACE t LOCATION '/x'"],
    ['CREATE ROLE', 'CREATE ROLE r SUPERUSER'],
    ['CREATE ROLE', 'CREATE USER r'],
    ['ALTER ROLE', 'ALTER ROLE svc SET default_transaction_read_only = off'], // C16
    ['ALTER ROLE', 'ALTER ROLE r RENAME TO s'],
    ['DROP ROLE', 'DROP ROLE r'],
    ['GRANT of a role', 'GRANT a TO b'],
    ['DROP OWNED', 'DROP OWNED BY r'],
    ['REASSIGN OWNED', 'REASSIGN OWNED BY a TO b'],
  ])('%s, which is DDL to a readonly key: %s', (verb, text) => {
    expect(refusal('readonly', text)).toBe(readonlyCannot('DDL'));
    expect(refusal('admin', text)).toBe(
      `Permission denied: ${verb} is not available through HatiData`,
    );
  });

  test.each(scopes)('what the grammar does not know (%s)', (scope) => {
    const { statements } = analyse('SELECT 1');
    const unknown = {
      ...statements[0]!,
      acts: [{ class: 'unknown', verb: 'FutureStmt' } as const],
    };
    expect(
      authorize(
        authorities[scope],
        { statements: [unknown], rewritten: undefined, bytes: 0, names: false, runs: 0 },
        emptyCatalogue,
      )?.sqlstate,
    ).toBe('42501');
  });
});

describe('a refusal', () => {
  test('is a 42501 of the policy, with nothing beside the sentence', () => {
    const error = authorize(
      readonlyAuthority,
      analyse('INSERT INTO products VALUES (1)'),
      emptyCatalogue,
    );
    expect(error).toMatchObject({ sqlstate: '42501', blame: 'policy', detail: undefined });
    expect(error?.hint).toBeUndefined();
  });

  test('names the statement when there are several', () => {
    const error = authorize(
      readonlyAuthority,
      analyse('SELECT 1; DELETE FROM t; DROP TABLE t'),
      emptyCatalogue,
    );
    expect(error?.message).toBe(readonlyCannot('DELETE'));
    expect(error?.detail).toBe('statement 2 of 3; none was run');
  });
});

describe('readonly may', () => {
  test.each([
    '', // A16
    ';;',
    '-- x',
    'SELECT count(*) AS delete FROM t', // I01
    'SELECT "update", "drop" AS "grant" FROM t',
    "SELECT 'DROP TABLE x; --'", // I02
    'SELECT 1 -- delete',
    '/* insert */ SELECT $$ truncate $$',
    'WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT * FROM r', // I03
    'SELECT *, row_number() OVER (PARTITION BY a ORDER BY b ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM t',
    'SELECT a, count(*) FILTER (WHERE b > 1) FROM t GROUP BY GROUPING SETS ((a), ()) HAVING sum(c) > 1',
    "SELECT jsonb_path_query(j, '$.a[*]'), j -> 'a' ->> 'b' FROM t, LATERAL jsonb_each(t.j) e",
    'VALUES (1, 2), (3, 4)',
    'TABLE t',
    'SELECT * FROM t TABLESAMPLE bernoulli (10) REPEATABLE (1)',
    'SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY a), mode() WITHIN GROUP (ORDER BY b) FROM t',
    "SELECT extract(year FROM now()), date_trunc('day', a), a AT TIME ZONE 'UTC', age(a) FROM t",
    "SELECT coalesce(a, 'x'), nullif(a, b), greatest(1, 2), substring(a FROM 'x'), position('a' IN b) FROM t",
    "SELECT a SIMILAR TO 'b', a ILIKE '%c%', a BETWEEN SYMMETRIC 1 AND 2, a IS DISTINCT FROM b FROM t",
    "SELECT string_agg(a, ',' ORDER BY a), array_agg(b), json_agg(t), to_jsonb(t) FROM t",
    "SELECT to_tsvector('english', a) @@ plainto_tsquery('b'), ts_headline(a, to_tsquery('c')) FROM t",
    'SELECT * FROM generate_series(1, 10) g, unnest(ARRAY[1, 2]) WITH ORDINALITY u (v, n)',
    "SELECT * FROM JSON_TABLE('[1]', '$[*]' COLUMNS (a int PATH '$'))",
    'SELECT random(), gen_random_uuid(), clock_timestamp()',
    'EXPLAIN SELECT 1', // I04
    'EXPLAIN (FORMAT JSON, ANALYZE) SELECT * FROM t',
    'BEGIN', // I05
    'BEGIN READ ONLY',
    'BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE', // C18
    'COMMIT',
    'ROLLBACK',
    'END',
    'ABORT',
    'SAVEPOINT a; ROLLBACK TO a; RELEASE a',
    'SET TRANSACTION READ ONLY',
    'SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY',
    'SET CONSTRAINTS ALL IMMEDIATE',
    'SHOW transaction_read_only', // I06
    'SHOW work_mem',
    'SELECT pg_advisory_unlock_all(); CLOSE ALL; UNLISTEN *; RESET ALL', // I07
    'DISCARD ALL',
    'DISCARD TEMP',
    'RESET ROLE', // pools, between two clients
    'RESET SESSION AUTHORIZATION',
    'SET ROLE NONE',
    "SET LOCAL role = 'none'",
    'SET role TO DEFAULT',
    'SET SESSION AUTHORIZATION DEFAULT; RESET ALL; UNLISTEN *; CLOSE ALL',
    "SELECT a OPERATOR(pg_catalog.~) '^b$' COLLATE pg_catalog.default FROM t", // I08
    "SELECT set_config('search_path', 'public', false)", // I09
    'SELECT version(), current_user, current_database(), pg_backend_pid(), pg_is_in_recovery()', // I10
    'SELECT current_schema(), session_user, inet_server_addr(), txid_current_snapshot()',
    "SELECT U&'\\00e9', E'\\n', 'привет' AS \"имя\" FROM 表", // I11
    `SELECT ${Array.from({ length: 200 }, (_none, index) => `$${index + 1}`).join(', ')}`, // I12
    'PREPARE p (int) AS SELECT * FROM t WHERE a = $1; EXECUTE p (1); DEALLOCATE p',
    'BEGIN; DECLARE c CURSOR FOR SELECT 1; FETCH ALL FROM c; MOVE 1 IN c; CLOSE c; COMMIT',
    'DECLARE c CURSOR WITH HOLD FOR SELECT 1',
    'COPY t TO STDOUT',
    'COPY (SELECT * FROM t) TO STDOUT WITH (FORMAT csv, HEADER)',
    "SELECT strftime('%Y', now())",
    'SELECT * FROM pg_catalog.pg_class, information_schema.columns, pg_stats, pg_prepared_statements',
    'SELECT (information_schema._pg_expandarray(i.indkey)).n FROM pg_index i', // JDBC
    'SELECT (result.keys).x FROM (SELECT information_schema._pg_expandarray(indkey) AS keys FROM pg_index) result',
    'SELECT (d).grantee, (d).privilege_type FROM (SELECT aclexplode(relacl) AS d FROM pg_class) a', // pgAdmin
    "SELECT has_table_privilege('t', 'SELECT'), format_type(1, 2), 't'::regclass, to_regclass('t'), obj_description(1)",
  ])('%s', (text) => {
    expect(refusal('readonly', text)).toBeUndefined();
    expect(refusal('admin', text)).toBeUndefined();
  });
});

describe('statements of ours', () => {
  test.each([
    ["SELECT create_api_key('a', 'readonly', 'd')", 'create_api_key', 'key:write'],
    ["SELECT upper(create_api_key('a', 'admin'))", 'create_api_key', 'key:write'],
    ["PREPARE p AS SELECT rotate_api_key('a')", 'rotate_api_key', 'key:write'],
    ['SELECT * FROM _hatidata_keys.active_keys', '_hatidata_keys.active_keys', 'key:read'],
    ['EXPLAIN SELECT * FROM _hatidata_keys.active_keys', '_hatidata_keys', 'key:write'],
  ])('readonly: %s', (text, what, scope) => {
    expect(refusal('readonly', text)).toBe(`Permission denied: ${what} needs the scope ${scope}`);
  });

  test('a write in a readonly text is named before anything else', () => {
    expect(refusal('readonly', "INSERT INTO t SELECT create_api_key('a', 'admin')")).toBe(
      readonlyCannot('INSERT'),
    );
  });

  test.each([
    "SELECT create_api_key('a', 'readonly', 'd')",
    'SELECT count(*), max(created_at)::date FROM _hatidata_keys.active_keys k, pg_roles WHERE k.scope = $1',
    "SET hatidata_request_id = 'r'",
  ])('admin may: %s', (text) => {
    expect(refusal('admin', text)).toBeUndefined();
  });

  test.each([
    'SELECT upper(rotate_api_key($1))',
    'SELECT * FROM _hatidata_keys.active_keys, products',
    'DELETE FROM _hatidata_keys.active_keys',
    'SELECT f() FROM _hatidata_keys.active_keys',
    'SELECT pg_sleep(1) FROM _hatidata_keys.active_keys',
    "SELECT query_to_xml('SELECT 1', true, true, '') FROM _hatidata_keys.active_keys",
    'SELECT * FROM _hatidata_keys.active_keys, pg_authid',
    "BEGIN; SET hatidata_x = '1'",
  ])('admin hears what would work: %s', (text) => {
    const error = authorize(adminAuthority, analyse(text), emptyCatalogue);
    expect(error).toMatchObject({
      code: 'system_statement_shape',
      sqlstate: '0A000',
      hint: expect.any(String),
    });
  });

  test.each(["SET hatidata_request_id = 'r'", 'RESET hatidata_x', 'SHOW hatidata.agent_id'])(
    'readonly may: %s',
    (text) => {
      expect(refusal('readonly', text)).toBeUndefined();
    },
  );
});
