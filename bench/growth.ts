/**
 * `npm run bench:growth`: how cost grows with rows, clients, stored keys, limits, policies and the length of statements; tables, and the
 * pictures of docs/performance.md.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  measureGrowth,
  pictureOf,
  printGrowth,
  type GrowthRow,
  type Quantity,
} from './growth/growth.ts';
import { lengthOfStatements } from './growth/lengths.ts';
import { svgOf } from './growth/picture.ts';
import { allQuantities } from './growth/quantities.ts';
import { Ending } from './throughput/ending.ts';
import { startEngine } from './throughput/engine.ts';
import { tooFewFiles } from './throughput/open-files.ts';
import { startOurs } from './throughput/ours.ts';
import { findProgram, missing } from './throughput/programs.ts';

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    rounds: { type: 'string' },
    json: { type: 'string' },
    pictures: { type: 'string', default: join(import.meta.dirname, '..', 'docs', 'pictures') },
  },
});
const rounds = Number(values.rounds ?? (values.quick ? 1 : 3));
// Of a second and a bit processor time is taken.
const seconds = 2;
const only = values.only === undefined ? undefined : new RegExp(values.only);

const lack = findProgram('pgbench') === undefined ? missing('pgbench') : tooFewFiles(1_000);
if (lack !== undefined) {
  console.error(lack);
  process.exit(2);
}
const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(signal, () => interrupted.abort(new Error(`ended by ${signal}`)));
const ending = new Ending();
const all: GrowthRow[] = [];
try {
  await grow();
} catch (error) {
  console.error(interrupted.signal.aborted ? String(interrupted.signal.reason) : error);
  process.exitCode = 1;
} finally {
  await ending.end();
}

async function grow(): Promise<void> {
  const { signal } = interrupted;
  const directory = mkdtempSync(join(tmpdir(), 'hati-growth-'));
  ending.add(() => rmSync(directory, { recursive: true, force: true }));
  const engine = await startEngine(1, ending);
  signal.throwIfAborted();
  const options = {
    socket: 'unix',
    pool: 20,
    workers: 1,
    pgbouncer: '',
    profile: undefined,
    signal,
  } as const;
  const ours = await startOurs({ engine, options, ending });
  const lengths = await lengthOfStatements();
  ending.add(lengths.close);
  const quantities = [
    lengths.quantity,
    ...allQuantities({ ...ours, engine, directory, seconds, signal }),
  ].filter(({ name }) => only?.test(name) ?? true);
  try {
    for (const quantity of quantities) await one(quantity);
  } finally {
    if (values.json !== undefined)
      writeFileSync(values.json, `${JSON.stringify(all, undefined, 2)}\n`);
  }
}

async function one(quantity: Quantity): Promise<void> {
  const levels = values.quick ? firstMiddleLast(quantity.levels) : quantity.levels;
  const plan = { rounds, signal: interrupted.signal, say: (what: string) => console.error(what) };
  const asked = { ...quantity, levels };
  const rows = await measureGrowth(asked, plan);
  all.push(...rows);
  console.log(`${printGrowth(asked, rows)}\n`);
  mkdirSync(values.pictures, { recursive: true });
  writeFileSync(
    join(values.pictures, `growth-${quantity.name}.svg`),
    svgOf(pictureOf(asked, rows)),
  );
}

function firstMiddleLast(levels: readonly number[]): number[] {
  return [0, Math.floor(levels.length / 2), levels.length - 1].map((at) => levels[at]!);
}
