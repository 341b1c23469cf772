/** The metrics of the pools beside what really happens: two connections a role, several clients. */
import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Interval, type MetricsSample } from '../../src/cli/metrics-sample.ts';
import { describePool, poolsOf } from '../../src/cli/pools.ts';
import { startTestProxy, type TestProxy } from '../fixtures/proxy.ts';
import { codeOf, smallPool, startRelayed, until, value } from '../pool/small-pool.ts';
import { scrape, scrapeText } from './scrape.ts';

let proxy: TestProxy;
let admin: pg.Client;

beforeAll(async () => {
  proxy = await startTestProxy({ pool: { ...smallPool, queueSeconds: 1 } });
  admin = await proxy.client();
  await admin.query(`CREATE TABLE t (id int);
    CREATE FUNCTION noticed() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER noticed BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION noticed()`);
});
afterAll(() => proxy.stop());

const writers = 'role="writer"';

/** What happened meanwhile. */
async function during(act: () => Promise<void>): Promise<Interval> {
  const before = await scrape(proxy);
  await act();
  return new Interval(before, await scrape(proxy));
}

function states(sample: MetricsSample): number[] {
  return ['in_use', 'pinned', 'idle', 'opening'].map((state) =>
    sample.sum('hatidata_pool_connections', `${writers},state="${state}"`),
  );
}

async function clients(count: number): Promise<pg.Client[]> {
  return Promise.all(Array.from({ length: count }, () => proxy.client()));
}

async function ended(all: readonly pg.Client[]): Promise<void> {
  for (const each of all) await each.end();
  await until(async () => (await scrape(proxy)).sum('hatidata_sessions') === 1);
}

test('connections by state, who waits, and what the command says of it', async () => {
  const [one, two, three] = (await clients(3)) as [pg.Client, pg.Client, pg.Client];
  await one.query('BEGIN');
  await two.query('LISTEN news');
  const waiting = three.query('SELECT 1');
  await until(async () => (await scrape(proxy)).sum('hatidata_pool_waiting', writers) === 1);
  const sample = await scrape(proxy);
  expect(states(sample)).toEqual([1, 1, 0, 0]);
  expect(sample.sum('hatidata_pool_size', writers)).toBe(2);
  expect(sample.sum('hatidata_pool_longest_wait_seconds', writers)).toBeGreaterThan(0);
  expect(describePool(poolsOf(sample)[0]!)).toMatch(
    /^writers 2 of 2 in use \(1 pinned\), 0 idle; 1 waiting for up to \d\.\d s$/,
  );
  await one.query('COMMIT');
  await waiting;
  const after = await scrape(proxy);
  expect(states(after)).toEqual([0, 1, 1, 0]);
  expect(after.sum('hatidata_pool_waiting')).toBe(0);
  await ended([one, two, three]);
});

test('waits, and those that took too long', async () => {
  const [one, two, three] = (await clients(3)) as [pg.Client, pg.Client, pg.Client];
  const seen = await during(async () => {
    await one.query('BEGIN');
    await two.query('BEGIN');
    expect(await codeOf(three.query('SELECT 1'))).toBe('53300');
    const waiting = three.query('SELECT 1');
    await one.query('COMMIT');
    await waiting;
    await two.query('COMMIT');
  });
  expect(seen.growth('hatidata_pool_timeouts_total', writers)).toBe(1);
  expect(seen.growth('hatidata_pool_wait_seconds_count', writers)).toBe(2);
  expect(seen.growth('hatidata_pool_wait_seconds_sum', writers)).toBeGreaterThan(0.9);
  expect(seen.growth('hatidata_pool_requests_total', writers)).toBe(4);
  await ended([one, two, three]);
});

test('pins by reason, once each', async () => {
  const [one] = (await clients(1)) as [pg.Client];
  const seen = await during(async () => {
    await one.query('CREATE TEMP TABLE a (id int)');
    await one.query('CREATE TEMP TABLE b (id int)');
    await one.query('SELECT pg_advisory_lock(1)');
    await one.query('DISCARD ALL');
    await one.query('CREATE TEMP TABLE a (id int)');
  });
  const pins = 'hatidata_pool_pins_total';
  expect(seen.growth(pins, 'reason="temporary_table"')).toBe(2);
  expect(seen.growth(pins, 'reason="advisory_lock"')).toBe(1);
  expect(seen.growth(pins)).toBe(3);
  expect(proxy.logged()).toContain('"reason":"advisoryLock"');
  await ended([one]);
});

test('statements that are there, and that are prepared again; cleanings', async () => {
  const [one, two] = (await clients(2)) as [pg.Client, pg.Client];
  const named = { name: 'named', text: 'SELECT 4711 AS named' };
  const seen = await during(async () => {
    await admin.query('BEGIN');
    await one.query(named);
    await two.query(named);
    // It keeps the connection where both have prepared theirs.
    await two.query('BEGIN');
    await admin.query('COMMIT');
    await one.query(named);
    await one.query('INSERT INTO t VALUES (1)');
    await admin.query('SELECT 1');
    await two.query('COMMIT');
  });
  const prepared = ['first', 'known', 'again'].map((outcome) =>
    seen.growth('hatidata_pool_prepared_total', `${writers},outcome="${outcome}"`),
  );
  expect(prepared).toEqual([1, 1, 1]);
  expect(seen.growth('hatidata_pool_cleanings_total', writers)).toBe(1);
  await ended([one, two]);
});

test('connections that break, an engine that is away', async () => {
  await using relayed = await startRelayed(proxy, { pool: smallPool });
  const { relay, proxy: other } = relayed;
  const client = await other.client();
  await client.query('SELECT 1');
  const before = await scrape(other);
  const event = (name: string): string => `${writers},event="${name}"`;
  expect(before.sum('hatidata_pool_connections_total', event('opened'))).toBe(1);
  expect(before.sum('hatidata_pool_connections_total', event('broken'))).toBe(0);
  relay.set({ arrivals: 'hangUp' });
  relay.cut();
  await until(
    async () => (await scrape(other)).sum('hatidata_pool_connections_total', event('broken')) === 1,
  );
  expect(await codeOf(client.query('SELECT 1'))).toBe('08006');
  const away = await scrape(other);
  expect(away.sum('hatidata_pool_engine_away', writers)).toBe(1);
  expect(away.sum('hatidata_pool_connections_total', event('not_opened'))).toBeGreaterThan(0);
  relay.set({});
  await until(async () => (await codeOf(client.query('SELECT 1'))) === 'no error');
  expect((await scrape(other)).sum('hatidata_pool_engine_away', writers)).toBe(0);
});

test('no label holds a word of a client', async () => {
  const name = 'label_of_a_client';
  const secret = String(await value(admin, 'SELECT create_api_key($1, $2)', [name, 'readonly']));
  const client = await proxy.client(secret, { application_name: name });
  await client.query(`SELECT '${name}'`);
  const text = await scrapeText(proxy);
  expect(text).toContain('hatidata_pool_connections{role="reader",state="idle"} 1');
  expect(text).not.toContain(name);
});
