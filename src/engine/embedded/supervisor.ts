/**
 * Keeps a postmaster running. One that dies unasked is started again, a little later each time; one that dies again
 * and again is given up, loudly. A crash of a single backend is PostgreSQL's own affair: its postmaster lives on.
 *
 * States: `starting` (until start() resolves) → `ready` ⇄ `restarting`; from there `failed` (given up) or
 * `stopping` → `stopped`. Only this file changes them.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { EmbeddedServerError } from './error.ts';
import { describeExit, type ExitReport, type Postmaster } from './postmaster.ts';

export type EmbeddedServerState =
  | 'starting'
  | 'ready'
  | 'restarting'
  | 'failed'
  | 'stopping'
  | 'stopped';

export interface SupervisorOptions {
  /** Clears what was left behind and launches; called anew for each try. */
  readonly launch: () => Promise<Postmaster>;
  readonly log: Logger;
  readonly onRestart: () => void;
  readonly onFailure: (error: EmbeddedServerError) => void;
}

/** So many restarts in so many milliseconds; the next one is not tried. */
const restartBudget = { count: 5, window: 60_000 };
const firstDelay = 100;
const longestDelay = 5_000;

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #stopping = new AbortController();
  #state: EmbeddedServerState = 'starting';
  #postmaster: Postmaster | undefined;
  #watch: Promise<void> = Promise.resolve();
  #restarts: number[] = [];

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  get state(): EmbeddedServerState {
    return this.#state;
  }

  get pid(): number | undefined {
    return this.#state === 'ready' ? this.#postmaster?.pid : undefined;
  }

  async start(): Promise<void> {
    this.#postmaster = await this.#options.launch();
    await this.#postmaster.ready();
    this.#state = 'ready';
    this.#watch = this.#keepRunning(this.#postmaster);
  }

  async stop(): Promise<void> {
    this.#state = 'stopping';
    this.#stopping.abort();
    await this.#postmaster?.stop();
    await this.#watch;
    this.#state = 'stopped';
  }

  /** Ends when the server was stopped or given up; never rejects. */
  async #keepRunning(first: Postmaster): Promise<void> {
    let report = await first.exited;
    while (!this.#stopping.signal.aborted) {
      this.#state = 'restarting';
      this.#options.log.error({ ...report }, 'PostgreSQL ended unexpectedly and is started again');
      const next = await this.#restart(report);
      if (next === undefined) return;
      report = await next.exited;
    }
  }

  async #restart(report: ExitReport): Promise<Postmaster | undefined> {
    let reason = describeExit(report);
    for (let wait = firstDelay; this.#mayTryAgain(); wait = Math.min(wait * 2, longestDelay)) {
      try {
        await delay(wait, undefined, { signal: this.#stopping.signal, ref: false });
        this.#postmaster = await this.#options.launch();
        // stop() may have come while it was launched, and found nothing to stop.
        if (this.#stopping.signal.aborted) await this.#postmaster.stop();
        await this.#postmaster.ready();
      } catch (error) {
        if (this.#stopping.signal.aborted) return undefined;
        reason = error instanceof Error ? error.message : String(error);
        this.#options.log.error({ err: error }, 'PostgreSQL could not be started again');
        continue;
      }
      this.#state = 'ready';
      this.#options.log.info('PostgreSQL accepts connections again');
      this.#options.onRestart();
      return this.#postmaster;
    }
    this.#giveUp(reason);
    return undefined;
  }

  #mayTryAgain(): boolean {
    const now = Date.now();
    this.#restarts = this.#restarts.filter((moment) => now - moment < restartBudget.window);
    if (this.#restarts.length >= restartBudget.count) return false;
    this.#restarts.push(now);
    return true;
  }

  #giveUp(reason: string): void {
    this.#state = 'failed';
    const error = new EmbeddedServerError(
      `PostgreSQL was started again ${restartBudget.count} times within a minute and is given up. The last time it ended with: ${reason}`,
    );
    this.#options.log.fatal({ err: error }, 'PostgreSQL is given up');
    this.#options.onFailure(error);
  }
}
