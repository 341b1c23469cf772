/** Ways in which a plain SELECT runs the user's code, each first run by a real PostgreSQL to see that it does. */
import type { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { EmbeddedServer } from '../../src/engine/embedded/server.ts';
import type { Catalogue } from '../../src/policy/catalogue.ts';
import { loadParser } from '../../src/sql/parse.ts';
import { connect, patience, temporaryProject, type Project } from '../engine/project.ts';
import { refusal } from './judge.ts';
import { catalogueOf } from './read-catalogue.ts';

vi.setConfig({ testTimeout: patience, hookTimeout: patience });

let project: Project;
let server: EmbeddedServer;
let client: Client;
let extensionsOnly: Catalogue;
let objects: Catalogue;

/** As an extension that nobody reviewed makes it for a type of its own. */
const operatorInC = `
  CREATE FUNCTION same(citext, text) RETURNS boolean LANGUAGE c IMMUTABLE STRICT AS '$libdir/citext', 'citext_eq';
  CREATE OPERATOR = (FUNCTION = same, LEFTARG = citext, RIGHTARG = text);`;

/** Whatever calls `mark` leaves a row behind. */
const attackersObjects = `
  CREATE TABLE witness (mark text);
  CREATE FUNCTION mark(text) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER AS
    $$ BEGIN INSERT INTO public.witness VALUES ($1); RETURN true; END $$;

  CREATE FUNCTION sd(text) RETURNS boolean LANGUAGE sql AS $$ SELECT mark('sd') $$;
  CREATE FUNCTION lower(varchar) RETURNS boolean LANGUAGE sql AS $$ SELECT mark('lower') $$;
  CREATE FUNCTION compare(varchar, varchar) RETURNS boolean LANGUAGE sql AS $$ SELECT mark('compare') $$;
  CREATE OPERATOR = (FUNCTION = compare, LEFTARG = varchar, RIGHTARG = varchar);
  CREATE OPERATOR >= (FUNCTION = compare, LEFTARG = varchar, RIGHTARG = varchar);
  CREATE OPERATOR < (FUNCTION = compare, LEFTARG = varchar, RIGHTARG = varchar);
  CREATE OPERATOR ~~ (FUNCTION = compare, LEFTARG = varchar, RIGHTARG = varchar);

  CREATE DOMAIN dom AS text CHECK (mark(value));
  CREATE SCHEMA int4;
  CREATE DOMAIN int4.money AS text CHECK (public.mark(value));
  CREATE TABLE holder (a dom);
  INSERT INTO holder VALUES ('kept');
  CREATE TABLE plain (a text);
  INSERT INTO plain VALUES ('kept');
  CREATE FUNCTION whole(holder) RETURNS boolean LANGUAGE sql AS $$ SELECT mark('whole') $$;

  CREATE TYPE one AS (a int);
  CREATE TABLE ones (v one);
  INSERT INTO ones VALUES (ROW(1));
  CREATE TYPE other AS (a int, b int);
  CREATE FUNCTION convert_one(one) RETURNS other LANGUAGE plpgsql AS
    $$ BEGIN PERFORM mark('cast'); RETURN ROW(1, 2); END $$;
  CREATE CAST (one AS other) WITH FUNCTION convert_one(one);`;

beforeAll(async () => {
  await loadParser();
  project = await temporaryProject();
  server = await project.start();
  client = await connect(server, 'superuser');
  await client.query('SET search_path = public');
  for (const extension of ['citext', 'hstore', 'pg_trgm', 'dblink'])
    await client.query(`CREATE EXTENSION ${extension}`);
  await client.query(operatorInC);
  extensionsOnly = await catalogueOf(server, project);
  await client.query(attackersObjects);
  objects = await catalogueOf(server, project);
});

afterAll(async () => {
  await client.end();
  await project[Symbol.asyncDispose]();
});

const a = `'a'::varchar`;
const b = `'b'::varchar`;
const words = `unnest(ARRAY['w']) x`;

describe("runs the user's code, and is refused", () => {
  test.each([
    // A column that is none
    ['call function sd', `SELECT x.sd FROM ${words}`],
    ['call function sd', `SELECT (x).sd FROM ${words}`],
    ['call function sd', `SELECT 1 FROM ${words} WHERE x.sd`],
    ['call function sd', `SELECT 1 FROM ${words} ORDER BY x.sd`],
    ['call function whole', 'SELECT h.whole FROM holder h'],
    ['call function whole', 'SELECT public.holder.whole FROM public.holder'],
    ['call function dom', `SELECT x.dom FROM ${words}`],
    // A better match than PostgreSQL's own
    ['call function lower', `SELECT lower(${a})`],
    ['call function lower', 'SELECT x.lower FROM unnest(ARRAY[$$A$$::varchar]) x'],
    ['call function operator =', `SELECT ${a} = ${b}`],
    ['call function operator =', `SELECT ${a} IN (${b})`],
    ['call function operator =', `SELECT ${a} IN (SELECT ${b})`],
    ['call function operator =', `SELECT ${a} NOT IN (SELECT ${b})`],
    ['call function operator =', `SELECT ${a} = ANY (ARRAY[${b}])`],
    ['call function operator =', `SELECT CASE ${a} WHEN ${b} THEN 1 END`],
    ['call function operator =', `SELECT NULLIF(${a}, ${b})`],
    ['call function operator =', `SELECT ${a} IS DISTINCT FROM ${b}`],
    ['call function operator =', `SELECT FROM (SELECT ${a} v) p JOIN (SELECT ${b} v) q USING (v)`],
    ['call function operator =', `SELECT FROM (SELECT ${a} v) p NATURAL JOIN (SELECT ${b} v) q`],
    ['call function operator >=', `SELECT ${a} BETWEEN ${b} AND ${b}`],
    ['call function operator <', `SELECT ${a} NOT BETWEEN ${b} AND ${b}`],
    ['call function operator ~~', `SELECT ${a} LIKE ${b}`],
    // Conversions
    ['convert to type dom', "SELECT 'x'::dom"],
    ['convert to type dom', "SELECT CAST('x' AS public.dom)"],
    ['convert to type dom', "SELECT dom 'x'"],
    ['call function dom', "SELECT dom('x')"],
    ['convert to type dom', "VALUES ('x'::dom)"],
    ['convert to type dom', "SELECT '{x}'::dom[]"],
    ['convert to type _dom', "SELECT '{x}'::_dom"],
    ['convert to type holder', "SELECT '(x)'::holder"],
    ['convert to type holder', "SELECT ROW('x')::holder"],
    ['convert to type other', 'SELECT t.v::other FROM ones t'],
    ['convert to type dom', `SELECT * FROM json_to_record('{"a":"x"}') AS r (a dom)`],
    ['convert to type dom', `SELECT * FROM ROWS FROM (json_to_record('{"a":"x"}') AS (a dom))`],
    ['convert to type dom', `SELECT JSON_VALUE('"x"', '$' RETURNING dom)`],
    [
      'convert to type dom',
      `SELECT * FROM JSON_TABLE('["x"]', '$[*]' COLUMNS (a dom PATH '$')) AS j`,
    ],
    [
      'call function jsonb_populate_record',
      `SELECT jsonb_populate_record(h, '{"a":"x"}') FROM holder h`,
    ],
    [
      'call function json_populate_recordset',
      `SELECT json_populate_recordset(NULL::holder, '[{"a":"x"}]')`,
    ],
    ['call function pg_input_is_valid', "SELECT pg_input_is_valid('x', 'dom')"],
    ['call function pg_input_is_valid', "SELECT pg_input_is_valid('{x}', 'dom[]')"],
    ['call function pg_input_is_valid', "SELECT pg_input_is_valid('{x}', '_dom')"],
    ['call function pg_input_is_valid', "SELECT pg_input_is_valid('x', 'public.dom')"],
    ['call function pg_input_is_valid', `SELECT pg_input_is_valid('x', ' "dom" ')`],
    ['call function pg_input_is_valid', "SELECT pg_input_is_valid('(x)', 'holder')"],
    ['call function pg_input_is_valid', "SELECT pg_input_is_valid('x', 'int4/**/.money')"],
    ['call function pg_input_is_valid', "SELECT pg_input_is_valid('x', 'int4'||'.money')"],
    [
      'call function pg_catalog.pg_input_error_info',
      "SELECT * FROM pg_catalog.pg_input_error_info('x', 'public.DOM')",
    ],
    ['call function pg_input_error_info', "SELECT * FROM pg_input_error_info('x', 'dom')"],
    ['call function domain_in', "SELECT domain_in('x'::cstring, 'dom'::regtype::oid, -1) IS NULL"],
    ['call function array_in', "SELECT array_in('{x}'::cstring, 'dom'::regtype::oid, -1)"],
    ['call function record_in', "SELECT record_in('(x)'::cstring, 'holder'::regtype::oid, -1)"],
  ])('%s: %s', async (cannot, text) => {
    await client.query('TRUNCATE witness');
    await client.query(text);
    const { rowCount } = await client.query('SELECT FROM witness');
    expect(rowCount).toBeGreaterThan(0);

    expect(refusal('readonly', text, objects)).toBe(
      `Permission denied: readonly scope cannot ${cannot}`,
    );
    expect(refusal('admin', text, objects)).toBeUndefined();
  });
});

describe('beside them, a readonly key goes on', () => {
  test.each([
    'SELECT h.a FROM plain h',
    'SELECT upper(a), pg_catalog.lower(a) FROM plain',
    'SELECT count(*) FROM plain WHERE 1 + 1 > 0 AND a OPERATOR(pg_catalog.=) $$x$$',
    "SELECT '1'::int4, CAST(a AS text), a::varchar(10) FROM plain",
    `SELECT * FROM jsonb_to_record('{"a":"x"}') AS r (a text)`,
    'SELECT sum(1), min(a) FROM plain h GROUP BY h.a ORDER BY h.a',
    "SELECT pg_input_is_valid(a, 'integer'), pg_input_is_valid(a, 'pg_catalog.timestamptz') FROM plain",
    "SELECT * FROM plain, pg_catalog.pg_input_error_info(a, 'Numeric(10, 2)[]'::text)",
    "SELECT pg_input_is_valid('x', 'double precision'), pg_input_is_valid('x', 'timestamp with time zone')",
    "SELECT pg_input_is_valid('x', 'character varying(3)'), pg_input_is_valid('[1,2)', 'int4range')",
  ])('%s', async (text) => {
    await client.query('TRUNCATE witness');
    await client.query(text);
    expect((await client.query('SELECT FROM witness')).rowCount).toBe(0);
    expect(refusal('readonly', text, objects)).toBeUndefined();
  });

  test.each([
    'SELECT * FROM t WHERE a = b AND c <> d AND e LIKE $1 ORDER BY f',
    "SELECT min(a), max(b), replace(c, 'x', 'y'), lower(d), split_part(e, ',', 1) FROM t",
    "SELECT name FROM t WHERE name % 'wrod' ORDER BY name <-> 'word'",
    "SELECT attributes -> 'k', attributes ? 'k', attributes @> 'a=>1'::hstore FROM t",
    "SELECT 'A'::citext = 'a'",
    'SELECT d.datname, d.daticulocale FROM pg_catalog.pg_database d', // psql 15
    'SELECT t.a IN (SELECT u.b FROM u), CASE t.a WHEN 1 THEN 2 END FROM t JOIN u USING (id)',
  ])('where only extensions were added: %s', (text) => {
    expect(extensionsOnly.functions.has('dblink_exec')).toBe(true);
    expect(refusal('readonly', text, extensionsOnly)).toBeUndefined();
  });

  test.each(['SELECT x.dblink_connect FROM t x', 'SELECT x.set_limit FROM t x'])(
    'and what an extension does is refused: %s',
    (text) => {
      expect(refusal('readonly', text, extensionsOnly)).toMatch(/cannot call function/);
    },
  );
});

test('a column whose type PostgreSQL converts unasked closes its table', async () => {
  await client.query('TRUNCATE witness');
  await client.query(`
    CREATE TYPE quiet AS (a int);
    CREATE FUNCTION loud(quiet) RETURNS text LANGUAGE plpgsql AS
      $$ BEGIN PERFORM mark('implicit'); RETURN 'x'; END $$;
    CREATE CAST (quiet AS text) WITH FUNCTION loud(quiet) AS IMPLICIT;
    CREATE TABLE quiets (v quiet, list quiet[]);
    INSERT INTO quiets VALUES (ROW(1), ARRAY[ROW(1)::quiet]);
    CREATE VIEW shown AS SELECT v FROM quiets`);
  for (const text of ['SELECT upper(v) FROM quiets', 'SELECT upper(list[1]) FROM public.quiets']) {
    await client.query(text);
    expect((await client.query('SELECT FROM witness')).rowCount).toBeGreaterThan(0);
    await client.query('TRUNCATE witness');
    const after = await catalogueOf(server, project);
    expect(refusal('readonly', text, after)).toMatch(/readonly scope cannot read/);
    expect(refusal('readonly', 'SELECT v FROM shown', after)).toContain('shown');
    // To lock it converts nothing; a view is locked by who may read it.
    expect(refusal('readonly', 'LOCK quiets IN ACCESS SHARE MODE', after)).toBeUndefined();
    expect(refusal('readonly', 'LOCK quiets IN SHARE MODE', after)).toContain('LOCK TABLE');
    expect(refusal('readonly', 'LOCK plain, shown IN ACCESS SHARE MODE', after)).toContain('shown');
    expect(refusal('readonly', 'SELECT a FROM plain', after)).toBeUndefined();
  }
});

describe('code that no name in the statement leads to', () => {
  let after: Catalogue;
  beforeAll(async () => {
    await client.query(`
      CREATE SCHEMA deep;
      CREATE TABLE deep.d (c dom, list dom[]);
      INSERT INTO deep.d VALUES ('a', '{b}');
      CREATE TYPE deep.mood AS ENUM ('sad', 'glad');
      CREATE FUNCTION deep.number(deep.mood) RETURNS int LANGUAGE plpgsql AS
        $$ BEGIN PERFORM public.mark('explicit'); RETURN 1; END $$;
      CREATE CAST (deep.mood AS int) WITH FUNCTION deep.number(deep.mood);
      CREATE TABLE deep.moods (m deep.mood);
      INSERT INTO deep.moods VALUES ('sad');
      CREATE TABLE deep.rows (a int);
      INSERT INTO deep.rows VALUES (1);
      CREATE FUNCTION deep.print(deep.rows) RETURNS text LANGUAGE plpgsql AS
        $$ BEGIN PERFORM public.mark('row'); RETURN 'x'; END $$;
      CREATE CAST (deep.rows AS text) WITH FUNCTION deep.print(deep.rows);

      CREATE TABLE deep.numbers (n int);
      INSERT INTO deep.numbers VALUES (1);
      CREATE FUNCTION deep.same(int, int) RETURNS boolean LANGUAGE plpgsql AS
        $$ BEGIN PERFORM public.mark('same'); RETURN true; END $$;
      CREATE OPERATOR deep.= (FUNCTION = deep.same, LEFTARG = int, RIGHTARG = int);
      SET search_path = deep, pg_catalog;
      CREATE VIEW deep.nullif AS SELECT NULLIF(n, 1) FROM deep.numbers;
      CREATE VIEW deep.cases AS SELECT CASE n WHEN 1 THEN 2 END FROM deep.numbers;
      CREATE VIEW deep.joined AS SELECT n FROM deep.numbers a JOIN deep.numbers b USING (n);
      CREATE VIEW deep.distinct AS SELECT n IS DISTINCT FROM 1 FROM deep.numbers;
      SET search_path = public;

      CREATE TABLE deep.guarded (a int);
      INSERT INTO deep.guarded VALUES (1);
      ALTER TABLE deep.guarded ENABLE ROW LEVEL SECURITY;
      ALTER TABLE deep.guarded FORCE ROW LEVEL SECURITY;
      CREATE POLICY p ON deep.guarded USING (public.mark('policy'));
      CREATE FUNCTION deep.takes(dom) RETURNS text LANGUAGE plpgsql STABLE AS 'BEGIN RETURN $1; END';
      CREATE FUNCTION deep.preset(boolean DEFAULT public.mark('default')) RETURNS int
        LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN 1; END';
      CREATE FUNCTION deep.quiet(int, int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS
        'BEGIN RETURN $1 <> $2; END';
      CREATE OPERATOR deep.=== (FUNCTION = deep.quiet, LEFTARG = int, RIGHTARG = int, NEGATOR = OPERATOR(deep.!==));
      CREATE OPERATOR deep.!== (FUNCTION = deep.same, LEFTARG = int, RIGHTARG = int, NEGATOR = OPERATOR(deep.===))`);
    after = await catalogueOf(server, project);
  });

  test.each([
    "SELECT lag(c, 1, '5') OVER () FROM deep.d",
    "SELECT array_append(list, '5') FROM deep.d",
    "SELECT list || '{5}' FROM deep.d",
    "SELECT lag(d, 1, '(5,)') OVER () FROM deep.d",
    'SELECT m::int FROM deep.moods',
    'SELECT r::text FROM deep.rows r',
    'SELECT * FROM deep.nullif',
    'SELECT * FROM deep.cases',
    'SELECT * FROM deep.joined',
    'SELECT * FROM deep.distinct',
    'SELECT deep.preset()',
    "SELECT deep.takes('5')",
    'SELECT NOT (n OPERATOR(deep.===) 2) FROM deep.numbers',
  ])('%s', async (text) => {
    await client.query('TRUNCATE witness');
    await client.query(text);
    expect((await client.query('SELECT FROM witness')).rowCount).toBeGreaterThan(0);
    expect(refusal('readonly', text, after)).toMatch(/^Permission denied: readonly scope cannot/);
    expect(refusal('admin', text, after)).toBeUndefined();
  });

  // A superuser passes by policies, so nothing runs for the one who asks here.
  test('SELECT * FROM deep.guarded', () => {
    const text = 'SELECT * FROM deep.guarded';
    expect(refusal('readonly', text, after)).toContain('cannot call function public.mark');
  });

  test.each(['SELECT n FROM deep.numbers', 'SELECT deep.quiet(1, 2)'])('but: %s', (text) =>
    expect(refusal('readonly', text, after)).toBeUndefined(),
  );
});
