/** One client that wants too much, or reads too slowly: memory stays bounded, and nineteen others go on. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestProxy, type TestProxy } from '../fixtures/proxy.ts';
import { frontend as f, RawClient, show } from '../fixtures/raw-client.ts';
import { clientCount, sleep, smallPool, value } from './small-pool.ts';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;
/** More than once, because memory outside of the heap goes only after its owner. */
async function settled(): Promise<NodeJS.MemoryUsage> {
  for (let times = 0; times < 3; times += 1) {
    gc();
    await sleep(50);
  }
  return process.memoryUsage();
}

const sizes = (usage: NodeJS.MemoryUsage): number => usage.heapUsed + usage.external;

const mb = 1024 * 1024;
/** The reader's cache (32 MB), what a session may have prepared (16 MB), judgements; and what the client in this process takes. */
const heapCap = 100 * mb;
const rssCap = 300 * mb;

let proxy: TestProxy;

beforeAll(async () => {
  proxy = await startTestProxy({ pool: smallPool });
});
afterAll(() => proxy.stop());

/** Runs it beside nineteen others. @returns what grew, and what the others got that is wrong. */
async function beside(act: () => Promise<void>): Promise<{
  heap: number;
  rss: number;
  wrong: unknown[];
  slowestMs: number;
}> {
  const others = await Promise.all(Array.from({ length: clientCount - 1 }, () => proxy.client()));
  const before = await settled();
  let isOver = false;
  let slowestMs = 0;
  const wrong: unknown[] = [];
  const working = others.map(async (client, n) => {
    while (!isOver) {
      const began = Date.now();
      const got = await value(client, 'SELECT $1::int', [n]).catch(String);
      if (got !== n) wrong.push(got);
      slowestMs = Math.max(slowestMs, Date.now() - began);
      await sleep(20);
    }
  });
  await act();
  const after = await settled();
  isOver = true;
  await Promise.all(working);
  await Promise.all(others.map((client) => client.end()));
  return { heap: sizes(after) - sizes(before), rss: after.rss - before.rss, wrong, slowestMs };
}

const longText = (n: number): string => `SELECT ${n} AS n, '${'x'.repeat(10_000)}'`;
const names = Array.from({ length: 3_000 }, (_, n) => n);

/** In batches; @returns the SQLSTATEs that came. */
async function send(
  raw: RawClient,
  messages: readonly (readonly Buffer[])[],
  batch: number,
): Promise<Set<string>> {
  const codes = new Set<string>();
  for (let at = 0; at < messages.length; at += batch) {
    raw.send(...messages.slice(at, at + batch).flat(), f.sync());
    for (const line of show(await raw.untilReady()))
      if (line.startsWith('E')) codes.add(line.slice(2, 7));
  }
  return codes;
}

test.each([
  ['named', '53400', (n: number) => [f.parse(`s${n}`, longText(n))]],
  ['unnamed', undefined, (n: number) => [f.parse('', longText(n + 10_000)), f.bind('', '')]],
  [
    'named and closed',
    undefined,
    (n: number) => [f.parse('s', longText(n + 20_000)), f.close('S', 's')],
  ],
])('30 MB of distinct SQL, %s', async (_name, code, messages) => {
  const raw = await RawClient.login(proxy.port);
  const grown = await beside(async () => {
    for (let at = 0; at < names.length; at += 100) {
      const codes = await send(raw, names.slice(at, at + 100).map(messages), 20);
      if (code === undefined) expect([...codes]).toEqual([]);
      else for (const each of codes) expect(each).toBe(code);
    }
  });
  expect(grown.wrong).toEqual([]);
  expect(grown.heap).toBeLessThan(heapCap);
  expect(grown.rss).toBeLessThan(rssCap);
  // It can still work, once it closes some.
  raw.send(f.close('S', 's0'), f.parse('last', 'SELECT 1'), f.sync());
  expect(show(await raw.untilReady())).toEqual(['3', '1', 'Z I']);
  raw.close();
});

test('30 MB of distinct SQL in one batch that never ends', async () => {
  const raw = await RawClient.login(proxy.port);
  const grown = await beside(async () => {
    for (const n of names) {
      raw.send(f.parse('s', longText(n + 30_000)), f.close('S', 's'), f.flush());
      await raw.until('3');
    }
  });
  expect(grown.wrong).toEqual([]);
  expect(grown.heap).toBeLessThan(heapCap);
  expect(grown.rss).toBeLessThan(rssCap);
  raw.close();
});

test('a million prepared names: refused clearly, and bounded', async () => {
  const raw = await RawClient.login(proxy.port);
  const codes = new Set<string>();
  const grown = await beside(async () => {
    for (let thousand = 0; thousand < 1_000; thousand += 1) {
      const batch = Array.from({ length: 1_000 }, (_, n) => [
        f.parse(`m${thousand}_${n}`, 'SELECT 1'),
      ]);
      for (const code of await send(raw, batch, 1_000)) codes.add(code);
    }
  });
  expect([...codes]).toEqual(['53400']);
  expect(grown.wrong).toEqual([]);
  expect(grown.heap).toBeLessThan(heapCap);
  expect(grown.rss).toBeLessThan(rssCap);
  raw.send(f.bind('', 'm0_0'), f.execute(''), f.sync());
  expect(show(await raw.untilReady())).toContain('D 1');
  raw.close();
});

/** Counts, and keeps nothing. */
async function readAll(raw: RawClient, bytes: () => number, isDone: () => boolean): Promise<void> {
  let seen = -1;
  raw.socket.resume();
  while (!isDone()) {
    await sleep(50);
    if (bytes() === seen && raw.socket.destroyed) return;
    seen = bytes();
  }
}

test('a reader that stops reading: others go on, memory is bounded, and later all of it comes', async () => {
  const raw = await RawClient.login(proxy.port);
  raw.socket.removeAllListeners('data');
  let bytes = 0;
  let tail = Buffer.alloc(0);
  raw.socket.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    tail = Buffer.concat([tail, chunk]).subarray(-6);
  });
  const rows = 200_000;
  const grown = await beside(async () => {
    raw.send(f.query(`SELECT repeat('x', 1000) FROM generate_series(1, ${rows})`));
    await sleep(100);
    raw.socket.pause();
    await sleep(3_000);
  });
  expect(grown.wrong).toEqual([]);
  expect(grown.heap).toBeLessThan(32 * mb);
  expect(grown.rss).toBeLessThan(150 * mb);
  await readAll(
    raw,
    () => bytes,
    () => tail[0] === 0x5a && tail[5] === 0x49,
  );
  expect(bytes).toBeGreaterThan(rows * 1_011);
  expect(bytes).toBeLessThan(rows * 1_011 + 200);
  raw.close();
});

test('clients that have asked something and say no more take little', async () => {
  const askOnce = async (): Promise<RawClient> => {
    const raw = await RawClient.login(proxy.port);
    raw.send(f.query('SELECT 1'));
    await raw.untilReady();
    return raw;
  };
  for (let n = 0; n < 200; n += 1) (await askOnce()).close();
  await sleep(200);
  const before = sizes(await settled());
  const clients: RawClient[] = [];
  while (clients.length < 90) clients.push(await askOnce());
  const each = (sizes(await settled()) - before) / clients.length;
  for (const raw of clients) raw.close();
  // Both ends of the connection, as both are in this process.
  expect(each).toBeLessThan(18 * 1024);
});
