/**
 * `npm run bench`: throughput, latency and processor time of our proxy beside direct connections, PgBouncer and a bare relay, in
 * interleaved rounds (docs/performance.md).
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { canMeasureCpu } from './throughput/cpu.ts';
import { Ending } from './throughput/ending.ts';
import { startEngine } from './throughput/engine.ts';
import { rowsOf, type Row } from './throughput/figures.ts';
import { tooFewFiles } from './throughput/open-files.ts';
import { readOptions, usage, type BenchOptions } from './throughput/options.ts';
import { printProfile } from './throughput/profile.ts';
import { findProgram, missing } from './throughput/programs.ts';
import { runRounds } from './throughput/rounds.ts';
import { startSystems, type SystemName } from './throughput/systems.ts';
import { printTable } from './throughput/table.ts';
import { allWorkloads, labelOf, quickWorkloads, type Workload } from './throughput/workloads.ts';

/** Clients that connect and say nothing. */
const idle = 10_000;
const idleLabel = `idle/extended/${idle}`;

const given = optionsOrExit();
const options = { ...given, profile: given.profile && freshDirectory(given.profile) };
checkPrograms();
const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(signal, () => interrupted.abort(new Error(`ended by ${signal}`)));
const ending = new Ending();
try {
  await bench();
} catch (error) {
  console.error(interrupted.signal.aborted ? String(interrupted.signal.reason) : error);
  process.exitCode = 1;
} finally {
  await ending.end();
}
if (options.profile !== undefined && process.exitCode !== 1)
  console.log(`\n${printProfile(options.profile, 40)}`);

async function bench(): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'hati-bench-files-'));
  ending.add(() => rmSync(directory, { recursive: true, force: true }));
  const known = options.quick ? quickWorkloads() : allWorkloads(directory);
  const workloads = known.filter((each) => isWanted(labelOf(each)));
  const asksIdle = !options.quick && canMeasureCpu && isWanted(idleLabel);
  if (workloads.length === 0 && !asksIdle)
    throw new Error(`nothing is called so: ${[...known.map(labelOf), idleLabel].join(' ')}`);
  const rows: Row[] = [];
  const idleRows: object[] = [];
  try {
    if (workloads.length > 0) await measure(workloads, rows);
    if (asksIdle) idleRows.push(...(await idleClients(directory)));
  } finally {
    if (options.jsonFile !== undefined)
      writeFileSync(options.jsonFile, `${JSON.stringify([...rows, ...idleRows], undefined, 2)}\n`);
  }
}

async function measure(workloads: readonly Workload[], rows: Row[]): Promise<void> {
  // A relay has two for each client.
  const lack = tooFewFiles(2 * Math.max(...workloads.map(({ clients }) => clients)) + 300);
  if (lack !== undefined) throw new Error(lack);
  const systemOf = availableSystems(options.systems);
  const minutes = Math.ceil(
    (workloads.reduce((sum, each) => sum + secondsOf(each), 0) * systemOf.length) / 60,
  );
  progress(
    `${workloads.length} workloads, ${systemOf.length} systems, ${options.rounds} rounds: about ${minutes} min`,
  );
  if (!canMeasureCpu) progress(`processor time can't be measured on ${process.platform}`);

  const engine = await startEngine(options.scale, ending);
  interrupted.signal.throwIfAborted();
  const { signal } = interrupted;
  const systems = await startSystems(systemOf, { engine, options: { ...options, signal }, ending });
  const failures: string[] = [];
  const plan = { ...options, superuserUrl: engine.superuserUrl, signal };
  try {
    for (const workload of workloads) {
      const label = labelOf(workload);
      const onRun = (what: string): void => progress(`${label}, ${what}`);
      const all = await runRounds(workload, systems, { ...plan, onRun });
      rows.push(...rowsOf(workload, all));
      for (const { system, failure } of all)
        if (failure !== undefined) failures.push(`${label}, ${system}: ${failure}`);
    }
  } finally {
    // What there is when it was interrupted is worth its minutes.
    if (rows.length > 0) console.log(printTable(rows));
  }
  for (const failure of failures) console.error(`FAILED ${failure}`);
  if (failures.length > 0) process.exitCode = 1;
}

/** bench/idle.ts has an engine and a proxy of its own, and prints what it found. */
async function idleClients(directory: string): Promise<object[]> {
  const file = join(directory, 'idle.json');
  progress(`${idleLabel}, about a minute`);
  const program = join(import.meta.dirname, 'idle.ts');
  const args = [program, String(idle), '--workers', '1', '--json', file];
  const child = spawn(process.execPath, args, { stdio: 'inherit' });
  const pass = (): void => void child.kill('SIGTERM');
  interrupted.signal.addEventListener('abort', pass, { once: true });
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`${idleLabel} failed`);
  return JSON.parse(readFileSync(file, 'utf8')) as object[];
}

/** So that what an earlier run left is not taken for this one's. */
function freshDirectory(parent: string): string {
  mkdirSync(parent, { recursive: true });
  return mkdtempSync(join(resolve(parent), 'run-'));
}

/** Of one system in all rounds, about: also to connect, and for its seconds to begin when all have. */
function secondsOf({ clients }: Workload): number {
  const around = 0.4 + clients / 60;
  return options.rounds * (options.seconds + around) + 1 + around;
}

function optionsOrExit(): BenchOptions {
  try {
    return readOptions(process.argv.slice(2));
  } catch (error) {
    console.error(`${(error as Error).message}\n${usage}`);
    process.exit(2);
  }
}

/** Without pgbench there is nothing to do; PgBouncer is one of the systems. */
function checkPrograms(): void {
  for (const name of ['pgbench', 'psql'] as const) {
    if (findProgram(name) !== undefined) continue;
    console.error(missing(name));
    process.exit(2);
  }
}

function availableSystems(names: readonly SystemName[]): SystemName[] {
  return names.filter((name) => {
    const program = programOf(name);
    if (program === undefined || findProgram(options[program]) !== undefined) return true;
    progress(`${missing(program)}; going on without it`);
    return false;
  });
}

/** What a system needs beside pgbench. */
function programOf(name: SystemName): 'pgbouncer' | 'bun' | undefined {
  if (name === 'pgbouncer') return name;
  return name === 'relay-bun' ? 'bun' : undefined;
}

function isWanted(label: string): boolean {
  return options.only?.test(label) ?? true;
}

function progress(line: string): void {
  console.error(line);
}
