import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, createServer, Socket, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls, TLSSocket } from 'node:tls';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { giveBack, lendReads, shareReads } from '../../src/wire/shared-reads.ts';

const fixture = (name: string): Buffer =>
  readFileSync(new URL(`../../fixtures/tls/test-only.${name}.pem`, import.meta.url));

const open: (Socket | Server)[] = [];

afterEach(async () => {
  const closed = open.splice(0).map(async (one) => {
    if (one instanceof Socket) {
      one.destroy();
      if (!one.closed) await once(one, 'close');
    } else await new Promise((resolve) => one.close(resolve));
  });
  await Promise.all(closed);
});

interface Pair {
  /** As accepted; it does not close by itself when the other one has ended. */
  readonly here: Socket;
  readonly there: Socket;
}

async function pair(path?: string): Promise<Pair> {
  const server = createServer({ noDelay: true, allowHalfOpen: true, pauseOnConnect: true });
  open.push(server);
  server.listen(path === undefined ? { port: 0, host: '127.0.0.1' } : { path });
  await once(server, 'listening');
  const address = server.address();
  const there =
    address !== null && typeof address === 'object'
      ? connect(address.port, '127.0.0.1')
      : connect(path!);
  const [[here]] = (await Promise.all([once(server, 'connection'), once(there, 'connect')])) as [
    [Socket],
    unknown,
  ];
  for (const socket of [here, there]) {
    socket.setNoDelay(true).on('error', () => undefined);
    open.push(socket);
  }
  return { here, there };
}

/** All that comes, by chunks. */
function collect(socket: Socket): Buffer[] {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk)).resume();
  return chunks;
}

const lengthOf = (chunks: readonly Buffer[]): number =>
  chunks.reduce((sum, { length }) => sum + length, 0);

/** No two places of it that could be taken for each other are alike. */
function pattern(bytes: number): Buffer {
  const words = new Uint32Array(bytes / 4);
  for (let at = 0; at < words.length; at += 1) words[at] = Math.imul(at, 2_654_435_761);
  return Buffer.from(words.buffer);
}

/** Small ones, one by one. */
async function say(
  socket: Socket,
  seen: readonly Buffer[],
  texts: readonly string[],
): Promise<void> {
  for (const text of texts) {
    const before = seen.length;
    socket.write(text);
    await vi.waitFor(() => expect(seen.length).toBe(before + 1), { interval: 1 });
  }
}

describe('the Node that is pinned here', () => {
  test('lets accepted and connecting sockets read into memory of ours: without that every read costs much more', async () => {
    const { here, there } = await pair();
    expect([shareReads(here), shareReads(there)]).toEqual([true, true]);
    const [asked, answered] = [collect(here), collect(there)];
    await say(there, asked, ['one', 'two']);
    await say(here, answered, ['three']);
    expect(asked.map(String)).toEqual(['one', 'two']);
    expect(answered.map(String)).toEqual(['three']);
    // Side by side in one piece of memory: none was made for each of them.
    expect(asked[1]!.buffer).toBe(asked[0]!.buffer);
    expect(answered[0]!.buffer).toBe(asked[0]!.buffer);
  });

  test('and those of unix sockets', async () => {
    const { here, there } = await pair(join(tmpdir(), `reads-${process.pid}.sock`));
    expect([shareReads(here), shareReads(there)]).toEqual([true, true]);
    const seen = collect(here);
    await say(there, seen, ['one']);
    expect(String(seen[0])).toBe('one');
  });
});

