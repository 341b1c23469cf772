/**
 * `npm run bench:keys`: what a control store with many keys costs whoever lists, makes, uses and revokes them, over REST, on the wire, by
 * SQL and on the command line, before a real server (docs/performance.md).
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { KeyHasher } from '../src/control/keys/hasher.ts';
import { connectControlDatabase } from '../src/database/connect.ts';
import { createLogger } from '../src/shared/log.ts';
import { Hati } from '../test/cli/hati.ts';
import { clientOf, until } from '../test/cli/workers.ts';
import { ProcessProbe } from '../test/fixtures/process-probe.ts';
import { directLogin } from '../test/fixtures/proxy.ts';
import { measureKeys, measureSql, type KeyStage, type Times } from './keys/measures.ts';
import { spreadKeys, storeKeys } from './keys/store.ts';
import { median } from './throughput/figures.ts';
import { Ending } from './throughput/ending.ts';

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    repeats: { type: 'string' },
    json: { type: 'string' },
  },
});
const repeats = Number(values.repeats ?? (values.quick ? 3 : 15));
const levels = values.quick ? [1_000, 100_000] : [1_000, 10_000, 100_000];

/** A line of `--json FILE`. */
interface KeysRow {
  readonly keys: number;
  readonly environments: number;
  readonly what: string;
  /** The median; of memory MiB. */
  readonly ms: number;
  readonly ms_min: number;
  readonly ms_max: number;
}

interface Column {
  readonly title: string;
  readonly rows: readonly KeysRow[];
}

const ending = new Ending();
const probe = new ProcessProbe();
ending.add(() => probe.close());
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.once(signal, () => void ending.end().then(() => process.exit(1)));
try {
  await run();
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  await ending.end();
}

async function run(): Promise<void> {
  const stage = await startStage();
  const columns: Column[] = [];
  let stored = 0;
  const measure = async (environments: number): Promise<void> => {
    const keys = await measureKeys(stage);
    const worker = (await probe.measure()).find(({ isWorker }) => isWorker);
    const memory = { 'heap of the worker, MiB': [(worker?.heapUsed ?? 0) / 1024 / 1024] };
    const times = { ...keys, ...(await measureSql(stage)), ...memory };
    const title = environments === 1 ? `${stored}` : `${stored} in ${environments}`;
    columns.push({ title, rows: rowsOf(times, { keys: stored, environments }) });
    console.error(`${title} keys measured`);
  };
  for (const level of levels) {
    await storeKeys(stage, stored, level);
    stored = level;
    await measure(1);
  }
  await spreadKeys(stage);
  await measure(10);
  print(columns);
  if (values.json !== undefined)
    writeFileSync(values.json, JSON.stringify(columns.flatMap(({ rows }) => rows)));
}

async function startStage(): Promise<KeyStage> {
  const hati = new Hati();
  mkdirSync(hati.at(), { recursive: true });
  writeFileSync(
    hati.at('config.toml'),
    `[proxy]
listen = "127.0.0.1:0"
[dev]
dev_mode = true
pgpass = false
[log]
level = "warn"
`,
  );
  const child = hati.spawn(['start'], { env: probe.env });
  ending.own(child.pid!, 'SIGKILL');
  ending.add(() => hati.remove());
  child.stdout!.pipe(process.stderr);
  child.stderr!.pipe(process.stderr);
  await until(() => isServing(hati) || child.exitCode !== null);
  const { dataDirectory } = hati.record();
  const login = directLogin(hati.at(), dataDirectory!, 'control');
  const store = new pg.Pool({ ...login, max: 1 });
  ending.add(() => store.end());
  const control = connectControlDatabase(login, createLogger({ level: 'warn' }));
  ending.add(() => control.close());
  const { rows } = await store.query<{ env_id: string }>(
    'SELECT env_id FROM hatidata.environments WHERE is_first',
  );
  const admin = await clientOf(hati);
  const made = await admin.query<{ key: string }>("SELECT create_api_key('boss', 'admin') AS key");
  await admin.end();
  const hasher = new KeyHasher();
  const hash = await hasher.hash(crypto.randomUUID());
  const adminKey = made.rows[0]!.key;
  return { hati, store, db: control.db, adminKey, envId: rows[0]!.env_id, hash, repeats };
}

function isServing(hati: Hati): boolean {
  try {
    hati.record();
    return true;
  } catch {
    return false;
  }
}

function rowsOf(times: Times, about: { keys: number; environments: number }): KeysRow[] {
  return Object.entries(times).map(([what, all]) => ({
    ...about,
    what,
    ms: median(all),
    ms_min: Math.min(...all),
    ms_max: Math.max(...all),
  }));
}

function print(columns: readonly Column[]): void {
  const line = (cells: readonly string[]): string =>
    cells.map((cell, at) => (at === 0 ? cell.padEnd(32) : cell.padStart(18))).join('');
  console.log(`milliseconds, the median of ${repeats} and the least; by the keys in the store`);
  console.log(line(['', ...columns.map(({ title }) => title)]));
  for (const [at, { what }] of columns[0]!.rows.entries())
    console.log(line([what, ...columns.map(({ rows }) => shown(rows[at]!))]));
}

function shown({ ms, ms_min: least }: KeysRow): string {
  return `${ms.toFixed(1)} ${least.toFixed(1).padStart(7)}`;
}
