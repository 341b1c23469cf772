/** `npm run bench:guard`: what it counts, and when it fails. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compare, fails, printLines } from '../../bench/guard/compare.ts';
import type { Cost, Costs } from '../../bench/guard/measure.ts';
import { operations } from '../../bench/guard/operations.ts';
import { tokensBefore } from '../../bench/guard/tokens.ts';

const bench = resolve(import.meta.dirname, '../../bench');
let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'hati-guard-test-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

test.each([
  ['', 0],
  ['a = b + 1;', 6],
  ['longer_name = b /* why */ + 1; // because', 6],
  ["f('a // b', \"it's\")", 6],
  ['x = /[/"]+/g.test(y)', 8],
  ['this.#held / 2 / 3', 7],
  ['`at ${place}`', 7],
])('%j has %d tokens', (source, count) => {
  expect(tokensBefore(source).at(-1)).toBe(count);
});

test('an inner block counts as often as it ran, what is around it without it', () => {
  const range = (startOffset: number, endOffset: number, count: number) => ({
    startOffset,
    endOffset,
    count,
  });
  // One token at each offset.
  const tokens = Uint32Array.from({ length: 101 }, (_, at) => at);
  expect(operations([range(10, 60, 2), range(20, 30, 50), range(40, 50, 0)], tokens)).toBe(
    2 * 30 + 50 * 10,
  );
  // In any order; a second function beside them, with one that never ran.
  expect(
    operations([range(70, 80, 0), range(20, 30, 50), range(60, 90, 1), range(10, 60, 2)], tokens),
  ).toBe(2 * 40 + 50 * 10 + 20);
});

test('a loop costs what its rounds cost, and a comment nothing', () => {
  const loop = (comment: string): string =>
    `export function loop(rounds) { let sum = 0; for (let at = 0; at < rounds; at += 1) { ${comment} if (at % 2 === 1) sum += at; } return sum; }`;
  writeFileSync(join(directory, 'plain.mjs'), loop(''));
  writeFileSync(join(directory, 'told.mjs'), loop('/* every second one */'));
  const counter = pathToFileURL(join(bench, 'guard', 'operations.ts')).href;
  const program = join(directory, 'count.mjs');
  writeFileSync(
    program,
    `import { OperationCounter } from ${JSON.stringify(counter)};
const counter = new OperationCounter(${JSON.stringify(`${pathToFileURL(directory).href}/`)});
await counter.start();
const counts = [];
for (const name of ['plain', 'told']) {
  const { loop } = await import('./' + name + '.mjs');
  for (const rounds of [100, 200, 5200, 10200]) counts.push(await counter.of(() => loop(rounds)));
}
console.log(JSON.stringify(counts));`,
  );
  const { stdout, stderr } = spawnSync(process.execPath, ['--no-opt', '--no-maglev', program], {
    encoding: 'utf8',
  });
  expect(stderr).toBe('');
  const [one, two, three, four, ...told] = JSON.parse(stdout) as number[];
  const hundred = two! - one!;
  expect(hundred).toBeGreaterThan(500);
  expect([three! - two!, four! - three!]).toEqual([50 * hundred, 50 * hundred]);
  expect(told).toEqual([one, two, three, four]);
});

describe('the comparison', () => {
  const cost = (operations: number, more: Partial<Cost> = {}): Cost => ({
    operations,
    reads: 2,
    writes: 2,
    ...more,
  });
  const judgements = (baseline: Costs, now: Costs): string[] =>
    compare(baseline, now).map(({ what, judgement }) => `${what} ${judgement}`);

  test.each([
    ['the same', cost(100), cost(100), [], false],
    ['a little more', cost(100), cost(110), [], false],
    ['a loss', cost(100), cost(111), ['operations loss'], true],
    ['a gain', cost(100), cost(89), ['operations gain'], false],
    ['a write more', cost(100), cost(100, { writes: 3 }), ['writes loss'], true],
  ])('%s', (_, before, now, found, isFailure) => {
    const lines = compare({ framing: before }, { framing: now });
    expect(
      lines
        .filter(({ judgement }) => judgement !== 'same')
        .map((line) => `${line.what} ${line.judgement}`),
    ).toEqual(found);
    expect(fails(lines)).toBe(isFailure);
  });

  test('what is on one side alone fails, and so does nothing at all', () => {
    const bare = cost(100, { reads: 0, writes: 0 });
    expect(judgements({}, { framing: bare })).toEqual(['operations new']);
    expect(judgements({ framing: bare }, {})).toEqual(['operations gone']);
    expect(fails(compare({}, { framing: bare }))).toBe(true);
    expect(fails(compare({ framing: bare }, {}))).toBe(true);
    expect(fails([])).toBe(true);
  });

  test('is printed with both values and the ratio', () => {
    const before = cost(1_000, { reads: 0, writes: 1.25 });
    const now = cost(1_500, { reads: 0, writes: 1.25 });
    expect(printLines(compare({ framing: before }, { framing: now }))).toBe(
      [
        'scenario  of one unit  baseline   now  ratio',
        'framing   operations       1000  1500  1.500  LOSS',
        'framing   writes           1.25  1.25  1.000',
      ].join('\n'),
    );
  });
});

describe('the command', () => {
  const stored = join(bench, 'guard', 'baseline.json');
  const baseline = JSON.parse(readFileSync(stored, 'utf8')) as Costs;
  const [first] = Object.keys(baseline);
  const guard = (against: string): { status: number | null; stdout: string } =>
    spawnSync(
      process.execPath,
      [join(bench, 'guard.ts'), '--measured', stored, '--baseline', against],
      { encoding: 'utf8' },
    );
  const tampered = (factor: number): string => {
    const file = join(directory, 'tampered.json');
    const was = baseline[first!]!;
    const changed = { ...baseline, [first!]: { ...was, operations: was.operations * factor } };
    writeFileSync(file, JSON.stringify(changed));
    return file;
  };

  test('passes against what was measured', () => {
    const { status, stdout } = guard(stored);
    expect(status).toBe(0);
    for (const scenario of Object.keys(baseline)) expect(stdout).toContain(scenario);
  });

  test('ends with 1 where the baseline is 15 % lower, and names the scenario', () => {
    const { status, stdout } = guard(tampered(0.85));
    expect(status).toBe(1);
    expect(stdout.split('\n').filter((line) => line.endsWith('LOSS'))).toEqual([
      expect.stringContaining(first!),
    ]);
  });

  test('tells of a gain, and passes', () => {
    const { status, stdout } = guard(tampered(1.2));
    expect(status).toBe(0);
    expect(stdout).toContain('--write');
  });
});
