/** From what single runs measured to what is reported: medians, and the least and most. */

/** One run of one workload on one system. */
export interface Run {
  /** Transactions a second, without the time to connect. */
  readonly tps: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Of the processes between client and engine; undefined where there are none, or where it can't be known. */
  readonly cpuUsPerTx: number | undefined;
  /** Of results or copied data, as PostgreSQL's messages; undefined where that says nothing. */
  readonly mbPerSecond: number | undefined;
}

/** What the runs of one workload on one system were, by round. */
export interface Series {
  readonly system: string;
  readonly runs: readonly Run[];
  /** Why there are no more of them. */
  readonly failure?: string;
}

/** A line of `--json FILE`. What has no value is null. */
export interface Row {
  readonly system: string;
  readonly workload: string;
  readonly mode: string;
  readonly clients: number;
  readonly tps: number;
  readonly tps_min: number;
  readonly tps_max: number;
  readonly p50_ms: number;
  readonly p99_ms: number;
  readonly cpu_us_per_tx: number | null;
  readonly mb_per_s: number | null;
  /** The median, over the rounds, of this system's throughput by the other one's in the same round. */
  readonly to_direct: number | null;
  readonly to_pgbouncer: number | null;
  readonly rounds: number;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return Number.isInteger(middle)
    ? (sorted[middle - 1]! + sorted[middle]!) / 2
    : sorted[Math.floor(middle)]!;
}

/** The smallest value that so large a part of all is not above: nearest rank. */
export function percentile(sorted: ArrayLike<number>, part: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)]!;
}

/** Of the systems that have at least one run, in their order. */
export function rowsOf(
  { name, mode, clients }: { name: string; mode: string; clients: number },
  all: readonly Series[],
): Row[] {
  const direct = all.find(({ system }) => system === 'direct');
  const pgbouncer = all.find(({ system }) => system.startsWith('pgbouncer'));
  return all
    .filter(({ runs }) => runs.length > 0)
    .map((series) => {
      const { system, runs } = series;
      const tps = runs.map((run) => run.tps);
      return {
        system,
        workload: name,
        mode,
        clients,
        tps: median(tps),
        tps_min: Math.min(...tps),
        tps_max: Math.max(...tps),
        p50_ms: median(runs.map(({ p50Ms }) => p50Ms)),
        p99_ms: median(runs.map(({ p99Ms }) => p99Ms)),
        cpu_us_per_tx: medianOfKnown(runs.map(({ cpuUsPerTx }) => cpuUsPerTx)),
        mb_per_s: medianOfKnown(runs.map(({ mbPerSecond }) => mbPerSecond)),
        to_direct: ratio(series, direct),
        to_pgbouncer: ratio(series, pgbouncer),
        rounds: runs.length,
      };
    });
}

function medianOfKnown(values: readonly (number | undefined)[]): number | null {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? null : median(known);
}

/** What others do to the machine hits both runs of a round, and drops out of their ratio. */
function ratio({ runs }: Series, other: Series | undefined): number | null {
  const pairs = runs.flatMap(({ tps }, round) => {
    const run = other?.runs[round];
    return run === undefined ? [] : [tps / run.tps];
  });
  return pairs.length === 0 ? null : median(pairs);
}
