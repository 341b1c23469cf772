import { beforeAll, describe, expect, test } from 'vitest';
import { analyse } from '../../src/sql/analyse.ts';
import { loadParser } from '../../src/sql/parse.ts';
import type { Statement } from '../../src/sql/statement.ts';

beforeAll(loadParser);

function only(text: string): Statement {
  const { statements } = analyse(text);
  expect(statements).toHaveLength(1);
  return statements[0]!;
}

const acts = (text: string): string[] => only(text).acts.map((act) => `${act.class} ${act.verb}`);

describe('acts', () => {
  test.each([
    ['SELECT 1', ['read SELECT']],
    ['TABLE t', ['read SELECT']],
    ['VALUES (1), (2)', ['read SELECT']],
    ['INSERT INTO t SELECT * FROM u', ['write INSERT', 'read SELECT']],
    ['UPDATE t SET a = 1', ['write UPDATE']],
    ['DELETE FROM t', ['write DELETE']],
    ['MERGE INTO t USING u ON true WHEN MATCHED THEN DELETE', ['write MERGE']],
    [
      'WITH x AS (DELETE FROM u RETURNING *) SELECT * FROM x',
      ['read SELECT', 'write DELETE', 'read RETURNING'],
    ],
    [
      'SELECT (WITH a AS (WITH b AS (UPDATE t SET x = 1 RETURNING 1) TABLE b) TABLE a)',
      ['read SELECT', 'write UPDATE', 'read RETURNING'],
    ],
    ['SELECT 1 INTO z', ['read SELECT', 'table DDL']],
    ['SELECT 1 INTO z UNION SELECT 2', ['read SELECT', 'table DDL']],
    ['CREATE TABLE c AS SELECT 1', ['table DDL', 'read SELECT']],
    ['CREATE TABLE c AS EXECUTE p', ['table DDL', 'object EXECUTE']],
    ['SELECT * FROM t FOR NO KEY UPDATE', ['read SELECT', 'lock SELECT FOR NO KEY UPDATE']],
    ['SELECT * FROM (SELECT * FROM t FOR SHARE) s', ['read SELECT', 'lock SELECT FOR SHARE']],
    ['EXPLAIN SELECT 1', ['read EXPLAIN', 'read SELECT']],
    ['EXPLAIN (ANALYZE off, ANALYZE) DELETE FROM t', ['read EXPLAIN', 'write DELETE']],
    ['EXPLAIN (ANALYZE, ANALYZE off) DELETE FROM t', ['read EXPLAIN', 'write DELETE']],
    ['EXPLAIN ANALYZE CREATE TABLE c AS SELECT 1', ['read EXPLAIN', 'table DDL', 'read SELECT']],
    ['COPY t TO STDOUT', ['read COPY']],
    ['COPY t FROM STDIN', ['write COPY']],
    ['COPY (DELETE FROM t RETURNING 1) TO STDOUT', ['read COPY', 'write DELETE', 'read RETURNING']],
    ["COPY t FROM '/tmp/x'", ['serverAccess COPY with a file of the server']],
    ["COPY t TO PROGRAM 'id'", ['serverAccess COPY with a program of the server']],
    ['PREPARE p AS DELETE FROM t', ['object PREPARE', 'write DELETE']],
    [
      'DECLARE c CURSOR FOR SELECT * FROM t FOR UPDATE',
      ['object DECLARE', 'read SELECT', 'lock SELECT FOR UPDATE'],
    ],
    ['FETCH ALL FROM c', ['object FETCH']],
    ['MOVE 1 IN c', ['object MOVE']],
    ['BEGIN', ['transaction BEGIN']],
    ['BEGIN READ WRITE', ['transactionReadWrite BEGIN READ WRITE']],
    [
      'START TRANSACTION READ WRITE, READ ONLY',
      ['transactionReadWrite START TRANSACTION READ WRITE'],
    ],
    ['BEGIN READ ONLY, READ WRITE', ['transactionReadWrite BEGIN READ WRITE']],
    ['SET TRANSACTION READ WRITE', ['transactionReadWrite SET TRANSACTION READ WRITE']],
    ['SET TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ ONLY', ['transaction SET TRANSACTION']],
    [
      'SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE',
      ['transactionReadWrite SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE'],
    ],
    ["PREPARE TRANSACTION 'x'", ['twoPhase PREPARE TRANSACTION']],
    ["COMMIT PREPARED 'x'", ['twoPhase COMMIT PREPARED']],
    ['SET CONSTRAINTS ALL DEFERRED', ['transaction SET CONSTRAINTS']],
    ['DISCARD ALL', ['reset DISCARD ALL']],
    ['RESET ALL', ['reset RESET ALL']],
    ['SET ROLE admin', ['identity SET ROLE']],
    ['SET role = admin', ['identity SET ROLE']],
    ['SET LOCAL "ROLE" TO admin', ['identity SET ROLE']],
    ['SET ROLE "None"', ['identity SET ROLE']],
    ['SET SESSION AUTHORIZATION none', ['identity SET SESSION AUTHORIZATION']],
    ['SET ROLE NONE', ['reset SET ROLE']],
    ['SET role TO DEFAULT', ['reset SET ROLE']],
    ['RESET ROLE', ['reset RESET ROLE']],
    ['SET SESSION AUTHORIZATION DEFAULT', ['reset SET SESSION AUTHORIZATION']],
    ['RESET SESSION AUTHORIZATION', ['reset RESET SESSION AUTHORIZATION']],
    ['LISTEN a', ['message LISTEN']],
    ['UNLISTEN *', ['unlisten UNLISTEN']],
    ["NOTIFY a, 'b'", ['message NOTIFY']],
    ['VACUUM t', ['maintenance VACUUM']],
    ['ANALYZE', ['maintenance ANALYZE']],
    ['CHECKPOINT', ['maintenance CHECKPOINT']],
    ['LOCK TABLE t', ['lock LOCK TABLE']],
    ['LOCK TABLE t, ONLY u IN ACCESS SHARE MODE NOWAIT', ['readLock LOCK TABLE']],
    ['LOCK t IN ROW SHARE MODE', ['lock LOCK TABLE']],
    ['LOCK t IN SHARE MODE', ['lock LOCK TABLE']],
    ['DO $$ BEGIN END $$', ['routine DO']],
    ['CALL p()', ['routine CALL']],
    ["LOAD 'x'", ['serverAccess LOAD']],
    ['ALTER SYSTEM SET a = 1', ['definition DDL', 'serverAccess ALTER SYSTEM']],
    ['GRANT a TO b', ['definition DDL', 'roles GRANT of a role']],
    ['ALTER ROLE a RENAME TO b', ['definition DDL', 'roles ALTER ROLE']],
    ['DROP OWNED BY a', ['definition DDL', 'roles DROP OWNED']],
    ['REASSIGN OWNED BY a TO b', ['definition DDL', 'roles REASSIGN OWNED']],
    ['CREATE RULE r AS ON INSERT TO t DO ALSO DELETE FROM u', ['code DDL', 'write DELETE']],
    [
      'CREATE FUNCTION f() RETURNS void BEGIN ATOMIC DELETE FROM t; END',
      ['code DDL', 'write DELETE'],
    ],
    ['CREATE SCHEMA s CREATE TABLE t (a int)', ['definition DDL', 'table DDL']],
    ['TRUNCATE t', ['table DDL']],
  ])('%s', (text, expected) => {
    expect(acts(text)).toEqual(expected);
  });

  test.each(['', ';', ' ;; ', '-- nothing', '/* /* */ */'])('none in %j', (text) => {
    expect(analyse(text).statements).toEqual([]);
  });
});

