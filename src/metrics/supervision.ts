import { labelled } from './labels.ts';
import { counter, gauge, type ReadMetric } from './read-metric.ts';

/** What a supervisor knows of its workers. */
export interface SupervisionCounts {
  readonly generation: number;
  readonly starting: number;
  readonly serving: number;
  readonly retiring: number;
  /** Since the start. */
  readonly replaced: number;
  readonly renewed: number;
  readonly refused: number;
}

/** What a proxy of several processes tells beside what its workers tell. */
export function supervisionMetrics(counts: () => SupervisionCounts): ReadMetric[] {
  return [
    gauge(
      {
        name: 'hatidata_workers',
        help: 'Processes that serve clients of the proxy by state: starting, serving, retiring (of an older generation, with sessions left)',
        labels: ['state'],
      },
      () => {
        const { starting, serving, retiring } = counts();
        return labelled('state', Object.entries({ starting, serving, retiring }));
      },
    ),
    counter(
      {
        name: 'hatidata_workers_replaced_total',
        help: 'Workers that ended unasked and were replaced',
        labels: [],
      },
      () => counts().replaced,
    ),
    gauge(
      {
        name: 'hatidata_generation',
        help: 'The generation of workers that accepts clients; the first is 1',
        labels: [],
      },
      () => counts().generation,
    ),
    counter(
      {
        name: 'hatidata_renewals_total',
        help: 'Restarts and reloads of the workers by outcome: done, refused (nothing changed)',
        labels: ['outcome'],
      },
      () => {
        const { renewed, refused } = counts();
        return labelled('outcome', Object.entries({ done: renewed, refused }));
      },
    ),
  ];
}
