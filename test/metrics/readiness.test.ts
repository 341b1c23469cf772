/** Whether the proxy is ready while its engine, its control store, and its own port are there or not. */
import { rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { prepareEngine } from '../../src/engine/prepare.ts';
import { enterableDirectory } from '../fixtures/enterable-directory.ts';
import { queryUrl, startOwnPostgres, type OwnPostgres } from '../fixtures/own-postgres.ts';
import { startTestProxy, type TestProxy } from '../fixtures/proxy.ts';
import { Relay } from './relay.ts';
import { readiness, scrape, until } from './scrape.ts';

describe('with engine and control store elsewhere', () => {
  let own: OwnPostgres;
  let engine: Relay;
  let store: Relay;
  let proxy: TestProxy;
  let admin: pg.Client;

  beforeAll(async () => {
    own = await startOwnPostgres();
    const { urls } = await prepareEngine(own.url, { dryRun: false, newPasswords: false });
    for (const sql of [
      "CREATE ROLE hatidata_control LOGIN PASSWORD 'canary-store'",
      'CREATE ROLE hatidata_system NOLOGIN',
      'GRANT hatidata_system TO hatidata_control',
      'CREATE DATABASE hatidata_control OWNER hatidata_control',
    ])
      await queryUrl(own.url, sql);
    engine = new Relay(own.port);
    store = new Relay(own.port);
    await engine.mend();
    await store.mend();
    const through = (url: string, { port }: Relay): string =>
      url.replace(`:${own.port}/`, `:${port}/`);
    const control = own.url
      .replace('boss:own-password', 'hatidata_control:canary-store')
      .replace('/postgres?', '/hatidata_control?');
    proxy = await startTestProxy({
      engine: {
        kind: 'url',
        url: through(urls.writer!, engine),
        readerUrl: through(urls.reader!, engine),
      },
      controlDatabaseUrl: through(control, store),
    });
    admin = await proxy.client();
  });
  afterAll(async () => {
    await proxy.stop();
    await engine.cut();
    await store.cut();
    await own.stop();
  });

  test('it is ready', async () => {
    expect(await readiness(proxy)).toEqual({ status: 200, missing: [] });
  });

  test('asking often makes no more connections', async () => {
    for (let count = 0; count < 100; count += 1) await readiness(proxy);
    const { rows } = await queryUrl(
      own.url,
      "SELECT usename, count(*)::int FROM pg_stat_activity WHERE application_name = 'hatidata readiness' GROUP BY 1 ORDER BY 1",
    );
    expect(rows).toEqual([
      { usename: 'hatidata_reader', count: 1 },
      { usename: 'hatidata_writer', count: 1 },
    ]);
  });

  test('the engine away, and back', async () => {
    await engine.cut();
    await until(async () => (await readiness(proxy)).status === 503);
    const { missing } = await readiness(proxy);
    expect(missing.map(({ part }) => part)).toEqual(['engine']);
    // Who has no transaction keeps the session, and who comes gets one.
    const newcomer = await proxy.client();
    for (const client of [admin, newcomer])
      await expect(client.query('SELECT 1')).rejects.toMatchObject({ code: '08006' });
    await newcomer.end();
    const sample = await scrape(proxy);
    expect(sample.sum('hatidata_sessions_ended_total', 'code="engine_lost",blame="engine"')).toBe(
      0,
    );
    await until(
      async () => (await scrape(proxy)).sum('hatidata_catalogue_refreshes_total', 'failed') > 0,
    );
    expect((await scrape(proxy)).sum('hatidata_control_store_reachable')).toBe(1);
    await engine.mend();
    await until(async () => (await readiness(proxy)).status === 200);
    await admin.query('SELECT 1');
  });

  test('the control store away, and back', async () => {
    await store.cut();
    await until(async () => (await readiness(proxy)).status === 503);
    const { missing } = await readiness(proxy);
    expect(missing.map(({ part }) => part)).toEqual(['control store']);
    expect((await scrape(proxy)).sum('hatidata_control_store_reachable')).toBe(0);
    await store.mend();
    await until(async () => (await readiness(proxy)).status === 200);
    expect((await scrape(proxy)).sum('hatidata_control_store_reachable')).toBe(1);
  });

  test('what is told names no host, port, role or password', async () => {
    await engine.cut();
    await until(async () => (await readiness(proxy)).status === 503);
    const told = JSON.stringify(await readiness(proxy));
    for (const secret of [
      String(engine.port),
      String(own.port),
      '127.0.0.1',
      'hatidata_',
      'canary',
    ])
      expect(told).not.toContain(secret);
    await engine.mend();
    await until(async () => (await readiness(proxy)).status === 200);
  });
});

describe('the port of the metrics', () => {
  const directories: string[] = [];
  afterAll(() => {
    for (const directory of directories) rmSync(directory, { recursive: true, force: true });
  });
  const ownDirectory = (): string => {
    const base = enterableDirectory('hati-metrics-');
    directories.push(base);
    return join(base, '.hati');
  };

  test('taken: a proxy in dev mode starts without and says so, any other does not start', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const metrics = { host: '127.0.0.1', port: (taken.address() as AddressInfo).port };
    const directory = ownDirectory();
    const proxy = await startTestProxy({ metrics, directory });
    expect(proxy.running.metricsAddresses).toBeUndefined();
    expect(proxy.logged()).toContain(`Metrics cannot be served: port ${metrics.port} is in use`);
    await (await proxy.client()).query('SELECT 1');
    await proxy.stop();
    await expect(startTestProxy({ metrics, directory, devMode: false })).rejects.toThrow(
      `Metrics cannot be served: port ${metrics.port} is in use; choose another with metrics.listen`,
    );
    taken.close();
  });

  test('not wanted: nothing listens', async () => {
    const proxy = await startTestProxy({ metrics: undefined, directory: ownDirectory() });
    expect(proxy.running.metricsAddresses).toBeUndefined();
    expect(proxy.logged()).not.toContain('Metrics cannot be served');
    await proxy.stop();
  });

  test('tells that the proxy starts, serves and stops, and is free afterwards', async () => {
    const free = createServer().listen(0, '127.0.0.1');
    await once(free, 'listening');
    const { port } = free.address() as AddressInfo;
    free.close();
    await once(free, 'close');
    const url = `http://127.0.0.1:${port}/ready`;
    const seen: string[] = [];
    const look = async (): Promise<void> => {
      const text = await fetch(url).then(
        (response) => response.text(),
        () => 'nobody',
      );
      const phase = /it is (\w+)|("ready":true)|nobody/.exec(text);
      const now = phase?.[1] ?? phase?.[0] ?? text;
      if (seen.at(-1) !== now) seen.push(now);
    };
    let isOver = false;
    const looking = (async () => {
      while (!isOver) await look();
    })();
    const proxy = await startTestProxy({
      metrics: { host: '127.0.0.1', port },
      directory: ownDirectory(),
    });
    await until(() => seen.at(-1) === '"ready":true');
    await proxy.stop();
    await until(() => seen.at(-1) === 'nobody');
    isOver = true;
    await looking;
    expect(seen.filter((each) => each !== 'nobody')).toEqual([
      'starting',
      '"ready":true',
      'stopping',
    ]);
  });
});
