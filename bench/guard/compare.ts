/** What is measured beside what is stored: who lost, who gained. */
import type { Cost, Costs } from './measure.ts';

/** Of the stored value; a loss of more fails. */
const tolerance = 0.1;

type Judgement = 'same' | 'loss' | 'gain' | 'new' | 'gone';

export interface Line {
  readonly scenario: string;
  readonly what: keyof Cost;
  readonly baseline: number | undefined;
  readonly now: number | undefined;
  readonly judgement: Judgement;
}

const whats = [
  'operations',
  'buffers',
  'reads',
  'writes',
  'writesPerRead',
] as const satisfies readonly (keyof Cost)[];

/** Of what needs none, there is no line. */
export function compare(baseline: Costs, now: Costs): Line[] {
  const scenarios = new Set([...Object.keys(now), ...Object.keys(baseline)]);
  return [...scenarios].flatMap((scenario) =>
    whats.flatMap((what) => {
      const [before, after] = [baseline[scenario]?.[what], now[scenario]?.[what]];
      if (!before && !after) return [];
      const judgement = judge(before, after);
      return [{ scenario, what, baseline: before, now: after, judgement }];
    }),
  );
}

function judge(before: number | undefined, now: number | undefined): Judgement {
  if (before === undefined) return 'new';
  if (now === undefined) return 'gone';
  if (now > before * (1 + tolerance)) return 'loss';
  return now < before * (1 - tolerance) ? 'gain' : 'same';
}

/** A scenario that is not measured any more, or is not stored, is guarded by nothing: the baseline has to be written anew. */
export function fails(lines: readonly Line[]): boolean {
  return lines.length === 0 || lines.some(({ judgement }) => !/^(?:same|gain)$/.test(judgement));
}

const words: Readonly<Record<Judgement, string>> = {
  same: '',
  loss: 'LOSS',
  gain: 'gain',
  new: 'NOT STORED',
  gone: 'NOT MEASURED',
};

export function printLines(lines: readonly Line[]): string {
  const cells = [
    ['scenario', 'of one unit', 'baseline', 'now', 'ratio', ''],
    ...lines.map(({ scenario, what, baseline, now, judgement }) => [
      scenario,
      what,
      figure(baseline),
      figure(now),
      baseline && now !== undefined ? (now / baseline).toFixed(3) : '–',
      words[judgement],
    ]),
  ];
  const widths = cells[0]!.map((_, at) => Math.max(...cells.map((line) => line[at]!.length)));
  return cells
    .map((line) =>
      line
        .map((cell, at) => (at < 2 ? cell.padEnd(widths[at]!) : cell.padStart(widths[at]!)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function figure(value: number | undefined): string {
  if (value === undefined) return '–';
  return value >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}
