/** The HTTP server alone, and what clients of bad manners can do to it. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MetricsServer } from '../../src/metrics/http-server.ts';
import { Metrics } from '../../src/metrics/metrics.ts';
import { Readiness } from '../../src/metrics/readiness.ts';

const log = pino({ level: 'silent' });

interface Served {
  readonly server: MetricsServer;
  readonly metrics: Metrics;
  readonly readiness: Readiness;
  readonly port: number;
  readonly url: (path: string) => string;
}

async function serve(): Promise<Served> {
  const metrics = new Metrics('1.2.3');
  const readiness = new Readiness();
  const server = new MetricsServer({ metrics, readiness, log });
  const { port } = await server.listen('127.0.0.1', 0);
  return { server, metrics, readiness, port, url: (path) => `http://127.0.0.1:${port}${path}` };
}

let served: Served;
beforeAll(async () => {
  served = await serve();
});
afterAll(async () => {
  served.metrics.close();
  await served.server.close();
});

function raw(port: number): Socket {
  const socket = connect({ host: '127.0.0.1', port });
  socket.on('error', () => undefined);
  return socket;
}

/** All that comes until the connection ends. */
async function rest(socket: Socket): Promise<string> {
  let text = '';
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
  });
  if (!socket.destroyed) await once(socket, 'close');
  return text;
}

