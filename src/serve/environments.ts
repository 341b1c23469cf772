import type { EnginePool } from '../engine/pool/pool.ts';
import { HatiError } from '../errors.ts';
import type { EnvironmentId, Principal } from '../ports.ts';
import type { EngineSide, EngineSides } from '../proxy/engine-side.ts';
import type { Logger } from '../shared/log.ts';
import type { RunningEngineSide } from './engine-side.ts';

export interface EnvironmentsParts {
  readonly first: EnvironmentId;
  /** Rejects with what keeps it from being used. */
  readonly start: (environment: EnvironmentId) => Promise<RunningEngineSide>;
  /** Nothing was changed about it since it was started last. */
  readonly isCurrent: (environment: EnvironmentId) => Promise<boolean>;
}

interface Entry {
  readonly starting: Promise<RunningEngineSide>;
  side: RunningEngineSide | undefined;
  sessions: number;
  /** Since when nobody is there, by `performance.now()`. */
  emptySince: number;
}

/** An environment that nobody uses gives its connections back. */
const idleMs = 10 * 60_000;
const sweepMs = 30_000;

/**
 * The engines of the environments whose keys are in use here: the one of the configuration all the time, every other from its first
 * session until some time after its last. What was changed about one counts for sessions that begin later.
 */
export class Environments implements EngineSides {
  private readonly log: Logger;
  private parts!: EnvironmentsParts;
  private readonly entries = new Map<EnvironmentId, Entry>();
  /** Those that another has taken the place of, until their last session has ended. */
  private readonly outdated = new Map<Entry, EnvironmentId>();
  private readonly byPool = new Map<EnginePool, Entry>();
  private sweeper: NodeJS.Timeout | undefined;
  /** Of the first environment; always there. */
  private firstEntry!: Entry;

  constructor(log: Logger) {
    this.log = log;
  }

  /** Before the first session. Rejects with what keeps the engine of the configuration from being used. */
  async begin(parts: EnvironmentsParts): Promise<void> {
    this.parts = parts;
    this.firstEntry = this.startOne(parts.first);
    await this.firstEntry.starting.catch((error: unknown) => {
      // Whoever starts it is to know more than clients are.
      throw error instanceof HatiError && error.cause instanceof Error ? error.cause : error;
    });
    this.sweeper = setInterval(() => this.sweep(), sweepMs).unref();
  }

  enter(principal: Principal): EngineSide | Promise<EngineSide> {
    if (principal.kind !== 'key' || principal.environment === this.parts.first) {
      this.firstEntry.sessions += 1;
      return this.firstEntry.side!;
    }
    return this.enterOther(principal.environment);
  }

  leave(pool: EnginePool): void {
    const entry = this.byPool.get(pool);
    if (entry === undefined) return;
    entry.sessions -= 1;
    entry.emptySince = performance.now();
    if (entry.sessions === 0 && this.outdated.delete(entry)) this.end(entry);
  }

  /** Something about it was changed. */
  changed(environment: EnvironmentId): void {
    if (environment === this.parts.first) {
      this.changeFirst();
      return;
    }
    const entry = this.entries.get(environment);
    if (entry === undefined) return;
    this.entries.delete(environment);
    this.replaced(entry, environment);
  }

  /** Sessions go on with the one before until there is another. */
  private changeFirst(): void {
    const { first } = this.parts;
    const next = this.startOne(first);
    next.starting.then(
      () => {
        const before = this.firstEntry;
        this.firstEntry = next;
        this.replaced(before, first);
      },
      // It was logged, and the one before goes on.
      () => undefined,
    );
  }

  private replaced(entry: Entry, environment: EnvironmentId): void {
    if (entry.sessions === 0) this.end(entry);
    else this.outdated.set(entry, environment);
  }

  /** Of the configuration's engine. */
  get first(): RunningEngineSide {
    return this.firstEntry.side!;
  }

  /** Something may have been changed, and nobody was heard. */
  allChanged(): void {
    for (const environment of [...this.entries.keys()]) this.changed(environment);
    // Its sessions stay where they are, so it is not begun anew for nothing.
    if (this.sweeper !== undefined)
      this.parts.isCurrent(this.parts.first).then(
        (isCurrent) => isCurrent || this.changeFirst(),
        (error: unknown) => this.log.warn({ err: error }, 'settings could not be looked at'),
      );
  }

  *[Symbol.iterator](): Iterator<[EnvironmentId, RunningEngineSide]> {
    yield [this.parts.first, this.first];
    for (const [environment, { side }] of this.entries) if (side) yield [environment, side];
    for (const [{ side }, environment] of this.outdated) if (side) yield [environment, side];
  }

  /** Behind the last session. */
  async stop(): Promise<void> {
    clearInterval(this.sweeper);
    const all = [this.firstEntry, ...this.entries.values(), ...this.outdated.keys()];
    this.entries.clear();
    this.outdated.clear();
    await Promise.all(all.map(({ starting }) => starting.then((side) => side.stop(), ignore)));
  }

  private async enterOther(environment: EnvironmentId): Promise<EngineSide> {
    let entry = this.entries.get(environment);
    if (entry === undefined) this.entries.set(environment, (entry = this.startOne(environment)));
    entry.sessions += 1;
    try {
      return await entry.starting;
    } catch (error) {
      entry.sessions -= 1;
      throw error;
    }
  }

  private startOne(environment: EnvironmentId): Entry {
    const { log } = this;
    const { start } = this.parts;
    const starting = start(environment).catch((cause: unknown) => {
      if (cause instanceof HatiError) throw cause;
      const reason = 'its engine does not let us in';
      throw new HatiError('environment_unavailable', { params: { reason }, cause });
    });
    const entry: Entry = {
      starting,
      side: undefined,
      sessions: 0,
      emptySince: performance.now(),
    };
    starting.then(
      (side) => {
        entry.side = side;
        for (const pool of Object.values(side.pools)) this.byPool.set(pool, entry);
        log.debug({ environment }, 'the engine of an environment is in use');
      },
      (error: unknown) => {
        log.error({ err: error, environment }, 'the engine of an environment cannot be used');
        if (this.entries.get(environment) === entry) this.entries.delete(environment);
      },
    );
    return entry;
  }

  private sweep(): void {
    const now = performance.now();
    for (const [environment, entry] of this.entries) {
      if (entry.sessions > 0 || now - entry.emptySince < idleMs) continue;
      this.entries.delete(environment);
      this.end(entry);
    }
  }

  private end({ starting }: Entry): void {
    const { log } = this;
    starting
      .then((side) => {
        for (const pool of Object.values(side.pools)) this.byPool.delete(pool);
        return side.stop();
      })
      .catch((error: unknown) => log.warn({ err: error }, 'an engine was not left in good order'));
  }
}

function ignore(): void {
  // Who could not start need not stop, and those who waited for it were told.
}
