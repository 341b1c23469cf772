/** Scopes and limits, on catalogues written by hand; `test/proxy/scopes.test.ts` has them on a real database. */
import { beforeAll, describe, expect, test } from 'vitest';
import {
  adminAuthority,
  authorityOf,
  covers,
  parseScopes,
  readonlyAuthority,
  scopeNames,
  scopeText,
  type Authority,
} from '../../src/policy/authority.ts';
import { emptyCatalogue, type Catalogue, type UserRelation } from '../../src/policy/catalogue.ts';
import { parseGrants, printGrants } from '../../src/policy/limits.ts';
import { loadParser } from '../../src/sql/parse.ts';
import { refusal } from './judge.ts';

beforeAll(loadParser);

function key(scopes: string, limits?: object): Authority {
  const grants = parseGrants(JSON.stringify(limits ?? {}));
  return authorityOf(parseScopes(scopes)!, grants.limits, grants.functions);
}

describe('the spelling of scopes', () => {
  test('there are eighteen', () => expect(new Set(scopeNames).size).toBe(18));

  test.each([
    ['readonly', 'readonly'],
    ['admin', 'admin'],
    ['schema:read, query:read', 'readonly'],
    ['query:*', 'query:read,query:write'],
    ['agent:*', 'agent:*'],
    ['audit:*', 'audit:read'],
    ['query:read,query:read', 'query:read'],
    [scopeNames.join(','), 'admin'],
  ])('%s is %s', (text, canonical) => expect(scopeText(parseScopes(text)!)).toBe(canonical));

  test.each([
    '',
    '*',
    'query',
    'query:',
    'query:delete',
    'queries:*',
    'query:read,',
    'readonly,query:write',
    'constructor',
    'query:read:x',
    'QUERY:READ',
  ])('%j is none', (text) => expect(parseScopes(text)).toBeUndefined());
});

