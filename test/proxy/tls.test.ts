/** TLS as clients begin it: by SSLRequest or at once, with a certificate of their own or without. */
import { readFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cancelRequest, sslRequest } from '../../src/wire/frontend-messages.ts';
import { loginUrl, startTestProxy, type TestProxy } from '../fixtures/proxy.ts';
import { frontend as f, RawClient, show } from '../fixtures/raw-client.ts';
import { smallPool } from '../pool/small-pool.ts';

const fixture = (name: string): string =>
  fileURLToPath(new URL(`../../fixtures/tls/test-only.${name}.pem`, import.meta.url));
const files = { certPath: fixture('cert'), keyPath: fixture('key') };
const caPath = fixture('client-ca');

const certificates = {
  none: undefined,
  good: 'client.',
  expired: 'expired.',
  'meant for servers': 'server.',
  // The proxy's own is signed by itself.
  'of nobody known': '',
} as const;
type Certificate = keyof typeof certificates;
const ways = ['SSLRequest', 'direct'] as const;
type Way = (typeof ways)[number];

/** In dev mode; the others share its engine and its control store, and want keys. */
let plain: TestProxy;
let without: TestProxy;
let optional: TestProxy;
let required: TestProxy;
let admin: pg.Client;
let key: string;

beforeAll(async () => {
  plain = await startTestProxy({ pool: smallPool });
  const start = (tls: { clientCertificates?: { caPath: string; mode: 'optional' | 'required' } }) =>
    startTestProxy({
      pool: smallPool,
      devMode: false,
      tls: { ...files, ...tls },
      engine: {
        kind: 'url',
        url: loginUrl(plain.direct('writer')),
        readerUrl: loginUrl(plain.direct('reader')),
      },
      controlDatabaseUrl: loginUrl(plain.direct('control')),
    });
  without = await start({});
  optional = await start({ clientCertificates: { caPath, mode: 'optional' } });
  required = await start({ clientCertificates: { caPath, mode: 'required' } });
  admin = await plain.client();
  const { rows } = await admin.query("SELECT create_api_key('agent', 'readonly') AS key");
  key = (rows[0] as { key: string }).key;
});
afterAll(async () => {
  for (const proxy of [required, optional, without, plain]) await proxy.stop();
});

function optionsFor(certificate: Certificate): ConnectionOptions {
  const name = certificates[certificate];
  return {
    ca: readFileSync(files.certPath),
    servername: 'localhost',
    ...(name !== undefined && {
      cert: readFileSync(fixture(`${name}cert`)),
      key: readFileSync(fixture(`${name}key`)),
    }),
  };
}

/** Through the handshake, and not further. */
async function encrypted(port: number, way: Way, options: ConnectionOptions): Promise<TLSSocket> {
  let secure: TLSSocket;
  if (way === 'direct') {
    secure = connectTls({ port, host: '127.0.0.1', ALPNProtocols: ['postgresql'], ...options });
  } else {
    const socket = await asked(port);
    secure = connectTls({ socket, ...options });
  }
  return new Promise((resolve, reject) => {
    secure.once('secureConnect', () => resolve(secure));
    secure.once('error', reject);
    secure.once('close', () => reject(new Error('closed')));
  });
}

/** A connection on which the proxy has agreed to TLS. */
async function asked(port: number): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port });
  socket.write(sslRequest);
  const answer = await new Promise<Buffer>((resolve) => socket.once('data', resolve));
  expect(answer.toString()).toBe('S');
  return socket;
}

function started(secure: TLSSocket): RawClient {
  const client = new RawClient(secure);
  client.send(f.startup({ user: 'agent', database: 'hatidata' }));
  return client;
}

/** What a client sees that logs in and asks for one row. */
async function seenBy(secure: TLSSocket, password = key): Promise<string[]> {
  const client = started(secure);
  client.send(f.password(password), f.query('SELECT 1'), f.terminate());
  return show(await client.rest()).filter((line) => /^[DE]/.test(line));
}

const missing = 'E 28000 this proxy accepts only clients that show a certificate';
const bad = (why: string): string => `E 28000 the client certificate cannot be accepted: ${why}`;

describe.each(ways)('client certificates, %s', (way) => {
  test.each<[Certificate, ifOptional: string, ifRequired: string]>([
    ['none', 'D 1', missing],
    ['good', 'D 1', 'D 1'],
    ['expired', ...both(bad('certificate has expired'))],
    ['meant for servers', ...both(bad('unsuitable certificate purpose'))],
    ['of nobody known', ...both(bad('self-signed certificate'))],
  ])('%s', async (certificate, ifOptional, ifRequired) => {
    const options = optionsFor(certificate);
    expect(await seenBy(await encrypted(optional.port, way, options))).toEqual([ifOptional]);
    expect(await seenBy(await encrypted(required.port, way, options))).toEqual([ifRequired]);
    // Where none is asked for, none is looked at.
    expect(await seenBy(await encrypted(without.port, way, options))).toEqual(['D 1']);
  });

  test('a good one does not stand for the key', async () => {
    for (const password of ['', 'hd_local', 'hd_live_wrong']) {
      const secure = await encrypted(required.port, way, optionsFor('good'));
      expect(await seenBy(secure, password)).toEqual([
        'E 28P01 Authentication failed: invalid API key',
      ]);
    }
  });

  test.each(['TLSv1.2', 'TLSv1.3'] as const)('%s: no session is resumed', async (version) => {
    const only = { minVersion: version, maxVersion: version };
    const first = await encrypted(required.port, way, { ...optionsFor('good'), ...only });
    expect(await seenBy(first)).toEqual(['D 1']);
    const session = first.getSession();
    const options = { ...optionsFor('none'), ...only, ...(session !== undefined && { session }) };
    const second = await encrypted(required.port, way, options);
    expect(second.isSessionReused()).toBe(false);
    expect(await seenBy(second)).toEqual([missing]);
  });

  test('who has none, or a bad one, is told before a key is asked for', async () => {
    for (const certificate of ['none', 'of nobody known'] as const) {
      const secure = await encrypted(required.port, way, optionsFor(certificate));
      const client = started(secure);
      expect((await client.next())?.type).toBe('E');
      expect(await client.rest()).toEqual([]);
    }
  });
});

