/** The network between the proxy and its engine misbehaves: twenty clients, two engine connections. */
import type pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startTestProxy, type TestProxy } from '../fixtures/proxy.ts';
import { frontend as f, RawClient, show } from '../fixtures/raw-client.ts';
import {
  clientCount,
  codeOf,
  sleep,
  smallPool,
  startRelayed,
  value,
  type Relayed,
} from './small-pool.ts';

let first: TestProxy;
let it: Relayed;
let clients: pg.Client[];

beforeAll(async () => {
  first = await startTestProxy({ pool: smallPool });
  const admin = await first.client();
  await admin.query('CREATE TABLE copied (id int); CREATE TABLE counted (id int, n int)');
});
afterAll(() => first.stop());

beforeEach(async () => {
  it = await startRelayed(first);
  // Each has a name of its own, so that no connection comes to it as it is.
  clients = await Promise.all(
    Array.from({ length: clientCount }, (_, n) =>
      it.proxy.client('', { application_name: `client ${n}` }),
    ),
  );
});
afterEach(() => it[Symbol.asyncDispose]());

/** Every client gets its own answer. */
async function allWork(): Promise<void> {
  const answers = await Promise.all(
    clients.map((client, n) => value(client, `SELECT $1::int * 10`, [n])),
  );
  expect(answers).toEqual(clients.map((_, n) => n * 10));
}

/** Until the engine can be reached again, an error is an answer. */
async function recovered(withinMs: number): Promise<void> {
  const end = Date.now() + withinMs;
  for (;;) {
    try {
      await allWork();
      return;
    } catch (error) {
      if (Date.now() > end) throw error;
      await sleep(50);
    }
  }
}

/** What is on its way to an engine that hangs is not known to be lost: a lane is left after 100 ms without anybody. */
const lanesEmpty = (): Promise<void> => sleep(500);

const others = (codes: readonly string[], known: readonly string[]): readonly string[] =>
  codes.filter((code) => !known.includes(code));

describe('bytes arrive', () => {
  /** Splits what the engine sends before each ReadyForQuery, which is one write of its own for nobody. */
  const beforeReady = (chunk: Buffer): readonly Buffer[] => {
    const ready = chunk.length - 6;
    return ready > 0 && chunk[ready] === 0x5a
      ? [chunk.subarray(0, ready), chunk.subarray(ready)]
      : [chunk];
  };

  /** @returns what is not as it should be. */
  async function work(): Promise<unknown[]> {
    const wrong: unknown[] = [];
    await Promise.all(
      clients.map(async (client, n) => {
        await client.query(`SET TimeZone = 'Etc/GMT+${n % 12}'`);
        for (let round = 0; round < 3; round += 1) {
          const got = [
            await value(client, 'SHOW TimeZone'),
            await value(client, 'SELECT $1::int + 1', [round]),
            (await client.query({ name: `s${round}`, text: `SELECT ${round} AS r` })).rows[0].r,
            await codeOf(client.query(`SELECT 1 / ($1::int - ${round})`, [round])),
          ];
          const wanted = [`Etc/GMT+${n % 12}`, round + 1, round, '22012'];
          if (JSON.stringify(got) !== JSON.stringify(wanted)) wrong.push([wanted, got]);
        }
      }),
    );
    return wrong;
  }

  test.each([
    ['byte by byte', { pieceBytes: 1 }],
    ['late', { delayMs: 5 }],
    ['in halves of messages', { pieceBytes: 7, delayMs: 1 }],
    ['with ReadyForQuery by itself', { shape: beforeReady, delayMs: 2 }],
  ])('%s', async (_name, weather) => {
    it.relay.set(weather);
    expect(await work()).toEqual([]);
  });

  test('the end of a COPY whose data was sent ahead, and later ReadyForQuery', async () => {
    it.relay.set({ shape: beforeReady, delayMs: 5 });
    const raw = await RawClient.login(it.proxy.port);
    const copy = [f.parse('', 'COPY copied FROM STDIN'), f.bind('', ''), f.execute('')];
    const types = async (): Promise<string> =>
      show(await raw.untilReady())
        .map((line) => line[0])
        .join('');
    for (let round = 0; round < 5; round += 1) {
      raw.send(...copy, f.copyData('4\n'), f.copyDone(), f.sync());
      expect(await types()).toBe('12GCZ');
      await allWork();
    }
    const next = [f.parse('', 'SELECT 7'), f.bind('', ''), f.execute(''), f.sync()];
    raw.send(...copy, f.sync(), f.copyData('4\n'), f.sync(), f.copyDone(), f.sync(), ...next);
    expect([await types(), await types()]).toEqual(['12GCZ', '12DCZ']);
    raw.close();
  });

  test('ReadyForQuery with one half of a message that nobody asked for', async () => {
    const notice = Buffer.from('N\0\0\0\x1aSNOTICE\0C00000\0Mhello\0\0', 'latin1');
    notice.writeInt32BE(notice.length - 1, 1);
    for (const at of [1, 3, 5, 12]) {
      it.relay.set({
        delayMs: 2,
        shape: (chunk) => {
          const isReady = chunk.at(-6) === 0x5a && chunk.at(-1) === 0x49;
          return isReady
            ? [Buffer.concat([chunk, notice.subarray(0, at)]), notice.subarray(at)]
            : [chunk];
        },
      });
      expect(await work()).toEqual([]);
    }
  });
});

