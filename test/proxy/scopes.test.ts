/** Keys with scopes and limits of their own, and functions by what they are, on a real database through the wire. */
import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { frontend as f, RawClient, show } from '../fixtures/raw-client.ts';
import { startTestProxy, type TestProxy } from '../fixtures/proxy.ts';

let proxy: TestProxy;
let admin: pg.Client;

beforeAll(async () => {
  proxy = await startTestProxy();
  admin = await proxy.client();
  await admin.query(`
    CREATE SCHEMA sales;
    CREATE TABLE sales.orders (id int, amount int);
    INSERT INTO sales.orders VALUES (1, 10), (2, 20);
    CREATE SCHEMA hr;
    CREATE TABLE hr.wages (id int, amount int);
    INSERT INTO hr.wages VALUES (1, 1000);
    CREATE TABLE hr.people (id int, name text);
    INSERT INTO hr.people VALUES (1, 'Ada');
    CREATE TABLE orders (id int);
    CREATE VIEW sales.known AS SELECT name FROM hr.people;
    CREATE FUNCTION risk(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 2';
    CREATE FUNCTION wage() RETURNS int LANGUAGE sql STABLE AS 'SELECT amount FROM hr.wages LIMIT 1';
    CREATE FUNCTION next_batch() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 7; END';
    CREATE VIEW batches AS SELECT next_batch() AS batch;
    CREATE FUNCTION larger(int, int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT greatest($1, $2)';
    CREATE AGGREGATE largest(int) (SFUNC = larger, STYPE = int);
    CREATE DOMAIN positive AS int CHECK (VALUE > 0);
    CREATE DOMAIN odd AS int CHECK (next_batch() > 0);
    CREATE EXTENSION pg_trgm;
    GRANT EXECUTE ON FUNCTION next_batch() TO hatidata_reader;
  `);
});
afterAll(() => proxy.stop());

const key = async (agent: string, scope: string, limits?: object): Promise<string> => {
  const { rows } = await admin.query('SELECT create_api_key($1, $2, limits => $3)', [
    agent,
    scope,
    limits === undefined ? null : JSON.stringify(limits),
  ]);
  return rows[0].api_key;
};

let made = 0;
async function client(scope: string, limits?: object): Promise<pg.Client> {
  made += 1;
  return proxy.client(await key(`agent-${made}`, scope, limits));
}

const values = async (from: pg.Client, text: string): Promise<unknown> =>
  (await from.query({ text, rowMode: 'array' })).rows;

describe('a key limited to a schema', () => {
  test('finds its tables without naming the schema, and no others', async () => {
    const limited = await client('query:*,schema:*', { schemas: ['sales'] });
    expect(await values(limited, 'SELECT sum(amount) FROM orders')).toEqual([['30']]);
    expect(await values(limited, 'SHOW search_path')).toEqual([['"sales"']]);
    await limited.query('INSERT INTO orders VALUES (3, 30)');
    await limited.query('CREATE TABLE made (a int); DROP TABLE made');
    await expect(limited.query('SELECT * FROM hr.wages')).rejects.toMatchObject({
      code: '42501',
      message: 'Permission denied: hr.wages is outside the limits of this key',
      hint: 'It is limited to the schemas sales.',
    });
    await expect(limited.query('SELECT wage()')).rejects.toMatchObject({ code: '42501' });
    await expect(limited.query('SET search_path = hr')).rejects.toMatchObject({ code: '42501' });
    await limited.query('RESET ALL');
    expect(await values(limited, 'SELECT count(*) FROM orders')).toEqual([['3']]);
    // What a view of the schema shows is its owner's decision.
    expect(await values(limited, 'SELECT * FROM known')).toEqual([['Ada']]);
    expect(
      await values(limited, "SELECT count(*) > 0 FROM pg_class WHERE relname = 'orders'"),
    ).toEqual([[true]]);
    await admin.query('DELETE FROM sales.orders WHERE id = 3');
  });

  test('cannot bring another path with it', async () => {
    await expect(
      proxy.client(await key('pathfinder', 'readonly', { schemas: ['sales'] }), {
        options: '-c search_path=hr',
      }),
    ).rejects.toMatchObject({ code: '42501' });
  });
});

