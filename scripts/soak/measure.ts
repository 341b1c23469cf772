/** Looks at the proxies from outside, and says at the end whether anything grew. */
import { MetricsSample } from '../../src/cli/metrics-sample.ts';
import { queryUrl } from '../../test/fixtures/own-postgres.ts';
import type { ProcessMeasure } from '../../test/fixtures/process-probe.ts';
import type { Stage, StagedProxy } from './stage.ts';

export interface ProxySample {
  readonly supervisor: ProcessMeasure | undefined;
  readonly workers: readonly ProcessMeasure[];
  readonly sessions: number;
}

export interface Sample {
  /** Of the run, 0 to 1. */
  readonly at: number;
  readonly steady: ProxySample;
  readonly restarted: ProxySample;
  /** Connections of both proxies to the engine, by their role; `store` are those to the control store. */
  readonly engine: { readonly reader: number; readonly writer: number; readonly store: number };
}

export async function takeSample(stage: Stage, at: number): Promise<Sample> {
  const [steady, restarted, engine] = await Promise.all([
    sampleOf(stage.steady),
    sampleOf(stage.restarted),
    engineConnections(stage.url),
  ]);
  return { at, steady, restarted, engine };
}

async function sampleOf({ probe, metricsUrl }: StagedProxy): Promise<ProxySample> {
  // First, so that a scrape's own socket is not among the handles.
  const processes = await probe.measure();
  const metrics = new MetricsSample(await (await fetch(metricsUrl)).text(), 0);
  return {
    supervisor: processes.find(({ isWorker }) => !isWorker),
    workers: processes.filter(({ isWorker }) => isWorker),
    sessions: metrics.sum('hatidata_sessions'),
  };
}

async function engineConnections(url: string): Promise<Sample['engine']> {
  const { rows } = await queryUrl(
    url,
    `SELECT count(*) FILTER (WHERE usename = 'hatidata_reader')::int AS reader,
      count(*) FILTER (WHERE usename = 'hatidata_writer')::int AS writer,
      count(*) FILTER (WHERE usename = 'soak_control')::int AS store FROM pg_stat_activity`,
  );
  return rows[0] as Sample['engine'];
}

const MB = 1024 * 1024;
export const handlesOf = ({ resources }: ProcessMeasure): number =>
  Object.values(resources).reduce((sum, count) => sum + count, 0);

/** What must not grow: how it is read, and how much of it is noise. Of all, the median of a third of the run counts. */
interface Watched {
  readonly name: string;
  readonly of: (sample: Sample) => number | undefined;
  /** Beyond a fifth of what it was. */
  readonly noise: number;
  readonly show: (value: number) => string;
}

const megabytes = (value: number): string => `${(value / MB).toFixed(1)} MB`;
const plain = (value: number): string => value.toFixed(0);
const heap = (process: ProcessMeasure | undefined): number | undefined =>
  process && process.heapUsed + process.external;

const watched: readonly Watched[] = [
  {
    name: 'heap and external, steady worker',
    of: ({ steady }) => heap(steady.workers[0]),
    noise: 8 * MB,
    show: megabytes,
  },
  {
    name: 'heap and external, steady supervisor',
    of: ({ steady }) => heap(steady.supervisor),
    noise: 4 * MB,
    show: megabytes,
  },
  {
    name: 'heap and external, restarted supervisor',
    of: ({ restarted }) => heap(restarted.supervisor),
    noise: 4 * MB,
    show: megabytes,
  },
  {
    name: 'handles, steady worker',
    of: ({ steady }) => steady.workers[0] && handlesOf(steady.workers[0]),
    noise: 20,
    show: plain,
  },
  {
    name: 'open files, steady worker',
    of: ({ steady }) => steady.workers[0]?.openFiles,
    noise: 20,
    show: plain,
  },
  {
    name: 'handles, restarted supervisor',
    of: ({ restarted }) => restarted.supervisor && handlesOf(restarted.supervisor),
    noise: 8,
    show: plain,
  },
  {
    name: 'open files, restarted supervisor',
    of: ({ restarted }) => restarted.supervisor?.openFiles,
    noise: 8,
    show: plain,
  },
  {
    name: 'workers of the restarted proxy',
    of: ({ restarted }) => restarted.workers.length,
    noise: 2,
    show: plain,
  },
  { name: 'engine connections, readers', of: ({ engine }) => engine.reader, noise: 8, show: plain },
  {
    name: 'engine connections, writers',
    of: ({ engine }) => engine.writer,
    noise: 12,
    show: plain,
  },
  {
    name: 'connections to the control store',
    of: ({ engine }) => engine.store,
    noise: 10,
    show: plain,
  },
  {
    name: 'sessions',
    of: ({ steady, restarted }) => steady.sessions + restarted.sessions,
    noise: 15,
    show: plain,
  },
];

export interface Growth {
  readonly line: string;
  readonly isTooMuch: boolean;
}

/** The first third without the first tenth, in which caches fill and code is compiled, against the last third. */
export function growthOf(samples: readonly Sample[]): readonly Growth[] {
  return watched.map(({ name, of, noise, show }) => {
    const values = (from: number, to: number): readonly number[] =>
      samples
        .filter(({ at }) => at >= from && at <= to)
        .map(of)
        .filter((value) => value !== undefined);
    const [first, last] = [median(values(0.1, 1 / 3)), median(values(2 / 3, 1))];
    if (first === undefined || last === undefined)
      return { line: `${name}: too few samples`, isTooMuch: true };
    const isTooMuch = last > first * 1.2 + noise;
    const line = `${name.padEnd(42)} ${show(first).padStart(9)} → ${show(last).padStart(9)}${isTooMuch ? '  GREW' : ''}`;
    return { line, isTooMuch };
  });
}

function median(list: readonly number[]): number | undefined {
  return list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];
}

/** One line of a table. */
export function showSample(sample: Sample): string {
  const mb = (bytes: number): string => (bytes / MB).toFixed(0);
  const show = ({ heapUsed, rss, ...rest }: ProcessMeasure): string =>
    `${mb(heapUsed)}/${mb(rss)}/${handlesOf({ heapUsed, rss, ...rest })}`;
  const of = ({ supervisor, workers, sessions }: ProxySample): string =>
    `${sessions} sessions, supervisor ${supervisor ? show(supervisor) : '?'}, workers ${workers.map(show).join(' ')}`;
  const { steady, restarted, engine } = sample;
  return `steady ${of(steady)} | restarted ${of(restarted)} | engine ${engine.reader}+${engine.writer}, store ${engine.store}`;
}
