/** The control store away: keys that are remembered work for a while, then none does; and what ended meanwhile is found at once. */
import type pg from 'pg';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { startTestProxy, type TestProxy } from '../fixtures/proxy.ts';
import { codeOf, sleep, until } from '../pool/small-pool.ts';
import { readiness } from '../metrics/scrape.ts';
import { limits, metric, startBeside, type Beside } from './beside.ts';

const outageSeconds = 6;

let first: TestProxy;
let admin: pg.Client;
let beside: Beside;

beforeAll(async () => {
  first = await startTestProxy();
  admin = await first.client();
});
afterAll(() => first.stop());
const start = async (drainSeconds: number): Promise<void> => {
  beside = await startBeside(first, {
    keys: { outageSeconds },
    limits: limits({ drainSeconds }),
  });
};
afterEach(() => beside.stop());

const keyFor = async (agent: string): Promise<string> =>
  (await admin.query("SELECT create_api_key($1, 'admin')", [agent])).rows[0].api_key;

async function away(): Promise<void> {
  beside.store.refuse();
  beside.store.cut();
  await until(async () => (await metric(beside.proxy, 'hatidata_control_store_reachable')) === 0);
}

async function back(): Promise<void> {
  await beside.store.listen();
  await until(async () => (await metric(beside.proxy, 'hatidata_control_store_reachable')) === 1);
}

const complaint = async (): Promise<string | undefined> =>
  (await readiness(beside.proxy)).missing.find(({ part }) => part === 'control store')?.reason;

const isRefusing = (): Promise<number> => metric(beside.proxy, 'hatidata_control_store_refusing');

test('both phases, what can be seen of them, and the way back', async () => {
  await start(1);
  const { proxy } = beside;
  const [known, unknown] = [await keyFor('known'), await keyFor('unknown')];
  const idle = await proxy.client(known);
  const open = await proxy.client(known);
  await open.query('BEGIN');
  const told = new Promise<Error>((resolve) => idle.once('error', resolve));
  await away();
  expect(await codeOf(proxy.client(known))).toBe('no error');
  expect(await codeOf(proxy.client(unknown))).toBe('57P03');
  await idle.query('SELECT 1');
  expect(await complaint()).toMatch(
    /^it has not been heard for \d s; keys that are remembered work for \d s more$/,
  );
  expect(await isRefusing()).toBe(0);
  expect(await metric(proxy, 'hatidata_control_store_unheard_seconds')).toBeGreaterThan(0);
  await until(async () => (await isRefusing()) === 1);
  expect(await told).toMatchObject({ code: '57P03' });
  for (const key of [known, unknown]) {
    const begun = performance.now();
    expect(await codeOf(proxy.client(key))).toBe('57P03');
    expect(performance.now() - begun).toBeLessThan(500);
  }
  // Who is in a transaction has the time of a drain to end it.
  await open.query('COMMIT');
  expect(await codeOf(open.query('SELECT 1'))).not.toBe('no error');
  expect(await complaint()).toMatch(
    /^it has not been heard for \d s, and after 6 s \(keys\.outage_seconds\) no key is let in$/,
  );
  // The local administrator of dev mode has no key.
  expect(await codeOf(proxy.client())).toBe('no error');
  await back();
  for (const key of [known, unknown]) expect(await codeOf(proxy.client(key))).toBe('no error');
  expect((await readiness(proxy)).missing).toEqual([]);
  expect(await isRefusing()).toBe(0);
  expect(await metric(proxy, 'hatidata_control_store_unheard_seconds')).toBe(0);
  const log = proxy.logged().split('\n');
  for (const text of [
    'the control store is not heard; retrying',
    'only keys that are remembered are let in',
    'the control store was away for too long: no key is believed',
    'keys are believed again',
    'the control store is heard again',
  ])
    expect(log.filter((line) => line.includes(text))).toHaveLength(1);
});

test('a transaction that goes on is ended after the drain', async () => {
  await start(1);
  const open = await beside.proxy.client(await keyFor('endless'));
  await open.query('BEGIN');
  const told = new Promise<Error>((resolve) => open.once('error', resolve));
  await away();
  await until(async () => (await isRefusing()) === 1);
  expect(await told).toMatchObject({ code: '57P03' });
});

test('a key that ended meanwhile is let in no more, and its session ends at once', async () => {
  await start(1);
  const { proxy } = beside;
  const [ended, good] = [await keyFor('ended'), await keyFor('good')];
  const client = await proxy.client(ended);
  const neighbour = await proxy.client(good);
  const told = new Promise<Error>((resolve) => client.once('error', resolve));
  await away();
  await admin.query("SELECT revoke_api_key('ended')");
  await sleep(500);
  await client.query('SELECT 1');
  await back();
  expect(await told).toMatchObject({ code: '28P01' });
  expect(await codeOf(proxy.client(ended))).toBe('28P01');
  await neighbour.query('SELECT 1');
});

test('shorter absences, again and again, refuse nobody', async () => {
  await start(1);
  const { proxy } = beside;
  const key = await keyFor('patient');
  const client = await proxy.client(key);
  for (let round = 0; round < 4; round += 1) {
    await away();
    await sleep(1_000);
    expect(await codeOf(proxy.client(key))).toBe('no error');
    await back();
  }
  await client.query('SELECT 1');
  expect(proxy.logged()).not.toContain('no key is believed');
});

test('a transaction that is open when the store comes back may go on', async () => {
  // Longer than the store is tried for again.
  await start(4);
  const open = await beside.proxy.client(await keyFor('lucky'));
  await open.query('BEGIN');
  await away();
  await until(async () => (await isRefusing()) === 1);
  await back();
  await sleep(5_000);
  expect(await codeOf(open.query('COMMIT'))).toBe('no error');
});
