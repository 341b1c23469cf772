/** Clients behind a load balancer: the PROXY protocol before the first packet. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cancelRequest } from '../../src/wire/frontend-messages.ts';
import { startTestControlPlane, type TestControlPlane } from '../fixtures/control-plane.ts';
import {
  connectFrom,
  headerFor,
  localHeader,
  startLoadBalancer,
  tlv,
  type LoadBalancer,
} from '../fixtures/load-balancer.ts';
import { loginUrl, startTestProxy, testConfig, type TestProxy } from '../fixtures/proxy.ts';
import { frontend as f, RawClient, show } from '../fixtures/raw-client.ts';
import { smallPool, until } from '../pool/small-pool.ts';

const fixture = (name: string): string =>
  fileURLToPath(new URL(`../../fixtures/tls/test-only.${name}.pem`, import.meta.url));
const hop = '127.0.0.2';
/** What the load balancer can have as its own address; clients without one come from 127.0.0.1. */
const isIPv6Here = Object.values(networkInterfaces()).some((all) =>
  all?.some(({ address }) => address === '::1'),
);
const hops = isIPv6Here ? [hop, '::1'] : [hop];
const run = promisify(execFile);

/** In dev mode, on loopback. */
let proxy: TestProxy;
/** On the same engine and store, in earnest: keys only, without TLS, and other machines may not do without. */
let plane: TestControlPlane;
let admin: pg.Client;
let secret: string;
const balancers: LoadBalancer[] = [];

beforeAll(async () => {
  proxy = await startTestProxy({
    pool: smallPool,
    listen: { host: 'localhost', port: 0 },
    tls: { certPath: fixture('cert'), keyPath: fixture('key') },
    allowCleartext: true,
    trustedProxies: [`${hop}/32`, '::1/128'],
  });
  plane = await startTestControlPlane({
    pool: smallPool,
    devMode: false,
    limits: { ...testConfig('').limits, startupSeconds: 1 },
    trustedProxies: [`${hop}/32`],
    engine: {
      kind: 'url',
      url: loginUrl(proxy.direct('writer')),
      readerUrl: loginUrl(proxy.direct('reader')),
    },
    controlDatabaseUrl: loginUrl(proxy.direct('control')),
  });
  admin = await proxy.client();
  const { rows } = await admin.query("SELECT create_api_key('balanced', 'readonly') AS key");
  secret = (rows[0] as { key: string }).key;
}, 120_000);
afterAll(async () => {
  for (const balancer of balancers) balancer.stop();
  await plane.stop();
  await proxy.stop();
});

async function balanced(
  header: Buffer | readonly Buffer[],
  { from = hop, port = proxy.port } = {},
): Promise<number> {
  const balancer = await startLoadBalancer({ port, from, header });
  balancers.push(balancer);
  return balancer.port;
}

function clientAt(port: number, password: string, ssl: pg.ClientConfig['ssl'] = false): pg.Client {
  const config = { host: '127.0.0.1', port, user: 'agent', password, database: 'hatidata', ssl };
  const client = new pg.Client({ ...config, application_name: `at ${port}` });
  client.on('error', () => undefined);
  return client;
}

/** By simple query and by extended. @returns where the session comes from, as an operator sees it */
async function sourceSeen(port: number, ssl: pg.ClientConfig['ssl'] = false): Promise<unknown> {
  const client = clientAt(port, secret, ssl);
  await client.connect();
  expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  expect((await client.query('SELECT $1::int AS one', [1])).rows).toEqual([{ one: 1 }]);
  const { rows } = await admin.query<{ source: string }>(
    'SELECT source FROM _hatidata_status.clients WHERE application_name = $1',
    [`at ${port}`],
  );
  await client.end();
  return rows.map(({ source }) => source);
}

/** What somebody sees who sends this from there. */
async function answerTo(from: string, ...sent: readonly Buffer[]): Promise<string[]> {
  const client = new RawClient(connectFrom(from, proxy.port));
  client.send(...sent);
  return show(await client.rest());
}

