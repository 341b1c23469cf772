/** Connections are counted over all proxies of a store. */
import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestProxy, type TestProxy } from '../fixtures/proxy.ts';
import { codeOf, sleep, until } from '../pool/small-pool.ts';
import { limits, metric, startBeside, type Beside } from './beside.ts';

let first: TestProxy;
let second: Beside;
let third: Beside;
let key: string;
let otherKey: string;

beforeAll(async () => {
  const config = { limits: limits({ connections: 8, connectionsPerKey: 4 }) };
  first = await startTestProxy(config);
  const admin = await first.client();
  const make = async (agent: string): Promise<string> =>
    (await admin.query("SELECT create_api_key($1, 'readonly')", [agent])).rows[0].api_key;
  key = await make('greedy');
  otherKey = await make('modest');
  await admin.end();
  second = await startBeside(first, config);
  third = await startBeside(first, config);
  for (const proxy of [first, second.proxy, third.proxy])
    await until(async () => (await metric(proxy, 'hatidata_instances')) === 3);
});
afterAll(async () => {
  await third.stop();
  await second.stop();
  await first.stop();
});

const told = (): Promise<void> => sleep(400);
const endAll = (clients: readonly pg.Client[]): Promise<unknown> =>
  Promise.all(clients.map((client) => client.end()));

test('of one key: the limit holds over three proxies, and for each of them alone', async () => {
  const open = [await first.client(key), await first.client(key)];
  await told();
  open.push(await second.proxy.client(key));
  await told();
  open.push(await third.proxy.client(key));
  await told();
  for (const proxy of [first, second.proxy, third.proxy])
    await expect(proxy.client(key)).rejects.toMatchObject({
      code: '53300',
      message: 'agent "greedy" has reached the limit of 4 connections for one key',
      hint: 'Close idle connections, or raise limits.connections_per_key.',
    });
  open.push(await third.proxy.client(otherKey));
  await open.shift()!.end();
  await told();
  open.push(await second.proxy.client(key));
  await endAll(open);
  await told();
});

test('in all', async () => {
  const open = await Promise.all([
    ...Array.from({ length: 4 }, () => first.client()),
    ...Array.from({ length: 3 }, () => second.proxy.client(otherKey)),
  ]);
  await told();
  open.push(await third.proxy.client());
  await told();
  for (const proxy of [first, second.proxy, third.proxy])
    await expect(proxy.client()).rejects.toMatchObject({
      code: '53300',
      message: 'the proxy has reached its limit of 8 connections',
    });
  await endAll(open);
  await told();
});

test('one that comes later, or lost the store, learns what there is', async () => {
  const open = await Promise.all(Array.from({ length: 4 }, () => first.client(key)));
  await told();
  const fourth = await startBeside(first, { limits: limits({ connectionsPerKey: 4 }) });
  await until(async () => (await metric(fourth.proxy, 'hatidata_instances')) === 4);
  expect(await codeOf(fourth.proxy.client(key))).toBe('53300');
  fourth.store.refuse();
  fourth.store.cut();
  await until(async () => (await metric(fourth.proxy, 'hatidata_control_store_reachable')) === 0);
  await endAll(open.slice(1));
  await told();
  // What was last known stands.
  expect(await codeOf(fourth.proxy.client(key))).not.toBe('no error');
  await fourth.store.listen();
  await until(async () => (await metric(fourth.proxy, 'hatidata_control_store_reachable')) === 1);
  await told();
  expect(await codeOf(fourth.proxy.client(key))).toBe('no error');
  await fourth.stop();
  await until(async () => (await metric(first, 'hatidata_instances')) === 3);
  await open[0]!.end();
  await told();
});

test('what a proxy had that was killed counts no more, as soon as it matters', async () => {
  const open = await Promise.all(Array.from({ length: 4 }, () => second.proxy.client(key)));
  await told();
  expect(await codeOf(first.client(key))).toBe('53300');
  await sleep(1_100);
  // Its connections are gone as if it had been killed.
  second.store.refuse();
  second.store.cut();
  await sleep(100);
  expect(await metric(first, 'hatidata_instances')).toBe(3);
  open.push(await first.client(key));
  await second.store.listen();
  await until(async () => (await metric(first, 'hatidata_instances')) === 3);
  await endAll(open);
  await told();
});

test('what a silent proxy had counts no more after 15 s', async () => {
  const open = await Promise.all(Array.from({ length: 4 }, () => second.proxy.client(key)));
  await told();
  second.store.refuse();
  second.store.freeze();
  await sleep(3_000);
  expect(await codeOf(first.client(key))).toBe('53300');
  await until(async () => (await metric(first, 'hatidata_instances')) === 2);
  expect(await codeOf(first.client(key))).toBe('no error');
  second.store.cut();
  await second.store.listen();
  await endAll(open);
}, 40_000);
