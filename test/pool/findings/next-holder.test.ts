/** One engine connection: whatever a session did, the next one finds it as if nobody had been there. */
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { frontend as f, RawClient } from '../../fixtures/raw-client.ts';
import { sleep, value } from '../small-pool.ts';
import { play, query, run, Stage, step, type Step } from './stage.ts';

vi.setConfig({ testTimeout: 20_000 });

/** Of `my.leak`, whose value is the first thing that the next one looks for. */
const mark = (how: string): string => `set_config('my.leak', ${how}, false)`;

const objects = `
  CREATE SCHEMA evil;
  CREATE TABLE acc (v text); INSERT INTO acc VALUES ('right');
  CREATE TABLE evil.acc (v text); INSERT INTO evil.acc VALUES ('wrong');
  CREATE TABLE plain (v text);
  CREATE SEQUENCE sq;
  CREATE VIEW marks AS SELECT ${mark("'view'")};
  CREATE VIEW nested AS SELECT * FROM marks;
  CREATE VIEW locks AS SELECT pg_try_advisory_lock(7);
  CREATE VIEW elsewhere AS SELECT set_config('search_path', 'evil', false);
  CREATE VIEW stops AS SELECT set_config('default_transaction_read_only', 'on', false);
  CREATE DOMAIN marking AS text CHECK (${mark('VALUE')} = VALUE);
  CREATE DOMAIN locking AS int CHECK (pg_try_advisory_lock(VALUE));
  CREATE DOMAIN counting AS int DEFAULT nextval('sq');
  CREATE DOMAIN outer_marking AS marking;
  CREATE TYPE composite AS (v marking);
  CREATE TYPE marking_range AS RANGE (subtype = marking);
  CREATE TABLE of_domain (v marking);
  CREATE TABLE of_locking (v locking);
  CREATE TABLE of_counting (v counting, w int);
  CREATE TABLE of_outer (v outer_marking);
  CREATE TABLE of_array (v marking[]);
  CREATE TABLE of_composite (v composite);
  CREATE TABLE of_range (v marking_range);
  CREATE TABLE of_default (v text DEFAULT ${mark("'default'")}, w int);
  CREATE TABLE of_xml (i int DEFAULT length(table_to_xml('marks', true, true, '')::text));
  CREATE TABLE of_check (v text CHECK (${mark('v')} = v));
  CREATE TABLE of_cast (v text CHECK (v::marking IS NOT NULL));
  CREATE TABLE of_index (v text); CREATE INDEX ON of_index ((v::marking));
  CREATE TABLE of_policy (v text); ALTER TABLE of_policy ENABLE ROW LEVEL SECURITY;
  ALTER TABLE of_policy FORCE ROW LEVEL SECURITY;
  CREATE POLICY p ON of_policy USING (true) WITH CHECK (EXISTS (SELECT FROM marks));
  CREATE FUNCTION marks_too(text) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT ${mark('$1')} $$;
  CREATE TABLE triggered (v text);
  CREATE FUNCTION leak() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM ${mark("'trigger'")}; RETURN NEW; END $$;`;

let stage: Stage;
let key: string;

beforeAll(async () => {
  stage = await Stage.open(1, objects);
  const admin = await stage.proxy.client();
  key = String(await value(admin, "SELECT create_api_key('reader', 'readonly')"));
  await admin.end();
  // What the catalogue does not know yet is cleaned away in any case.
  await sleep(2_500);
});
afterAll(() => stage.close());

const look = `SELECT coalesce(current_setting('my.leak', true), ''), current_schema(), (SELECT v FROM acc LIMIT 1),
  current_setting('default_transaction_read_only')`;
const locks =
  "SELECT count(*)::int FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()";
const codeOf = (error: { code: string }): string => error.code;

/** What it does, then what the others see, twice: one who was there before and one who comes. */
async function leaves(texts: readonly string[], of: string): Promise<unknown[]> {
  const [one, before] = [await stage.proxy.client(of), await stage.proxy.client(of)];
  await before.query('SELECT 1');
  for (const text of texts) await one.query(text);
  const next = await stage.proxy.client(of);
  const seen = [await lookOf(before), await lookOf(next)];
  await Promise.all([one, before, next].map((client) => client.end()));
  return seen;
}

