/** An engine of the user's own: prepared, reached over TLS with SCRAM, and both locks on it. */
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EngineUnusable } from '../../src/engine/logins.ts';
import { prepareEngine, type Preparation } from '../../src/engine/prepare.ts';
import { cancelRequest } from '../../src/wire/frontend-messages.ts';
import { RawClient } from '../fixtures/raw-client.ts';
import { startTestProxy, type TestProxy } from '../fixtures/proxy.ts';
import {
  freePort,
  queryUrl,
  startOwnPostgres,
  type OwnPostgres,
} from '../fixtures/own-postgres.ts';

let own: OwnPostgres;
let prepared: Preparation;
let proxy: TestProxy;
let admin: pg.Client;
let reader: pg.Client;

beforeAll(async () => {
  own = await startOwnPostgres();
  await queryUrl(
    own.url,
    'CREATE TABLE orders (id int PRIMARY KEY, total numeric); INSERT INTO orders VALUES (1, 10)',
  );
  await queryUrl(own.url, 'CREATE SCHEMA "Odd Name"; CREATE TABLE "Odd Name".x (a serial)');
  prepared = await prepareEngine(own.url, { dryRun: false, newPasswords: false });
  proxy = await startTestProxy({
    engine: { kind: 'url', url: prepared.urls.writer!, readerUrl: prepared.urls.reader! },
  });
  admin = await proxy.client();
  reader = await proxy.client(
    (await admin.query("SELECT create_api_key('r', 'readonly')")).rows[0].api_key,
  );
});
afterAll(async () => {
  await proxy.stop();
  await own.stop();
});

describe('hati engine prepare', () => {
  test('a dry run changes nothing and says what it would do, without a password', async () => {
    const before = await queryUrl(own.url, 'SELECT count(*) FROM pg_roles');
    const dry = await prepareEngine(own.url, { dryRun: true, newPasswords: true });
    expect(dry.statements.join('\n')).toContain('ALTER ROLE hatidata_writer');
    expect(dry.statements.join('\n')).not.toContain('SCRAM-SHA-256');
    expect((await queryUrl(own.url, 'SELECT count(*) FROM pg_roles')).rows).toEqual(before.rows);
    // The passwords of the first run still work.
    await queryUrl(prepared.urls.reader!, 'SELECT 1');
  });

  test('can be repeated: nothing changes, passwords stay', async () => {
    const again = await prepareEngine(own.url, { dryRun: false, newPasswords: false });
    expect(again.urls).toEqual({ writer: undefined, reader: undefined });
    expect(again.statements.length).toBe(prepared.statements.length);
    await queryUrl(prepared.urls.writer!, 'SELECT 1');
  });

  test('gives the least that works', async () => {
    const { rows } = await queryUrl(
      own.url,
      `SELECT rolname, rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls AS mighty
         FROM pg_roles WHERE rolname LIKE 'hatidata%' ORDER BY 1`,
    );
    expect(rows).toEqual([
      { rolname: 'hatidata_reader', mighty: false },
      { rolname: 'hatidata_writer', mighty: false },
    ]);
    await expect(queryUrl(prepared.urls.reader!, 'SELECT * FROM pg_authid')).rejects.toThrow(
      'permission denied',
    );
    await expect(
      queryUrl(prepared.urls.reader!, 'BEGIN READ WRITE; DELETE FROM orders; COMMIT'),
    ).rejects.toThrow('permission denied');
  });
});

describe('through the proxy', () => {
  test('the engine is reached over TLS', async () => {
    const { rows } = await admin.query('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()');
    expect(rows).toEqual([{ ssl: true }]);
  });

  test('admin keys write, readonly keys read what they made', async () => {
    await admin.query('INSERT INTO orders VALUES (2, 20)');
    await admin.query('CREATE TABLE made (a int)');
    await admin.query('CREATE SCHEMA later; CREATE TABLE later.made (a int)');
    expect((await reader.query('SELECT count(*)::int AS n FROM orders')).rows).toEqual([{ n: 2 }]);
    expect((await reader.query('SELECT count(*)::int AS n FROM made, later.made m')).rows).toEqual([
      { n: 0 },
    ]);
    await expect(reader.query('DELETE FROM orders')).rejects.toMatchObject({
      message: 'Permission denied: readonly scope cannot execute DELETE',
    });
    expect((await admin.query('SELECT agent_id FROM _hatidata_keys.active_keys')).rows).toEqual([
      { agent_id: 'r' },
    ]);
  });

  test('a cancel request finds its way over TLS', async () => {
    const client = await proxy.client();
    const running = expect(client.query('SELECT pg_sleep(60)')).rejects.toMatchObject({
      code: '57014',
    });
    const { processID, secretKey } = client as unknown as { processID: number; secretKey: number };
    const secret = Buffer.alloc(4);
    secret.writeInt32BE(secretKey);
    // Sent until it meets the statement: a request that comes before it cancels nothing.
    let isDone = false;
    const done = running.finally(() => {
      isDone = true;
    });
    while (!isDone) {
      const canceller = new RawClient(proxy.port);
      canceller.send(cancelRequest(processID, secret));
      await canceller.rest();
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await done;
  });
});

describe('an engine that cannot be used is explained at the start', () => {
  const refused = async (url: string): Promise<Error> => {
    const failed = await startTestProxy({
      engine: { kind: 'url', url, readerUrl: undefined },
    }).then(
      async (running) => {
        await running.stop();
        return undefined;
      },
      (error: unknown) => error,
    );
    expect(failed).toBeInstanceOf(EngineUnusable);
    return failed as Error;
  };

  test('a superuser', async () => {
    expect((await refused(own.url)).message).toContain('hati engine prepare');
  });

  test('the control store in the database of the clients', async () => {
    const failed = await startTestProxy({
      engine: { kind: 'url', url: prepared.urls.writer!, readerUrl: prepared.urls.reader! },
      controlDatabaseUrl: own.url,
    }).then(
      (running) => running.stop(),
      (error: unknown) => error,
    );
    expect(failed).toBeInstanceOf(EngineUnusable);
    expect((failed as Error).message).toContain('HATIDATA_CONTROL_DATABASE_URL');
    await queryUrl(own.url, 'DROP SCHEMA hatidata, _hatidata_keys CASCADE');
  });

  test('a wrong password', async () => {
    const url = own.url.replace('own-password', 'wrong');
    expect((await refused(url)).message).toContain('password authentication failed');
  });

  test('nobody there', async () => {
    expect((await refused(`postgres://x@127.0.0.1:${await freePort()}/x`)).message).toContain(
      'ECONNREFUSED',
    );
  });
});
