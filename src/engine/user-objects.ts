import pg from 'pg';
import type { Logger } from 'pino';
import { noUserObjects, reviewedExtensions, type UserObjects } from '../policy/user-objects.ts';

/** How soon something that was made in the database is known here. */
const refreshMs = 2_000;

/** Built-ins have object ids below FirstNormalObjectId (transam.h); what lies in pg_catalog above it is the operator's. */
const isUsers = (namespace: string, oid: string): string =>
  `${oid} >= 16384 AND ${namespace} NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)`;

const isReviewed = (catalogue: string, oid: string): string => `
  EXISTS (SELECT FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
           WHERE d.classid = '${catalogue}'::regclass AND d.objid = ${oid} AND d.deptype = 'e'
             AND d.refclassid = 'pg_extension'::regclass AND e.extname = ANY ($1))`;

/** `UserObjects` says what belongs in each set. */
const snapshotSql = `
  WITH RECURSIVE unsafe (oid) AS (
    SELECT t.oid FROM pg_type t
     WHERE ${isUsers('t.typnamespace', 't.oid')} AND NOT ${isReviewed('pg_type', 't.oid')}
       AND (EXISTS (SELECT FROM pg_constraint c WHERE c.contypid = t.oid)
         OR EXISTS (SELECT FROM pg_cast c WHERE t.oid IN (c.castsource, c.casttarget) AND c.castfunc >= 16384)
         OR t.typinput::oid >= 16384)
    UNION
    SELECT t.oid FROM pg_type t JOIN unsafe u
        ON u.oid IN (t.typelem, t.typbasetype)
        OR EXISTS (SELECT FROM pg_range r WHERE r.rngtypid = t.oid AND r.rngsubtype = u.oid)
        OR t.typrelid <> 0 AND EXISTS (SELECT FROM pg_attribute a
                                        WHERE a.attrelid = t.typrelid AND a.atttypid = u.oid AND NOT a.attisdropped)
  )
  SELECT
    ARRAY(SELECT DISTINCT p.proname::text FROM pg_proc p
           WHERE ${isUsers('p.pronamespace', 'p.oid')}
             AND NOT (p.provolatile <> 'v' AND ${isReviewed('pg_proc', 'p.oid')})) AS functions,
    ARRAY(SELECT DISTINCT o.oprname::text FROM pg_operator o JOIN pg_proc p ON p.oid = o.oprcode
           WHERE ${isUsers('o.oprnamespace', 'o.oid')}
             AND NOT (p.provolatile <> 'v' AND p.prolang = (SELECT oid FROM pg_language WHERE lanname = 'c'))
             AND NOT ${isReviewed('pg_operator', 'o.oid')}) AS operators,
    ARRAY(SELECT DISTINCT t.typname::text FROM pg_type t JOIN unsafe USING (oid)) AS types`;

/**
 * Follows what the data database has beyond PostgreSQL's own objects, by asking now and then. Enough for its purpose:
 * only admin keys and the database's own administrators make such objects.
 */
export class UserObjectWatcher {
  private readonly pool: pg.Pool;
  private readonly log: Logger;
  private objects: UserObjects = noUserObjects;
  private timer: NodeJS.Timeout | undefined;
  private stopped = false;

  /** @param config the reader's login. */
  constructor(config: pg.ClientConfig, log: Logger) {
    this.log = log;
    this.pool = new pg.Pool({
      ...config,
      max: 1,
      idleTimeoutMillis: 0,
      connectionTimeoutMillis: 5_000,
      enableChannelBinding: true,
      application_name: 'hatidata catalogue',
      options: '-c search_path=pg_catalog -c statement_timeout=5000',
    });
    const broke = (error: Error): void =>
      log.debug({ err: error }, 'the catalogue reader lost its connection');
    this.pool.on('error', broke);
    this.pool.on('connect', (client) => client.on('error', broke));
  }

  /** Resolves with the first snapshot taken; rejects when it can't be. */
  async start(): Promise<void> {
    await this.refresh();
    this.schedule();
  }

  current(): UserObjects {
    return this.objects;
  }

  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    await this.pool.end();
  }

  private schedule(): void {
    if (this.stopped) return;
    this.timer = setTimeout(() => {
      this.refresh()
        // What is known stays good while the engine is away: nothing can be made there through us.
        .catch((error: unknown) =>
          this.log.debug({ err: error }, 'the catalogue could not be read'),
        )
        .finally(() => this.schedule());
    }, refreshMs).unref();
  }

  private async refresh(): Promise<void> {
    const { rows } = await this.pool.query<Record<keyof UserObjects, string[]>>(snapshotSql, [
      reviewedExtensions,
    ]);
    const { functions, operators, types } = rows[0]!;
    this.objects = {
      functions: new Set(functions),
      operators: new Set(operators),
      types: new Set(types),
    };
  }
}
