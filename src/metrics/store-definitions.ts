import { asNumber, labelled } from './labels.ts';
import type { Metrics } from './metrics.ts';
import { counter, gauge, type ReadMetric } from './read-metric.ts';

/** What is counted of the control store, and of the proxies that share it. */
export function storeMetrics({ sources }: Metrics): ReadMetric[] {
  return [
    gauge(
      {
        name: 'hatidata_control_store_reachable',
        help: '1 while all workers hear changes of keys from the control store',
        labels: [],
        aggregator: 'min',
      },
      () => asNumber(sources.store?.().isHeard),
    ),
    gauge(
      {
        name: 'hatidata_control_store_unheard_seconds',
        help: 'Time since the control store was last heard; 0 while it is',
        labels: [],
        aggregator: 'max',
      },
      () => sources.store?.().unheardSeconds,
    ),
    gauge(
      {
        name: 'hatidata_control_store_refusing',
        help: '1 while keys are refused because the control store has been away for longer than keys.outage_seconds',
        labels: [],
        aggregator: 'max',
      },
      () => asNumber(sources.store?.().isRefusing),
    ),
    gauge(
      {
        name: 'hatidata_instances',
        help: 'Proxies of the same control store that are heard, this one among them; each worker counts as one',
        labels: [],
        aggregator: 'max',
      },
      () => sources.instances?.(),
    ),
    counter(
      {
        name: 'hatidata_cancels_forwarded_total',
        help: 'Cancel requests for sessions of other instances: acknowledged, unanswered (within 5 s), dropped (too many at once, or that instance is not heard)',
        labels: ['outcome'],
      },
      () => {
        const outcomes = sources.forwardedCancels?.();
        return outcomes && labelled('outcome', outcomes);
      },
    ),
  ];
}