describe('relations', () => {
  test.each([
    ['SELECT * FROM a, s.b, d.s.c', ['a', 's.b', 's.c']],
    ['WITH a AS (SELECT 1) SELECT * FROM a, b', ['b']],
    ['SELECT * FROM (WITH a AS (SELECT 1) SELECT * FROM a) x, a', ['a']],
    ['WITH a AS (SELECT * FROM a) SELECT * FROM a', ['a']],
    ['WITH RECURSIVE a AS (SELECT 1 UNION SELECT * FROM a) SELECT * FROM a', []],
    ['WITH a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a, b', ['b']],
    ['WITH a AS (SELECT 1) SELECT * FROM s.a', ['s.a']],
    ['WITH a AS (SELECT 1) INSERT INTO a SELECT * FROM a', ['a']],
    ['WITH a AS (SELECT 1) DELETE FROM a USING a AS b', ['a']],
    ['SELECT * FROM t AS x FOR UPDATE OF x', ['t']],
    ['WITH a AS (SELECT 1) SELECT 1 UNION SELECT (SELECT count(*) FROM a)', []],
    ['COPY t (a) TO STDOUT', ['t']],
  ])('%s', (text, expected) => {
    const spelt = only(text).relations.map(({ schema, name }) =>
      schema === undefined ? name : `${schema}.${name}`,
    );
    expect(spelt).toEqual(expected);
  });
});

