import type { MetricsSample } from './metrics-sample.ts';

/** Connections to the engine as one role, as /metrics tells them. */
export interface PoolStatus {
  readonly role: 'reader' | 'writer';
  readonly size: number;
  readonly in_use: number;
  readonly pinned: number;
  readonly idle: number;
  /** Sessions. */
  readonly waiting: number;
  readonly longest_wait_seconds: number;
  readonly engine_away: boolean;
}

/** @returns those that it tells of: none while the proxy starts. */
export function poolsOf(sample: MetricsSample): readonly PoolStatus[] {
  return (['writer', 'reader'] as const)
    .map((role): PoolStatus => {
      const ofRole = (name: string): number => sample.sum(name, `role="${role}"`);
      const inState = (state: string): number =>
        sample.sum('hatidata_pool_connections', `role="${role}",state="${state}"`);
      return {
        role,
        size: ofRole('hatidata_pool_size'),
        in_use: inState('in_use'),
        pinned: inState('pinned'),
        idle: inState('idle'),
        waiting: ofRole('hatidata_pool_waiting'),
        longest_wait_seconds: ofRole('hatidata_pool_longest_wait_seconds'),
        engine_away: ofRole('hatidata_pool_engine_away') > 0,
      };
    })
    .filter(({ size }) => size > 0);
}

/** `writers 3 of 50 in use (1 pinned), 2 idle; 4 sessions wait, for 1.5 s` */
export function describePool(pool: PoolStatus): string {
  const { role, size, in_use: inUse, pinned, idle, waiting } = pool;
  const connections = `${role}s ${inUse + pinned} of ${size} in use (${pinned} pinned), ${idle} idle`;
  const wait = `${waiting} waiting for up to ${pool.longest_wait_seconds.toFixed(1)} s`;
  return [
    connections,
    ...(waiting > 0 ? [wait] : []),
    ...(pool.engine_away ? ['the engine could not be reached'] : []),
  ].join('; ');
}
