/** Cancel requests that come late must not hit whoever has the engine connection by then. */
import { expect, test } from 'vitest';
import { cancelRequest } from '../../src/wire/frontend-messages.ts';
import { startTestProxy } from '../fixtures/proxy.ts';
import { RawClient } from '../fixtures/raw-client.ts';
import { clientCount, codeOf, Engine, smallPool, until, value } from './small-pool.ts';

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