function both(text: string): [string, string] {
  return [text, text];
}

test('a client without TLS has no certificate', async () => {
  const client = new RawClient(required.port);
  client.send(f.startup({ user: 'agent' }), f.password(key));
  expect(show(await client.rest())).toEqual([missing]);
});

test('the subject is in the record of the login', async () => {
  const config = optionsFor('good');
  const client = await required.client(key, { ssl: config });
  await client.query('SELECT 1');
  const control = new pg.Client(plain.direct('control'));
  await control.connect();
  const subjects = async (action: string): Promise<unknown[]> => {
    const { rows } = await control.query<{ subject: string }>(
      `SELECT DISTINCT detail->>'certificate' AS subject FROM hatidata.iam_audit
       WHERE action = $1 AND detail ? 'certificate'`,
      [action],
    );
    return rows.map(({ subject }) => subject);
  };
  const subject = ['O=test-only, CN=agent-client'];
  await expect.poll(() => subjects('login.accepted')).toEqual(subject);
  await expect.poll(() => subjects('login.refused')).toEqual(subject);
  await control.end();
});

test('a file without certificates of authorities is no start', async () => {
  const clientCertificates = { caPath: files.keyPath, mode: 'required' } as const;
  const tls = { ...files, clientCertificates };
  await expect(startTestProxy({ tls })).rejects.toThrow('holds no certificate in PEM');
});

describe('SSLRequest', () => {
  test.each([
    ['a startup packet', f.startup({ user: 'agent' })],
    ['one byte', Buffer.of(0)],
    ['SSLRequest again', sslRequest],
  ])('%s behind it in the clear ends the connection', async (_, injected) => {
    const client = new RawClient(without.port);
    client.send(sslRequest, injected);
    // No "S": nothing that came in the clear is read as if it had come encrypted.
    expect(show(await client.rest())).toEqual([
      'E 08P01 protocol violation: unexpected bytes before authentication',
    ]);
  });
});

describe('direct TLS', () => {
  test('a driver of its own', async () => {
    const client = new pg.Client({
      ...{ host: 'localhost', port: without.port, user: 'agent', password: key },
      ssl: { ca: readFileSync(files.certPath) },
      sslnegotiation: 'direct',
    });
    await client.connect();
    expect((await client.query('SELECT 1 AS x')).rows).toEqual([{ x: 1 }]);
    await client.end();
  });

  test('needs the protocol’s name', async () => {
    const options = { ...optionsFor('none'), ALPNProtocols: [] };
    expect(await seenBy(await encrypted(without.port, 'direct', options))).toEqual([
      'E 08P01 protocol violation: TLS without SSLRequest needs the ALPN protocol "postgresql"',
    ]);
    const other = { ...optionsFor('none'), ALPNProtocols: ['h2'] };
    await expect(encrypted(without.port, 'direct', other)).rejects.toThrow(
      /no application protocol/,
    );
  });

  test('takes no SSLRequest inside', async () => {
    const client = new RawClient(await encrypted(without.port, 'direct', optionsFor('none')));
    client.send(sslRequest);
    expect(show(await client.rest())).toEqual([
      'E 08P01 protocol violation: unexpected bytes before authentication',
    ]);
  });

  test.each(ways)('%s may arrive byte by byte', async (way) => {
    const relay = createServer({ noDelay: true }, (near) => {
      const far = connect({ host: '127.0.0.1', port: without.port, noDelay: true });
      near.on('data', (chunk) => {
        for (const byte of chunk) far.write(Buffer.of(byte));
      });
      far.pipe(near);
    });
    await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
    const { port } = relay.address() as AddressInfo;
    expect(await seenBy(await encrypted(port, way, optionsFor('none')))).toEqual(['D 1']);
    relay.close();
  });

  test('carries a cancel request', async () => {
    const client = started(await encrypted(without.port, 'direct', optionsFor('none')));
    client.send(f.password(key));
    const greeting = await client.untilReady();
    const { body } = greeting.find(({ type }) => type === 'K')!;
    // The first result is too large to wait for the second.
    const slow = 'SELECT count(*) FROM generate_series(1, 1000000000)';
    client.send(f.query(`SELECT repeat('x', 100000); ${slow}`));
    await client.until('D');
    const canceller = await encrypted(without.port, 'direct', optionsFor('none'));
    canceller.write(cancelRequest(body.readInt32BE(0), body.subarray(4)));
    const answer = show(await client.untilReady());
    expect(answer.at(-2)).toBe('E 57014 canceling statement due to user request');
    client.close();
    canceller.destroy();
  });

  test('where TLS is not served, the connection is closed', async () => {
    const refused = encrypted(plain.port, 'direct', optionsFor('none'));
    await expect(refused).rejects.toThrow(/closed|reset|disconnected/);
    // The proxy is still there.
    expect((await admin.query('SELECT 1 AS x')).rows).toEqual([{ x: 1 }]);
  });
});