describe('each kind of statement needs its scope', () => {
  const statements: readonly (readonly [string, string])[] = [
    ['SELECT * FROM t', 'query:read'],
    ['EXPLAIN SELECT 1 FROM t', 'query:read'],
    ['COPY t TO STDOUT', 'query:read'],
    ['INSERT INTO t VALUES (1)', 'query:write'],
    ['UPDATE t SET a = 1', 'query:write'],
    ['DELETE FROM t', 'query:write'],
    ['COPY t FROM STDIN', 'query:write'],
    ['LOCK TABLE t', 'query:write'],
    ['LOCK TABLE t IN ACCESS SHARE MODE', 'query:read'],
    ['LOCK TABLE t IN ACCESS SHARE MODE', 'query:write'],
    ['SELECT txid_status(1) FROM t', 'query:read,query:write'],
    ["NOTIFY a, 'b'", 'query:write'],
    ["SELECT nextval('s') FROM t", 'query:read,query:write'],
    ['CREATE TABLE t (a int)', 'query:write'],
    ['CREATE TABLE t (a int)', 'schema:write'],
    ['DROP TABLE t', 'query:write'],
    ['DROP VIEW t', 'schema:write'],
    ['TRUNCATE t', 'query:write'],
    ['ALTER TABLE t ADD b int', 'schema:write'],
    ['ALTER TABLE t RENAME a TO b', 'schema:write'],
    ['CREATE SCHEMA s', 'schema:write'],
    ['CREATE TYPE e AS ENUM ()', 'schema:write'],
    ["COMMENT ON TABLE t IS 'x'", 'schema:write'],
    ['VACUUM t', 'schema:write'],
    ['GRANT SELECT ON t TO u', 'schema:write,policy:write'],
    ['ALTER TABLE t DISABLE ROW LEVEL SECURITY', 'schema:write,policy:write'],
    ['ALTER TABLE t DISABLE TRIGGER ALL', 'schema:write,policy:write'],
    ['ALTER TABLE t OWNER TO u', 'schema:write,policy:write'],
    ['CREATE POLICY p ON t', 'schema:write,policy:write'],
    ['ALTER TABLE t INHERIT p', 'schema:write,policy:write'],
    ['ALTER TABLE t ATTACH PARTITION p DEFAULT', 'schema:write,policy:write'],
    ['CREATE TABLE c () INHERITS (t)', 'schema:write,policy:write'],
    ['ALTER VIEW t SET (security_invoker = off)', 'schema:write,policy:write'],
    ['DROP SCHEMA s CASCADE', 'schema:write,policy:write'],
    ['DROP POLICY p ON t', 'schema:write,policy:write'],
    ['CREATE EXTENSION hstore', 'schema:write,environment:write'],
    ['DROP EXTENSION hstore', 'schema:write,environment:write'],
    ...[
      'DO $$ BEGIN END $$',
      'CALL p()',
      "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
      'DROP FUNCTION f()',
      'ALTER FUNCTION f() SET SCHEMA s',
      'CREATE TRIGGER g BEFORE INSERT ON t EXECUTE FUNCTION f()',
      'CREATE RULE r AS ON SELECT TO t DO INSTEAD NOTHING',
    ].map((text) => [text, 'query:write,schema:write,policy:write,environment:write'] as const),
  ];

  test.each(statements)('%s: %s', (text, scopes) => {
    expect(refusal(key(scopes), text)).toBeUndefined();
    for (const scope of scopes.split(',')) {
      const others = scopeNames.filter((each) => each !== scope && !scopes.includes(each));
      const without = scopes.split(',').filter((each) => each !== scope);
      // query:write and schema:write both make and drop tables, and what reads and what writes locks like a read.
      const few = [...others, ...without].filter(
        (each) =>
          !(/^(CREATE TABLE|DROP (TABLE|VIEW)|TRUNCATE)/.test(text) && each.endsWith(':write')) &&
          !(text.includes('ACCESS SHARE') && each.startsWith('query:')),
      );
      expect(refusal(key(few.join(',')), text)).toMatch(/^Permission denied: /);
    }
  });

  test('what is missing is named', () => {
    expect(refusal(key('query:read'), 'DELETE FROM t')).toBe(
      'Permission denied: DELETE needs the scope query:write',
    );
    expect(refusal(key('query:write'), 'DELETE FROM t RETURNING a')).toBe(
      'Permission denied: RETURNING needs the scope query:read',
    );
    expect(refusal(key('schema:write'), 'DO $$ BEGIN END $$')).toBe(
      'Permission denied: DO needs the scope query:write and policy:write and environment:write',
    );
    expect(refusal(key('query:read'), "SELECT create_api_key('a', 'admin')")).toBe(
      'Permission denied: create_api_key needs the scope key:write',
    );
  });

  test('schema:read alone reads the catalogue', () => {
    const text = 'SELECT relname FROM pg_class JOIN information_schema.tables ON true';
    expect(refusal(key('schema:read'), text)).toBeUndefined();
    expect(refusal(key('schema:read'), 'SELECT 1')).toBeUndefined();
    expect(refusal(key('schema:read'), 'SELECT * FROM t')).toContain('query:read');
    expect(refusal(key('schema:read'), 'SELECT * FROM pg_stats')).toContain('cannot read pg_stats');
    expect(refusal(key('schema:read'), "SELECT pg_get_sequence_data('s')")).toContain(
      'cannot call',
    );
    expect(refusal(key('schema:read'), 'SELECT (s).pg_sequence_last_value')).toContain('cannot');
    expect(refusal(key('query:read'), "SELECT pg_get_sequence_data('s')")).toBeUndefined();
    expect(refusal(key('billing:read'), 'SELECT 1')).toContain('query:read or schema:read');
  });

  test('key:read alone reads the keys', () => {
    const text = 'SELECT agent_id FROM _hatidata_keys.active_keys';
    expect(refusal(key('key:read'), text)).toBeUndefined();
    expect(refusal(key('key:write'), text)).toContain('key:read');
  });

  test('keys that write are held to the same functions and settings, but for writers', () => {
    expect(refusal(key('query:*'), "SELECT query_to_xml('', true, true, '') FROM t")).toContain(
      'this key cannot call function query_to_xml',
    );
    expect(refusal(key('query:*'), 'SET work_mem = 1000000000')).toContain('work_mem');
    expect(refusal(key('query:*'), 'SET default_transaction_read_only = off')).toBeUndefined();
    expect(refusal(key('query:*'), 'SET session_replication_role = replica')).toContain(
      'session_replication_role',
    );
  });
});

