import { Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import type { Logger } from 'pino';
import type { ControlSchema } from './schema.ts';

/** The control store: keys, and the record of what was done to them. Every object lives in schema `hatidata`. */
export interface ControlDatabase {
  readonly db: Kysely<ControlSchema>;
  /** For LISTEN and for reads on behalf of clients, which need connections of their own. */
  readonly config: pg.ClientConfig;
  close(): Promise<void>;
}

const poolSize = 8;

export function connectControlDatabase(config: pg.ClientConfig, log: Logger): ControlDatabase {
  const pool = new pg.Pool({
    ...config,
    max: poolSize,
    application_name: 'hatidata control plane',
    connectionTimeoutMillis: 5_000,
    // Nothing of ours depends on names that a search path could redirect.
    options: '-c search_path=pg_catalog -c statement_timeout=10000',
  });
  const broke = (error: Error): void =>
    log.warn({ err: error }, 'a connection to the control store broke');
  pool.on('error', broke);
  // The pool listens to idle clients only: one that breaks while it is in use would end the process.
  pool.on('connect', (client) => client.on('error', broke));
  const db = new Kysely<ControlSchema>({ dialect: new PostgresDialect({ pool }) }).withSchema(
    'hatidata',
  );
  return { db, config, close: () => db.destroy() };
}