describe('functions, wherever they stand (B29)', () => {
  test.each([
    'SELECT f()',
    'SELECT * FROM f()',
    'SELECT * FROM a, LATERAL f(a.x)',
    'SELECT * FROM ROWS FROM (g(), f())',
    'SELECT 1 LIMIT (SELECT f())',
    'SELECT 1 OFFSET f()',
    'SELECT sum(1) OVER (ORDER BY 1 ROWS f() PRECEDING) FROM a',
    'SELECT * FROM a TABLESAMPLE bernoulli (f())',
    'SELECT * FROM a TABLESAMPLE f (1)',
    'SELECT 1 FROM a ORDER BY f()',
    'SELECT 1 FROM a GROUP BY GROUPING SETS (f())',
    'SELECT 1 FROM a HAVING f()',
    'SELECT * FROM a JOIN b ON f()',
    'VALUES (1), (f())',
    'INSERT INTO a VALUES (1) ON CONFLICT (x) DO UPDATE SET x = f()',
    'DELETE FROM a RETURNING f()',
    "SELECT * FROM XMLTABLE('/a' PASSING f() COLUMNS x int)",
    "SELECT * FROM JSON_TABLE('{}', '$' PASSING f() AS x COLUMNS (a int PATH '$'))",
    'SELECT count(*) FILTER (WHERE f())',
    'SELECT CASE WHEN f() THEN 1 END',
    'SELECT ARRAY[ROW(f())]',
    'SELECT (ARRAY[1])[f()]',
    "SELECT JSON_OBJECT('a': f())",
    "SELECT JSON_OBJECTAGG('a': f())",
    'SELECT XMLFOREST(f() AS a)',
    'SELECT a FROM b WINDOW w AS (PARTITION BY f())',
    'DECLARE c CURSOR FOR SELECT f()',
    'EXPLAIN SELECT f()',
    'SELECT DISTINCT ON (f()) 1',
    "SELECT f() AT TIME ZONE 'UTC'",
    'SELECT 1 = ANY (SELECT f())',
  ])('%s', (text) => {
    expect(only(text).functions.map((call) => call.name)).toContain('f');
  });

  test('`(value).name` is told from a call', () => {
    const { functions, fieldNames } = only("SELECT ('/'::text).pg_ls_dir");
    expect({ functions, fieldNames }).toEqual({ functions: [], fieldNames: ['pg_ls_dir'] });
  });

  test('operators with their schema', () => {
    expect(
      only('SELECT 1 OPERATOR(evil.+) 2 - 3, a BETWEEN 1 AND 2 FROM t ORDER BY 1 USING <')
        .operators,
    ).toEqual([
      { schema: 'evil', name: '+' },
      { schema: undefined, name: '-' },
      { schema: undefined, name: '>=' },
      { schema: undefined, name: '<=' },
      { schema: undefined, name: '<' },
    ]);
  });

  test.each([
    ['SELECT a IN (SELECT 1)', ['=']],
    ['SELECT a > ALL (SELECT 1), EXISTS (SELECT 1), ARRAY(SELECT 1)', ['>']],
    ['SELECT 1 FROM a JOIN b USING (c)', ['=']],
    ['SELECT 1 FROM a NATURAL LEFT JOIN b', ['=']],
    ['SELECT 1 FROM a CROSS JOIN b', []],
    ['SELECT CASE a WHEN 1 THEN 2 END', ['=']],
    ['SELECT CASE WHEN a THEN 2 END', []],
    ['SELECT a NOT BETWEEN SYMMETRIC 1 AND 2', ['<', '>']],
    ['SELECT a NOT IN (1, 2)', ['<>']],
    ['SELECT a ILIKE b, a SIMILAR TO b', ['~~*', '~']],
  ])('operators that keywords stand for: %s', (text, names) => {
    expect(only(text).operators.map((operator) => operator.name)).toEqual(names);
  });
});

