import { Registry } from 'prom-client';
import { describe, expect, test } from 'vitest';
import { Interval, MetricsSample } from '../../src/cli/metrics-sample.ts';
import { Latencies } from '../../src/metrics/latencies.ts';
import { forRegistry, histogram } from '../../src/metrics/read-metric.ts';

/** What a real registry says of these values, before and after `values`. */
async function interval(first: readonly number[], values: readonly number[]): Promise<Interval> {
  const latencies = new Latencies([0.001, 0.01, 0.1]);
  const registry = new Registry();
  const description = { name: 'x_seconds', help: 'x', labels: [] };
  registry.registerMetric(forRegistry(histogram(description, () => [[{}, latencies]])));
  for (const value of first) latencies.observe(value);
  const from = new MetricsSample(await registry.metrics(), 10);
  for (const value of values) latencies.observe(value);
  return new Interval(from, new MetricsSample(await registry.metrics(), 12));
}

describe('of an interval', () => {
  test.each([
    ['nothing', [], 0.5, undefined],
    ['all in one bucket, the half of it', [0.005, 0.005], 0.5, 0.0055],
    ['a value on a bound belongs below it', [0.001], 1, 0.001],
    ['half below the first bound', [0.0005, 0.05], 0.5, 0.001],
    ['one of a hundred beyond the last', [...Array<number>(99).fill(0.005), 5], 0.99, 0.01],
    ['all beyond the last', [5], 0.5, Infinity],
  ])('quantile: %s', async (_name, values, share, expected) => {
    const quantile = (await interval([0.0001, 0.0001, 5], values)).quantile('x_seconds', share);
    if (expected === undefined || expected === Infinity) expect(quantile).toBe(expected);
    else expect(quantile).toBeCloseTo(expected, 6);
  });

  test('growth, rate and share', () => {
    const from = new MetricsSample('a{r="hit"} 5\na{r="miss"} 5\nb 1', 1);
    const to = new MetricsSample('# HELP a x\na{r="hit"} 8\na{r="miss"} 6\nb 1', 3);
    const both = new Interval(from, to);
    expect(both.growth('a')).toBe(4);
    expect(both.perSecond('a')).toBe(2);
    expect(both.share('a', 'r="hit"')).toBe(0.75);
    expect(both.share('b', '')).toBeUndefined();
    expect(both.growth('unknown')).toBe(0);
  });
});
