import { AggregatorRegistry, type PrometheusContentType, type Registry } from 'prom-client';
import type { ReadMetric } from './read-metric.ts';

/** The metrics of one process with their values, as they travel to another one. */
export type Samples = readonly Awaited<ReturnType<ReadMetric['get']>>[];

export async function samplesOf(metrics: readonly ReadMetric[]): Promise<Samples> {
  return Promise.all(metrics.map((metric) => metric.get()));
}

/** One for all, by what each metric says of how its values come together. */
export async function sumOf(all: readonly Samples[]): Promise<Samples> {
  return (await registryOf(all).getMetricsAsJSON()) as unknown as Samples;
}

/** In Prometheus' text format. */
export function sumAsText(all: readonly Samples[]): Promise<string> {
  return registryOf(all).metrics();
}

/** What stays true of a process that has ended. */
export function countsOf(samples: Samples): Samples {
  return samples.filter(({ type }) => type !== 'gauge');
}

function registryOf(all: readonly Samples[]): Registry {
  return AggregatorRegistry.aggregate<PrometheusContentType>([...all]);
}
