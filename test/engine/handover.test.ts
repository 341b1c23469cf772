/** The handshake with an engine whose bytes arrive in any pieces. */
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openUpstream } from '../../src/engine/upstream.ts';

const message = (type: string, body: string): Buffer => {
  const bytes = Buffer.from(`${type}\0\0\0\0${body}`, 'latin1');
  bytes.writeInt32BE(bytes.length - 1, 1);
  return bytes;
};
const greeting = Buffer.concat([
  message('R', '\0\0\0\0'),
  message('S', 'TimeZone\0UTC\0'),
  message('S', 'a_setting_of_this_engine\0on\0'),
  message('K', '\0\0\0\x07\0\0\0\x09'),
  message('Z', 'I'),
]);

let server: Server;
let pieces: readonly Buffer[];

beforeEach(async () => {
  server = createServer({ noDelay: true }, (socket) => {
    socket.once('data', () => {
      void (async () => {
        for (const piece of pieces) {
          socket.write(piece);
          await sleep(4);
        }
      })();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(() => server.close());

/** pg's parser puts together what it holds in the memory of an earlier piece, which our scanner may still hold as well. */
test('two cuts anywhere: every setting is heard, and the first ReadyForQuery found', async () => {
  const { port } = server.address() as AddressInfo;
  let opened = 0;
  for (let first = 20; first < greeting.length - 10; first += 3) {
    for (let second = first + 1; second < greeting.length; second += 5) {
      pieces = [
        greeting.subarray(0, first),
        greeting.subarray(first, second),
        greeting.subarray(second),
      ];
      const upstream = await openUpstream(
        { host: '127.0.0.1', port, user: 'u', database: 'd', ssl: false },
        { applicationName: 'test', settings: [] },
      );
      expect([...upstream.parameters]).toEqual([
        ['TimeZone', 'UTC'],
        ['a_setting_of_this_engine', 'on'],
      ]);
      expect(upstream.leftover.length).toBe(0);
      opened += 1;
      upstream.close();
    }
  }
  expect(opened).toBeGreaterThan(50);
});
