/**
 * `npm run bench:idle -- [clients]`, the last part of `npm run bench`: so many idle clients of readonly keys on 20 engine
 * connections. What one of them costs the proxy in memory, and how long it takes when all of them ask at once
 * (docs/proofs.md). Linux only.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { MetricsSample } from '../src/cli/metrics-sample.ts';
import { Hati } from '../test/cli/hati.ts';
import { clientOf } from '../test/cli/workers.ts';
import { ProcessProbe, type ProcessMeasure } from '../test/fixtures/process-probe.ts';
import { columns, frontend as f, RawClient, show } from '../test/fixtures/raw-client.ts';
import { tooFewFiles } from './throughput/open-files.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    workers: { type: 'string', default: '1,2' },
    agents: { type: 'string', default: '8' },
    snapshots: { type: 'string' },
    json: { type: 'string' },
  },
});
const count = Number(positionals[0] ?? 10_000);
const engineConnections = 20;
const agents = Number(values.agents);
/** Clients that come and go before anything is measured. */
const warming = 500;
/** So many log in at one time. */
const arriving = 32;
/** Of one source address; the next ones come from 127.0.0.3 and so on. */
const clientsPerAddress = 5_000;

function start(hati: Hati, probe: ProcessProbe, workers: number): Promise<void> {
  mkdirSync(hati.at(), { recursive: true });
  writeFileSync(
    hati.at('config.toml'),
    `[proxy]
listen = "127.0.0.1:0"
workers = ${workers}
[dev]
dev_mode = true
pgpass = false
[pool]
readers = ${engineConnections}
queue_seconds = 900
[limits]
connections = ${count + warming + 100}
connections_per_key = 0
[log]
level = "warn"
`,
  );
  const child = hati.spawn(['start'], { env: probe.env });
  process.once('exit', () => child.kill());
  child.stdout!.pipe(process.stderr);
  child.stderr!.pipe(process.stderr);
  return serving(hati);
}

