/** Cancel requests that come late must not hit whoever has the engine connection by then. */
import { expect, test } from 'vitest';
import { cancelRequest } from '../../src/wire/frontend-messages.ts';
import { startTestProxy } from '../fixtures/proxy.ts';
import { frontend as f, RawClient, show } from '../fixtures/raw-client.ts';
import {
  clientCount,
  codeOf,
  Engine,
  sleep,
  smallPool,
  startRelayed,
  until,
  value,
} from './small-pool.ts';

const requests = 5_000;
const atOnce = 16;

/** Many neighbours: the client is mostly in the waiting line. One: its statements run, and the engine gets the requests. */
test.each([clientCount - 2, 1])(
  '5,000 cancel requests hit none of %i neighbours',
  async (crowd) => {
    const proxy = await startTestProxy({ pool: smallPool });
    const victims = await Promise.all(Array.from({ length: 2 }, () => proxy.client()));
    const neighbours = await Promise.all(Array.from({ length: crowd }, () => proxy.client()));
    let isOver = false;
    const wrong: string[] = [];
    const tally = { victims: 0, cancelled: 0, neighbours: 0 };
    const short = victims.map(async (client, index) => {
      for (let round = 0; !isOver; round += 1) {
        const text = index === 0 ? 'SELECT 1' : 'SELECT pg_sleep(0.002)';
        const code = await codeOf(client.query(text));
        tally.victims += 1;
        if (code === '57014') tally.cancelled += 1;
        else if (code !== 'no error') wrong.push(`victim ${code}`);
      }
    });
    const beside = neighbours.map(async (client, n) => {
      for (let round = 0; !isOver; round += 1) {
        const transaction = round % 5 === 0;
        try {
          if (transaction) await client.query('BEGIN');
          const got = await value(client, 'SELECT $1::int FROM pg_sleep(0.001)', [n]);
          if (got !== n) wrong.push(`neighbour ${n} got ${String(got)}`);
          if (transaction) await client.query('COMMIT');
        } catch (error) {
          wrong.push(`neighbour ${(error as { code?: string }).code} ${String(error)}`);
          await client.query('ROLLBACK');
        }
        tally.neighbours += 1;
      }
    });
    let left = requests;
    await Promise.all(
      Array.from({ length: atOnce }, async (_, n) => {
        const { processID, secretKey } = victims[n % 2] as unknown as {
          processID: number;
          secretKey: number;
        };
        const secret = Buffer.alloc(4);
        secret.writeInt32BE(secretKey);
        while (left > 0) {
          left -= 1;
          const raw = new RawClient(proxy.port);
          raw.send(cancelRequest(processID, secret));
          await raw.next();
          raw.close();
        }
      }),
    );
    isOver = true;
    await Promise.all([...short, ...beside]);
    expect(wrong).toEqual([]);
    expect(tally.cancelled).toBeGreaterThan(10);
    expect(tally.neighbours).toBeGreaterThan(100);
    await using engine = await Engine.look(proxy);
    await until(async () => (await engine.writers()).length <= 2);
    await proxy.stop();
  },
);

test.each([
  ['simple', [f.query('SELECT pg_sleep(60)')]],
  ['extended', [f.parse('', 'SELECT pg_sleep(60)'), f.bind('', ''), f.execute(''), f.sync()]],
])('%s: a cancel request finds a statement that waits for its connection', async (_, messages) => {
  const first = await startTestProxy({ pool: smallPool });
  const relayed = await startRelayed(first);
  const { proxy, relay } = relayed;
  const [holder, other] = [await proxy.client(), await proxy.client()];
  const client = await RawClient.login(proxy.port);
  const { processId, secret } = client.cancelKey;
  await holder.query('BEGIN');
  relay.set({ delayMs: 300 });
  client.send(...messages);
  await sleep(100);
  const canceller = new RawClient(proxy.port);
  canceller.send(cancelRequest(processId, secret));
  await canceller.rest();
  expect(show(await client.untilReady())).toEqual([
    ...['E 57014 canceling statement due to user request', 'Z I'],
  ]);
  relay.set({});
  // What had been opened for it is there for another.
  expect(await value(other, 'SELECT 1')).toBe(1);
  client.send(f.query('SELECT 2'));
  expect(show(await client.untilReady())).toEqual(['T', 'D 2', 'C SELECT 1', 'Z I']);
  await holder.query('COMMIT');
  await relayed[Symbol.asyncDispose]();
  await first.stop();
});