test('a key limited to tables reads those alone', async () => {
  const limited = await client('query:read', { tables: ['hr.people', 'sales.orders'] });
  expect(await values(limited, 'SELECT name FROM hr.people')).toEqual([['Ada']]);
  expect(await values(limited, 'SELECT count(*) FROM sales.orders')).toEqual([['2']]);
  for (const text of ['SELECT * FROM wages', 'TABLE hr.wages', 'SELECT * FROM main.orders'])
    await expect(limited.query(text)).rejects.toMatchObject({ code: '42501' });
  await expect(limited.query('DELETE FROM people')).rejects.toMatchObject({
    message: 'Permission denied: DELETE needs the scope query:write',
  });
});

describe('functions', () => {
  test('of the owner that change nothing, their aggregates, and reviewed extensions', async () => {
    const reader = await client('readonly');
    expect(await values(reader, 'SELECT risk(2), wage(), largest(id) FROM sales.orders')).toEqual([
      [4, 1000, 2],
    ]);
    expect(
      await values(
        reader,
        "SELECT similarity('word', 'words') > 0.5, 'word' <-> 'word', 'a' % 'b'",
      ),
    ).toEqual([[true, 0, false]]);
    expect(await values(reader, "SELECT '5'::positive")).toEqual([[5]]);
  });

  test('that may do anything are refused, also behind a view or a domain', async () => {
    const reader = await client('readonly');
    await expect(reader.query('SELECT next_batch()')).rejects.toMatchObject({
      message: 'Permission denied: readonly scope cannot call function next_batch',
    });
    await expect(reader.query('SELECT * FROM batches')).rejects.toMatchObject({
      message: 'Permission denied: readonly scope cannot call function main.next_batch',
      hint: expect.stringContaining('Reading batches runs it.'),
    });
    await expect(reader.query("SELECT '5'::odd")).rejects.toMatchObject({
      message: 'Permission denied: readonly scope cannot convert to type odd',
    });
  });

  test('that the key names are allowed', async () => {
    const named = await client('readonly', { functions: ['main.next_batch'] });
    expect(await values(named, 'SELECT next_batch(), batch FROM batches')).toEqual([[7, 7]]);
  });
});

