/** `hati restart`: other processes take over, and nobody loses a transaction. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { MetricsSample } from '../../src/cli/metrics-sample.ts';
import { Hati } from './hati.ts';
import { clientOf, isAlive, ownerOf, until, workersOf } from './workers.ts';

const hati = new Hati();
const env = { HATIDATA_WORKERS: '2' };

function configure(more: string): void {
  writeFileSync(
    hati.at('config.toml'),
    `[proxy]\nlisten = "localhost:0"\n[dev]\ndev_mode = true\n${more}\n`,
  );
}

beforeAll(async () => {
  mkdirSync(hati.project);
  expect((await hati.run(['init', '--empty', '--port', '0'], { env })).code).toBe(0);
  configure('');
  await hati.run(['query', 'CREATE TABLE hits (client int, hit int, PRIMARY KEY (client, hit))']);
});
afterAll(() => hati.remove());

function workers(): number[] {
  return workersOf(hati.record().pid);
}

async function numbers(): Promise<MetricsSample> {
  const { host, port } = hati.record().metrics!;
  return new MetricsSample(await (await fetch(`http://${host}:${port}/metrics`)).text(), 0);
}

async function restart(): Promise<string> {
  const { code, stdout, stderr } = await hati.run(['restart']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout;
}

/** Transactions of two statements, until told to stop. Any error is a failure of the test. */
class Load {
  transactions = 0;
  private isOver = false;
  private readonly running: Promise<void>[];

  constructor(clients: number, run: (id: number, load: Load) => Promise<void>) {
    this.running = Array.from({ length: clients }, (_, id) => run(id, this));
  }

  get goesOn(): boolean {
    return !this.isOver;
  }

  async end(): Promise<number> {
    this.isOver = true;
    await Promise.all(this.running);
    return this.transactions;
  }

  async transaction(client: pg.Client, id: number): Promise<void> {
    await client.query('BEGIN');
    await client.query('INSERT INTO hits VALUES ($1, $2)', [id, this.transactions]);
    expect((await client.query('COMMIT')).command).toBe('COMMIT');
    this.transactions += 1;
  }
}

test('restarts under load: no client, persistent or of one transaction, sees an error', async () => {
  const persistent = new Load(8, async (id, load) => {
    const client = await clientOf(hati);
    while (load.goesOn) await load.transaction(client, id);
    await client.end();
  });
  const passing = new Load(8, async (id, load) => {
    while (load.goesOn) {
      const client = await clientOf(hati);
      await load.transaction(client, 1_000 + id);
      await client.end();
    }
  });
  const seen = new Set(workers());
  for (let round = 2; round <= 3; round += 1) {
    const before = passing.transactions;
    expect(await restart()).toMatch(
      new RegExp(`^Generation ${round}: 2 workers serve \\(after [\\d.]+ s\\); \\d+ sessions? go`),
    );
    await until(() => passing.transactions > before + 100);
    for (const pid of workers()) seen.add(pid);
  }
  const committed = (await persistent.end()) + (await passing.end());
  expect(committed).toBeGreaterThan(200);
  expect(seen.size).toBe(6);
  const { rows } = await query('SELECT count(*)::int AS hits FROM hits');
  expect(rows).toEqual([{ hits: committed }]);
  // The older generations end with their last session.
  await until(() => workers().length === 2);
});

async function query(sql: string): Promise<pg.QueryResult> {
  const client = await clientOf(hati);
  try {
    return await client.query(sql);
  } finally {
    await client.end();
  }
}

test('what has been counted stays counted', async () => {
  const before = await numbers();
  await restart();
  await until(() => workers().length === 2);
  const after = await numbers();
  for (const name of ['hatidata_statement_seconds_count', 'hatidata_sessions_opened_total'])
    expect(after.sum(name)).toBeGreaterThanOrEqual(before.sum(name));
  expect(after.sum('hatidata_renewals_total', 'outcome="done"')).toBe(3);
});

