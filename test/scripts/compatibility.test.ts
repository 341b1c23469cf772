/** What the driver matrix makes of reports: each way to be wrong must be a failure of the run. */
import { describe, expect, test } from 'vitest';
import { driverFeatures, featureNames } from '../../scripts/compatibility/features.ts';
import { judge, type ExpectedDriver, type Refusal } from '../../scripts/compatibility/judge.ts';
import { dateOf, renderPage } from '../../scripts/compatibility/page.ts';
import { readReport, type Report } from '../../scripts/compatibility/report.ts';
import { suites } from '../../scripts/compatibility/suites.ts';

const expected: readonly ExpectedDriver[] = [{ name: 'd', features: ['commit'] }];
const refusal: Refusal = {
  cell: 'refused',
  feature: 'commit',
  sqlstate: '0A000',
  sentence: 'we do not commit',
  why: 'because',
};

const report = (more: Partial<Report> = {}): Report => ({
  driver: 'd',
  version: '1',
  target: 'direct',
  feature: 'commit',
  result: 'ok',
  detail: '[1]',
  ...more,
});

const both = (direct: Partial<Report>, proxy: Partial<Report>): readonly Report[] => [
  report(direct),
  report({ target: 'proxy', ...proxy }),
];

describe('a cell', () => {
  test.each<[string, readonly Report[], string]>([
    ['the same on both', both({}, {}), 'yes'],
    [
      'without the feature',
      both({ result: 'unsupported' }, { result: 'unsupported' }),
      'unsupported',
    ],
  ])('%s', (_, reports, cell) => {
    const { drivers, failures } = judge(reports, expected, []);
    expect(failures).toEqual([]);
    expect(drivers[0]!.cells.get('commit')).toBe(cell);
  });

  test.each<[string, readonly Report[], string]>([
    ['nothing', [], 'no report for direct'],
    ['only one target', [report()], 'no report for proxy'],
    ['a target twice', [...both({}, {}), report()], '2 reports for direct'],
    ['failing through the proxy', both({}, { result: 'fail', detail: 'x' }), 'fail through'],
    ['failing on both', both({ result: 'fail' }, { result: 'fail' }), 'the suite fails directly'],
    ['failing directly only', both({ result: 'fail' }, {}), 'the suite fails directly'],
    ['seeing something else', both({}, { detail: '[2]' }), 'directly: [1]'],
    ['unsupported through the proxy only', both({}, { result: 'unsupported' }), 'unsupported thr'],
    ['unsupported directly only', both({ result: 'unsupported' }, {}), 'unsupported directly'],
    ['two versions', both({}, { version: '2' }), 'several versions'],
    ['a stranger', [...both({}, {}), report({ driver: 'e' })], 'e: nobody expected'],
    ['an extra', [...both({}, {}), report({ feature: 'rollback' })], 'nobody asked'],
  ])('%s is a failure', (_, reports, failure) => {
    expect(judge(reports, expected, []).failures.join('\n')).toContain(failure);
  });

  test('shared: with the sentence, or the same as directly, and nothing else', () => {
    const shared: Refusal = { ...refusal, cell: 'shared' };
    const told = { result: 'fail', detail: 'Error: we do not commit' } as const;
    for (const proxy of [told, {}]) {
      const judged = judge(both({}, proxy), expected, [shared]);
      expect(judged.failures).toEqual([]);
      expect(judged.drivers[0]!.cells.get('commit')).toBe('shared');
    }
    for (const proxy of [{ result: 'fail', detail: 'another' }, { detail: '[2]' }] as const)
      expect(judge(both({}, proxy), expected, [shared]).failures).toHaveLength(1);
  });

  test('refused by decision: with the sentence of the decision, and only so', () => {
    const refused = { result: 'fail', detail: 'Error: we do not commit' } as const;
    const judged = judge(both({}, refused), expected, [refusal]);
    expect(judged.failures).toEqual([]);
    expect(judged.drivers[0]!.cells.get('commit')).toBe('refused');
    for (const proxy of [{}, { result: 'fail', detail: 'another error' } as const]) {
      expect(judge(both({}, proxy), expected, [refusal]).failures).toHaveLength(1);
    }
  });
});

test.each([
  'not JSON',
  '{"driver":"d"}',
  JSON.stringify({ ...report(), target: 'elsewhere' }),
  JSON.stringify({ ...report(), result: 'perhaps' }),
  JSON.stringify({ ...report(), feature: 'commit-twice' }),
])('no report: %s', (line) => {
  expect(() => readReport(line)).toThrow(/no report|unknown/);
});

test('every suite asks for features that exist, and every driver for all of them', () => {
  const all = driverFeatures.flatMap(({ features }) => features);
  expect(featureNames.size).toBeGreaterThan(all.length);
  const drivers = suites.flatMap((suite) => suite.drivers);
  expect(drivers.length).toBeGreaterThan(20);
  expect(new Set(drivers.map(({ name }) => name)).size).toBe(drivers.length);
  for (const { features } of drivers) {
    expect(features.filter((name) => !featureNames.has(name))).toEqual([]);
  }
});

test('the page is the same for the same results, and shows a cell that is another', () => {
  const results = (reports: readonly Report[]) => ({
    suites: [{ title: 'Drivers', drivers: judge(reports, expected, []).drivers }],
    refusals: [refusal],
    postgres: '18.4',
  });
  const page = renderPage(results(both({}, {})), '2026-01-02');
  expect(page).toContain('| d | commit | ✓ |');
  expect(dateOf(page)).toBe('2026-01-02');
  expect(renderPage(results(both({}, {})), dateOf(page))).toBe(page);
  expect(renderPage(results([]), dateOf(page))).not.toBe(page);
});