describe('what was read', () => {
  test('stays as it is while others read', async () => {
    const pairs = await Promise.all([pair(), pair(), pair()]);
    const seen = pairs.map(({ here }) => {
      shareReads(here);
      return collect(here);
    });
    const texts = Array.from({ length: 300 }, (_, n) => `${n} `.repeat(1 + (n % 700)));
    await Promise.all(
      pairs.map(async ({ there }, n) => {
        await say(
          there,
          seen[n]!,
          texts.map((text) => `${n}: ${text}`),
        );
      }),
    );
    for (const [n, chunks] of seen.entries())
      expect(chunks.map(String)).toEqual(texts.map((text) => `${n}: ${text}`));
  });

  test('keeps no more than a small piece of memory', async () => {
    const { here, there } = await pair();
    shareReads(here);
    const seen = collect(here);
    await say(there, seen, ['x', 'y'.repeat(1024), 'z'.repeat(5_000)]);
    expect(seen.map(({ buffer }) => buffer.byteLength)).toEqual([8_192, 8_192, 5_000]);
  });

  test('is 50 MB, in order, to one that stops again and again, and holds only so much', async () => {
    const { here, there } = await pair();
    shareReads(here);
    const all = pattern(50_000_000);
    const chunks: Buffer[] = [];
    let held = 0;
    let reads = 0;
    here.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      held = Math.max(held, here.readableLength);
      reads += 1;
      if (reads % 50 !== 0) return;
      here.pause();
      setTimeout(() => here.resume(), 2);
    });
    here.resume();
    there.end(all);
    await once(here, 'end');
    expect(lengthOf(chunks)).toBe(all.length);
    expect(Buffer.concat(chunks).equals(all)).toBe(true);
    expect(held).toBeLessThanOrEqual(2 * 65_536);
  });

  test('large and small by turns, kept to the end', async () => {
    const { here, there } = await pair();
    shareReads(here);
    const chunks = collect(here);
    const parts = Array.from({ length: 200 }, (_, n) =>
      pattern(n % 2 === 0 ? 300_000 : 40 + n * 4),
    );
    for (const part of parts) {
      const length = lengthOf(chunks) + part.length;
      there.write(part);
      await vi.waitFor(() => expect(lengthOf(chunks)).toBe(length), { interval: 1 });
    }
    expect(Buffer.concat(chunks).equals(Buffer.concat(parts))).toBe(true);
  });

  test('comes behind what the stream held before', async () => {
    const { here, there } = await pair();
    here.pause();
    here.read(0);
    there.write('first ');
    await vi.waitFor(() => expect(here.readableLength).toBe(6));
    expect(shareReads(here)).toBe(true);
    there.write('second ');
    await vi.waitFor(() => expect(here.readableLength).toBe(13));
    const seen = collect(here);
    there.write('third');
    await vi.waitFor(() => expect(Buffer.concat(seen).toString()).toBe('first second third'));
  });
});

describe('a paused socket', () => {
  test('holds what came, up to a bound, and then all of it comes', async () => {
    const { here, there } = await pair();
    shareReads(here);
    const seen = collect(here);
    here.pause();
    const all = pattern(20_000_000);
    there.write(all);
    await sleep(100);
    expect(seen).toEqual([]);
    expect(here.readableLength).toBeGreaterThan(0);
    expect(here.readableLength).toBeLessThanOrEqual(2 * 65_536);
    expect(there.writableLength).toBeGreaterThan(0);
    here.resume();
    await vi.waitFor(() => expect(lengthOf(seen)).toBe(all.length), 10_000);
    expect(Buffer.concat(seen).equals(all)).toBe(true);
  });

  test('takes no more each time that it goes on for a moment', async () => {
    const { here, there } = await pair();
    shareReads(here);
    here.on('data', () => here.pause()).resume();
    for (let n = 0; n < 200; n += 1) {
      there.write('x');
      await sleep(0);
    }
    there.write(Buffer.alloc(10_000_000));
    for (let n = 0; n < 100; n += 1) {
      here.resume();
      await sleep(0);
      expect(here.readableLength).toBeLessThanOrEqual(2 * 65_536);
    }
  });

  test.each([
    ['has ended', (there: Socket) => there.end(), 'end'],
    ['is gone', (there: Socket) => there.resetAndDestroy(), 'close'],
  ] as const)('hears that the other side %s', async (_, leave, event) => {
    const { here, there } = await pair();
    shareReads(here);
    const seen = collect(here);
    await say(there, seen, ['one']);
    here.pause();
    const heard = vi.fn<() => void>();
    here.once(event, heard);
    leave(there);
    await vi.waitFor(() => expect(heard).toHaveBeenCalledOnce());
  });
});

test('one half closed is written to as before', async () => {
  const { here, there } = await pair();
  shareReads(here);
  const [asked, answered] = [collect(here), collect(there)];
  there.end('last words');
  await once(here, 'end');
  expect(String(Buffer.concat(asked))).toBe('last words');
  here.end('heard');
  await once(there, 'end');
  expect(String(Buffer.concat(answered))).toBe('heard');
});

test('one destroyed by who gets its data reads no more', async () => {
  const { here, there } = await pair();
  shareReads(here);
  const seen: Buffer[] = [];
  here
    .on('data', (chunk: Buffer) => {
      seen.push(chunk);
      here.destroy();
    })
    .resume();
  there.write(Buffer.alloc(5_000_000));
  await once(here, 'close');
  expect(seen.length).toBe(1);
});

