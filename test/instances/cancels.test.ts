/** Cancel requests that arrive at another proxy than the one that has the session. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { cancelRequest } from '../../src/wire/frontend-messages.ts';
import { startTestProxy, type TestProxy } from '../fixtures/proxy.ts';
import { frontend as f, RawClient, show } from '../fixtures/raw-client.ts';
import { Engine, sleep, until } from '../pool/small-pool.ts';
import { metric, startBeside, type Beside } from './beside.ts';

let first: TestProxy;
let second: Beside;

beforeAll(async () => {
  first = await startTestProxy();
  second = await startBeside(first);
  await until(async () => (await metric(first, 'hatidata_instances')) === 2);
  await until(async () => (await metric(second.proxy, 'hatidata_instances')) === 2);
});
afterAll(async () => {
  await second.stop();
  await first.stop();
});

interface Held {
  readonly client: RawClient;
  readonly processId: number;
  readonly secret: Buffer;
}

async function login({ port }: TestProxy, minor = 0): Promise<Held> {
  const client = new RawClient(port);
  client.send(f.startup({ user: 'agent', database: 'hatidata' }, minor), f.password(''));
  const key = (await client.untilReady()).find(({ type }) => type === 'K')!;
  return { client, processId: key.body.readInt32BE(0), secret: key.body.subarray(4) };
}

/** Resolves when the proxy has closed the connection of the request. */
async function cancelAt({ port }: TestProxy, processId: number, secret: Buffer): Promise<void> {
  const request = new RawClient(port);
  request.send(cancelRequest(processId, secret));
  expect(await request.rest()).toEqual([]);
}

const forwarded = (outcome = ''): Promise<number> =>
  metric(second.proxy, 'hatidata_cancels_forwarded_total', outcome);

test.each([
  [0, 4],
  [2, 32],
])(
  'protocol 3.%i: it reaches the session before its connection is closed',
  async (minor, bytes) => {
    const { client, processId, secret } = await login(first, minor);
    expect(secret).toHaveLength(bytes);
    expect(processId).toBeGreaterThan(0);
    const before = await forwarded('acknowledged');
    client.send(f.query('SELECT pg_sleep(60)'));
    await sleep(100);
    const begun = performance.now();
    await cancelAt(second.proxy, processId, secret);
    expect(performance.now() - begun).toBeLessThan(1_000);
    expect(show(await client.untilReady()).slice(-2)).toEqual([
      'E 57014 canceling statement due to user request',
      'Z I',
    ]);
    expect(await forwarded('acknowledged')).toBe(before + 1);
    // What was answered hits nothing that comes later.
    client.send(f.query('SELECT 1'));
    expect(show(await client.untilReady())).toEqual(['T', 'D 1', 'C SELECT 1', 'Z I']);
    client.close();
  },
);

test('5,000 forged ones go nowhere, and the right one still goes', async () => {
  const { client, processId, secret } = await login(first, 2);
  client.send(f.query('SELECT pg_sleep(60)'));
  const before = await forwarded();
  let left = 5_000;
  await Promise.all(
    Array.from({ length: 64 }, async () => {
      for (; left > 0; left -= 1) {
        const forged = Buffer.from(secret);
        forged[left % 32]! ^= 1 + (left % 255);
        await cancelAt(second.proxy, processId, forged);
      }
    }),
  );
  expect(await forwarded()).toBe(before);
  await cancelAt(second.proxy, processId, secret);
  expect(show(await client.untilReady())).toContain(
    'E 57014 canceling statement due to user request',
  );
  client.close();
});

test('a key whose session has ended cancels nobody', async () => {
  const gone = await login(first);
  gone.client.close();
  const neighbour = await login(first);
  neighbour.client.send(f.query('SELECT pg_sleep(0.5)'));
  await cancelAt(second.proxy, gone.processId, gone.secret);
  expect(show(await neighbour.client.untilReady())).toContain('C SELECT 1');
  neighbour.client.close();
});

