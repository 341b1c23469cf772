import { Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import type { Logger } from 'pino';
import type { ControlSchema } from './schema.ts';
import { storePool } from './store-pool.ts';

/** The control store: keys, and the record of what was done to them. Every object lives in schema `hatidata`. */
export interface ControlDatabase {
  /** Rejects with `store_unreachable`, or with what the store says (pg.DatabaseError). */
  readonly db: Kysely<ControlSchema>;
  /** For LISTEN and for reads on behalf of clients, which need connections of their own. */
  readonly config: pg.ClientConfig;
  close(): Promise<void>;
}

const poolSize = 8;
const statementMs = 10_000;
/** Longer than the store itself takes for anything. */
const patienceMs = 12_000;

export function connectControlDatabase(config: pg.ClientConfig, log: Logger): ControlDatabase {
  const pool = new pg.Pool({
    ...config,
    max: poolSize,
    application_name: 'hatidata control plane',
    connectionTimeoutMillis: 5_000,
    query_timeout: patienceMs,
    keepAlive: true,
    // Nothing of ours depends on names that a search path could redirect.
    options: `-c search_path=pg_catalog -c statement_timeout=${statementMs}`,
  });
  const broke = (error: Error): void =>
    log.warn({ err: error }, 'a connection to the control store broke');
  pool.on('error', broke);
  // The pool listens to idle clients only: one that breaks while it is in use would end the process.
  pool.on('connect', (client) => client.on('error', broke));
  const dialect = new PostgresDialect({ pool: storePool(pool) });
  const db = new Kysely<ControlSchema>({ dialect }).withSchema('hatidata');
  return { db, config, close: () => db.destroy() };
}
