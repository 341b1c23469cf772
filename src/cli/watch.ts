import { setTimeout as delay } from 'node:timers/promises';
import { writeLine } from './context.ts';
import type { CommandContext } from './context.ts';
import { Interval, MetricsSample } from './metrics-sample.ts';
import { readMetrics, readReadiness } from './monitoring-client.ts';
import { poolsOf } from './pools.ts';
import type { Project } from './project.ts';
import { readRunRecord } from './run-file.ts';

const everyMs = 1_000;
/** Rates and times are those of this many seconds. */
const windowSeconds = 5;
/** A terminal sees the names of the columns again after so many lines. */
const linesPerHeading = 20;

const heading =
  'time      ready  sessions  active  engine  pinned  waiting  stmts/s  refused/s  p50 ms  p99 ms  cache hits';

/** One line a second, until Ctrl-C. Whoever keeps the lines can compare them; a proxy that is away is a line as well. */
export async function watch(context: CommandContext, project: Project): Promise<void> {
  const interrupted = new AbortController();
  const stop = (): void => interrupted.abort();
  process.once('SIGINT', stop).once('SIGTERM', stop);
  let samples: MetricsSample[] = [];
  let pid: number | undefined;
  try {
    for (let lines = 0; !interrupted.signal.aborted; lines += 1) {
      const next = delay(everyMs, undefined, { signal: interrupted.signal }).catch(() => undefined);
      const record = readRunRecord(project.runPath);
      // Another process counts from 0 again.
      if (record?.pid !== pid) samples = [];
      pid = record?.pid;
      const isHeading =
        lines === 0 || (context.stdout.isTTY === true && lines % linesPerHeading === 0);
      if (isHeading) writeLine(context.stdout, heading);
      const text = record?.metrics && (await readMetrics(record.metrics));
      if (interrupted.signal.aborted) return;
      if (record?.metrics === undefined || text === undefined) {
        writeLine(context.stdout, `${timeOfDay()}  ${reasonOf(record)}`);
      } else {
        samples = [...samples, new MetricsSample(text, performance.now() / 1_000)].slice(
          -windowSeconds - 1,
        );
        const readiness = await readReadiness(record.metrics);
        if (interrupted.signal.aborted) return;
        writeLine(context.stdout, lineOf(samples, readiness?.ready === true));
      }
      await next;
    }
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop);
  }
}

function reasonOf(record: ReturnType<typeof readRunRecord>): string {
  if (record === undefined) return 'the proxy does not run';
  if (record.address === undefined) return 'the proxy is starting';
  return record.metrics === undefined
    ? 'the proxy tells no metrics: metrics.enabled is false, or its port was taken'
    : 'the proxy does not answer';
}

function lineOf(samples: readonly MetricsSample[], isReady: boolean): string {
  const newest = samples.at(-1)!;
  const interval = samples.length > 1 ? new Interval(samples[0]!, newest) : undefined;
  const sessions =
    newest.sum('hatidata_sessions') - newest.sum('hatidata_sessions', 'state="arriving"');
  const cells: readonly (readonly [text: string, width: number])[] = [
    [isReady ? 'yes' : 'NO', 5],
    [String(sessions), 8],
    [String(newest.sum('hatidata_sessions', 'state="active"')), 6],
    [connections(newest), 6],
    [String(newest.sum('hatidata_pool_connections', 'state="pinned"')), 6],
    [String(newest.sum('hatidata_pool_waiting')), 7],
    [rounded(interval?.perSecond('hatidata_statement_seconds_count'), 0), 7],
    [rounded(interval?.perSecond('hatidata_refusals_total'), 1), 9],
    [milliseconds(interval?.quantile('hatidata_statement_seconds', 0.5)), 6],
    [milliseconds(interval?.quantile('hatidata_statement_seconds', 0.99)), 6],
    [percent(interval?.share('hatidata_statement_cache_total', 'result="hit"')), 10],
  ];
  return [timeOfDay(), ...cells.map(([text, width]) => text.padStart(width))].join('  ');
}

/** Those that somebody holds, of as many as there may be. */
function connections(sample: MetricsSample): string {
  const pools = poolsOf(sample);
  const held = pools.reduce((sum, { in_use: inUse, pinned }) => sum + inUse + pinned, 0);
  return `${held}/${pools.reduce((sum, { size }) => sum + size, 0)}`;
}

function timeOfDay(): string {
  return new Date().toTimeString().slice(0, 8);
}

function rounded(value: number | undefined, digits: number): string {
  return value === undefined ? '-' : value.toFixed(digits);
}

function milliseconds(seconds: number | undefined): string {
  return rounded(seconds === undefined ? undefined : seconds * 1_000, 2);
}

function percent(share: number | undefined): string {
  return share === undefined ? '-' : `${(share * 100).toFixed(1)} %`;
}
