import { beforeAll, describe, expect, test } from 'vitest';
import { analyse } from '../../src/sql/analyse.ts';
import { loadParser } from '../../src/sql/parse.ts';
import type { SystemCall } from '../../src/sql/statement.ts';

beforeAll(loadParser);

const calls = (text: string): (SystemCall | undefined)[] =>
  analyse(text).statements.map(({ system }) => system);
const a = { value: 'a' };

describe('key functions', () => {
  test.each([
    [
      "SELECT create_api_key('a', 'readonly', 'd')",
      'create_api_key',
      'api_key',
      [a, { value: 'readonly' }, { value: 'd' }],
    ],
    ["SELECT create_api_key('a', 'admin')", 'create_api_key', 'api_key', [a, { value: 'admin' }]],
    [
      "SELECT create_api_key('a', 'admin', NULL) AS k",
      'create_api_key',
      'k',
      [a, { value: 'admin' }, { value: null }],
    ],
    [
      "select CREATE_API_KEY($1, $2::text, 'd'::varchar)",
      'create_api_key',
      'api_key',
      [{ parameter: 1 }, { parameter: 2 }, { value: 'd' }],
    ],
    [
      "SELECT create_api_key(scope => 'admin', agent => 'a')",
      'create_api_key',
      'api_key',
      [a, { value: 'admin' }],
    ],
    [
      "SELECT create_api_key('a', scope := 'admin')",
      'create_api_key',
      'api_key',
      [a, { value: 'admin' }],
    ],
    ["SELECT rotate_api_key(E'\\u0061')", 'rotate_api_key', 'api_key', [a]],
    ["SELECT * FROM rotate_api_key('a')", 'rotate_api_key', 'api_key', [a]],
    ["SELECT * FROM rotate_api_key('a') AS k", 'rotate_api_key', 'api_key', [a]],
    ["SELECT api_key FROM rotate_api_key('a')", 'rotate_api_key', 'api_key', [a]],
    ["SELECT api_key AS k FROM rotate_api_key('a') x", 'rotate_api_key', 'k', [a]],
    ["SELECT revoke_api_key('a');", 'revoke_api_key', 'revoked', [a]],
    ["SELECT revoked FROM revoke_api_key('a')", 'revoke_api_key', 'revoked', [a]],
  ])('%s', (text, name, column, args) => {
    expect(calls(text)).toEqual([{ kind: 'keyFunction', name, column, args }]);
  });

  test.each([
    "SELECT upper(create_api_key('a', 'admin'))",
    "SELECT create_api_key('a', 'admin'), 1",
    "SELECT create_api_key('a')",
    "SELECT create_api_key('a', 'b', 'c', 'd', 'e')",
    "SELECT create_api_key(agent => 'a', agent => 'b')",
    "SELECT create_api_key(name => 'a', scope => 'admin')",
    'SELECT rotate_api_key(1)',
    "SELECT rotate_api_key('a' || 'b')",
    'SELECT rotate_api_key(agent_id) FROM _hatidata_keys.active_keys',
    "SELECT rotate_api_key('a') WHERE true",
    "SELECT rotate_api_key('a') LIMIT 1",
    "SELECT DISTINCT rotate_api_key('a')",
    "SELECT rotate_api_key('a') UNION SELECT 'x'",
    "WITH x AS (SELECT 1) SELECT rotate_api_key('a')",
    "SELECT rotate_api_key('a') OVER ()",
    "SELECT * FROM rotate_api_key('a') WITH ORDINALITY",
    "SELECT * FROM rotate_api_key('a') AS k (c)",
    "SELECT x FROM rotate_api_key('a')",
    "SELECT * FROM rotate_api_key('a'), t",
    "INSERT INTO t SELECT create_api_key('a', 'admin')",
    "PREPARE p AS SELECT rotate_api_key('a')",
    "EXPLAIN ANALYZE SELECT rotate_api_key('a')",
    "CALL rotate_api_key('a')",
    "DECLARE c CURSOR FOR SELECT rotate_api_key('a')",
    "COPY (SELECT rotate_api_key('a')) TO STDOUT",
    "SELECT rotate_api_key(rotate_api_key('a'))",
  ])('misused: %s', (text) => {
    expect(calls(text)).toEqual([
      {
        kind: 'misused',
        what: expect.stringMatching(/_api_key$/),
        hint: expect.stringContaining('SELECT'),
        adminOnly: true,
      },
    ]);
  });

  test.each([
    "SELECT public.create_api_key('a', 'admin')",
    'SELECT create_api_key FROM t',
    "SELECT 'create_api_key(1)'",
  ])('not ours: %s', (text) => expect(calls(text)).toEqual([undefined]));
});

