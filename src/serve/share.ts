import type { Config } from '../config.ts';

/** One of several workers; `index` from 0. */
export interface Place {
  readonly index: number;
  readonly count: number;
}

/** The configuration of one worker: its part of what all of them may have together. Each gets at least one of each. */
export function shareOf(config: Config, { index, count }: Place): Config {
  const part = (total: number): number =>
    Math.max(1, Math.floor(total / count) + (index < total % count ? 1 : 0));
  const { pool, limits } = config;
  return {
    ...config,
    pool: { ...pool, readers: part(pool.readers), writers: part(pool.writers) },
    limits: { ...limits, connections: part(limits.connections) },
  };
}
