/** Drivers remember the columns of a prepared statement. What changes them must not reach them as rows of another shape. */
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestProxy, type TestProxy } from '../fixtures/proxy.ts';
import { frontend as f, RawClient, show } from '../fixtures/raw-client.ts';
import { smallPool, value } from './small-pool.ts';

let proxy: TestProxy;
let holder: pg.Client;
let other: pg.Client;

beforeAll(async () => {
  proxy = await startTestProxy({ pool: smallPool });
  holder = await proxy.client();
  other = await proxy.client();
});
afterAll(() => proxy.stop());

const changed = 'E 0A000 cached plan must not change result type';
const run = [f.bind('', 's'), f.execute(''), f.sync()];

async function exchange(client: RawClient, messages: Buffer[]): Promise<string[]> {
  client.send(...messages);
  return show(await client.untilReady());
}

/** Runs `work` while the engine connection that the client had last is somebody else's. */
async function elsewhere<T>(work: () => Promise<T>): Promise<T> {
  await holder.query('BEGIN');
  await holder.query('SELECT 1');
  try {
    return await work();
  } finally {
    await holder.query('COMMIT');
  }
}

describe.each<[string, Buffer[], string[]]>([
  ['the statement was described', [f.describe('S', 's'), f.sync()], ['t', 'T', 'Z I']],
  [
    'its portal was described',
    [f.bind('', 's'), f.describe('P', ''), f.execute(''), f.sync()],
    ['2', 'T', 'D 1', 'C SELECT 1', 'Z I'],
  ],
])('%s', (_, describing, described) => {
  test.each<[string, string, boolean]>([
    ['a column more', 'ALTER TABLE d ADD COLUMN more text', true],
    ['another type', 'ALTER TABLE d ALTER id TYPE text', true],
    ['another name', 'ALTER TABLE d RENAME id TO other', true],
    ['another table of the same columns', 'DROP TABLE d; CREATE TABLE d AS SELECT 1 AS id', false],
    ['an index', 'CREATE INDEX ON d (id)', false],
  ])('%s', async (__, change, isOther) => {
    for (const by of ['the proxy', 'others'] as const) {
      await other.query('DROP TABLE IF EXISTS d; CREATE TABLE d AS SELECT 1 AS id');
      const client = await RawClient.login(proxy.port);
      const made = await exchange(client, [f.parse('s', 'SELECT * FROM d'), ...describing]);
      expect(made).toEqual(['1', ...described]);
      if (by === 'the proxy') await other.query(change);
      else {
        const direct = new (await import('pg')).default.Client(proxy.direct('writer'));
        await direct.connect();
        await direct.query(change);
        await direct.end();
      }
      // Whoever prepares the same text now has what is new, on that connection too.
      const fresh = await RawClient.login(proxy.port);
      const expected = isOther ? [changed, 'Z I'] : ['2', 'D 1', 'C SELECT 1', 'Z I'];
      for (let round = 0; round < 3; round += 1) {
        expect(await elsewhere(() => exchange(client, run))).toEqual(expected);
        expect(await exchange(client, run)).toEqual(expected);
        const name = `n${round}`;
        const anew = [f.parse(name, 'SELECT * FROM d'), f.bind('', name), f.execute(''), f.sync()];
        await exchange(fresh, anew);
      }
      // As drivers do it then.
      await exchange(client, [f.close('S', 's'), f.sync()]);
      const again = [f.parse('s', 'SELECT * FROM d /* again */'), ...run];
      expect((await exchange(client, again)).at(-2)).toBe('C SELECT 1');
      client.close();
      fresh.close();
    }
  });
});

test('in a transaction it fails as PostgreSQL makes it fail', async () => {
  await other.query('DROP TABLE IF EXISTS d; CREATE TABLE d AS SELECT 1 AS id');
  const client = await RawClient.login(proxy.port);
  await exchange(client, [f.parse('s', 'SELECT * FROM d'), f.describe('S', 's'), f.sync()]);
  await other.query('ALTER TABLE d ADD COLUMN more text');
  const seen = await elsewhere(async () => [
    ...(await exchange(client, [f.query('BEGIN')])),
    ...(await exchange(client, run)),
    ...(await exchange(client, [f.query('ROLLBACK')])),
  ]);
  expect(seen).toEqual(['C BEGIN', 'Z T', changed, 'Z E', 'C ROLLBACK', 'Z I']);
  client.close();
});

test('the settings that it is read under have changed', async () => {
  await other.query('CREATE SCHEMA s; CREATE TABLE s.p (a int, b int); CREATE TABLE p (a int)');
  const client = await RawClient.login(proxy.port);
  await exchange(client, [f.parse('s', 'SELECT * FROM p'), f.describe('S', 's'), f.sync()]);
  await exchange(client, [f.query('SET search_path = s')]);
  expect(await elsewhere(() => exchange(client, run))).toEqual([changed, 'Z I']);
  expect(await value(other, 'SELECT 1')).toBe(1);
  client.close();
});