describe('_hatidata_keys', () => {
  test.each([
    'SELECT * FROM _hatidata_keys.active_keys',
    'TABLE _hatidata_keys.active_keys',
    'SELECT count(*) FROM "_hatidata_keys".active_keys WHERE agent_id = $1 GROUP BY scope ORDER BY 1',
    'WITH k AS (TABLE _hatidata_keys.active_keys) SELECT * FROM k JOIN pg_catalog.pg_class c ON true, pg_roles',
    'SELECT * FROM _hatidata_keys.nothing, information_schema.tables',
  ])('read: %s', (text) => {
    expect(calls(text)).toEqual([{ kind: 'systemRead', schema: '_hatidata_keys' }]);
  });

  test.each([
    'SELECT * FROM _hatidata_keys.active_keys, products',
    'WITH products AS (SELECT 1) SELECT * FROM _hatidata_keys.active_keys, public.products',
    'SELECT * FROM (WITH t AS (SELECT 1) TABLE t) x, _hatidata_keys.active_keys, t',
    'SELECT * FROM _hatidata_keys.active_keys FOR UPDATE',
    'SELECT * INTO x FROM _hatidata_keys.active_keys',
    'INSERT INTO t SELECT agent_id FROM _hatidata_keys.active_keys',
    'DELETE FROM _hatidata_keys.active_keys',
    'COPY _hatidata_keys.active_keys TO STDOUT',
    'EXPLAIN SELECT * FROM _hatidata_keys.active_keys',
    'PREPARE p AS TABLE _hatidata_keys.active_keys',
    'DECLARE c CURSOR FOR TABLE _hatidata_keys.active_keys',
    'CREATE VIEW v AS TABLE _hatidata_keys.active_keys',
    'DROP TABLE _hatidata_keys.active_keys',
    'DROP SCHEMA _hatidata_keys',
    'CREATE SCHEMA _hatidata_keys',
    'ALTER SCHEMA s RENAME TO _hatidata_keys',
    'ALTER TABLE t SET SCHEMA _hatidata_keys',
    'GRANT USAGE ON SCHEMA _hatidata_keys TO PUBLIC',
    "SELECT set_config('a', agent_id, false) FROM _hatidata_keys.active_keys",
  ])('misused: %s', (text) => {
    expect(calls(text)).toEqual([
      { kind: 'misused', what: '_hatidata_keys', hint: expect.any(String), adminOnly: true },
    ]);
  });

  test.each([
    'CREATE SCHEMA _hatidata_memory_local',
    'SELECT * FROM _hatidata_cot_local.agent_traces',
    'SELECT 1',
  ])('not ours: %s', (text) => expect(calls(text)).toEqual([undefined]));
});

describe('hatidata parameters', () => {
  test.each([
    ["SET hatidata_request_id = 'r'", 'set', 'hatidata_request_id', ['r']],
    ["SET LOCAL hatidata.environment TO 'e'", 'set', 'hatidata.environment', ['e']],
    ['SET "HatiData_X" = 1', 'set', 'hatidata_x', ['1']],
    ['RESET hatidata_request_id', 'reset', 'hatidata_request_id', []],
    ['SHOW hatidata.agent_id', 'show', 'hatidata.agent_id', []],
  ])('%s', (text, operation, name, values) => {
    expect(calls(text)).toEqual([
      { kind: 'sessionParameter', change: expect.objectContaining({ operation, name, values }) },
    ]);
  });

  test.each([
    "SELECT set_config('hatidata.agent_id', 'x', false)",
    "ALTER DATABASE d SET hatidata_x = 'y'",
    'SHOW work_mem',
  ])('not answered by us: %s', (text) => expect(calls(text)).toEqual([undefined]));
});

describe('several statements', () => {
  test('all ours are answered in turn', () => {
    const text =
      "SET hatidata_request_id = 'r'; SELECT rotate_api_key('a'); RESET hatidata_request_id";
    expect(calls(text).map((call) => call?.kind)).toEqual([
      'sessionParameter',
      'keyFunction',
      'sessionParameter',
    ]);
  });

  test.each([
    ["SELECT 1; SELECT rotate_api_key('a')", [undefined, 'misused']],
    ["BEGIN; SET hatidata_x = '1'; COMMIT", [undefined, 'misused', undefined]],
    ['TABLE _hatidata_keys.active_keys; SELECT 1', ['misused', undefined]],
  ])('%s', (text, kinds) => {
    expect(calls(text).map((call) => call?.kind)).toEqual(kinds);
  });
});
