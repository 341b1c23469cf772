import { labelled } from './labels.ts';
import type { Metrics } from './metrics.ts';
import { counter, gauge, histogram, type Labels, type ReadMetric } from './read-metric.ts';
import type { PoolNumbers } from './sources.ts';

/** What is counted of connections to the engine. The role is `reader` or `writer`; reasons are those of `policy/pins.ts`. */
export function poolMetrics({ sources }: Metrics): ReadMetric[] {
  const pools = (): readonly PoolNumbers[] => sources.pools?.() ?? [];
  const byRole = (value: (pool: PoolNumbers) => number): [Labels, number][] =>
    pools().map((pool) => [{ role: pool.role }, value(pool)]);
  const by = (
    label: string,
    values: (pool: PoolNumbers) => Readonly<Record<string, number>>,
  ): [Labels, number][] =>
    pools().flatMap((pool) =>
      Object.entries(values(pool)).map(([name, value]): [Labels, number] => [
        { role: pool.role, [label]: name },
        value,
      ]),
    );
  return [
    gauge(
      {
        name: 'hatidata_pool_connections',
        help: 'Connections to the engine by state: in_use (held for a transaction), pinned (kept by a session for its state), idle, opening',
        labels: ['role', 'state'],
      },
      () => by('state', ({ states }) => states),
    ),
    gauge({ name: 'hatidata_pool_size', help: 'Connections at the most', labels: ['role'] }, () =>
      byRole(({ size }) => size),
    ),
    gauge(
      {
        name: 'hatidata_pool_waiting',
        help: 'Sessions that wait for a connection now',
        labels: ['role'],
      },
      () => byRole(({ waiting }) => waiting),
    ),
    gauge(
      {
        name: 'hatidata_pool_longest_wait_seconds',
        help: 'How long the one that has waited longest has been waiting; 0 for nobody',
        labels: ['role'],
      },
      () => byRole(({ longestWaitSeconds }) => longestWaitSeconds),
    ),
    gauge(
      {
        name: 'hatidata_pool_engine_away',
        help: '1 while the engine could not be reached when somebody tried last',
        labels: ['role'],
      },
      () => byRole(({ isAway }) => Number(isAway)),
    ),
    counter(
      {
        name: 'hatidata_pool_requests_total',
        help: 'How often a session asked for a connection, once a transaction or batch',
        labels: ['role'],
      },
      () => byRole(({ counts }) => counts.asked),
    ),
    histogram(
      {
        name: 'hatidata_pool_wait_seconds',
        help: 'Waits in line for a connection, however they ended; who got one at once is not in it',
        labels: ['role'],
      },
      () => pools().map(({ role, counts }) => [{ role }, counts.waits]),
    ),
    counter(
      {
        name: 'hatidata_pool_timeouts_total',
        help: 'Waits that took longer than pool.queue_seconds',
        labels: ['role'],
      },
      () => byRole(({ counts }) => counts.timedOut),
    ),
    counter(
      {
        name: 'hatidata_pool_connections_total',
        help: 'Connections to the engine by what became of them: opened, not_opened, closed (by HatiData), broken (by the engine or the network)',
        labels: ['role', 'event'],
      },
      () =>
        by('event', ({ counts: { opened, notOpened, closed, broken } }) => ({
          opened,
          not_opened: notOpened,
          closed,
          broken,
        })),
    ),
    counter(
      {
        name: 'hatidata_pool_cleanings_total',
        help: 'Connections that were brought back to how they began (DISCARD ALL) before somebody else got them',
        labels: ['role'],
      },
      () => byRole(({ counts }) => counts.cleaned),
    ),
    counter(
      {
        name: 'hatidata_pool_prepared_total',
        help: 'Statements that clients prepared: known (the connection has it already, from whoever), first; and again: those prepared once more where the connection that the session got lacks them',
        labels: ['role', 'outcome'],
      },
      () => by('outcome', ({ counts }) => counts.prepared),
    ),
    counter(
      {
        name: 'hatidata_pool_pins_total',
        help: 'How often a session began to keep its connection, by reason',
        labels: ['reason'],
      },
      () => {
        const pins = sources.pins?.();
        return pins && labelled('reason', pins);
      },
    ),
  ];
}