describe('requests', () => {
  test.each([
    ['GET', '/metrics', 200, 'text/plain; version=0.0.4; charset=utf-8'],
    ['GET', '/metrics?name=x', 200, 'text/plain; version=0.0.4; charset=utf-8'],
    ['HEAD', '/metrics', 200, 'text/plain; version=0.0.4; charset=utf-8'],
    ['GET', '/health', 200, 'application/json; charset=utf-8'],
    ['GET', '/ready', 503, 'application/json; charset=utf-8'],
    ['GET', '/', 404, 'application/json; charset=utf-8'],
    ['GET', '/metrics/', 404, 'application/json; charset=utf-8'],
    ['GET', '/__proto__', 404, 'application/json; charset=utf-8'],
    ['POST', '/metrics', 405, 'application/json; charset=utf-8'],
    ['DELETE', '/ready', 405, 'application/json; charset=utf-8'],
    ['OPTIONS', '/health', 405, 'application/json; charset=utf-8'],
  ])('%s %s: %i', async (method, path, status, type) => {
    const response = await fetch(served.url(path), { method });
    expect([response.status, response.headers.get('content-type')]).toEqual([status, type]);
    expect(response.headers.get('allow')).toBe(status === 405 ? 'GET, HEAD' : null);
    const body = await response.text();
    expect(Buffer.byteLength(body)).toBe(
      method === 'HEAD' ? 0 : Number(response.headers.get('content-length')),
    );
  });

  test('the path of a request is not sent back', async () => {
    const response = await fetch(served.url('/<script>canary'));
    expect(await response.text()).not.toContain('canary');
  });

  test('several on one connection', async () => {
    const socket = raw(served.port);
    const request = 'GET /health HTTP/1.1\r\nHost: x\r\n\r\n';
    socket.write(request + request);
    socket.write('GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    expect((await rest(socket)).match(/HTTP\/1\.1 200 OK/g)).toHaveLength(3);
  });
});

describe('readiness', () => {
  test('starting, serving, stopping, and what is missing', async () => {
    const { readiness, url } = served;
    const ask = async (): Promise<unknown> => {
      const response = await fetch(url('/ready'));
      return [response.status, await response.json()];
    };
    const missing = (part: string, reason: string): unknown => [
      503,
      { ready: false, missing: [{ part, reason }] },
    ];
    expect(await ask()).toEqual(missing('proxy', 'it is starting'));
    readiness.phase = 'serving';
    expect(await ask()).toEqual([200, { ready: true, missing: [] }]);
    let reason: string | undefined = 'it is away';
    readiness.add('engine', () => reason);
    readiness.add('parser', () => Promise.resolve(undefined));
    expect(await ask()).toEqual(missing('engine', 'it is away'));
    reason = undefined;
    expect(await ask()).toEqual([200, { ready: true, missing: [] }]);
    readiness.add('parser', () => Promise.reject(new Error('postgres://u:canary@h/d')));
    expect(await ask()).toEqual(missing('parser', 'it could not be asked'));
    readiness.add('parser', () => new Promise(() => undefined));
    expect(await ask()).toEqual(missing('parser', 'no answer in time'));
    readiness.phase = 'stopping';
    expect(await ask()).toEqual(missing('proxy', 'it is stopping'));
  });
});

describe('bad manners', () => {
  const ways: readonly (readonly [string, (socket: Socket) => void, RegExp])[] = [
    ['says nothing', () => undefined, /^$|408/],
    [
      'never ends its headers',
      (socket) => trickle(socket, 'GET /metrics HTTP/1.1\r\n', 'X: y\r\n'),
      /408/,
    ],
    [
      'never ends its body',
      (socket) =>
        trickle(socket, 'POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 99999\r\n\r\n', 'b'),
      /405/,
    ],
    [
      'sends endless headers',
      (socket) => void socket.write(`GET / HTTP/1.1\r\n${'X: yyyyyyyyyyyy\r\n'.repeat(2_000)}`),
      /431/,
    ],
    [
      'speaks another protocol',
      (socket) => void socket.write(Buffer.from([0, 0, 0, 8, 4, 210, 22, 47])),
      /400|^$/,
    ],
    [
      'asks for a tunnel',
      (socket) => void socket.write('CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n'),
      /^$/,
    ],
    [
      'wants to upgrade',
      (socket) =>
        void socket.write(
          'GET /health HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
        ),
      /200/,
    ],
    [
      'keeps a connection that it does not use',
      (socket) => void socket.write('GET /health HTTP/1.1\r\nHost: x\r\n\r\n'),
      /200/,
    ],
    [
      'stops reading',
      (socket) => {
        socket.pause();
        for (let count = 0; count < 400; count += 1)
          socket.write('GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n');
      },
      /^/,
    ],
  ];

  test.concurrent.each(ways)(
    'a client that %s is gone within seconds',
    async (_name, behave, told) => {
      const socket = raw(served.port);
      const begun = performance.now();
      behave(socket);
      const paused = socket.isPaused();
      const text = paused ? await leftBehind(socket) : await rest(socket);
      expect(text).toMatch(told);
      // Five seconds of patience, and room for a busy machine.
      expect(performance.now() - begun).toBeLessThan(30_000);
    },
  );

  test('more of them than there are places keep the numbers from nobody for long', async () => {
    const own = await serve();
    const slow = Array.from({ length: 150 }, () => raw(own.port));
    for (const socket of slow) socket.write('GET /metrics HTTP/1.1\r\n');
    const asked = async (): Promise<number> =>
      fetch(own.url('/metrics')).then(
        (response) => response.status,
        () => asked(),
      );
    expect(await asked()).toBe(200);
    for (const socket of slow) socket.destroy();
    own.metrics.close();
    await own.server.close();
  });

  test('the end waits for none of them', async () => {
    const own = await serve();
    const sockets = ways.map(([, behave]) => {
      const socket = raw(own.port);
      behave(socket);
      return socket;
    });
    own.readiness.phase = 'serving';
    own.readiness.add('engine', () => new Promise(() => undefined));
    const asking = fetch(own.url('/ready')).catch(() => 'cut off');
    await new Promise((resolve) => setTimeout(resolve, 100));
    const begun = performance.now();
    await own.server.close();
    expect(performance.now() - begun).toBeLessThan(2_000);
    expect(await asking).toBe('cut off');
    for (const socket of sockets) socket.destroy();
    own.metrics.close();
  });
});

function trickle(socket: Socket, beginning: string, more: string): void {
  socket.write(beginning);
  const timer = setInterval(() => socket.write(more), 200);
  socket.once('close', () => clearInterval(timer));
}

/** The server's end of a connection whose client reads nothing shows when the client writes. */
async function leftBehind(socket: Socket): Promise<string> {
  const timer = setInterval(() => socket.write('GET /health HTTP/1.1\r\nHost: x\r\n\r\n'), 1_000);
  await new Promise((resolve) => socket.once('close', resolve));
  clearInterval(timer);
  return '';
}
