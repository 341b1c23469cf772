/** The parts of `npm run bench` that reckon and print. */
import { describe, expect, test } from 'vitest';
import { median, percentile, rowsOf, type Row, type Run } from '../../bench/throughput/figures.ts';
import { readOptions } from '../../bench/throughput/options.ts';
import { selfTimes } from '../../bench/throughput/profile.ts';
import { printTable } from '../../bench/throughput/table.ts';

const run = (tps: number, more: Partial<Run> = {}): Run => ({
  tps,
  p50Ms: 1_000 / tps,
  p99Ms: 2_000 / tps,
  cpuUsPerTx: undefined,
  mbPerSecond: undefined,
  ...more,
});

const workload = { name: 'select', mode: 'simple', clients: 16 };

test.each([
  [[3], 3],
  [[9, 1, 5], 5],
  [[10, 9, 1, 2], 5.5],
])('the median of %j is %d', (values, expected) => {
  expect(median(values)).toBe(expected);
});

test.each([
  [0.5, 50],
  [0.99, 99],
  [0.001, 1],
  [1, 100],
])('percentile %d of 1 to 100 is %d', (part, expected) => {
  const sorted = Float64Array.from({ length: 100 }, (_, at) => at + 1);
  expect(percentile(sorted, part)).toBe(expected);
});

describe('rows', () => {
  const rows = rowsOf(workload, [
    { system: 'direct', runs: [run(100), run(300), run(200)] },
    { system: 'pgbouncer-session', runs: [run(50), run(100)], failure: 'it broke' },
    { system: 'relay', runs: [], failure: 'it never ran' },
    {
      system: 'ours',
      runs: [run(100, { cpuUsPerTx: 30 }), run(150, { cpuUsPerTx: 10 }), run(400)],
    },
  ]);

  test('are those that ran, in order', () => {
    expect(rows.map(({ system, rounds }) => [system, rounds])).toEqual([
      ['direct', 3],
      ['pgbouncer-session', 2],
      ['ours', 3],
    ]);
  });

  test('have medians, the least and the most', () => {
    expect(rows[0]).toEqual({
      system: 'direct',
      workload: 'select',
      mode: 'simple',
      clients: 16,
      tps: 200,
      tps_min: 100,
      tps_max: 300,
      p50_ms: 5,
      p99_ms: 10,
      cpu_us_per_tx: null,
      mb_per_s: null,
      to_direct: 1,
      to_pgbouncer: 2.5,
      rounds: 3,
    });
    expect(rows[2]).toMatchObject({ tps: 150, tps_min: 100, tps_max: 400, cpu_us_per_tx: 20 });
  });

  test('compare runs of the same round', () => {
    // 100/100, 150/300, 400/200 by direct; 100/50, 150/100 by PgBouncer.
    expect(rows[2]).toMatchObject({ to_direct: 1, to_pgbouncer: 1.75 });
  });

  test('have no ratio to what was not measured', () => {
    expect(rowsOf(workload, [{ system: 'ours', runs: [run(1)] }])[0]).toMatchObject({
      to_direct: null,
      to_pgbouncer: null,
    });
  });
});

test('the table has a line a row, aligned, and a gap between workloads', () => {
  const row: Row = {
    system: 'direct',
    workload: 'select',
    mode: 'simple',
    clients: 16,
    tps: 12_345.6,
    tps_min: 9_000,
    tps_max: 20_000,
    p50_ms: 0.512,
    p99_ms: 12.3,
    cpu_us_per_tx: null,
    mb_per_s: null,
    to_direct: 1,
    to_pgbouncer: null,
    rounds: 5,
  };
  const ours = { ...row, system: 'ours', tps: 99.94, cpu_us_per_tx: 31.26, to_direct: 0.5 };
  const other = { ...row, workload: 'copy-out', clients: 1, mb_per_s: 250.4 };
  expect(printTable([row, ours, other])).toBe(
    [
      'workload  mode    clients  system    tps     min–max  p50 ms  p99 ms  cpu µs/tx  MB/s  ×direct  ×pgbouncer',
      'select    simple       16  direct  12346  9000–20000    0.51   12.30          –     –     1.00           –',
      'select    simple       16  ours     99.9  9000–20000    0.51   12.30       31.3     –     0.50           –',
      '',
      'copy-out  simple        1  direct  12346  9000–20000    0.51   12.30          –   250     1.00           –',
    ].join('\n'),
  );
});

test('time in a function itself, of what is not idle', () => {
  const node = (id: number, functionName: string, url = ''): object => ({
    id,
    callFrame: { functionName, url, lineNumber: 6 },
  });
  const profile = {
    nodes: [
      node(1, '(idle)'),
      node(2, 'write', 'node:net'),
      node(3, '', 'file:///here/src/proxy/turns.ts'),
      // The same function under another caller.
      node(4, 'write', 'node:net'),
      node(5, 'read', 'file:///here/src/proxy/turns.ts'),
    ],
    samples: [1, 2, 3, 4, 5, 1],
    timeDeltas: [0, 1_000, 30, 10, 10, 50],
  } as Parameters<typeof selfTimes>[0];
  expect(selfTimes(profile, 'function')).toEqual([
    { name: 'read proxy/turns.ts:7', us: 50, part: 0.5 },
    { name: 'write node:net:7', us: 40, part: 0.4 },
    { name: '(anonymous) proxy/turns.ts:7', us: 10, part: 0.1 },
  ]);
  expect(selfTimes(profile, 'file')).toEqual([
    { name: 'proxy/turns.ts', us: 60, part: 0.6 },
    { name: 'node:net', us: 40, part: 0.4 },
  ]);
});

describe('options', () => {
  test('quick runs have fewer systems and shorter rounds', () => {
    expect(readOptions(['--quick'])).toMatchObject({
      systems: ['direct', 'pgbouncer', 'relay', 'ours'],
      rounds: 3,
      seconds: 2,
    });
    expect(readOptions([]).rounds).toBeGreaterThanOrEqual(5);
  });

  test('systems and workloads can be chosen', () => {
    const { systems, only } = readOptions(['--systems', 'ours,direct', '--only', 'select/simple']);
    expect(systems).toEqual(['ours', 'direct']);
    expect(only?.test('select/simple/16')).toBe(true);
  });

  test.each([
    [['--systems', 'theirs'], 'there is no system theirs'],
    [['--rounds', '0'], '--rounds 0'],
    [['--socket', 'pigeon'], '--socket pigeon'],
    [['--fast'], '--fast'],
    [['--only', '('], 'Invalid regular expression'],
  ])('%j is refused', (args, reason) => {
    expect(() => readOptions(args)).toThrow(reason);
  });
});