test('an old session goes on with what it has; a third restart ends the oldest', async () => {
  const before = workers();
  const client = await clientOf(hati);
  await client.query('BEGIN');
  await client.query('CREATE TEMP TABLE mine (a int) ON COMMIT PRESERVE ROWS');
  await client.query('COMMIT');
  expect(await restart()).toContain('1 session goes on with the old ones.');
  expect(before).toContain(ownerOf(client, workers()));
  // Whoever comes now is served by the others.
  const newcomer = await clientOf(hati);
  expect(before).not.toContain(ownerOf(newcomer, workers()));
  await client.query('INSERT INTO mine VALUES (1)');
  expect((await client.query('SELECT * FROM mine')).rowCount).toBe(1);
  await restart();
  const end = new Promise<Error & { code?: string }>((resolve) => client.once('error', resolve));
  await client.query('BEGIN');
  await restart();
  // It may end its transaction, and hears then that it is over.
  await client.query('INSERT INTO mine VALUES (2)');
  expect((await client.query('COMMIT')).command).toBe('COMMIT');
  expect((await end).code).toBe('57P01');
  expect((await newcomer.query('SELECT 1')).rowCount).toBe(1);
  await newcomer.end();
  await until(() => workers().length === 2);
});

test('a cancel request reaches a session of an older generation', async () => {
  const client = await clientOf(hati);
  const { processID, secretKey } = client as unknown as Record<'processID' | 'secretKey', number>;
  const cancelled = expect(client.query('SELECT pg_sleep(60)')).rejects.toMatchObject({
    code: '57014',
  });
  await restart();
  const request = Buffer.alloc(16);
  [16, 80_877_102, processID, secretKey].forEach((value, at) =>
    request.writeInt32BE(value, at * 4),
  );
  connect({ host: '127.0.0.1', port: hati.record().address.port }).end(request);
  await cancelled;
  await client.end();
  await until(() => workers().length === 2);
});

test('limits.restart_seconds ends the sessions that stay', async () => {
  configure('[limits]\nrestart_seconds = 1');
  await restart();
  const client = await clientOf(hati);
  const end = new Promise<Error & { code?: string }>((resolve) => client.once('error', resolve));
  await client.query('BEGIN');
  await restart();
  await sleep(1_500);
  // In the middle of a transaction it is not at rest.
  expect((await client.query('COMMIT')).command).toBe('COMMIT');
  expect((await end).code).toBe('57P01');
  configure('');
  await restart();
  await until(() => workers().length === 2);
});

test('a generation that does not come up changes nothing, and the command says why', async () => {
  const pids = workers();
  const client = await clientOf(hati);
  configure('[control]\ndatabase_url = "postgres://u:canary@127.0.0.1:1/nowhere"');
  const { code, stdout, stderr } = await hati.run(['restart']);
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toMatch(/^hati: .*ECONNREFUSED 127\.0\.0\.1:1/);
  expect((await client.query('SELECT 1')).rowCount).toBe(1);
  await (await clientOf(hati)).end();
  await client.end();
  expect(workers()).toEqual(pids);
  expect((await numbers()).sum('hatidata_renewals_total', 'outcome="refused"')).toBe(1);
  expect(readFileSync(hati.at('logs', 'proxy.log'), 'utf8')).not.toContain('canary');
  configure('');
});

test('SIGUSR2 does the same', async () => {
  const { pid } = hati.record();
  const before = workers();
  process.kill(pid, 'SIGUSR2');
  await until(() => !before.some(isAlive));
  await until(() => workers().length === 2);
  expect((await query('SELECT 1')).rowCount).toBe(1);
});

test('who comes while the only worker is being replaced waits, and is served', async () => {
  configure('[limits]\ndrain_seconds = 20');
  expect((await hati.run(['stop'])).code).toBe(0);
  expect((await hati.run(['init'])).code).toBe(0);
  const [only] = workers() as [number];
  process.kill(only, 'SIGKILL');
  await until(() => !isAlive(only));
  expect((await query('SELECT 1')).rowCount).toBe(1);
});

test('a stop in the middle of a restart leaves nothing behind', async () => {
  const before = workers();
  const restarting = hati.run(['restart']);
  await until(() => workers().length > before.length);
  const all = workers();
  expect((await hati.run(['stop'])).code).toBe(0);
  expect(all.filter(isAlive)).toEqual([]);
  const { code, stdout, stderr } = await restarting;
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toMatch(/^hati: (?:New workers can't serve|The proxy)/);
});

test('a proxy that does not run can not be restarted', async () => {
  for (const command of ['restart', 'reload']) {
    const { code, stderr } = await hati.run([command]);
    expect(code).toBe(1);
    expect(stderr).toContain('is not running; start it with `hati start`.');
  }
});