describe('a name means what it means in the session', () => {
  let reader: pg.Client;
  beforeAll(async () => {
    await admin.query(`
      CREATE SCHEMA evil;
      CREATE FUNCTION evil.count(int) RETURNS bigint LANGUAGE plpgsql AS 'BEGIN RETURN -1; END';
      CREATE FUNCTION evil.compare(int, int) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RETURN true; END';
      CREATE OPERATOR evil.= (FUNCTION = evil.compare, LEFTARG = int, RIGHTARG = int);
      CREATE DOMAIN evil.date AS text CHECK (next_batch() > 0);
      GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA evil TO hatidata_reader`);
    // A refusal that the catalogue causes is checked against a fresh one first: from here on it is known.
    const looking = await client('readonly');
    await expect(looking.query('SELECT evil.count(1)')).rejects.toMatchObject({ code: '42501' });
  });
  beforeEach(async () => {
    reader = await client('readonly');
  });

  test('objects of a schema that is not searched hide nothing', async () => {
    expect(
      await values(
        reader,
        "SELECT count(id), 1 = 1, '2020-01-01'::date = 'today' FROM sales.orders",
      ),
    ).toEqual([['2', true, false]]);
  });

  test.each([
    ['SET', 'SET search_path = evil, main'],
    ['set_config', "SELECT set_config('search_path', 'main, \"evil\"', false)"],
    ['SET LOCAL', 'BEGIN; SET LOCAL search_path = evil'],
  ])('once the path holds it (%s), statements are judged anew', async (_how, set) => {
    const prepared = { name: 'c', text: 'SELECT count(id) AS n FROM sales.orders' };
    expect((await reader.query(prepared)).rows).toEqual([{ n: '2' }]);
    await reader.query('PREPARE q AS SELECT count(id) AS n FROM sales.orders');
    await reader.query(set);
    const refused = { code: '42501', message: expect.stringContaining('count') };
    await expect(reader.query(prepared)).rejects.toMatchObject(refused);
    await reader.query('ROLLBACK');
    await expect(reader.query('EXECUTE q')).rejects.toMatchObject(refused);
    await expect(reader.query('EXPLAIN EXECUTE q')).rejects.toMatchObject(refused);
    await expect(reader.query('SELECT count(id) FROM sales.orders')).rejects.toMatchObject(refused);
    await expect(reader.query('SELECT 1 WHERE 1 = 1')).rejects.toMatchObject({ code: '42501' });
    await expect(reader.query("SELECT 'x'::date")).rejects.toMatchObject({ code: '42501' });
    expect(await values(reader, 'SELECT pg_catalog.count(id) FROM sales.orders')).toEqual([['2']]);
  });

  test('a path in the same text counts', async () => {
    await expect(
      reader.query('SET search_path = evil; SELECT count(id) FROM sales.orders'),
    ).rejects.toMatchObject({ code: '42501' });
  });

  test('a Parse that failed under a name that is taken does not vouch for it', async () => {
    const raw = await RawClient.login(proxy.port, await key('raw', 'readonly'));
    raw.send(f.parse('s', 'SELECT count(id) FROM sales.orders'), f.sync());
    await raw.untilReady();
    raw.send(f.parse('s', 'SELECT 1'), f.sync());
    expect(show(await raw.untilReady())[0]).toMatch(/^E 42P05/);
    raw.send(f.query('SET search_path = evil, main'));
    await raw.untilReady();
    raw.send(f.bind('', 's'), f.execute(''), f.sync());
    expect(show(await raw.untilReady())[0]).toMatch(/^E 42501/);
    raw.close();
  });

  test('a function that is replaced by another kind is judged anew', async () => {
    const prepared = { name: 'r', text: 'SELECT turned() AS n' };
    await admin.query("CREATE FUNCTION turned() RETURNS int LANGUAGE sql STABLE AS 'SELECT 1'");
    expect((await reader.query(prepared)).rows).toEqual([{ n: 1 }]);
    await admin.query("CREATE OR REPLACE FUNCTION turned() RETURNS int LANGUAGE sql AS 'SELECT 2'");
    await vi.waitFor(
      () => expect(reader.query(prepared)).rejects.toMatchObject({ code: '42501' }),
      { timeout: 4_000 },
    );
  });
});

describe('keys make keys', () => {
  test('no stronger than themselves', async () => {
    const maker = await client('query:read,schema:read,key:*', { schemas: ['sales'] });
    const { rows } = await maker.query(
      `SELECT create_api_key('child', 'query:read', limits => '{"tables": ["sales.orders"]}')`,
    );
    const child = await proxy.client(rows[0].api_key);
    expect(await values(child, 'SELECT count(*) FROM orders')).toEqual([['2']]);
    for (const text of [
      "SELECT create_api_key('grown', 'admin', '')",
      "SELECT create_api_key('grown', 'query:read', '')",
      `SELECT create_api_key('grown', 'query:read', limits => '{"schemas": ["hr"]}')`,
      "SELECT rotate_api_key('agent-1')",
      "SELECT revoke_api_key('agent-1')",
    ])
      await expect(maker.query(text)).rejects.toMatchObject({
        code: '42501',
        message: expect.stringContaining('may do more than this key'),
      });
    await maker.query("SELECT revoke_api_key('child')");
  });

  test('and show what they may do', async () => {
    const { rows } = await admin.query(
      "SELECT scope, limits FROM _hatidata_keys.active_keys WHERE agent_id = 'pathfinder'",
    );
    expect(rows).toEqual([{ scope: 'readonly', limits: '{"schemas":["sales"],"tables":[]}' }]);
  });

  test.each([
    ["SELECT create_api_key('x', 'query:delete')", '22023', 'unknown scope "query:delete"'],
    ["SELECT create_api_key('x', 'readonly', limits => '{')", '22023', 'not JSON'],
  ])('%s', async (text, code, message) => {
    await expect(admin.query(text)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message),
      hint: expect.any(String),
    });
  });
});
