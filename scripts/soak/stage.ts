/**
 * Two proxies of one control store before one PostgreSQL, each with a relay on its way to it: `steady` keeps its one worker for
 * the whole run, so that a leak shows; `restarted` has two, which are replaced all the time.
 */
import type { ChildProcess } from 'node:child_process';
import {
  chmodSync,
  createWriteStream,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import pg from 'pg';
import { prepareBinaries } from '../../src/engine/embedded/binaries.ts';
import { chooseOperatingUser } from '../../src/engine/embedded/operating-user.ts';
import { prepareEngine } from '../../src/engine/prepare.ts';
import { Hati } from '../../test/cli/hati.ts';
import { until } from '../../test/cli/workers.ts';
import { makeControlDatabase, startCluster } from '../../test/fixtures/cluster.ts';
import { enterableDirectory } from '../../test/fixtures/enterable-directory.ts';
import { ProcessProbe } from '../../test/fixtures/process-probe.ts';
import { Relay } from '../../test/fixtures/relay.ts';
import type { Place } from './record.ts';

export interface StagedProxy extends Place {
  readonly hati: Hati;
  readonly relay: Relay;
  readonly probe: ProcessProbe;
  readonly metricsUrl: string;
}

export interface Stage {
  readonly steady: StagedProxy;
  readonly restarted: StagedProxy;
  /** The superuser's, around the proxies. */
  readonly url: string;
  readonly adminKey: string;
  readonly readerKey: string;
  /** What a proxy logged as an error, by its text. */
  readonly loggedErrors: Map<string, number>;
  stop(): Promise<void>;
}

export const pool = { readers: 4, writers: 12 };
/** Sessions of old workers are ended after this. */
export const restartSeconds = 10;

const settings = ['max_connections=200', 'synchronous_commit=off', 'jit=off'];

export async function startStage(ownRows: number, logs: string | undefined): Promise<Stage> {
  if (logs !== undefined) mkdirSync(logs, { recursive: true });
  const undo: (() => unknown)[] = [];
  /** Of whoever is left when this process ends early. */
  const pids: number[] = [];
  const endAll = (): void => pids.forEach(end);
  process.once('exit', endAll);
  undo.push(() => process.off('exit', endAll));
  const stop = async (): Promise<void> => {
    for (const each of undo.reverse()) await each();
    undo.length = 0;
  };
  try {
    const work = enterableDirectory('hati-soak-');
    undo.push(() => rmSync(work, { recursive: true, force: true, maxRetries: 5 }));
    const user = await chooseOperatingUser({ requested: undefined, dataDirectory: work });
    const programs = await prepareBinaries({
      user,
      stateDirectory: join(work, 'state'),
      say: () => undefined,
    });
    const sockets = mkdtempSync(join(tmpdir(), 'hati-soak-sockets-'));
    // PostgreSQL may run as somebody else.
    chmodSync(sockets, 0o777);
    undo.push(() => rmSync(sockets, { recursive: true, force: true }));
    const cluster = await startCluster(programs, [
      ...settings,
      `unix_socket_directories=${sockets}`,
    ]);
    undo.push(() => cluster.stop());
    pids.push(
      Number(readFileSync(join(cluster.dataDirectory, 'postmaster.pid'), 'utf8').split('\n')[0]),
    );
    const { urls } = await prepareEngine(cluster.url, { dryRun: false, newPasswords: false });
    const controlUrl = await makeControlDatabase(cluster.url, 'soak_control');
    const loggedErrors = new Map<string, number>();
    const proxy = async (name: string, workers: number): Promise<StagedProxy> => {
      const relay = await Relay.start(`${sockets}/.s.PGSQL.${new URL(cluster.url).port}`);
      undo.push(() => relay.stop());
      const through = (url: string): string => {
        const relayed = new URL(url);
        relayed.host = relay.address;
        relayed.search = '?sslmode=disable';
        return relayed.href;
      };
      const hati = new Hati();
      const probe = new ProcessProbe();
      undo.push(() => probe.close());
      mkdirSync(hati.at(), { recursive: true });
      writeFileSync(
        hati.at('config.toml'),
        configOf({
          workers,
          writer: through(urls.writer!),
          reader: through(urls.reader!),
          control: controlUrl,
        }),
      );
      const child = hati.spawn(['start'], { env: probe.env });
      pids.push(child.pid!);
      undo.push(() => hati.remove());
      readLog(child, loggedErrors, logs && join(logs, `${name}.log`));
      await until(() => served(hati) || child.exitCode !== null);
      if (child.exitCode !== null) throw new Error(`the ${name} proxy did not start`);
      const { address, metrics } = hati.record();
      const metricsUrl = `http://${metrics!.host}:${metrics!.port}/metrics`;
      return { name, port: address.port, excuses: new Map(), hati, relay, probe, metricsUrl };
    };
    const steady = await proxy('steady', 1);
    const restarted = await proxy('restarted', 2);
    const [adminKey, readerKey] = await makeTables(steady.port, ownRows);
    return { steady, restarted, url: cluster.url, adminKey, readerKey, loggedErrors, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function end(pid: number): void {
  try {
    process.kill(pid, 'SIGINT');
  } catch {
    // It has ended already.
  }
}

interface Order {
  readonly workers: number;
  readonly writer: string;
  readonly reader: string;
  readonly control: string;
}

function configOf({ workers, writer, reader, control }: Order): string {
  return `
[proxy]
listen = "127.0.0.1:0"
workers = ${workers}
[dev]
dev_mode = true
pgpass = false
[engine]
url = ${JSON.stringify(writer)}
reader_url = ${JSON.stringify(reader)}
[control]
database_url = ${JSON.stringify(control)}
[pool]
readers = ${pool.readers}
writers = ${pool.writers}
lifetime_seconds = 60
idle_seconds = 20
[limits]
restart_seconds = ${restartSeconds}
drain_seconds = 5
[log]
level = "info"
pretty = false
`;
}

function served(hati: Hati): boolean {
  try {
    hati.record();
    return true;
  } catch {
    return false;
  }
}

function readLog(child: ChildProcess, errors: Map<string, number>, path: string | undefined): void {
  const copy = path === undefined ? undefined : createWriteStream(path);
  const note = (line: string): void => {
    copy?.write(`${line}\n`);
    const [, text] = /"level":"?(?:error|fatal|50|60)\b.*"msg":"([^"]*)"/.exec(line) ?? [];
    if (text !== undefined) errors.set(text, (errors.get(text) ?? 0) + 1);
  };
  createInterface({ input: child.stdout! }).on('line', note);
  child.stderr!.on('data', (chunk: Buffer) => process.stderr.write(chunk));
}

/** What clients work on, and the keys of most of them. */
async function makeTables(port: number, ownRows: number): Promise<readonly [string, string]> {
  const admin = new pg.Client({
    ...{ host: '127.0.0.1', port, user: 'agent', password: 'hd_local', database: 'hatidata' },
    ssl: false,
  });
  await admin.connect();
  await admin.query(`
    CREATE TABLE ledger (client int, write int);
    CREATE TABLE own_rows (id int PRIMARY KEY, owner text);
    INSERT INTO own_rows SELECT i, 'owner ' || i FROM generate_series(0, ${ownRows}) AS i;
    CREATE TABLE accounts (id int PRIMARY KEY, amount int);
    INSERT INTO accounts SELECT i, 0 FROM generate_series(0, 99) AS i;
    CREATE TABLE copied (client int, n int, t text);
    CREATE TABLE benched (id int PRIMARY KEY, amount int);
    INSERT INTO benched SELECT i, 0 FROM generate_series(0, 9999) AS i;
    CREATE TABLE bench_ledger (bench int, client int);`);
  const key = async (agent: string, scope: string): Promise<string> => {
    const { rows } = await admin.query<{ key: string }>(
      `SELECT create_api_key('${agent}', '${scope}') AS key`,
    );
    return rows[0]!.key;
  };
  const keys = [await key('soak-admin', 'admin'), await key('soak-reader', 'readonly')] as const;
  await admin.end();
  return keys;
}