const asAgent = f.startup({ user: 'agent', database: 'hatidata' });
const refusal = (reason: string): string =>
  'E 08P01 the connection comes from a load balancer of proxy.trusted_proxies, and its PROXY protocol header is refused: ' +
  reason;

describe.each(hops)('through a load balancer at %s', (from) => {
  test.each([
    ['192.0.2.7', '192.0.2.7'],
    ['2001:db8::7', '2001:db8::7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
  ])('a client at %s, with TLS of both kinds and without', async (source, seen) => {
    const port = await balanced(headerFor(source, { checksum: 'right' }), { from });
    const encrypted = { rejectUnauthorized: false };
    expect(await sourceSeen(port)).toEqual([seen]);
    expect(await sourceSeen(port, encrypted)).toEqual([seen]);
    expect(await sourceSeen(port, { ...encrypted, ALPNProtocols: ['postgresql'] })).toEqual([seen]);
  });
});

test('psql, and the record of its login', async () => {
  const port = await balanced(headerFor('192.0.2.8'));
  for (const sslmode of ['disable', 'require']) {
    const { stdout } = await run('psql', [
      '-XAtc',
      'SELECT 1',
      `host=127.0.0.1 port=${port} user=agent password=${secret} dbname=hatidata sslmode=${sslmode}`,
    ]);
    expect(stdout).toBe('1\n');
  }
  const wrong = clientAt(port, 'hd_readonly_wrong');
  await expect(wrong.connect()).rejects.toMatchObject({ code: '28P01' });
  const recorded = async (): Promise<string[]> => {
    const { rows } = await plane.store.query<{ action: string }>(
      "SELECT action FROM hatidata.iam_audit WHERE source = '192.0.2.8' ORDER BY sequence",
    );
    return rows.map(({ action }) => action);
  };
  await until(async () => (await recorded()).length === 3);
  expect(await recorded()).toEqual(['login.accepted', 'login.accepted', 'login.refused']);
  const line = proxy
    .logged()
    .split('\n')
    .find((each) => each.includes('"192.0.2.8"') && each.includes('connection refused'));
  expect(JSON.parse(line!)).toMatchObject({ code: 'invalid_api_key' });
});

test('the header in pieces, and together with what follows', async () => {
  const header = headerFor('192.0.2.7', { tlvs: tlv(0x02, Buffer.from('db.example.com')) });
  const pieces = [header.subarray(0, 3), header.subarray(3, 15), header.subarray(15)];
  expect(await sourceSeen(await balanced(pieces))).toEqual(['192.0.2.7']);
  const sent = [header, asAgent, f.password(secret), f.query('SELECT 1'), f.terminate()];
  expect(await answerTo(hop, Buffer.concat(sent))).toContain('D 1');
});

test('the networks of a key are those of clients', async () => {
  const { token } = await plane.signIn();
  const { status, body } = await plane.request('POST', `/v1/environments/${plane.envId}/api-keys`, {
    as: token,
    body: {
      name: 'walled',
      scopes: ['query:read'],
      ip_allowlist: ['192.0.2.0/28', '2001:db8::/64'],
    },
  });
  expect(status).toBe(201);
  const codeAt = async (port: number): Promise<string> => {
    const client = clientAt(port, body.key);
    const code = await client.connect().then(
      () => 'in',
      ({ code: refused }: { code: string }) => refused,
    );
    await client.end();
    return code;
  };
  expect(await codeAt(proxy.port)).toBe('28000');
  for (const [source, code] of [
    ['192.0.2.7', 'in'],
    ['192.0.2.17', '28000'],
    ['2001:db8::7', 'in'],
    ['2001:db8:0:1::7', '28000'],
    ['::ffff:192.0.2.7', 'in'],
  ] as const)
    expect([source, await codeAt(await balanced(headerFor(source)))]).toEqual([source, code]);
});

test('a cancel request', async () => {
  const port = await balanced(headerFor('192.0.2.7'));
  const client = await RawClient.login(port, secret);
  client.send(f.query('SELECT count(*) FROM generate_series(1, 1000000000)'));
  await until(async () => {
    const { rows } = await admin.query(
      "SELECT FROM _hatidata_status.clients WHERE source = '192.0.2.7' AND state = 'active'",
    );
    return rows.length === 1;
  });
  const canceller = new RawClient(port);
  canceller.send(cancelRequest(client.cancelKey.processId, client.cancelKey.secret));
  expect(show(await client.untilReady())).toContain(
    'E 57014 canceling statement due to user request',
  );
  client.close();
  expect(await canceller.rest()).toEqual([]);
});

describe('who is who', () => {
  test('a header of somebody else is no message', async () => {
    expect(await answerTo('127.0.0.1', headerFor('192.0.2.7'), asAgent)).toEqual([
      'E 08P01 protocol violation: invalid length of startup packet: 218762506',
    ]);
  });

  test('a load balancer without one gets nowhere, and the log says where it is', async () => {
    expect(await answerTo(hop, asAgent)).toEqual([refusal('there is none')]);
    expect(await answerTo(hop, Buffer.from('PROXY TCP4 192.0.2.7 192.0.2.1 1 5439\r\n'))).toEqual([
      refusal('it is of version 1, the text'),
    ]);
    expect(await answerTo(hop, headerFor('192.0.2.7', { checksum: 'wrong' }), asAgent)).toEqual([
      refusal('its checksum is wrong'),
    ]);
    const lines = proxy
      .logged()
      .split('\n')
      .filter((line) => line.includes('proxy_header_refused'));
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual(
      ['there is none', 'it is of version 1, the text', 'its checksum is wrong'].map((cause) =>
        expect.objectContaining({ cause, source: hop, msg: 'connection refused' }),
      ),
    );
  });

  test('two headers are one too many', async () => {
    const header = headerFor('192.0.2.7');
    expect(await answerTo(hop, header, header, asAgent)).toEqual([
      'E 08P01 protocol violation: invalid length of startup packet: 218762506',
    ]);
  });

  test('a load balancer that speaks for itself is itself, on this machine', async () => {
    const port = await balanced(localHeader);
    expect(await sourceSeen(port)).toEqual([hop]);
    const keyless = clientAt(port, '');
    await keyless.connect();
    await keyless.end();
  });

  test('who connects only to see that we listen is no event', async () => {
    const refusals = (): number => proxy.logged().split('connection refused').length;
    const before = refusals();
    const socket = connectFrom(hop, proxy.port);
    await new Promise<void>((resolve) => socket.once('connect', () => resolve()));
    socket.end();
    await new Promise((resolve) => socket.resume().once('close', resolve));
    expect(refusals()).toBe(before);
  });

  test("nor is HAProxy's check, which is reset before anybody could look at it", async () => {
    const refusals = (): number => proxy.logged().split('connection refused').length;
    const before = refusals();
    const checks = Array.from({ length: 20 }, async () => {
      const socket = connectFrom(hop, proxy.port);
      await once(socket, 'connect');
      socket.write(localHeader, () => socket.resetAndDestroy());
      await once(socket, 'close');
    });
    await Promise.all(checks);
    // Behind them all.
    expect(await sourceSeen(await balanced(localHeader))).toEqual([hop]);
    expect(refusals()).toBe(before);
  });

  test('in dev mode a client elsewhere needs a key all the same', async () => {
    const remote = clientAt(await balanced(headerFor('192.0.2.7')), '');
    await expect(remote.connect()).rejects.toMatchObject({ code: '28P01' });
    const here = clientAt(await balanced(headerFor('127.0.0.1')), '');
    await here.connect();
    await here.end();
  });

  test('a client elsewhere needs TLS, though its load balancer is here', async () => {
    const remote = clientAt(await balanced(headerFor('192.0.2.7'), plane.proxy), secret);
    await expect(remote.connect()).rejects.toThrow(/over TLS only/);
    const here = clientAt(await balanced(headerFor('::1'), plane.proxy), secret);
    await here.connect();
    await here.end();
  });

  test('half a header has the time that a login has', async () => {
    const client = new RawClient(connectFrom(hop, plane.proxy.port));
    client.send(headerFor('192.0.2.7').subarray(0, 20));
    expect(show(await client.rest())).toEqual([
      'E 08006 the connection was not authenticated within 1 seconds',
    ]);
  });
});
