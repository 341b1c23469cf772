/** The parts of `npm run bench:growth` that reckon and draw. */
import { expect, test } from 'vitest';
import {
  doublings,
  measureGrowth,
  pictureOf,
  printGrowth,
  type Quantity,
} from '../../bench/growth/growth.ts';
import { svgOf } from '../../bench/growth/picture.ts';

test('doublings end at the most', () => {
  expect(doublings(100_000, 4)).toEqual([6_250, 12_500, 25_000, 50_000, 100_000]);
});

function quantity(asked: number[] = []): Quantity {
  return {
    name: 'rows',
    title: 'A result',
    unit: 'rows',
    expected: 'linear',
    levels: [10, 20, 40],
    measure: (level) => {
      asked.push(level);
      const noise = asked.length === 1 ? 1_000 : 0;
      return Promise.resolve({ cpu: level * 2 + noise, p50: level === 40 ? undefined : 5 });
    },
  };
}

const plan = { rounds: 3, signal: new AbortController().signal, say: () => undefined };

test('levels take turns, up and down, and the median of the rounds counts', async () => {
  const asked: number[] = [];
  const rows = await measureGrowth(quantity(asked), plan);
  expect(asked).toEqual([10, 20, 40, 40, 20, 10, 10, 20, 40]);
  expect(rows).toEqual([
    { quantity: 'rows', level: 10, curve: 'cpu', us: 20, us_min: 20, us_max: 1_020, rounds: 3 },
    { quantity: 'rows', level: 10, curve: 'p50', us: 5, us_min: 5, us_max: 5, rounds: 3 },
    { quantity: 'rows', level: 20, curve: 'cpu', us: 40, us_min: 40, us_max: 40, rounds: 3 },
    { quantity: 'rows', level: 20, curve: 'p50', us: 5, us_min: 5, us_max: 5, rounds: 3 },
    { quantity: 'rows', level: 40, curve: 'cpu', us: 80, us_min: 80, us_max: 80, rounds: 3 },
  ]);
  expect(printGrowth(quantity(), rows)).toBe(
    [
      'A result, µs',
      'rows   cpu          p50',
      '  10  20.0         5.00',
      '  20  40.0  ×2.00  5.00  ×1.00',
      '  40  80.0  ×2.00     –',
    ].join('\n'),
  );
});

test('an interrupted run measures nothing more', async () => {
  const asked: number[] = [];
  const signal = AbortSignal.abort(new Error('enough'));
  await expect(measureGrowth(quantity(asked), { ...plan, signal })).rejects.toThrow('enough');
  expect(asked).toEqual([]);
});

test('in the picture equal factors are equal steps, and all of it is inside', async () => {
  const svg = svgOf(pictureOf(quantity(), await measureGrowth(quantity(), plan)));
  const circles = [...svg.matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)" r="3" fill="(#\w+)"\/>/g)];
  const cpu = circles.filter(([, , , colour]) => colour === '#2f81f7');
  const [xs, ys] = [1, 2].map((column) => cpu.map((match) => Number(match[column])));
  expect(xs).toHaveLength(3);
  expect(xs![2]! - xs![1]!).toBeCloseTo(xs![1]! - xs![0]!, 0);
  // Upwards.
  expect(ys![0]! - ys![1]!).toBeGreaterThan(0);
  expect(ys![1]! - ys![2]!).toBeCloseTo(ys![0]! - ys![1]!, 0);
  expect(circles).toHaveLength(5);
  for (const [, x, y] of circles) {
    expect(Number(x)).toBeGreaterThan(0);
    expect(Number(x)).toBeLessThan(640);
    expect(Number(y)).toBeGreaterThan(0);
    expect(Number(y)).toBeLessThan(360);
  }
});

test('words in the picture are text', () => {
  const curve = {
    name: 'a < b & c',
    points: [
      [1, 1],
      [2, 1],
    ] as const,
  };
  const svg = svgOf({ title: '<x>', x: 'x', y: 'y', expected: 'flat', curves: [curve] });
  expect(svg).toContain('a &lt; b &amp; c');
  expect(svg).not.toContain('<x>');
});
