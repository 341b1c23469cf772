/**
 * `npm run bench:guard`: what our code does for a message, a row, a statement, a connect, by counts that are the same on every
 * machine, compared with what is stored (docs/performance.md). Ends with 1 where something costs over 10 % more.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { compare, fails, printLines } from './guard/compare.ts';
import type { Costs } from './guard/measure.ts';

const { values } = parseArgs({
  options: {
    write: { type: 'boolean', default: false },
    baseline: { type: 'string', default: join(import.meta.dirname, 'guard', 'baseline.json') },
    /** What an earlier run has written, in place of measuring. */
    measured: { type: 'string' },
  },
});

/** Code that was compiled to machine code is counted no more, nor is what was forgotten and compiled again. */
const flags = ['--no-opt', '--no-maglev', '--no-flush-bytecode'];
const program = join(import.meta.dirname, 'guard', 'measure-process.ts');

const directory = mkdtempSync(join(tmpdir(), 'hati-guard-'));
try {
  guard();
} finally {
  rmSync(directory, { recursive: true, force: true });
}

function guard(): void {
  const file = values.measured ?? join(directory, 'measured.json');
  if (values.measured === undefined) {
    const { status } = spawnSync(process.execPath, [...flags, program, file], { stdio: 'inherit' });
    if (status !== 0) throw new Error('the scenarios could not be measured');
  }
  if (values.write) {
    copyFileSync(file, values.baseline);
    console.log(`written to ${values.baseline}`);
    return;
  }
  const lines = compare(readCosts(values.baseline), readCosts(file));
  console.log(printLines(lines));
  if (lines.some(({ judgement }) => judgement === 'gain'))
    console.log('Some cost over 10 % less than before: `npm run bench:guard -- --write` keeps it.');
  if (!fails(lines)) return;
  console.log(
    'FAILED: some cost over 10 % more, or are not in the baseline. Where that is meant, `npm run bench:guard -- --write`.',
  );
  process.exitCode = 1;
}

function readCosts(file: string): Costs {
  return JSON.parse(readFileSync(file, 'utf8')) as Costs;
}
