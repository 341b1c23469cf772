/** One run of pgbench: throughput as it tells it, latencies from its log, processor time of the proxy meanwhile. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { canMeasureCpu, cpuOf } from './cpu.ts';
import { percentile, type Run } from './figures.ts';
import { searchPath } from './programs.ts';
import type { Login, Mode } from './systems.ts';

export interface PgbenchLoad {
  /** What it runs: `-S`, `-f FILE` … */
  readonly args: readonly string[];
  readonly mode: Mode;
  readonly clients: number;
  /** Its clock runs from before the first client connects. In place of it, so many transactions of each client. */
  readonly length: { readonly seconds: number } | { readonly transactions: number };
  /** The part of all transactions that it logs. */
  readonly logged: number;
  /** How long processor time is taken, from a second after the last login on. */
  readonly meteredSeconds: number;
  /** Of pgbench; as many as there are cores unless given. */
  readonly threads?: number;
}

export interface Client {
  readonly login: Login;
  readonly pids: readonly number[];
  readonly signal: AbortSignal;
}

/** For all of a run. */
const timeoutMs = 120_000;

export interface PgbenchRun extends Run {
  /** Until all clients had connected. */
  readonly connectSeconds: number;
}

export async function runPgbench(load: PgbenchLoad, client: Client): Promise<PgbenchRun> {
  const directory = mkdtempSync(join(tmpdir(), 'hati-bench-log-'));
  try {
    const { output, cpuUsPerSecond } = await run(load, client, directory);
    const [, tps] = /^tps = ([\d.]+)/m.exec(output) ?? [];
    if (tps === undefined) throw new Error(`pgbench said: ${output}`);
    const [, connectMs] = /^initial connection time = ([\d.]+) ms/m.exec(output) ?? [];
    const micros = loggedMicros(directory);
    return {
      tps: Number(tps),
      p50Ms: percentile(micros, 0.5) / 1_000,
      p99Ms: percentile(micros, 0.99) / 1_000,
      cpuUsPerTx: cpuUsPerSecond === undefined ? undefined : cpuUsPerSecond / Number(tps),
      mbPerSecond: undefined,
      connectSeconds: Number(connectMs ?? 0) / 1_000,
    };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

interface Outcome {
  readonly output: string;
  readonly cpuUsPerSecond: number | undefined;
}

function run(load: PgbenchLoad, client: Client, directory: string): Promise<Outcome> {
  const { args, mode, clients, length, logged, meteredSeconds } = load;
  const { signal } = client;
  const threads = load.threads ?? Math.min(clients, availableParallelism());
  const child = spawn(
    'pgbench',
    [
      ...['--no-vacuum', '--protocol', mode, '--client', String(clients)],
      ...['--jobs', String(threads), '--progress', '1'],
      ...('seconds' in length
        ? ['--time', String(length.seconds)]
        : ['--transactions', String(length.transactions)]),
      ...['--log', '--log-prefix', join(directory, 'log')],
      ...(logged < 1 ? ['--sampling-rate', String(logged)] : []),
      ...args,
    ],
    { env: clientEnvironment(client.login), signal, timeout: timeoutMs },
  );
  const meter = new CpuMeter(client.pids, meteredSeconds);
  let [output, errors] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => {
    errors = `${errors}${chunk.toString()}`.slice(-4_000);
    // The first one comes a second after all clients have connected.
    if (errors.includes('progress: ')) meter.start();
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, killedBy) => {
      meter.close();
      if (code === 0) resolve({ output, cpuUsPerSecond: meter.usPerSecond });
      else reject(new Error(`pgbench ended with ${killedBy ?? code}: ${withoutProgress(errors)}`));
    });
  });
}

export function clientEnvironment({ port, user, password, database }: Login): NodeJS.ProcessEnv {
  return {
    PATH: searchPath,
    LC_ALL: 'C.UTF-8',
    PGHOST: '127.0.0.1',
    PGPORT: String(port),
    PGUSER: user,
    PGPASSWORD: password,
    PGDATABASE: database,
    PGSSLMODE: 'disable',
    PSQLRC: '/dev/null',
  };
}

/** Logging in costs much more than a short statement, so it is left out: from a second after the last login to shortly before the end. */
class CpuMeter {
  usPerSecond: number | undefined;
  readonly #pids: readonly number[];
  readonly #windowMs: number;
  #timer: NodeJS.Timeout | undefined;

  constructor(pids: readonly number[], seconds: number) {
    this.#pids = pids;
    this.#windowMs = seconds * 1_000;
  }

  start(): void {
    if (this.#timer !== undefined || this.#windowMs <= 0) return;
    if (this.#pids.length === 0 || !canMeasureCpu) return;
    const at = performance.now();
    const before = cpuOf(this.#pids);
    this.#timer = setTimeout(() => {
      const used = cpuOf(this.#pids) - before;
      this.usPerSecond = (used / (performance.now() - at)) * 1_000;
    }, this.#windowMs);
  }

  close(): void {
    clearTimeout(this.#timer);
  }
}

/** `client number time script epoch micros`; microseconds is the third of each line. Sorted. */
function loggedMicros(directory: string): Float64Array {
  const values = readdirSync(directory).flatMap((name) =>
    readFileSync(join(directory, name), 'latin1')
      .split('\n')
      .filter(Boolean)
      .map((line) => Number(line.split(' ')[2])),
  );
  if (values.length === 0) throw new Error('pgbench logged no transaction');
  return Float64Array.from(values).toSorted();
}

function withoutProgress(errors: string): string {
  return errors
    .split('\n')
    .filter((line) => !line.startsWith('progress: '))
    .join('\n')
    .trim();
}