async function serving(hati: Hati): Promise<void> {
  for (let tries = 0; ; tries += 1) {
    try {
      hati.record();
      return;
    } catch (error) {
      if (tries === 600) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

async function makeKeys(hati: Hati): Promise<string[]> {
  const admin = await clientOf(hati);
  const keys: string[] = [];
  for (let agent = 0; agent < agents; agent += 1) {
    const { rows } = await admin.query<{ key: string }>(
      `SELECT create_api_key('idle-${agent}', 'readonly') AS key`,
    );
    keys.push(rows[0]!.key);
  }
  await admin.end();
  return keys;
}

/** @returns what `act` gave for each number below `size`; so many of them at one time. */
async function eachOf<T>(
  size: number,
  atOnce: number,
  act: (n: number) => Promise<T>,
): Promise<T[]> {
  const results: T[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < size) {
      const n = next;
      next += 1;
      results[n] = await act(n);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return results;
}

/** @returns milliseconds until the whole answer was there. */
async function ask(client: RawClient, n: number): Promise<number> {
  const begun = performance.now();
  client.send(
    f.parse('', 'SELECT $1::int * 2'),
    f.bind('', '', [String(n)]),
    f.execute(''),
    f.sync(),
  );
  const received = await client.untilReady();
  const row = received.find(({ type }) => type === 'D');
  const answer = row === undefined ? show(received).join(' ') : columns(row.body)[0];
  if (answer !== String(n * 2)) throw new Error(`client ${n} was answered ${answer}`);
  return performance.now() - begun;
}

async function workersOf(probe: ProcessProbe): Promise<readonly ProcessMeasure[]> {
  return (await probe.measure()).filter(({ isWorker }) => isWorker);
}

const memory = ['rss', 'heapUsed', 'external'] as const;
type Memory = Record<(typeof memory)[number], number>;

/**
 * Of all workers together, and what one client adds to it.
 * @returns KiB a client
 */
function report(
  what: string,
  now: readonly ProcessMeasure[],
  before: readonly ProcessMeasure[],
): Memory {
  const sum = (of: readonly ProcessMeasure[], key: keyof Memory): number =>
    of.reduce((total, each) => total + each[key], 0);
  const aClient = (key: keyof Memory): number => (sum(now, key) - sum(before, key)) / count / 1024;
  const cells = memory.map((key) => {
    const all = (sum(now, key) / 1024 / 1024).toFixed(0);
    return `${key} ${all} MiB (${aClient(key).toFixed(1)} KiB a client)`;
  });
  console.log(`  ${what.padEnd(22)} ${cells.join(', ')}`);
  return { rss: aClient('rss'), heapUsed: aClient('heapUsed'), external: aClient('external') };
}

async function connectionsToEngine(hati: Hati): Promise<number> {
  const { host, port } = hati.record().metrics!;
  const text = await (await fetch(`http://${host}:${port}/metrics`)).text();
  return new MetricsSample(text, 0).sum('hatidata_pool_connections', 'role="reader"');
}

/** A line of `--json FILE`. */
interface IdleRow {
  readonly system: 'ours';
  readonly workload: 'idle';
  readonly clients: number;
  readonly workers: number;
  readonly rss_kib_per_client: number;
  readonly heap_kib_per_client: number;
  readonly external_kib_per_client: number;
  /** Until each of them had its answer, when all asked at once. */
  readonly all_answered_s: number;
}

const interrupted = new Promise<never>((_, reject) => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.on(signal, () => reject(new Error(`ended by ${signal}`)));
});

async function measureWith(workers: number): Promise<IdleRow> {
  const hati = new Hati();
  const probe = new ProcessProbe();
  try {
    return await Promise.race([measure(hati, { probe, workers }), interrupted]);
  } finally {
    await hati.remove();
    probe.close();
  }
}

async function measure(
  hati: Hati,
  { probe, workers }: { probe: ProcessProbe; workers: number },
): Promise<IdleRow> {
  await start(hati, probe, workers);
  const keys = await makeKeys(hati);
  const { port } = hati.record().address;
  const login = (n: number): Promise<RawClient> => {
    const localAddress = `127.0.0.${2 + Math.floor(n / clientsPerAddress)}`;
    const socket = connect({ host: '127.0.0.1', port, localAddress, noDelay: true });
    return RawClient.login(socket, keys[n % agents]);
  };
  // Code is compiled, keys are known, engine connections are there.
  const first = await eachOf(warming, arriving, login);
  await Promise.all(first.map(ask));
  for (const client of first) client.close();
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  const before = await workersOf(probe);

  console.log(`${workers} worker${workers === 1 ? '' : 's'}, ${count} clients of ${agents} keys:`);
  const begun = performance.now();
  const clients = await eachOf(count, arriving, login);
  console.log(`  connected within ${((performance.now() - begun) / 1_000).toFixed(1)} s`);
  report('before', before, before);
  const idle = report('idle', await workersOf(probe), before);
  if (values.snapshots !== undefined)
    for (const { pid } of before)
      await probe.snapshot(pid, join(values.snapshots, `${workers}-${pid}.heapsnapshot`));

  const askedAt = performance.now();
  const times = await Promise.all(clients.map(ask));
  const seconds = (performance.now() - askedAt) / 1_000;
  const slowest = Math.max(...times) / 1_000;
  console.log(
    `  all asked at once: ${times.length} right answers within ${seconds.toFixed(2)} s, the slowest ${slowest.toFixed(2)} s, on ${await connectionsToEngine(hati)} engine connections`,
  );
  report('after their query', await workersOf(probe), before);
  const used = await connectionsToEngine(hati);
  if (used > engineConnections) throw new Error(`there are ${used} engine connections`);
  for (const client of clients) client.close();
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  report('after they have gone', await workersOf(probe), before);
  return {
    system: 'ours',
    workload: 'idle',
    clients: count,
    workers,
    rss_kib_per_client: idle.rss,
    heap_kib_per_client: idle.heapUsed,
    external_kib_per_client: idle.external,
    all_answered_s: seconds,
  };
}

const lack = tooFewFiles(count + 500);
if (lack !== undefined) {
  console.error(lack);
  process.exit(2);
}
const rows: IdleRow[] = [];
for (const workers of values.workers.split(',')) rows.push(await measureWith(Number(workers)));
if (values.json !== undefined) writeFileSync(values.json, JSON.stringify(rows));
