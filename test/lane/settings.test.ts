/** Where there is a fast lane, and where not. */
import type pg from 'pg';
import { afterEach, expect, test } from 'vitest';
import { testConfig } from '../fixtures/proxy.ts';
import { codeOf, smallPool, sleep, startRelayed, until } from '../pool/small-pool.ts';
import { ask, startLaneStage, type LaneStage } from './lane.ts';

let stage: LaneStage;
afterEach(() => stage.stop());

const open = (count: number): Promise<pg.Client[]> =>
  Promise.all(Array.from({ length: count }, () => stage.client()));

const askAll = (clients: readonly pg.Client[], rounds: number): Promise<unknown> =>
  Promise.all(clients.map((client) => ask(client, 'prepared', (asked) => asked === rounds)));

test('switched off', async () => {
  stage = await startLaneStage({ pool: { ...testConfig('').pool, fastLane: false } });
  await askAll(await open(4), 50);
  expect(await stage.count('statements')).toBe(0);
});

test('twenty clients on two connections, one of them a lane', async () => {
  stage = await startLaneStage({ pool: smallPool });
  const clients = await open(20);
  await Promise.all([
    askAll(clients.slice(0, 16), 100),
    // Transactions get their turn all the same.
    ...clients.slice(16).map(async (client) => {
      for (let round = 0; round < 10; round += 1) {
        await client.query('BEGIN');
        await ask(client, 'extended', (asked) => asked === 2);
        await client.query('COMMIT');
      }
    }),
  ]);
  // Of 1,600; who waits when a lane opens goes there.
  expect(await stage.count('statements')).toBeGreaterThan(160);
});

test('an engine that is away is not asked for lanes', async () => {
  stage = await startLaneStage();
  const key = String(
    (await stage.admin.query("SELECT create_api_key('patient', 'readonly') AS key")).rows[0].key,
  );
  await using relayed = await startRelayed(stage.proxy);
  const clients = await Promise.all(Array.from({ length: 8 }, () => relayed.proxy.client(key)));
  for (const client of clients) client.on('error', () => undefined);
  const text = 'SELECT note FROM main.lane WHERE id = 1';
  const askOnce = (): Promise<string[]> =>
    Promise.all(clients.map((client) => codeOf(client.query(text))));
  for (let round = 0; round < 30; round += 1) await askOnce();
  relayed.relay.set({ arrivals: 'hangUp' });
  relayed.relay.cut();
  await sleep(100);
  const { accepted } = relayed.relay;
  const until2s = performance.now() + 2_000;
  while (performance.now() < until2s) {
    expect(await askOnce()).not.toContain('no error');
    await sleep(5);
  }
  // One session at a time, at growing intervals; the parts of the proxy that look after the engine by themselves are among them.
  expect(relayed.relay.accepted - accepted).toBeLessThan(30);
  relayed.relay.set({});
  const survivor = await relayed.proxy.client(key);
  await until(async () => (await codeOf(survivor.query(text))) === 'no error');
});

test('one session needs no lane', async () => {
  stage = await startLaneStage();
  await askAll(await open(1), 50);
  expect(await stage.count('statements')).toBe(0);
});

test('one connection is no lane', async () => {
  stage = await startLaneStage({ pool: { ...testConfig('').pool, readers: 1 } });
  await askAll(await open(4), 50);
  expect(await stage.count('statements')).toBe(0);
});

test('mode = "session" has none', async () => {
  stage = await startLaneStage({ pool: { ...testConfig('').pool, mode: 'session' } });
  await askAll(await open(4), 50);
  expect(await stage.count('statements')).toBe(0);
});

test('what is not one plain read goes the ordinary way', async () => {
  stage = await startLaneStage();
  const [client] = (await open(1)) as [pg.Client];
  await stage.admin.query(
    `CREATE FUNCTION main.twice(n int) RETURNS int LANGUAGE sql STABLE AS 'SELECT n * 2'`,
  );
  const before = await stage.count('statements');
  for (const text of [
    'SELECT note FROM main.lane WHERE id = 1; SELECT 2',
    'EXPLAIN SELECT note FROM main.lane WHERE id = 1',
    'SHOW TimeZone',
    'COPY (SELECT 1) TO STDOUT',
    'SELECT main.twice(2)',
    "SET TimeZone = 'UTC'",
    'BEGIN; SELECT 1; COMMIT',
  ])
    for (let round = 0; round < 10; round += 1) await client.query(text);
  for (const text of ['SELECT nextval($1)', 'SELECT id FROM main.lane WHERE id = 1 FOR UPDATE']) {
    const values = text.includes('$1') ? ['main.numbers'] : [];
    await stage.admin.query('CREATE SEQUENCE IF NOT EXISTS main.numbers');
    for (let round = 0; round < 10; round += 1) await stage.admin.query(text, values);
  }
  expect(await stage.count('statements')).toBe(before);
});
