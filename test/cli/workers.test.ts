/** A proxy of several processes: all of them serve, and none of them is missed. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MetricsSample } from '../../src/cli/metrics-sample.ts';
import { isRunning, readRunRecord } from '../../src/cli/run-file.ts';
import { Hati, outcomeOf } from './hati.ts';
import { clientOf, isAlive, ownerOf, until, workersOf } from './workers.ts';

const hati = new Hati();
const env = { HATIDATA_WORKERS: '2' };

async function start(): Promise<void> {
  expect((await hati.run(['init', '--empty', '--port', '0'], { env })).code).toBe(0);
}

beforeAll(async () => {
  mkdirSync(hati.project);
  await start();
});
afterAll(() => hati.remove());

function workers(): number[] {
  return workersOf(hati.record().pid);
}

/** One client of each worker; who accepts is up to the system. */
async function clientsOfAll(pids: readonly number[], more: pg.ClientConfig = {}) {
  const found = new Map<number, pg.Client>();
  const all: pg.Client[] = [];
  while (found.size < pids.length) {
    const client = await clientOf(hati, more);
    all.push(client);
    const owner = ownerOf(client, pids);
    if (owner === undefined) throw new Error('nobody has the other end');
    if (!found.has(owner)) found.set(owner, client);
  }
  const end = async (): Promise<void> => {
    await Promise.all(all.map((client) => client.end().catch(() => undefined)));
  };
  return { by: (pid: number) => found.get(pid)!, end };
}

function endOf(client: pg.Client): Promise<Error & { code?: string }> {
  return new Promise((resolve) => client.once('error', resolve));
}

async function scrape(path = ''): Promise<Response> {
  const { host, port } = hati.record().metrics!;
  return fetch(`http://${host}:${port}/${path}`);
}

async function numbers(): Promise<MetricsSample> {
  return new MetricsSample(await (await scrape('metrics')).text(), 0);
}

