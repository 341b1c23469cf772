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
  WITH RECURSIVE
  -- What a type is made of; only parts that are users' own can make it unsafe.
  made_of (whole, part) AS (
    SELECT oid, typelem FROM pg_type WHERE typelem >= 16384
    UNION ALL SELECT oid, typbasetype FROM pg_type WHERE typbasetype >= 16384
    UNION ALL SELECT rngtypid, rngsubtype FROM pg_range WHERE rngsubtype >= 16384
    UNION ALL SELECT rngmultitypid, rngsubtype FROM pg_range WHERE rngsubtype >= 16384
    UNION ALL SELECT c.reltype, a.atttypid FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
               WHERE a.atttypid >= 16384 AND NOT a.attisdropped AND c.reltype <> 0
  ),
  unsafe (oid) AS (
    SELECT t.oid FROM pg_type t
     WHERE ${isUsers('t.typnamespace', 't.oid')} AND NOT ${isReviewed('pg_type', 't.oid')}
       AND (EXISTS (SELECT FROM pg_constraint c WHERE c.contypid = t.oid)
         OR EXISTS (SELECT FROM pg_cast c WHERE t.oid IN (c.castsource, c.casttarget) AND c.castfunc >= 16384)
         OR t.typinput::oid >= 16384)
    UNION
    SELECT m.whole FROM made_of m JOIN unsafe u ON u.oid = m.part
  )
  SELECT
    ARRAY(SELECT DISTINCT p.proname::text FROM pg_proc p
           WHERE ${isUsers('p.pronamespace', 'p.oid')}
             AND NOT (p.provolatile <> 'v' AND NOT p.prosecdef AND ${isReviewed('pg_proc', 'p.oid')})) AS functions,
    ARRAY(SELECT DISTINCT o.oprname::text FROM pg_operator o JOIN pg_proc p ON p.oid = o.oprcode
           WHERE ${isUsers('o.oprnamespace', 'o.oid')}
             AND NOT (p.provolatile <> 'v' AND NOT p.prosecdef AND p.prolang = (SELECT oid FROM pg_language WHERE lanname = 'c'))
             AND NOT ${isReviewed('pg_operator', 'o.oid')}) AS operators,
    ARRAY(SELECT DISTINCT t.typname::text FROM pg_type t JOIN unsafe USING (oid)) AS types,
    ARRAY(SELECT oid::int8::text FROM unsafe) AS "typeOids"`;

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
    const { functions, operators, types, typeOids } = rows[0]!;
    this.objects = {
      functions: new Set(functions),
      operators: new Set(operators),
      types: new Set(types),
      typeOids: new Set(typeOids.map(Number)),
    };
  }
}