async function lookOf(client: pg.Client): Promise<unknown[]> {
  const { rows } = await client.query<unknown[]>({ text: look, rowMode: 'array' });
  return [
    ...rows[0]!,
    await value(client, 'SELECT lastval()').catch(codeOf),
    await value(client, locks).catch(codeOf),
  ];
}

/** What the same session sees of it at PostgreSQL. */
async function leavesAtPostgres(texts: readonly string[]): Promise<unknown[]> {
  const options = '-c search_path=main,public';
  const client = new pg.Client({ ...stage.proxy.direct('writer'), options });
  await client.connect();
  for (const text of texts) await client.query(text);
  const seen = await lookOf(client);
  await client.end();
  return seen;
}

const clean = (isReadOnly: boolean): unknown[] => [
  ...['', 'main', 'right', isReadOnly ? 'on' : 'off'],
  ...(isReadOnly ? ['42501', '42501'] : ['55000', 0]),
];

describe('of an admin', () => {
  test.each([
    ['SELECT * FROM marks'],
    ['SELECT * FROM nested'],
    ['SELECT * FROM locks'],
    ['SELECT * FROM elsewhere'],
    ['SELECT * FROM stops'],
    ['SELECT count(*) FROM nested n, locks l'],
    ['SELECT 1 WHERE EXISTS (SELECT FROM marks)'],
    ['BEGIN', 'SELECT * FROM elsewhere', 'COMMIT'],
    ['BEGIN', 'SAVEPOINT s', 'SELECT * FROM locks', 'ROLLBACK TO s', 'COMMIT'],
    ["SELECT table_to_xml('marks', true, true, '')"],
    ["SELECT query_to_xml('SELECT set_config(''my.leak'', ''xml'', false)', true, true, '')"],
    ["SELECT query_to_xml('TABLE elsewhere', true, true, '')"],
    ["SELECT * FROM ts_stat('SELECT to_tsvector(set_config) FROM marks')"],
    ["SELECT ts_rewrite('a'::tsquery, 'SELECT ''a''::tsquery, set_config::tsquery FROM marks')"],
    ["SELECT 'cast'::marking"],
    ["SELECT marks_too('function')"],
    ["INSERT INTO of_domain VALUES ('domain')"],
    ['INSERT INTO of_locking VALUES (77)'],
    ['INSERT INTO of_counting (w) VALUES (1)'],
    ["INSERT INTO of_outer VALUES ('outer')"],
    ["INSERT INTO of_array VALUES (ARRAY['array'])"],
    ["INSERT INTO of_composite VALUES (ROW('composite'))"],
    ["INSERT INTO of_range VALUES ('[range,z]')"],
    ['INSERT INTO of_default (w) VALUES (1)'],
    ['INSERT INTO of_xml DEFAULT VALUES'],
    ["INSERT INTO of_check VALUES ('check')"],
    ["INSERT INTO of_cast VALUES ('cast')"],
    ["INSERT INTO of_index VALUES ('index')"],
    ["INSERT INTO of_policy VALUES ('policy')"],
    [`SELECT * FROM json_populate_record(NULL::of_domain, '{"v": "json"}')`],
    [`SELECT * FROM json_to_record('{"v": "record"}') AS x (v marking)`],
    ["SELECT nextval('sq')"],
  ])('%s', async (...texts) => {
    expect(await leavesAtPostgres(texts)).not.toEqual(clean(false));
    expect(await leaves(texts, '')).toEqual([clean(false), clean(false)]);
  });
});

describe('of a readonly key', () => {
  test.each(['marks', 'nested', 'elsewhere', 'stops'])('%s', async (view) => {
    expect(await leaves([`SELECT * FROM ${view}`], key)).toEqual([clean(true), clean(true)]);
  });
});

test.each([
  ['SELECT setseed(0.5)', 'DISCARD ALL'],
  ['SET seed = 0.5', 'DISCARD ALL'],
])('a seed: %s', async (...texts) => {
  const seen: unknown[] = [];
  for (let round = 0; round < 2; round += 1) {
    const [one, other] = [await stage.proxy.client(), await stage.proxy.client()];
    for (const text of texts) await one.query(text);
    seen.push(await value(other, 'SELECT random()'));
    await Promise.all([one.end(), other.end()]);
  }
  expect(seen[0]).not.toBe(seen[1]);
});

