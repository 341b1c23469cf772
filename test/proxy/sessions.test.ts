/** How sessions begin, how they are cancelled, and how they end. */
import { readFileSync } from 'node:fs';
import { connect as connectTls } from 'node:tls';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { errorField } from '../../src/wire/error-fields.ts';
import { cancelRequest, sslRequest } from '../../src/wire/frontend-messages.ts';
import { loginUrl, startTestProxy, testConfig, type TestProxy } from '../fixtures/proxy.ts';
import { frontend as f, RawClient, show } from '../fixtures/raw-client.ts';

const fixture = (name: string): string =>
  fileURLToPath(new URL(`../../fixtures/tls/${name}`, import.meta.url));
const certPath = fixture('test-only.cert.pem');
const keyPath = fixture('test-only.key.pem');

let proxy: TestProxy;
/** A second proxy on the same engine and the same control store, with TLS and without dev mode. */
let other: TestProxy;
let admin: pg.Client;

beforeAll(async () => {
  proxy = await startTestProxy();
  other = await startTestProxy({
    devMode: false,
    tls: { certPath, keyPath },
    engine: {
      kind: 'url',
      url: loginUrl(proxy.direct('writer')),
      readerUrl: loginUrl(proxy.direct('reader')),
    },
    controlDatabaseUrl: loginUrl(proxy.direct('control')),
  });
  admin = await proxy.client();
  await admin.query('CREATE TABLE t (id int PRIMARY KEY)');
});
afterAll(async () => {
  await other.stop();
  await proxy.stop();
});

async function keyFor(agent: string, scope = 'readonly'): Promise<string> {
  return (await admin.query('SELECT create_api_key($1, $2)', [agent, scope])).rows[0].api_key;
}

/** Resolves with what ended a client, by itself. */
function endOf(client: pg.Client): Promise<Error> {
  return new Promise((resolve) => client.once('error', resolve));
}

const longRead =
  'SELECT count(*) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b';

/** Long reads of admins that the engine is running; a role sees the statements of its own sessions only. */
async function runningReads(): Promise<number> {
  const client = new pg.Client(proxy.direct('writer'));
  await client.connect();
  const { rows } = await client.query(
    "SELECT count(*)::int AS n FROM pg_stat_activity WHERE state = 'active' AND query = $1",
    [longRead],
  );
  await client.end();
  return rows[0].n;
}

async function backendsOf(agent: string): Promise<number> {
  const { rows } = await admin.query(
    'SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name LIKE $1',
    [`hati:${agent}%`],
  );
  return rows[0].n;
}

