import type { Metrics } from './metrics.ts';
import { counter, gauge, type Labels, type ReadMetric } from './read-metric.ts';
import type { LaneNumbers } from './sources.ts';

/** What is counted of fast lanes; reasons are those of `proxy/lane/counts.ts`. */
export function laneMetrics({ sources }: Metrics): ReadMetric[] {
  const byRole = (value: (lanes: LaneNumbers) => number) => (): [Labels, number][] =>
    (sources.lanes?.() ?? []).map((lanes) => [{ role: lanes.role }, value(lanes)]);
  return [
    gauge(
      {
        name: 'hatidata_lane_connections',
        help: 'Connections of the pool that are in fast lanes now',
        labels: ['role'],
      },
      byRole(({ connections }) => connections),
    ),
    counter(
      {
        name: 'hatidata_lane_statements_total',
        help: 'Statements that were sent through a fast lane',
        labels: ['role'],
      },
      byRole(({ counts }) => counts.statements),
    ),
    counter(
      {
        name: 'hatidata_lane_reissued_total',
        help: 'Of those, how many were sent again elsewhere, because what was before them was slow, or its connection ended',
        labels: ['role'],
      },
      byRole(({ counts }) => counts.reissued),
    ),
    counter(
      {
        name: 'hatidata_lane_closings_total',
        help: 'Connections that left their fast lane, by reason: slow (a statement held up others), stalled (its client did not read), cancelled, lost, idle, old, wanted (sessions waited for connections of their own)',
        labels: ['role', 'reason'],
      },
      () =>
        (sources.lanes?.() ?? []).flatMap(({ role, counts }) =>
          Object.entries(counts.ended).map(([reason, count]): [Labels, number] => [
            { role, reason },
            count,
          ]),
        ),
    ),
  ];
}