describe('names behind a dot', () => {
  test.each([
    ['SELECT a FROM t', []],
    ['SELECT x.f, x.f, t.g FROM t x', ['f', 'g']],
    ['SELECT s.t.f, d.s.t.g', ['f', 'g']],
    ['SELECT (x).f.g', ['f', 'g']],
    ['SELECT x.f[1].g', ['f', 'g']],
    ['SELECT x[1].g', ['g']],
    ['SELECT $1.f, ($1).g, (SELECT a).h, (ROW(1)).i', ['f', 'g', 'h', 'i']],
    ['SELECT x.*, s.x.*, (x.y).*', ['y']],
    ['SELECT f(x.a ORDER BY x.b) FILTER (WHERE x.c) OVER (PARTITION BY x.d)', ['a', 'b', 'c', 'd']],
  ])('%s', (text, names) => {
    expect(only(text).fieldNames.toSorted()).toEqual(names);
  });

  test('may take a lock that stays', () => {
    expect(only('SELECT x.pg_advisory_lock FROM t x').effects).toEqual(['advisoryLock']);
  });
});

describe('types', () => {
  test.each([
    ["SELECT '1'::int, CAST(a AS numeric(3, 2)), date '2000-01-01'", ['date']],
    ["SELECT '1'::s.dom, a::dom[], a::_dom", ['dom', 'dom', '_dom']],
    ["SELECT '1'::pg_catalog.dom", []],
    ['SELECT * FROM f() AS r (a dom, b int)', ['dom']],
    ['SELECT * FROM ROWS FROM (f() AS (a dom))', ['dom']],
    [
      "SELECT * FROM JSON_TABLE('1', '$' COLUMNS (a dom PATH '$', NESTED '$' COLUMNS (b dom2)))",
      ['dom', 'dom2'],
    ],
    ["SELECT * FROM XMLTABLE('/a' PASSING x COLUMNS a dom)", ['dom']],
    [
      "SELECT JSON_QUERY(a, '$' RETURNING dom), JSON_OBJECT('a': 1 RETURNING dom2)",
      ['dom', 'dom2'],
    ],
    ['SELECT XMLSERIALIZE(CONTENT x AS dom)', ['dom']],
    ['SELECT JSON_SERIALIZE(a RETURNING dom)', ['dom']],
    ['PREPARE p (dom) AS SELECT $1', ['dom']],
    ['DECLARE c CURSOR FOR VALUES (a::dom)', ['dom']],
    ['SELECT 1 LIMIT $1::dom', ['dom']],
  ])('%s', (text, names) => {
    expect(only(text).types.map(({ name }) => name)).toEqual(names);
  });
});