async function eventually(check: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 100; tries += 1) {
    if (await check()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('it did not come to be');
}

describe('first words', () => {
  test.each<[string, Record<string, string>, string]>([
    ['a replication connection', { replication: 'database' }, '0A000'],
    ['another client encoding', { client_encoding: 'GBK' }, '0A000'],
    ['another client encoding in options', { options: '-c client_encoding=SJIS' }, '0A000'],
    ['a role', { options: '-c role=hatidata_control' }, '42501'],
    ['a switch of the postgres command', { options: '-d 5' }, '42501'],
    ['standard_conforming_strings off', { standard_conforming_strings: 'off' }, '42501'],
  ])('%s is refused', async (_, parameters, sqlstate) => {
    const client = new RawClient(proxy.port);
    client.send(f.startup({ user: 'agent', ...parameters }), f.password(''));
    const rest = await client.rest();
    const error = rest.find((message) => message.type === 'E');
    expect(errorField(error!.body, 'C')).toBe(sqlstate);
    expect(errorField(error!.body, 'S')).toBe('FATAL');
  });

  test('a newer minor version and unknown options are negotiated', async () => {
    const client = new RawClient(proxy.port);
    client.send(f.startup({ user: 'agent', '_pq_.unheard': '1' }, 9999));
    const [negotiation] = await client.until('v');
    expect(negotiation!.body.readInt32BE(0)).toBe((3 << 16) | 2);
    expect(negotiation!.body.toString('utf8', 8)).toBe('_pq_.unheard\0');
    await client.until('R');
    client.send(f.password(''));
    const key = (await client.untilReady()).find((message) => message.type === 'K');
    // Protocol 3.2: a secret of 32 bytes.
    expect(key!.body).toHaveLength(36);
    client.close();
  });

  test.each<[string, Buffer]>([
    ['garbage', Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')],
    ['a 2 GB packet', Buffer.from([0x7f, 0xff, 0xff, 0xff, 0, 3, 0, 0])],
    ['protocol 2', Buffer.from([0, 0, 0, 9, 0, 2, 0, 0, 0])],
    ['bytes behind SSLRequest', Buffer.concat([sslRequest, f.query('SELECT 1')])],
  ])('%s is refused', async (_, bytes) => {
    for (const port of [proxy.port, other.port]) {
      const client = new RawClient(port);
      client.send(bytes);
      const byte = await client.byte();
      expect([undefined, 'E', 'N']).toContain(byte);
      await client.rest().catch(() => undefined);
    }
  });

  test('half a startup packet is given up on after the deadline', async () => {
    // With a store of its own: the proxies of one count together.
    const strict = await startTestProxy({
      limits: {
        ...testConfig('').limits,
        connections: 1,
        statementBytes: 1_000,
        messageBytes: 10_000,
        startupSeconds: 1,
        drainSeconds: 1,
        restartSeconds: 3_600,
      },
    });
    const client = new RawClient(strict.port);
    client.send(f.startup({ user: 'agent' }).subarray(0, 6));
    expect(show(await client.rest())).toEqual([
      'E 08006 the connection was not authenticated within 1 seconds',
    ]);

    const first = await RawClient.login(strict.port);
    const second = new RawClient(strict.port);
    second.send(f.startup({ user: 'agent' }));
    await second.until('R');
    second.send(f.password(''));
    expect(show(await second.rest())).toEqual([
      'E 53300 the proxy has reached its limit of 1 connections',
    ]);
    first.close();
    await strict.stop();
  });
});

describe('TLS', () => {
  test('is offered where it is configured, and works', async () => {
    const key = await keyFor('over-tls');
    const client = new pg.Client({
      host: 'localhost',
      port: other.port,
      user: 'agent',
      password: key,
      ssl: { ca: readFileSync(certPath) },
    });
    await client.connect();
    expect((await client.query('SELECT 1 AS x')).rows).toEqual([{ x: 1 }]);
    await client.end();
  });

  test('is declined where it is not, and the session goes on in the clear', async () => {
    const client = new RawClient(proxy.port);
    client.send(Buffer.from([0, 0, 0, 8, 4, 210, 22, 48]));
    expect(await client.byte()).toBe('N');
    client.send(sslRequest);
    expect(await client.byte()).toBe('N');
    client.send(f.startup({ user: 'agent' }), f.password(''));
    await client.untilReady();
    client.close();
  });

  test('a broken handshake ends the connection', async () => {
    const client = new RawClient(other.port);
    client.send(sslRequest);
    expect(await client.byte()).toBe('S');
    client.send(Buffer.from('not a handshake at all'));
    await client.rest();
    // The proxy is still there.
    const good = connectTls({
      port: 1,
      socket: await upgradable(other.port),
      ca: readFileSync(certPath),
      servername: 'localhost',
    });
    await new Promise<void>((resolve, reject) => {
      good.once('secureConnect', resolve);
      good.once('error', reject);
    });
    good.destroy();
  });
});

async function upgradable(port: number): Promise<RawClient['socket']> {
  const client = new RawClient(port);
  client.send(sslRequest);
  await client.byte();
  client.socket.removeAllListeners('data');
  return client.socket;
}

describe('who is refused', () => {
  test('every bad key is told the same', async () => {
    const good = await keyFor('was-good');
    await admin.query("SELECT revoke_api_key('was-good')");
    for (const key of [
      good,
      `${good.slice(0, -1)}_`,
      `hd_ro_${'a'.repeat(32)}`,
      'hd_ro_',
      'x',
      'hd_local ',
    ]) {
      await expect(proxy.client(key), key).rejects.toMatchObject({
        message: 'Authentication failed: invalid API key',
        code: '28P01',
        severity: 'FATAL',
      });
    }
  });

  test('nobody is let in without a key outside of dev mode', async () => {
    for (const key of ['', 'hd_local']) {
      await expect(other.client(key)).rejects.toMatchObject({ code: '28P01' });
    }
  });
});

describe('what the engine sees', () => {
  test('the agent stands in application_name and hatidata.agent_id, and no client can change it', async () => {
    const key = await keyFor('seen', 'admin');
    const client = await proxy.client(key, {
      application_name: 'my tool',
      options: '-c hatidata_agent_id=somebody-else',
    });
    const seen = async () =>
      (
        await client.query(
          "SELECT current_setting('application_name') AS app, current_setting('hatidata.agent_id') AS agent",
        )
      ).rows[0];
    expect(await seen()).toEqual({ app: 'hati:seen my tool', agent: 'seen' });
    await client.query("SET application_name = 'it''s mine'");
    expect(await seen()).toEqual({ app: "hati:seen it's mine", agent: 'seen' });
    await client.query("BEGIN; SET LOCAL application_name = 'local'; COMMIT");
    await client.query("SET hatidata.agent_id = 'forged'");
    await expect(
      client.query("SELECT set_config('hatidata.agent_id', 'forged', false)"),
    ).rejects.toMatchObject({
      code: '42501',
    });
    await client.query('RESET ALL');
    expect(await seen()).toEqual({ app: 'hati:seen my tool', agent: 'seen' });
    await client.query('DISCARD ALL');
    expect(await seen()).toEqual({ app: 'hati:seen my tool', agent: 'seen' });
    expect((await client.query('SHOW hatidata_agent_id')).rows).toEqual([
      { hatidata_agent_id: 'forged' },
    ]);
  });
});

describe('cancel', () => {
  test('reaches the statement, and the session goes on', async () => {
    const client = await proxy.client();
    const { processID, secretKey } = client as unknown as { processID: number; secretKey: number };
    const secret = Buffer.alloc(4);
    secret.writeInt32BE(secretKey);
    const running = client.query('SELECT pg_sleep(60)');
    const outcome = expect(running).rejects.toMatchObject({ code: '57014' });
    await eventually(async () => {
      const { rows } = await admin.query(
        "SELECT 1 FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)' AND state = 'active'",
      );
      return rows.length === 1;
    });
    const wrong = new RawClient(proxy.port);
    wrong.send(cancelRequest(processID, Buffer.from([1, 2, 3, 4])));
    await wrong.rest();
    const right = new RawClient(proxy.port);
    right.send(cancelRequest(processID, secret));
    await right.rest();
    await outcome;
    expect((await client.query('SELECT 1 AS x')).rows).toEqual([{ x: 1 }]);
  });

  test('a request that has been taken does not hit the statement behind', async () => {
    const client = await proxy.client();
    const { processID, secretKey } = client as unknown as { processID: number; secretKey: number };
    const secret = Buffer.alloc(4);
    secret.writeInt32BE(secretKey);
    for (let round = 0; round < 150; round += 1) {
      // Some end by themselves, some are cancelled, and some of those in the moment between.
      const statement = client.query('SELECT pg_sleep(0.003)').catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, round % 6));
      const request = new RawClient(proxy.port);
      request.send(cancelRequest(processID, secret));
      await request.rest();
      await statement;
      for (let n = 0; n < 3; n += 1)
        expect((await client.query('SELECT 1 AS x')).rows).toEqual([{ x: 1 }]);
    }
  });

  test('a client that goes away takes its statement with it', async () => {
    const client = await RawClient.login(proxy.port);
    client.send(f.query(longRead));
    await eventually(async () => (await runningReads()) === 1);
    client.close();
    await eventually(async () => (await runningReads()) === 0);
  });
});

