import type pg from 'pg';
import { QueryPool } from './query-pool.ts';

const timeoutMs = 3_000;
/** However often it is asked, the engine is not asked more often than this. */
const keptMs = 1_000;
const idleMs = 30_000;

/** Whether the engine takes logins and answers. Its connections exist only while somebody keeps asking. */
export class EngineProbe {
  private readonly pools: readonly QueryPool[];
  private asking: Promise<boolean> | undefined;
  private asked = 0;

  /** @param logins one for each that clients are served with */
  constructor(logins: readonly pg.ClientConfig[]) {
    this.pools = logins.map(
      (login) =>
        // A connection that breaks is noticed when the next question fails or makes another.
        new QueryPool({
          ...login,
          max: 1,
          connectionTimeoutMillis: timeoutMs,
          query_timeout: timeoutMs,
          idleTimeoutMillis: idleMs,
          allowExitOnIdle: true,
          application_name: 'hatidata readiness',
        }),
    );
  }

  /** Never rejects. */
  answers(): Promise<boolean> {
    if (this.asking === undefined || Date.now() - this.asked > keptMs) {
      this.asked = Date.now();
      this.asking = Promise.all(this.pools.map((pool) => pool.query('SELECT 1'))).then(
        () => true,
        () => false,
      );
    }
    return this.asking;
  }

  async close(): Promise<void> {
    await Promise.all(this.pools.map((pool) => pool.end()));
  }
}