const relations = (...names: readonly string[]): Catalogue['relations'] => {
  const map = new Map<string, UserRelation[]>();
  for (const path of names) {
    const [schema, name] = path.split('.');
    map.set(name!, [
      ...(map.get(name!) ?? []),
      {
        schema: schema!,
        view: undefined,
        converts: undefined,
        runs: [],
        reads: [],
        writes: 'plainly',
        guards: 'plainly',
        readsAlike: true,
      },
    ]);
  }
  return map;
};
const ofOne = { takesOne: true, takes: { least: 1, most: 1 } };
const catalogue: Catalogue = {
  ...emptyCatalogue,
  relations: relations('sales.orders', 'sales.people', 'hr.people', 'hr.wages', 'main.orders'),
  functions: new Map([
    ['risk', [{ schema: 'main', path: 'main.risk', trust: 'owners' as const, ...ofOne }]],
    ['batch', [{ schema: 'main', path: 'main.batch', trust: 'none' as const, ...ofOne }]],
  ]),
};

describe('limits', () => {
  const sales = key('query:*,schema:*', { schemas: ['sales'] });
  const one = key('query:*', { tables: ['sales.orders', 'sales.people'] });
  const all = key('admin', { schemas: ['sales'] });
  const few = key('query:*', { tables: ['sales.orders', 'hr.people'] });

  test.each([
    [sales, 'SELECT * FROM orders JOIN sales.people USING (id)'],
    [sales, 'SELECT * FROM not_there_yet'],
    [sales, 'CREATE TABLE made (a int)'],
    [sales, 'DROP TABLE sales.orders, people'],
    [sales, 'WITH wages AS (SELECT 1) SELECT * FROM wages'],
    [sales, 'SELECT relname FROM pg_class'],
    [sales, 'SET search_path = pg_catalog, sales'],
    [sales, "SELECT set_config('search_path', '', false)"],
    [few, 'SELECT * FROM sales.orders'],
    [one, 'SELECT * FROM orders, people'],
    [few, 'INSERT INTO hr.people SELECT * FROM sales.orders'],
  ])('%#: %s', (authority, text) => {
    expect(refusal(authority, text, catalogue)).toBeUndefined();
  });

  test.each([
    [sales, 'SELECT * FROM hr.wages', 'hr.wages is outside the limits'],
    [sales, 'SELECT (SELECT max(a) FROM main.orders)', 'main.orders is outside'],
    [sales, 'INSERT INTO hr.wages VALUES (1)', 'hr.wages is outside'],
    [sales, 'CREATE TABLE hr.made (a int)', 'hr.made is outside'],
    [sales, 'CREATE TABLE made (LIKE hr.wages)', 'hr.wages is outside'],
    [sales, 'CREATE TABLE made (a int REFERENCES hr.wages)', 'hr.wages is outside'],
    [sales, 'CREATE TABLE made () INHERITS (hr.wages)', 'needs the scope policy:write'],
    [sales, 'ALTER TABLE hr.wages ADD b int', 'hr.wages is outside'],
    [sales, 'DROP TABLE sales.orders, hr.wages', 'hr.wages is outside'],
    [sales, 'CREATE TEMP TABLE made (a int)', 'limited to the schemas sales'],
    [sales, 'SELECT * FROM pg_temp.made', 'pg_temp.made is outside'],
    [sales, 'TRUNCATE sales.orders CASCADE', 'needs the scope policy:write'],
    [sales, 'DROP TABLE sales.orders CASCADE', 'needs the scope policy:write'],
    [sales, 'ALTER TABLE sales.orders DROP COLUMN id CASCADE', 'needs the scope policy:write'],
    [
      sales,
      'CREATE TABLE made (a int GENERATED ALWAYS AS IDENTITY (SEQUENCE NAME hr.s))',
      'hr.s is outside',
    ],
    [sales, 'CREATE SEQUENCE made OWNED BY hr.wages.id', 'hr.wages is outside'],
    [sales, "SELECT pg_sequence_last_value('hr.s')", 'function pg_sequence_last_value'],
    [sales, "SELECT ('hr.s'::regclass).pg_sequence_last_value", 'function pg_sequence_last_value'],
    [sales, "SELECT pg_get_sequence_data('hr.s')", 'function pg_get_sequence_data'],
    [sales, 'LOCK TABLE sales.orders, hr.people IN ACCESS SHARE MODE', 'hr.people is outside'],
    [sales, 'LOCK hr.people IN ACCESS SHARE MODE', 'hr.people is outside'],
    [sales, 'SELECT * FROM pg_sequences', 'cannot read pg_sequences'],
    [all, 'TRUNCATE sales.orders CASCADE', 'limited to the schemas sales'],
    [sales, 'CREATE SCHEMA other', 'limited to the schemas sales'],
    [sales, 'ALTER TABLE sales.orders SET SCHEMA hr', 'limited to'],
    [sales, 'VACUUM', 'limited to'],
    [sales, "NOTIFY a, 'b'", 'limited to'],
    [sales, 'SET search_path = sales, hr', 'search_path cannot be set to hr'],
    [sales, "SELECT set_config('search_path', 'sales, hr', false)", 'search_path'],
    [sales, 'SET search_path = "Sales"', 'search_path'],
    [sales, 'SELECT * FROM pg_stats', 'cannot read pg_stats'],
    [sales, 'SELECT main.risk(1)', 'this key cannot call function main.risk'],
    [sales, "SELECT nextval('hr.s')", 'cannot call function nextval'],
    [few, 'SELECT * FROM people', 'people is outside the limits'],
    [few, 'SELECT * FROM orders', 'orders is outside the limits'],
    [one, 'SELECT * FROM other', 'other is outside the limits'],
    [one, 'DROP INDEX orders_key', 'orders_key is outside the limits'],
    [few, 'SELECT * FROM wages', 'wages is outside'],
    [few, 'SELECT * FROM unknown_yet', 'unknown_yet is outside'],
  ])('%#: %s', (authority, text, why) => {
    expect(refusal(authority, text, catalogue)).toContain(why);
  });

  test('a schema with a comma in its name opens no others', () => {
    const odd = key('query:read', { schemas: ['"a,b"'] });
    expect(refusal(odd, "SELECT set_config('search_path', 'a,b', false)")).toContain('search_path');
    expect(refusal(odd, "SELECT set_config('search_path', '\"a,b\"', false)")).toContain(
      'search_path',
    );
  });

  test('named functions are callable, others of the database by trust', () => {
    const named = key('readonly', { schemas: ['sales'], functions: ['main.risk', 'main.batch'] });
    expect(refusal(named, 'SELECT main.risk(1), batch()', catalogue)).toBeUndefined();
    expect(refusal(readonlyAuthority, 'SELECT risk(1)', catalogue)).toBeUndefined();
    expect(refusal(readonlyAuthority, 'SELECT batch()', catalogue)).toContain('function batch');
    expect(refusal(readonlyAuthority, 'SELECT other.risk(1)', catalogue)).toContain('other.risk');
  });

  test.each([
    ['[]', 'not a JSON object'],
    ['{', 'not JSON'],
    ['{"schema": ["a"]}', 'there is no "schema"'],
    ['{"schemas": []}', 'leaves no schema'],
    ['{"schemas": "a"}', 'not a list'],
    ['{"schemas": ["a.b"]}', 'not "a.b"'],
    ['{"tables": ["a"]}', 'not "a"'],
    ['{"tables": ["a.b.c"]}', 'not "a.b.c"'],
    ['{"schemas": ["pg_catalog"]}', "PostgreSQL's own"],
  ])('%s is no limit', (text, why) => expect(() => parseGrants(text)).toThrow(why));

  test('are printed as they are read', () => {
    const text = '{"schemas":["a","\\"B c\\""],"tables":["d.\\"E.f\\""],"functions":["g.h"]}';
    expect(printGrants(parseGrants(text))).toBe(text);
    expect(printGrants(parseGrants('{}'))).toBeNull();
  });
});

describe('nobody gives more than he has', () => {
  test.each([
    [adminAuthority, key('query:read', { schemas: ['a'], functions: ['a.f'] })],
    [key('query:*,key:*'), key('query:read')],
    [key('query:*', { schemas: ['a'] }), key('query:read', { tables: ['a.t'] })],
  ])('%# may', (giver, given) => expect(covers(giver, given)).toBe(true));

  test.each([
    [readonlyAuthority, adminAuthority],
    [key('key:*'), readonlyAuthority],
    [key('query:read', { schemas: ['a'] }), key('query:read')],
    [key('query:read', { schemas: ['a'] }), key('query:read', { schemas: ['b'] })],
    [key('query:read', { tables: ['a.t'] }), key('query:read', { schemas: ['a'] })],
    [key('query:read'), key('query:read', { functions: ['a.f'] })],
  ])('%# may not', (giver, given) => expect(covers(giver, given)).toBe(false));
});