describe('a key that ends', () => {
  test.each(['rotate_api_key', 'revoke_api_key'])(
    '%s ends its sessions on every proxy',
    async (end) => {
      const agent = `ends-by-${end}`;
      const key = await keyFor(agent);
      const idle = await proxy.client(key);
      const busy = await proxy.client(key);
      const elsewhere = await other.client(key, {
        ssl: { ca: readFileSync(certPath), servername: 'localhost' },
      });
      // One without an engine connection, one in a statement, one in a transaction.
      await elsewhere.query('BEGIN');
      const running = busy.query(longRead);
      const ended = [endOf(idle), endOf(elsewhere)];
      const failed = expect(running).rejects.toMatchObject({ code: '28P01' });
      await eventually(async () => (await backendsOf(agent)) >= 2);
      await admin.query(`SELECT ${end}($1)`, [agent]);
      await failed;
      for (const error of await Promise.all(ended)) {
        expect(error).toMatchObject({
          message: 'Authentication failed: invalid API key',
          code: '28P01',
        });
      }
      await eventually(async () => (await backendsOf(agent)) === 0);
      await expect(
        other.client(key, { ssl: { ca: readFileSync(certPath), servername: 'localhost' } }),
      ).rejects.toMatchObject({ code: '28P01' });
    },
  );

  test('a proxy that could not hear catches up when it can again', async () => {
    const key = await keyFor('while-deaf');
    const elsewhere = await other.client(key, {
      ssl: { ca: readFileSync(certPath), servername: 'localhost' },
    });
    const ended = endOf(elsewhere);
    const control = new pg.Client(proxy.direct('control'));
    await control.connect();
    await control.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'hatidata store channel'",
    );
    await admin.query("SELECT revoke_api_key('while-deaf')");
    await control.end();
    expect(await ended).toMatchObject({ code: '28P01' });
  });
});

