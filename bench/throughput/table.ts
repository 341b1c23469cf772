import type { Row } from './figures.ts';

interface Column {
  readonly name: string;
  readonly cell: (row: Row) => string;
  readonly isText?: true;
}

const columns: readonly Column[] = [
  { name: 'workload', cell: (row) => row.workload, isText: true },
  { name: 'mode', cell: (row) => row.mode, isText: true },
  { name: 'clients', cell: (row) => String(row.clients) },
  { name: 'system', cell: (row) => row.system, isText: true },
  { name: 'tps', cell: (row) => rounded(row.tps) },
  { name: 'min–max', cell: (row) => `${rounded(row.tps_min)}–${rounded(row.tps_max)}` },
  { name: 'p50 ms', cell: (row) => row.p50_ms.toFixed(2) },
  { name: 'p99 ms', cell: (row) => row.p99_ms.toFixed(2) },
  { name: 'cpu µs/tx', cell: (row) => orNothing(row.cpu_us_per_tx, rounded) },
  { name: 'MB/s', cell: (row) => orNothing(row.mb_per_s, rounded) },
  { name: '×direct', cell: (row) => orNothing(row.to_direct, (value) => value.toFixed(2)) },
  { name: '×pgbouncer', cell: (row) => orNothing(row.to_pgbouncer, (value) => value.toFixed(2)) },
];

/** One line a row, and an empty one before each workload but the first. */
export function printTable(rows: readonly Row[]): string {
  const cells = rows.map((row) => columns.map(({ cell }) => cell(row)));
  const widths = columns.map(({ name }, at) =>
    Math.max(name.length, ...cells.map((line) => line[at]!.length)),
  );
  const line = (texts: readonly string[]): string =>
    texts
      .map((text, at) =>
        columns[at]!.isText === true ? text.padEnd(widths[at]!) : text.padStart(widths[at]!),
      )
      .join('  ')
      .trimEnd();
  const lines = cells.map((texts, at) => {
    const isNew = at > 0 && loadOf(rows[at]!) !== loadOf(rows[at - 1]!);
    return isNew ? `\n${line(texts)}` : line(texts);
  });
  return [line(columns.map(({ name }) => name)), ...lines].join('\n');
}

function loadOf({ workload, mode, clients }: Row): string {
  return `${workload}/${mode}/${clients}`;
}

/** Three digits that count, or all in front of the point. */
function rounded(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

function orNothing(value: number | null, print: (value: number) => string): string {
  return value === null ? '–' : print(value);
}