test('who stops listening to data does not stop the socket', async () => {
  const { here, there } = await pair();
  shareReads(here);
  const seen = collect(here);
  await say(there, seen, ['one']);
  here.removeAllListeners('data').resume();
  there.end(Buffer.alloc(3_000_000));
  await once(here, 'end');
  expect(seen.length).toBe(1);
});

describe('a socket that lends its memory', () => {
  const some = pattern(40_000);

  /** Sends it whole, and waits for all of it. */
  async function send(there: Socket, read: () => number): Promise<void> {
    const before = read();
    there.write(some);
    await vi.waitFor(() => expect(read()).toBe(before + some.length), { interval: 1 });
  }

  test.each([
    ['all', (chunk: Buffer) => giveBack(chunk, chunk.length), 1],
    [
      'all in two parts',
      (chunk: Buffer) => {
        giveBack(chunk, 100);
        giveBack(chunk.subarray(100), chunk.length - 100);
      },
      1,
    ],
    ['a part', (chunk: Buffer) => giveBack(chunk, chunk.length - 1), 20],
    ['nothing', () => undefined, 20],
    ['a copy', (chunk: Buffer) => giveBack(Buffer.from(chunk), chunk.length), 20],
  ] as const)('reads into it again where %s was given back', async (_, use, pieces) => {
    const { here, there } = await pair();
    expect(lendReads(here)).toBe(true);
    const memory = new Set<ArrayBufferLike>();
    let bytes = 0;
    let large = 0;
    here.on('data', (chunk: Buffer) => {
      const from = bytes % some.length;
      expect(chunk.equals(some.subarray(from, from + chunk.length))).toBe(true);
      bytes += chunk.length;
      // The first one is a copy.
      if (bytes > some.length && chunk.length > 1024) {
        memory.add(chunk.buffer);
        large += 1;
      }
      use(chunk);
    });
    here.resume();
    for (let n = 0; n <= 20; n += 1) await send(there, () => bytes);
    expect(large).toBeGreaterThanOrEqual(20);
    expect(memory.size).toBe(pieces === 1 ? 1 : large);
  });

  test('leaves alone what was not given back, and what is small', async () => {
    const { here, there } = await pair();
    lendReads(here);
    const kept: Buffer[] = [];
    let count = 0;
    here.on('data', (chunk: Buffer) => {
      count += 1;
      if (chunk.length <= 1024 || count % 3 === 0) kept.push(chunk);
      else {
        kept.push(Buffer.from(chunk));
        giveBack(chunk, chunk.length);
      }
    });
    here.resume();
    const all: Buffer[] = [];
    for (let n = 0; n < 200; n += 1) {
      const part = pattern(n % 2 === 0 ? 100_000 : 4 * n + 4);
      all.push(part);
      there.write(part);
      await vi.waitFor(() => expect(lengthOf(kept)).toBe(lengthOf(all)), { interval: 1 });
    }
    expect(Buffer.concat(kept).equals(Buffer.concat(all))).toBe(true);
  });

  test('keeps what it holds while it is paused, whatever is said to be given back', async () => {
    const { here, there } = await pair();
    lendReads(here);
    const chunks: Buffer[] = [];
    let bytes = 0;
    here.on('data', (chunk: Buffer) => {
      chunks.push(Buffer.from(chunk));
      bytes += chunk.length;
      giveBack(chunk, chunk.length);
      here.pause();
      setTimeout(() => here.resume(), 1);
    });
    here.resume();
    const all = pattern(10_000_000);
    there.write(all);
    await vi.waitFor(() => expect(bytes).toBe(all.length), 20_000);
    expect(Buffer.concat(chunks).equals(all)).toBe(true);
  });
});

describe('what cannot', () => {
  test('is not touched: before it is connected, destroyed, done already', async () => {
    const { here, there } = await pair();
    expect(shareReads(new Socket())).toBe(false);
    expect([shareReads(here), shareReads(here)]).toEqual([true, false]);
    there.destroy();
    expect(shareReads(there)).toBe(false);
  });

  test('is TLS, which goes on', async () => {
    const { here, there } = await pair();
    const secure = new TLSSocket(here, {
      isServer: true,
      cert: fixture('cert'),
      key: fixture('key'),
    });
    const client = connectTls({ socket: there, rejectUnauthorized: false });
    for (const socket of [secure, client]) open.push(socket.on('error', () => undefined));
    await once(client, 'secureConnect');
    expect([shareReads(secure), shareReads(client)]).toEqual([false, false]);
    const seen = collect(secure);
    client.write('one');
    await vi.waitFor(() => expect(String(Buffer.concat(seen))).toBe('one'));
  });
});