test('many at once: each session that was meant is hit, and no other', async () => {
  const held = await Promise.all(Array.from({ length: 40 }, () => login(first)));
  for (const { client } of held) client.send(f.query('SELECT pg_sleep(3)'));
  await sleep(200);
  const meant = held.filter((_, index) => index % 2 === 0);
  await Promise.all(
    meant.map(({ processId, secret }) => cancelAt(second.proxy, processId, secret)),
  );
  const codes = await Promise.all(
    held.map(async ({ client }) =>
      show(await client.untilReady()).some((m) => m.startsWith('E 57014')),
    ),
  );
  expect(codes).toEqual(held.map((_, index) => index % 2 === 0));
  for (const { client } of held) client.close();
});

test('equal ones while the first is under way: what began since is cancelled, by one more', async () => {
  const { client, processId, secret } = await login(first);
  const here = await login(second.proxy);
  await using engine = await Engine.look(first);
  const begin = async (): Promise<void> => {
    client.send(f.query('SELECT pg_sleep(20)'));
    await until(async () => (await engine.inTransaction()).length === 1);
  };
  const cancelled = ['E 57014 canceling statement due to user request', 'Z I'];
  const before = await forwarded();
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => (release = resolve));
  second.store.set({ holds: { text: '"kind":"done"', until: released } });
  await begin();
  const requests = [cancelAt(second.proxy, processId, secret)];
  try {
    expect(show(await client.untilReady()).slice(-2)).toEqual(cancelled);
    // It has arrived, and the second proxy does not know.
    await begin();
    for (let count = 0; count < 20; count += 1)
      requests.push(cancelAt(second.proxy, processId, secret));
    await until(
      async () => (await metric(second.proxy, 'hatidata_sessions', 'arriving')) === requests.length,
    );
    // What was sent before has been read by then.
    here.client.send(f.query('SELECT 1'));
    await here.client.untilReady();
  } finally {
    second.store.set({});
    release();
  }
  await Promise.all(requests);
  expect(show(await client.untilReady()).slice(-2)).toEqual(cancelled);
  expect(await forwarded()).toBe(before + 2);
  client.send(f.query('SELECT 1'));
  expect(show(await client.untilReady())).toEqual(['T', 'D 1', 'C SELECT 1', 'Z I']);
  client.close();
  here.client.close();
});

test('the store away: one for a session of its own is done, one for another is given up', async () => {
  second.store.refuse();
  second.store.cut();
  await until(async () => (await metric(second.proxy, 'hatidata_control_store_reachable')) === 0);
  const here = await login(second.proxy);
  here.client.send(f.query('SELECT pg_sleep(60)'));
  await sleep(100);
  await cancelAt(second.proxy, here.processId, here.secret);
  expect(show(await here.client.untilReady())).toContain(
    'E 57014 canceling statement due to user request',
  );
  const elsewhere = await login(first);
  elsewhere.client.send(f.query('SELECT pg_sleep(60)'));
  await sleep(100);
  const begun = performance.now();
  await cancelAt(second.proxy, elsewhere.processId, elsewhere.secret);
  expect(performance.now() - begun).toBeLessThan(6_000);
  await second.store.listen();
  await until(async () => (await metric(second.proxy, 'hatidata_control_store_reachable')) === 1);
  await until(async () => {
    await cancelAt(second.proxy, elsewhere.processId, elsewhere.secret);
    return (await metric(second.proxy, 'hatidata_instances')) === 2;
  });
  await cancelAt(second.proxy, elsewhere.processId, elsewhere.secret);
  expect(show(await elsewhere.client.untilReady())).toContain(
    'E 57014 canceling statement due to user request',
  );
  here.client.close();
  elsewhere.client.close();
});

test('a client that closes its side hears the end no sooner', async () => {
  const { client, processId, secret } = await login(first);
  client.send(f.query('SELECT pg_sleep(60)'));
  await sleep(100);
  second.store.set({ delayMs: 150 });
  const request = new RawClient(second.proxy.port);
  request.socket.end(cancelRequest(processId, secret));
  const first57014 = client.untilReady().then(() => performance.now());
  expect(await request.rest()).toEqual([]);
  const closed = performance.now();
  second.store.set({});
  expect(await first57014).toBeLessThan(closed + 100);
  client.close();
});
