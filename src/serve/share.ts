import type { Config } from '../config.ts';

/** One of several workers; `index` from 0. */
export interface Place {
  readonly index: number;
  readonly count: number;
}

/**
 * The configuration of one worker: its part of the engine connections that all of them may have together, one of each kind at
 * least. Clients are counted together, over the control store.
 */
export function shareOf(config: Config, { index, count }: Place): Config {
  const part = (total: number): number =>
    Math.max(1, Math.floor(total / count) + (index < total % count ? 1 : 0));
  const { pool } = config;
  return { ...config, pool: { ...pool, readers: part(pool.readers), writers: part(pool.writers) } };
}