test.each([0, 1, 5, 50])('a trigger that was made %i ms ago', async (ms) => {
  const [owner, one, other] = await Promise.all([0, 1, 2].map(() => stage.proxy.client()));
  await one!.query("INSERT INTO triggered VALUES ('before')");
  await owner!.query(
    'CREATE TRIGGER late BEFORE INSERT ON triggered FOR EACH ROW EXECUTE FUNCTION leak()',
  );
  if (ms > 0) await sleep(ms);
  await one!.query("INSERT INTO triggered VALUES ('after')");
  for (const client of [other!, owner!])
    expect(await value(client, "SELECT current_setting('my.leak', true)")).toBeFalsy();
  await owner!.query('DROP TRIGGER late ON triggered');
  await Promise.all([owner, one, other].map((client) => client!.end()));
});

describe.each([
  ['an admin', () => ''],
  ['a readonly key', () => key],
])('DEALLOCATE ALL of %s ends no statement of others', (_, keyOf) => {
  const begin = [query('BEGIN')];
  test.each<[string, readonly Step[]]>([
    [
      'by a portal behind a Sync',
      [
        ...[...begin, step(f.parse('d', 'DEALLOCATE ALL'), f.bind('p', 'd'), f.sync())],
        ...[step(f.execute('p'), f.sync()), query('COMMIT')],
      ],
    ],
    [
      'by a portal that outlived a failed Bind',
      [
        step(f.parse('d', 'DEALLOCATE ALL'), f.parse('e', 'SELECT 1'), f.sync()),
        ...[...begin, step(f.bind('p', 'd'), f.sync()), query('SAVEPOINT s')],
        ...[step(f.bind('p', 'e'), f.sync()), query('ROLLBACK TO s')],
        ...[step(f.execute('p'), f.sync()), query('COMMIT')],
      ],
    ],
    [
      'by a portal that outlived a Bind which an error discarded',
      [
        step(f.parse('d', 'DEALLOCATE ALL'), f.parse('e', 'SELECT 1'), f.sync()),
        ...[...begin, step(f.bind('p', 'd'), f.sync()), query('SAVEPOINT s')],
        ...[step(f.execute('nope'), f.close('P', 'p'), f.bind('p', 'e'), f.sync())],
        ...[query('ROLLBACK TO s'), step(f.execute('p'), f.sync()), query('COMMIT')],
      ],
    ],
    [
      'by EXECUTE',
      [step(f.parse('d', 'DEALLOCATE ALL'), f.sync()), query('EXECUTE d'), query('EXECUTE d')],
    ],
    [
      'by an EXECUTE of the protocol',
      [
        step(f.parse('d', 'DEALLOCATE ALL'), f.parse('e', 'EXECUTE d'), f.sync()),
        ...[run('e'), run('e')],
      ],
    ],
  ])('%s', async (__, script) => {
    const used = keyOf();
    const other = await RawClient.login(stage.proxy.port, used);
    await play(other, [step(f.parse('s', 'SELECT 4711'), f.sync())]);
    for (let round = 0; round < 2; round += 1) {
      const answers = await stage.atProxy(script, used);
      expect(answers.flat()).toContain('C DEALLOCATE ALL');
      const [seen] = await play(other, [run('s')]);
      expect(seen).toEqual(['2', 'D 4711', 'C SELECT 1', 'Z I']);
    }
    other.close();
  });
});