describe('settings', () => {
  const session = { local: false, target: 'session' };
  test.each([
    ['SET Work_Mem = 64', [{ ...session, operation: 'set', name: 'work_mem', values: ['64'] }]],
    [
      'SET LOCAL a.b TO off',
      [{ ...session, local: true, operation: 'set', name: 'a.b', values: ['off'] }],
    ],
    [
      'SET search_path = a, "B"',
      [{ ...session, operation: 'set', name: 'search_path', values: ['a', 'B'] }],
    ],
    ['SET x TO DEFAULT', [{ ...session, operation: 'set', name: 'x', values: [] }]],
    [
      "SET NAMES 'latin1'",
      [{ ...session, operation: 'set', name: 'client_encoding', values: ['latin1'] }],
    ],
    [
      "SET TIME ZONE INTERVAL '1' HOUR TO MINUTE",
      [{ ...session, operation: 'set', name: 'timezone', values: ['1'] }],
    ],
    ['SHOW ALL', [{ ...session, operation: 'show', name: 'all', values: [] }]],
    ['RESET x', [{ ...session, operation: 'reset', name: 'x', values: [] }]],
    [
      "SELECT set_config('a', 'b', true)",
      [{ ...session, local: true, operation: 'set', name: 'a', values: ['b'] }],
    ],
    [
      "SELECT set_config('A'::text, NULL, false)",
      [{ ...session, operation: 'set', name: 'a', values: [] }],
    ],
    [
      "SELECT set_config('a' || 'b', 'c', false)",
      [{ ...session, operation: 'set', name: undefined, values: ['c'] }],
    ],
    [
      'SELECT set_config($1, $2, false)',
      [{ ...session, operation: 'set', name: undefined, values: undefined }],
    ],
    [
      "SELECT set_config(name, 'x', false) FROM pg_settings WHERE name = 'y'",
      [
        { ...session, operation: 'show', name: 'y', values: [] },
        { ...session, operation: 'set', name: 'y', values: ['x'] },
      ],
    ],
    [
      "SELECT set_config(name, 'x', false) FROM pg_settings WHERE name <> 'y'",
      [
        { ...session, operation: 'set', name: undefined, values: ['x'] },
        { ...session, operation: 'show', name: undefined, values: [] },
      ],
    ],
    [
      "SELECT pg_catalog.set_config(name, 'x', false) FROM pg_catalog.pg_settings WHERE name = 'Y'",
      [
        { ...session, operation: 'show', name: 'y', values: [] },
        { ...session, operation: 'set', name: 'y', values: ['x'] },
      ],
    ],
    [
      "SELECT set_config(name, 'x', false) FROM pg_settings, t WHERE name = 'y'",
      [
        { ...session, operation: 'set', name: undefined, values: ['x'] },
        { ...session, operation: 'show', name: undefined, values: [] },
      ],
    ],
    [
      "UPDATE pg_settings SET setting = 'x'",
      [
        { ...session, operation: 'set', name: undefined, values: undefined },
        { ...session, operation: 'show', name: undefined, values: [] },
      ],
    ],
    [
      'ALTER ROLE r SET a = 1',
      [{ local: false, target: 'stored', operation: 'set', name: 'a', values: ['1'] }],
    ],
    [
      'ALTER DATABASE d SET a = 1',
      [{ local: false, target: 'stored', operation: 'set', name: 'a', values: ['1'] }],
    ],
    [
      "CREATE FUNCTION f() RETURNS int LANGUAGE sql SET a = 1 AS 'SELECT 1'",
      [{ local: false, target: 'stored', operation: 'set', name: 'a', values: ['1'] }],
    ],
    [
      'ALTER FUNCTION f() SET a = 1',
      [{ local: false, target: 'stored', operation: 'set', name: 'a', values: ['1'] }],
    ],
  ])('%s', (text, expected) => {
    expect(only(text).settings).toEqual(expected);
  });
});

describe('what stays in the session', () => {
  test.each([
    ['SELECT 1', []],
    ['SET a = 1', ['setting']],
    ["SELECT set_config('a', 'b', false)", ['setting']],
    ['CREATE TEMP TABLE t (a int)', ['temporaryTable']],
    ['CREATE TABLE pg_temp.t (a int)', ['temporaryTable']],
    ['CREATE TEMP VIEW v AS SELECT 1', ['temporaryTable']],
    ['CREATE TEMP SEQUENCE s', ['temporaryTable']],
    ['SELECT 1 INTO TEMP t', ['temporaryTable']],
    ['CREATE TEMP TABLE t AS SELECT 1', ['temporaryTable']],
    ["CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1'", ['temporaryTable']],
    ['SET search_path = pg_temp', ['setting', 'temporaryTable']],
    ['PREPARE p AS SELECT 1', ['preparedStatement']],
    ['DECLARE c CURSOR FOR SELECT 1', ['cursor']],
    ['DECLARE c CURSOR WITH HOLD FOR SELECT 1', ['cursorWithHold']],
    ['LISTEN a', ['listen']],
    ['SELECT pg_advisory_lock(1)', ['advisoryLock']],
    ['SELECT pg_catalog.pg_try_advisory_lock_shared(1)', ['advisoryLock']],
    ['SELECT pg_advisory_xact_lock(1)', []],
    ['DO $$ BEGIN END $$', ['opaque']],
    ['CALL p()', ['opaque']],
  ])('%s', (text, expected) => {
    expect(only(text).effects).toEqual(expected);
  });
});

test('each statement has its own text, cut by bytes', () => {
  const { statements } = analyse("  SELECT 'é' ;\n/* c */ SELECT '😀;' ; SELECT 3  ");
  expect(statements.map((statement) => statement.text)).toEqual([
    "SELECT 'é'",
    "SELECT '😀;'",
    'SELECT 3',
  ]);
});
