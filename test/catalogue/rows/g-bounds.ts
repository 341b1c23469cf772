/** G: memory and time that one client may have. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { sslRequest } from '../../../src/wire/frontend-messages.ts';
import { frontend as f, RawClient, show } from '../../fixtures/raw-client.ts';
import { limits, loginFrom, megabyte, memory, neighbour } from '../measure.ts';
import type { Row } from '../model.ts';
import { exchange, expectSeen } from '../run-rows.ts';
import type { World } from '../world.ts';

export const bounds: readonly Row[] = [
  {
    id: 'G16',
    title: 'memory is bounded',
    cases: [
      {
        name: '60 MB of different statements',
        run: async (world) => {
          const client = await world.login('readonly');
          const before = await memory();
          for (let n = 0; n < 600; n += 1) {
            expect(
              await exchange(client, [f.query(`SELECT ${n} -- ${'x'.repeat(100_000)}`)]),
            ).toContain(`D ${n}`);
          }
          expect((await memory()).heap - before.heap).toBeLessThan(64 * megabyte);
          client.close();
        },
      },
      {
        name: '20,000 names of prepared statements: half are refused, and little stays with us',
        run: async (world) => {
          const client = await world.login('readonly');
          const before = await memory();
          for (let n = 0; n < 200; n += 1) {
            const batch = Array.from({ length: 100 }, (_, i) =>
              f.parse(`statement ${n} ${i}`, 'SELECT 1'),
            );
            const answers = await exchange(client, [...batch, f.sync()]);
            if (n < 100) expect(answers.length).toBe(101);
            else expect(answers[0]).toMatch(/^E 53400/);
          }
          expect((await memory()).heap - before.heap).toBeLessThan(16 * megabyte);
          client.close();
        },
      },
      {
        name: 'a client that does not read an answer of 1 GB',
        run: async (world) => {
          const client = await world.login('readonly');
          const before = await memory();
          client.socket.pause();
          client.send(f.query("SELECT repeat('x', 1000000) FROM generate_series(1, 1000)"));
          await new Promise((resolve) => setTimeout(resolve, 2_000));
          expect((await memory()).heap - before.heap).toBeLessThan(32 * megabyte);
          client.close();
          const next = await world.login('readonly');
          expect(await exchange(next, [f.query('SELECT 1')])).toContain('D 1');
          next.close();
        },
      },
    ],
  },
  {
    id: 'G17',
    title: 'states that last',
    cases: [
      ...slowStates().map(([name, messages, tls]) => ({
        name: `${name}: given up on after the deadline`,
        run: async (world: World) => {
          const strict = await world.another({
            limits: { ...limits, connections: 10, startupSeconds: 1 },
            ...(tls && {
              tls: {
                certPath: fixture('test-only.cert.pem'),
                keyPath: fixture('test-only.key.pem'),
              },
            }),
          });
          const client = new RawClient(strict.port);
          const start = performance.now();
          const drip = setInterval(() => {
            const next = messages.shift();
            if (next !== undefined) client.send(next);
          }, 100);
          const told = await client.rest().finally(() => clearInterval(drip));
          // The farewell is given five seconds to be read.
          expect(performance.now() - start).toBeLessThan(7_000);
          if (!tls)
            expectSeen(show(told).slice(-1), [
              '08006 the connection was not authenticated within 1 seconds',
            ]);
          expect(await loginFrom(neighbour, strict.port, world.keys.readonly)).toBe('Z');
          await strict.stop();
        },
      })),
      {
        name: 'idle in a transaction: ended by the limit that the session has',
        run: async (world) => {
          const client = await world.login('readonly');
          expect(
            await exchange(client, [f.query('SHOW idle_in_transaction_session_timeout')]),
          ).toContain('D 10min');
          client.send(
            f.query(
              "SET idle_in_transaction_session_timeout = '300ms'; BEGIN; SELECT count(*) FROM t",
            ),
          );
          expect(show(await client.rest()).at(-1)).toMatch(/^E 25P03 /);
        },
      },
      {
        name: 'a batch that never gets its Sync: the same limit',
        run: async (world) => {
          const client = await world.login('readonly');
          await exchange(client, [f.query("SET idle_in_transaction_session_timeout = '300ms'")]);
          client.send(f.parse('', 'SELECT * FROM t'), f.bind('', ''), f.execute(''), f.flush());
          await client.until('C');
          const ended = client.rest().then((rest) => show(rest).at(-1));
          const late = new Promise<string>((resolve) =>
            setTimeout(() => resolve('still open'), 5_000),
          );
          expect(await Promise.race([ended, late])).toMatch(/^E 25P0[34] /);
        },
      },
    ],
  },
];

/** What is sent, a piece each 100 ms, and whether SSLRequest is among it: its answer is a byte, and no words follow. */
function slowStates(): [string, Buffer[], boolean][] {
  const startup = f.startup({ user: 'agent' });
  const bytes = (whole: Buffer): Buffer[] => Array.from(whole, (byte) => Buffer.of(byte));
  return [
    ['nothing at all', [], false],
    ['half a startup packet', [startup.subarray(0, 6)], false],
    [
      'a startup packet, a byte at a time',
      bytes(f.startup({ user: 'agent', application_name: 'x'.repeat(200) })),
      false,
    ],
    ['no password', [startup], false],
    ['half a password', [startup, f.password('x').subarray(0, 4)], false],
    ['SSLRequests without end', Array.from({ length: 100 }, () => sslRequest), true],
    ['no handshake behind SSLRequest', [sslRequest], true],
    ['half a handshake', [sslRequest, Buffer.from('160301010001', 'hex')], true],
  ];
}

function fixture(name: string): string {
  const path = fileURLToPath(new URL(`../../../fixtures/tls/${name}`, import.meta.url));
  expect(readFileSync(path).length).toBeGreaterThan(0);
  return path;
}