describe('the control store', () => {
  test('its connections may break while they are in use', async () => {
    const control = new pg.Client(proxy.direct('control'));
    await control.connect();
    const outcomes: string[] = [];
    const rotating = (async () => {
      for (let turn = 0; turn < 20; turn += 1) {
        outcomes.push(
          await admin.query("SELECT rotate_api_key('shaken')").then(
            () => 'rotated',
            (error: unknown) => (error as pg.DatabaseError).code ?? 'none',
          ),
        );
      }
    })();
    await keyFor('shaken').catch(() => undefined);
    for (let turn = 0; turn < 40; turn += 1) {
      await control.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'hatidata%' AND pid <> pg_backend_pid()",
      );
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await rotating;
    await control.end();
    // Each call was told the truth, and the proxy is there.
    for (const outcome of outcomes) expect(['rotated', '57P03', '42704']).toContain(outcome);
    await eventually(
      async () =>
        (await admin.query('SELECT agent_id FROM _hatidata_keys.active_keys')).rows.length > 0,
    );
  });
});

describe('the engine', () => {
  test('a backend that dies ends its session with the reason', async () => {
    const client = await proxy.client();
    const ended = endOf(client);
    await client.query('BEGIN');
    const { rows } = await client.query('SELECT pg_backend_pid() AS pid');
    process.kill(rows[0].pid, 'SIGTERM');
    expect(await ended).toMatchObject({ code: '57P01' });
  });

  test('a backend that dies between two transactions is nobody’s loss', async () => {
    const client = await proxy.client();
    const { rows } = await client.query('SELECT pg_backend_pid() AS pid');
    process.kill(rows[0].pid, 'SIGTERM');
    const gone = 'SELECT count(*)::int AS n FROM pg_stat_activity WHERE pid = $1';
    // Not through the proxy, which might give us that very connection.
    const direct = new pg.Client(proxy.direct('writer'));
    await direct.connect();
    await eventually(async () => (await direct.query(gone, [rows[0].pid])).rows[0].n === 0);
    await direct.end();
    await eventually(async () => {
      const again = await client.query('SELECT pg_backend_pid() AS pid');
      return again.rows[0].pid !== rows[0].pid;
    });
  });
});
