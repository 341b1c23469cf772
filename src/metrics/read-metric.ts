import type { Metric } from 'prom-client';
import type { Latencies } from './latencies.ts';

export type Labels = Readonly<Record<string, string>>;

export interface Description {
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
  /** How the values of several processes become one; the sum unless said otherwise. */
  readonly aggregator?: 'sum' | 'min' | 'max' | 'first';
}

/**
 * A metric that holds nothing: its values are read where they are kept, when somebody asks. It has what a registry of
 * prom-client wants of a metric, which is its name and `get`.
 */
export interface ReadMetric extends Description {
  readonly type: 'counter' | 'gauge' | 'histogram';
  get(): Promise<
    Pick<ReadMetric, 'name' | 'help' | 'type' | 'aggregator'> & { readonly values: Sample[] }
  >;
}

interface Sample {
  /** Where it is not the metric's own. */
  readonly metricName?: string;
  readonly labels: Record<string, string | number>;
  readonly value: number;
}

/** A number alone has no labels; undefined is "not known so far", which is not 0. */
type Value = number | Iterable<readonly [Labels, number]> | undefined;

export function counter(description: Description, read: () => Value): ReadMetric {
  return metric('counter', description, () => plain(read()));
}

export function gauge(description: Description, read: () => Value): ReadMetric {
  return metric('gauge', description, () => plain(read()));
}

export function histogram(
  description: Description,
  read: () => Iterable<readonly [Labels, Latencies]>,
): ReadMetric {
  return metric('histogram', description, () =>
    [...read()].flatMap(([labels, latencies]) => bucketsOf(description.name, labels, latencies)),
  );
}

/** prom-client's types know the classes of its own metrics only. */
export function forRegistry(readMetric: ReadMetric): Metric {
  return readMetric as unknown as Metric;
}

function metric(
  type: ReadMetric['type'],
  { name, help, labels, aggregator = 'sum' }: Description,
  read: () => Sample[],
): ReadMetric {
  const get: ReadMetric['get'] = () =>
    Promise.resolve({ name, help, type, aggregator, values: read() });
  return { name, help, labels, type, get };
}

function plain(value: Value): Sample[] {
  if (value === undefined) return [];
  if (typeof value === 'number') return [{ labels: {}, value }];
  return [...value].map(([labels, each]) => ({ labels: { ...labels }, value: each }));
}

function bucketsOf(name: string, labels: Labels, { bounds, counts, sum }: Latencies): Sample[] {
  let count = 0;
  const buckets = [...counts].map((own, index) => {
    count += own;
    const le = bounds[index] ?? '+Inf';
    return { metricName: `${name}_bucket`, labels: { ...labels, le }, value: count };
  });
  return [
    ...buckets,
    { metricName: `${name}_sum`, labels: { ...labels }, value: sum },
    { metricName: `${name}_count`, labels: { ...labels }, value: count },
  ];
}
