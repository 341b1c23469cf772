import type pg from 'pg';
import type { Logger } from 'pino';
import { QueryPool } from './query-pool.ts';

/** A connection that nobody needs is given back after this. */
const idleMs = 30_000;

/**
 * Ends backends of clients whose session is over.
 *
 * A cancel request ends one statement; what the client has sent behind it would run next. And a backend that is busy
 * does not notice that its client has gone. So the backend itself is ended, by a login that may signal it: its own role,
 * or one with pg_signal_backend.
 */
export class BackendTerminator {
  private readonly pool: QueryPool;

  constructor(config: pg.ClientConfig, log: Logger) {
    this.pool = new QueryPool({
      ...config,
      max: 2,
      idleTimeoutMillis: idleMs,
      connectionTimeoutMillis: 5_000,
      // A connection that went silent must not keep one of the two places.
      query_timeout: 10_000,
      application_name: 'hatidata terminator',
      options: '-c search_path=pg_catalog -c statement_timeout=5000',
      onBroken: (error) => log.debug({ err: error }, 'the terminator lost its connection'),
    });
  }

  /** Resolves when the backend was told, which it obeys at its next look for interrupts. */
  async terminate(processId: number): Promise<void> {
    await this.pool.query('SELECT pg_catalog.pg_terminate_backend($1)', [processId]);
  }

  close(): Promise<void> {
    return this.pool.end();
  }
}