/** What looks to the proxy as if it ended all that a session has, and does not. */
describe('an end that is feigned leaves nothing to the next one', () => {
  const ending = 'CREATE TEMP TABLE secret AS SELECT 42 AS x';
  const prepared = (text: string): Step => step(f.parse('d', text), f.sync());
  const bound = step(f.bind('p', 'd'), f.sync());
  const cursor = 'DECLARE p CURSOR FOR SELECT 1';
  const [begin, commit] = [query('BEGIN'), query('COMMIT')];
  const behind = (...script: readonly Step[]): Step[] => [
    ...[query(ending), prepared('DISCARD ALL'), begin, ...script],
    ...[step(f.execute('p'), f.sync()), commit],
  ];
  test.each<[string, readonly Step[]]>([
    ['Close', behind(step(f.bind('p', 'd'), f.close('P', 'p'), f.sync()), query(cursor))],
    ['CLOSE', behind(bound, query('CLOSE p'), query(cursor))],
    ['CLOSE ALL', behind(bound, query('CLOSE ALL'), query(cursor))],
    ['a Query that CLOSEs and DECLAREs', behind(bound, query(`CLOSE p; ${cursor}`))],
    ['ROLLBACK TO', behind(query('SAVEPOINT s'), bound, query('ROLLBACK TO s'), query(cursor))],
    [
      'DECLARE by the protocol',
      behind(
        bound,
        query('CLOSE p'),
        step(f.parse('', cursor), f.bind('', ''), f.execute(''), f.sync()),
      ),
    ],
    [
      'a portal of an EXPLAIN',
      [query(ending), prepared('DISCARD ALL'), query('EXPLAIN EXECUTE d')],
    ],
  ])('%s', async (_, script) => {
    await stage.atProxy(script);
    expect(await leaves(["SELECT to_regclass('secret')"], '')).toEqual([
      clean(false),
      clean(false),
    ]);
    const next = await stage.proxy.client();
    expect(await value(next, "SELECT to_regclass('pg_temp.secret')")).toBe(null);
    await next.end();
  });

  test('RESET ALL that was only explained', async () => {
    const one = await RawClient.login(stage.proxy.port);
    const script = [prepared('RESET ALL'), query("SET my.leak = 'kept'")];
    await play(one, [...script, query('EXPLAIN EXECUTE d')]);
    const other = await stage.proxy.client();
    expect(await value(other, "SELECT current_setting('my.leak', true)")).toBeFalsy();
    const [seen] = await play(one, [query('SHOW my.leak')]);
    expect(seen).toContain('D kept');
    one.close();
    await other.end();
  });

  test('DEALLOCATE ALL in a Query that failed before it came to it', async () => {
    const other = await RawClient.login(stage.proxy.port);
    await play(other, [step(f.parse('s', 'SELECT 4711'), f.sync())]);
    const failing = f.query('SELECT 1/0; DEALLOCATE ALL');
    await stage.atProxy([
      ...[begin, step(f.parse('', 'SELECT 1'), f.sync())],
      step(...[f.bind('', ''), f.execute(''), f.bind('', ''), f.execute('')], failing),
      query('ROLLBACK'),
    ]);
    const next = await RawClient.login(stage.proxy.port);
    const [, seen] = await play(next, [step(f.parse('s', 'SELECT 4711'), f.sync()), run('s')]);
    expect(seen).toEqual(['2', 'D 4711', 'C SELECT 1', 'Z I']);
    for (const each of [other, next]) each.close();
  });
});

test.each<[string, Step]>([
  [
    'behind a COPY',
    step(f.query('EXECUTE n; COPY plain FROM STDIN'), f.copyData('1\n'), f.copyDone()),
  ],
  ['that ends a batch', step(f.parse('', 'SELECT 1'), f.query('EXECUTE n'))],
])('an EXECUTE in a Query %s leaves no name behind', async (_, executing) => {
  const one = await RawClient.login(stage.proxy.port);
  await play(one, [step(f.parse('n', 'SELECT 1'), f.sync()), executing]);
  expect(await stage.atProxy([query('PREPARE n AS SELECT 2')])).toEqual([
    ['C PREPARE', 'Z I'],
    ['I', 'Z I'],
  ]);
  one.close();
});

test('texts that others prepared are not seen', async () => {
  for (const used of ['', key]) {
    const other = await RawClient.login(stage.proxy.port, used);
    await play(other, [step(f.parse('s', "SELECT 'secret of another'"), f.sync()), run('s')]);
    const seen = await stage.atProxy([query('SELECT statement FROM pg_prepared_statements')], used);
    expect(seen[0]).toEqual(['T', 'C SELECT 0', 'Z I']);
    other.close();
  }
});