describe('the connection is lost', () => {
  test('in the middle of a row', async () => {
    for (let round = 0; round < 10; round += 1) {
      await allWork();
      const [unlucky] = clients as [pg.Client, ...pg.Client[]];
      it.relay.set({ cutAfterBytes: 5_000 });
      // Nothing can be said in the middle of a row.
      await expect(unlucky.query("SELECT repeat('x', 100000)")).rejects.toThrow(/terminated/);
      it.relay.set({});
      clients = [...clients.slice(1), await it.proxy.client()];
      await recovered(3_000);
    }
  });

  test('between rows, and while nobody uses it', async () => {
    const busy = clients.slice(0, 2).map((client) => codeOf(client.query('SELECT pg_sleep(60)')));
    const waiting = clients.slice(2).map((client) => value(client, 'SELECT 1'));
    await sleep(200);
    it.relay.cut();
    expect(await Promise.all(busy)).toEqual(['08006', '08006']);
    // Who waited has lost nothing.
    expect(await Promise.all(waiting)).toEqual(waiting.map(() => 1));
    clients = clients.slice(2);
    for (let round = 0; round < 10; round += 1) {
      it.relay.cut();
      await sleep(20);
      await allWork();
    }
  });
});

describe('the engine', () => {
  test('refuses: everybody hears it at once, few try, and those who had no transaction go on', async () => {
    const before = it.relay.accepted;
    it.relay.set({ arrivals: 'hangUp' });
    it.relay.cut();
    await sleep(20);
    const end = Date.now() + 3_000;
    let asked = 0;
    let slowest = 0;
    const codes = new Set<string>();
    await Promise.all(
      clients.map(async (client) => {
        while (Date.now() < end) {
          const began = Date.now();
          codes.add(await codeOf(client.query('SELECT 1')));
          slowest = Math.max(slowest, Date.now() - began);
          asked += 1;
          await sleep(5);
        }
      }),
    );
    expect([...codes]).toEqual(['08006']);
    expect(asked).toBeGreaterThan(500);
    expect(slowest).toBeLessThan(2_000);
    // The watcher of the catalogue tries as well.
    expect(it.relay.accepted - before).toBeLessThan(30);
    // What greets a client is known; it hears of it with its first statement.
    const newcomer = await it.proxy.client();
    expect(await codeOf(newcomer.query('SELECT 1'))).toBe('08006');
    it.relay.set({});
    await recovered(3_000);
  });

  test('does not listen', async () => {
    it.relay.refuse();
    it.relay.cut();
    await sleep(20);
    const began = Date.now();
    const codes = await Promise.all(clients.map((client) => codeOf(client.query('SELECT 1'))));
    expect(new Set(codes)).toEqual(new Set(['08006']));
    expect(Date.now() - began).toBeLessThan(2_000);
    await it.relay.listen();
    await recovered(3_000);
  });

  test('hangs while a connection is made ready: its place is not lost', async () => {
    await allWork();
    await lanesEmpty();
    it.relay.freeze();
    // Nobody knows yet that the two connections are dead. Who gets one finds out, and takes another.
    const began = Date.now();
    const codes = await Promise.all(clients.map((client) => codeOf(client.query('SELECT 1'))));
    expect(Date.now() - began).toBeLessThan(15_000);
    expect(others(codes, ['53300', 'no error'])).toEqual([]);
    await recovered(1_000);
  });

  test('hangs and lets nobody in: errors within the limits, and recovery by itself', async () => {
    await allWork();
    await lanesEmpty();
    it.relay.set({ arrivals: 'silence' });
    it.relay.freeze();
    const began = Date.now();
    const codes = await Promise.all(clients.map((client) => codeOf(client.query('SELECT 1'))));
    expect(others(codes, ['08006', '53300'])).toEqual([]);
    // Ten seconds at the most for a place, and ten more for a connection that is tried on it.
    expect(Date.now() - began).toBeLessThan(25_000);
    it.relay.set({});
    await recovered(12_000);
  });

  test('hangs in statements whose clients then give up: their places come back', async () => {
    for (const [n, client] of clients.entries()) await client.query(`SET my.n = '${n}'`);
    const stuck = await Promise.all(
      Array.from({ length: 2 }, async (_, n) => {
        const raw = await RawClient.login(it.proxy.port);
        raw.send(f.query(`INSERT INTO counted SELECT ${n}, 0 FROM pg_sleep(60)`));
        return raw;
      }),
    );
    await sleep(200);
    it.relay.freeze();
    for (const raw of stuck) raw.close();
    await sleep(6_000);
    await allWork();
    expect(await value(clients[0]!, "SELECT current_setting('my.n')")).toBe('0');
    // And the terminator, whose connections were frozen with them, ends others.
    const raw = await RawClient.login(it.proxy.port);
    raw.send(f.query('SELECT pg_sleep(60)'));
    await sleep(200);
    raw.close();
    const direct = await first.client();
    const sleeping =
      "SELECT count(*)::int FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(60)%'";
    const end = Date.now() + 10_000;
    while ((await value(direct, sleeping)) !== 0 && Date.now() < end) await sleep(50);
    expect(await value(direct, sleeping)).toBe(0);
    await direct.end();
  });
});
