/** What is doubled, and what was found. */
import { median } from '../throughput/figures.ts';
import type { Picture } from './picture.ts';

/** What one measurement found, in microseconds, by the name of its curve; a curve without a value here has no point. */
export type Found = Readonly<Record<string, number | undefined>>;

export interface Quantity {
  /** Also of its picture: `growth-NAME.svg`. */
  readonly name: string;
  readonly title: string;
  /** What is doubled. */
  readonly unit: string;
  readonly expected: Picture['expected'];
  readonly levels: readonly number[];
  /** Before the first measurement. */
  prepare?(): Promise<void>;
  measure(level: number): Promise<Found>;
}

/** So many doublings up to `most`, the first one included. */
export function doublings(most: number, count: number): number[] {
  return Array.from({ length: count + 1 }, (_, at) => Math.round(most / 2 ** (count - at)));
}

/** A line of `--json FILE`. */
export interface GrowthRow {
  readonly quantity: string;
  readonly level: number;
  readonly curve: string;
  /** Microseconds: the median of the rounds, the least and the most. */
  readonly us: number;
  readonly us_min: number;
  readonly us_max: number;
  readonly rounds: number;
}

export interface RoundsPlan {
  readonly rounds: number;
  readonly signal: AbortSignal;
  readonly say: (what: string) => void;
}

/** Every level has its turn in every round, up in one and down in the next, so that what others do to the machine is spread. */
export async function measureGrowth(
  quantity: Quantity,
  { rounds, signal, say }: RoundsPlan,
): Promise<GrowthRow[]> {
  await quantity.prepare?.();
  const found = new Map<string, { level: number; curve: string; values: number[] }>();
  for (let round = 0; round < rounds; round += 1) {
    const levels = round % 2 === 0 ? quantity.levels : quantity.levels.toReversed();
    for (const level of levels) {
      signal.throwIfAborted();
      const costs = await quantity.measure(level);
      for (const [curve, us] of Object.entries(costs)) {
        if (us === undefined) continue;
        const key = `${curve} ${level}`;
        const known = found.get(key) ?? { level, curve, values: [] };
        found.set(key, known);
        known.values.push(us);
      }
      say(`${quantity.name}, round ${round + 1}: ${level} ${quantity.unit}`);
    }
  }
  return [...found.values()]
    .map(({ level, curve, values }) => ({
      quantity: quantity.name,
      level,
      curve,
      us: median(values),
      us_min: Math.min(...values),
      us_max: Math.max(...values),
      rounds: values.length,
    }))
    .toSorted((a, b) => a.level - b.level);
}

export function pictureOf(
  { title, unit, expected }: Quantity,
  rows: readonly GrowthRow[],
): Picture {
  return {
    title,
    x: unit,
    y: 'µs',
    expected,
    curves: curvesOf(rows).map((name) => ({
      name,
      points: rows.filter(({ curve }) => curve === name).map(({ level, us }) => [level, us]),
    })),
  };
}

/** One line a level, one column a curve; behind each value how much it grew since the level before. */
export function printGrowth({ title, unit, levels }: Quantity, rows: readonly GrowthRow[]): string {
  const curves = curvesOf(rows);
  const value = (curve: string, level: number | undefined): number | undefined =>
    rows.find((row) => row.curve === curve && row.level === level)?.us;
  const cells = [
    [unit, ...curves.flatMap((curve) => [curve, ''])],
    ...levels.map((level, at) => [
      String(level),
      ...curves.flatMap((curve) => {
        const [before, now] = [value(curve, levels[at - 1]), value(curve, level)];
        if (now === undefined) return ['–', ''];
        return [now.toPrecision(3), before === undefined ? '' : `×${(now / before).toFixed(2)}`];
      }),
    ]),
  ];
  const widths = cells[0]!.map((_, at) => Math.max(...cells.map((line) => line[at]!.length)));
  const lines = cells.map((line) =>
    line
      .map((cell, at) => cell.padStart(widths[at]!))
      .join('  ')
      .trimEnd(),
  );
  return [`${title}, µs`, ...lines].join('\n');
}

function curvesOf(rows: readonly GrowthRow[]): string[] {
  return [...new Set(rows.map(({ curve }) => curve))];
}
