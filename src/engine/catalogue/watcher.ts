import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import type { Logger } from 'pino';
import type { CatalogueCounts } from '../../metrics/sources.ts';
import { emptyCatalogue, type Catalogue } from '../../policy/catalogue.ts';
import { QueryPool } from '../query-pool.ts';
import { buildCatalogue } from './build.ts';
import { ViewReader, type ReadSql } from './views.ts';
import { builtinsSql, fingerprintSql, ownPathSql, type BuiltinRow } from './queries.ts';

/** How soon something that was made in the database is known here, at the latest. */
const refreshMs = 2_000;
/** How soon after a statement that went through us and may have made something. */
const promptMs = 50;
/** Not more often than this, however much is refused. */
const gapMs = 20;
/** Nobody who is refused waits longer for that. */
const patienceMs = 1_000;

export interface CatalogueWatcherParts {
  /** The reader's login. */
  readonly config: pg.ClientConfig;
  /** How often definitions have changed, as far as is known. */
  readonly epoch: () => number;
  readonly read: ReadSql;
  readonly log: Logger;
}

/** Follows what the data database has beyond PostgreSQL's own objects. */
export class CatalogueWatcher {
  private readonly parts: CatalogueWatcherParts;
  private readonly pool: QueryPool;
  private catalogue: Catalogue = emptyCatalogue;
  private readonly views: ViewReader;
  private fingerprint: string | undefined;
  private timer: NodeJS.Timeout | undefined;
  private due = 0;
  private running: Promise<void> = Promise.resolve();
  private next: Promise<void> | undefined;
  private stopped = false;
  private refreshed = 0;
  private failed = 0;
  private at: number | undefined;
  /** Of `epoch`, when what is known was asked for. */
  private readAt: number | undefined;

  constructor(parts: CatalogueWatcherParts) {
    this.parts = parts;
    this.views = new ViewReader(parts.read);
    this.pool = new QueryPool({
      ...parts.config,
      max: 1,
      idleTimeoutMillis: 0,
      connectionTimeoutMillis: 5_000,
      application_name: 'hatidata catalogue',
      options: '-c statement_timeout=20000',
      // The engine's own limit says nothing where the engine has gone silent.
      query_timeout: 30_000,
      onBroken: (error) =>
        parts.log.debug({ err: error }, 'the catalogue reader lost its connection'),
    });
  }

  /** Resolves with the first snapshot taken; rejects when it can't be. */
  async start(): Promise<void> {
    await this.refresh();
    this.schedule(refreshMs);
  }

  get counts(): CatalogueCounts {
    const { refreshed, failed, at } = this;
    return { refreshed, failed, at };
  }

  current(): Catalogue {
    return this.catalogue;
  }

  /** Nothing has been defined since, by whomever we hear of. */
  get isCurrent(): boolean {
    return this.readAt === this.parts.epoch();
  }

  /** Something was sent to the engine that defines: look soon. */
  expectChange(): void {
    this.schedule(promptMs);
  }

  /** Resolves when what is known is as new as this call, or can't be had soon. */
  freshen(): Promise<void> {
    this.next ??= this.refreshAfter(this.running);
    return Promise.race([this.next, delay(patienceMs, undefined, { ref: false })]);
  }

  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    await Promise.all([this.running, this.pool.end()]);
  }

  /** A look that is due sooner stays. */
  private schedule(afterMs: number): void {
    const due = Date.now() + afterMs;
    if (this.stopped || (this.timer !== undefined && this.due <= due)) return;
    clearTimeout(this.timer);
    this.due = due;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.next ??= this.refreshAfter(this.running);
      void this.next.then(() => this.schedule(refreshMs));
    }, afterMs).unref();
  }

  private async refreshAfter(earlier: Promise<void>): Promise<void> {
    await earlier;
    await delay(gapMs);
    // Whoever asks from now on waits for the one after this.
    this.next = undefined;
    this.running = this.stopped
      ? Promise.resolve()
      : // What is known stays good while the engine is away: nothing can be made there through us.
        this.refresh().catch((error: unknown) => {
          if (this.stopped) return;
          this.failed += 1;
          this.parts.log.warn({ err: error }, 'the catalogue of the database could not be read');
        });
    await this.running;
  }

  /** One transaction, so that the pieces fit together. */
  private async refresh(): Promise<void> {
    const begun = Date.now();
    const epoch = this.parts.epoch();
    const client = await this.pool.connect();
    let failure: unknown = true;
    try {
      await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
      await client.query(ownPathSql);
      const { rows } = await client.query<{ fingerprint: string }>(fingerprintSql);
      const found = rows[0]?.fingerprint;
      if (found !== this.fingerprint) {
        const { rows: builtins } = await client.query<BuiltinRow>(builtinsSql);
        const { read } = this.parts;
        const built = await buildCatalogue(client, builtins, read, this.views);
        this.catalogue = built.catalogue;
        this.fingerprint = built.isWhole ? found : undefined;
      }
      await client.query('COMMIT');
      failure = undefined;
      this.readAt = epoch;
      this.refreshed += 1;
      this.at = begun;
    } finally {
      // A connection in a state that nobody knows is not used again.
      client.release(failure !== undefined);
    }
  }
}