describe('two workers', () => {
  test('both serve, and are counted as one', async () => {
    const pids = workers();
    expect(pids).toHaveLength(2);
    const before = await numbers();
    const clients = await clientsOfAll(pids);
    for (const pid of pids) {
      expect((await clients.by(pid).query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    }
    const after = await numbers();
    expect(after.sum('hatidata_workers', 'state="serving"')).toBe(2);
    expect(after.sum('hatidata_generation')).toBe(1);
    expect(after.sum('hatidata_build_info')).toBe(1);
    expect(after.sum('hatidata_control_store_reachable')).toBe(1);
    const statements = 'hatidata_statement_seconds_count';
    expect(after.sum(statements) - before.sum(statements)).toBe(2);
    expect(after.buckets('hatidata_statement_seconds').at(-1)?.[1]).toBe(after.sum(statements));
    await clients.end();
  });

  test('a key that is revoked on one ends its session on the other', async () => {
    const pids = workers();
    const created = await hati.run(['keys', 'create', 'two-homes', '--scope', 'readonly']);
    const clients = await clientsOfAll(pids, { password: created.stdout.trim() });
    const admins = await clientsOfAll(pids);
    const ends = pids.map((pid) => endOf(clients.by(pid)));
    await admins.by(pids[0]!).query("SELECT revoke_api_key('two-homes')");
    for (const error of await Promise.all(ends)) expect(error.code).toBe('28P01');
    await clients.end();
    await admins.end();
  });

  test('one that is killed is replaced; the clients of the other notice nothing, the counters go on', async () => {
    const pids = workers();
    const clients = await clientsOfAll(pids);
    const [victim, other] = pids as [number, number];
    await clients.by(other).query('BEGIN');
    const before = await numbers();
    const end = endOf(clients.by(victim));
    process.kill(victim, 'SIGKILL');
    await end;
    expect((await clients.by(other).query('SELECT 1')).rowCount).toBe(1);
    expect((await clients.by(other).query('COMMIT')).command).toBe('COMMIT');
    await until(() => workers().length === 2 && !workers().includes(victim));
    await until(async () => (await scrape('ready')).status === 200);
    expect((await scrape('health')).status).toBe(200);
    const replacements = await clientsOfAll(workers());
    await replacements.end();
    const after = await numbers();
    expect(after.sum('hatidata_workers_replaced_total')).toBe(1);
    const opened = 'hatidata_sessions_opened_total';
    expect(after.sum(opened)).toBeGreaterThan(before.sum(opened));
    await clients.end();
    expect(readFileSync(hati.at('logs', 'proxy.log'), 'utf8')).toContain(
      'a worker ended unexpectedly and is replaced',
    );
  });

  test('one that does not answer makes the proxy not ready', async () => {
    const [stuck] = workers() as [number];
    process.kill(stuck, 'SIGSTOP');
    try {
      for (const path of ['ready', 'health']) {
        const response = await scrape(path);
        expect(response.status).toBe(503);
        expect(await response.text()).toMatch(/"part":"worker \d","reason":"no answer in time"/);
      }
      // The numbers of the other are told all the same.
      expect((await numbers()).sum('hatidata_generation')).toBe(1);
    } finally {
      process.kill(stuck, 'SIGCONT');
    }
    await until(async () => (await scrape('ready')).status === 200);
  });

  test('a signal of the terminal or of a service manager is left to the supervisor', async () => {
    const pids = workers();
    const clients = await clientsOfAll(pids);
    for (const pid of pids) {
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2'] as const)
        process.kill(pid, signal);
    }
    for (const pid of pids) await clients.by(pid).query('SELECT 1');
    expect(workers()).toEqual(pids);
    await clients.end();
  });

  test('a supervisor that is killed takes its workers with it', async () => {
    const { pid } = hati.record();
    const pids = workers();
    const clients = await clientsOfAll(pids);
    await clients.by(pids[0]!).query('BEGIN');
    const ends = pids.map((each) => endOf(clients.by(each)));
    process.kill(pid, 'SIGKILL');
    for (const error of await Promise.all(ends)) expect(error.code).toBe('57P01');
    await until(() => !pids.some(isAlive));
    await until(() => !hati.seen.some(isRunning));
    await clients.end();
    await start();
    expect(workers()).toHaveLength(2);
  });

  test('stop ends all of them', async () => {
    const pids = workers();
    const clients = await clientsOfAll(pids);
    const ends = pids.map((pid) => endOf(clients.by(pid)));
    expect((await hati.run(['stop'])).code).toBe(0);
    for (const error of await Promise.all(ends)) expect(error.code).toBe('57P01');
    expect(pids.filter(isAlive)).toEqual([]);
  });
});

test('workers that can not start end the start, with the reason', async () => {
  const nowhere = { ...env, HATIDATA_CONTROL_DATABASE_URL: 'postgres://u:canary@127.0.0.1:1/d' };
  const { code, stderr } = await hati.run(['start', '--port', '0'], { env: nowhere });
  expect(code).toBe(1);
  expect(stderr).toMatch(/^hati: connect ECONNREFUSED 127\.0\.0\.1:1$/m);
  expect(stderr).not.toContain('canary');
  expect(readRunRecord(hati.at('run', 'proxy.json'))).toBeUndefined();
});

test('Ctrl-C reaches all processes of a terminal at once: they end in good order', async () => {
  const child = hati.spawn(['start', '--port', '0'], { env, detached: true });
  const outcome = outcomeOf(child);
  await until(() => readRunRecord(hati.at('run', 'proxy.json'))?.address !== undefined);
  const pids = workers();
  const client = await clientOf(hati);
  const end = endOf(client);
  process.kill(-child.pid!, 'SIGINT');
  expect((await end).code).toBe('57P01');
  const { code, stdout } = await outcome;
  expect(code).toBe(0);
  expect(stdout).not.toMatch(/"level":"(?:error|fatal)"/);
  expect(pids.filter(isAlive)).toEqual([]);
  await client.end();
});

test('clients of all workers are counted together', async () => {
  writeFileSync(
    hati.at('config.toml'),
    '[proxy]\nlisten = "localhost:0"\nworkers = 3\n[dev]\ndev_mode = true\n[limits]\nconnections = 2\n',
  );
  expect((await hati.run(['init'])).code).toBe(0);
  const pids = workers();
  expect(pids).toHaveLength(3);
  const clients = [await clientOf(hati), await clientOf(hati)];
  const refusals = async (): Promise<unknown[]> => {
    const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => clientOf(hati)));
    const letIn = outcomes.filter((each) => each.status === 'fulfilled');
    await Promise.all(letIn.map(({ value }) => value.end()));
    return outcomes.filter((each) => each.status === 'rejected').map(({ reason }) => reason);
  };
  // Each worker hears of the sessions of the others a moment later.
  await until(async () => (await refusals()).length === 20);
  for (const reason of await refusals()) expect(reason).toMatchObject({ code: '53300' });
  await Promise.all(clients.map((client) => client.end()));
});

test('nothing of a process that has ended is left in the run directory', async () => {
  const { control } = hati.record();
  expect((await hati.run(['stop'])).code).toBe(0);
  expect(() => readFileSync(control!)).toThrow('ENOENT');
  expect(() => readFileSync(hati.at('run', 'proxy.json'))).toThrow('ENOENT');
});
