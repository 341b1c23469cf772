/**
 * The process that outlives the others. It serves no client: it has what must stay when workers come and go (the bound port,
 * the embedded server, the numbers of all of them), starts generations of workers, and hands the port from one to the next.
 *
 * States: starting → serving ⇄ renewing → stopping → stopped. Clients are accepted from the first generation's `serve` on,
 * always by one generation at least: the next one accepts before the old one ceases to.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { ConfigError, type Config, type ResolvedConfig } from '../config.ts';
import { layFoundation, type Foundation } from '../serve/foundation.ts';
import { startMonitoring, type Monitoring } from '../serve/monitoring.ts';
import { Started } from '../serve/started.ts';
import type { Logger } from '../shared/log.ts';
import { changedFixedSettings } from './fixed-settings.ts';
import { Generation } from './generation.ts';
import { Numbers } from './numbers.ts';

export interface SupervisorOptions {
  /** The file that a worker process runs. */
  readonly entry: string;
  /** Reads all of the configuration anew, the certificate with it. Throws ConfigError. */
  readonly readConfig: () => ResolvedConfig;
  readonly log: Logger;
  readonly onProgress?: (message: string) => void;
  /** Another configuration is in force. */
  readonly onRenewed?: (config: Config) => void;
}

export interface Renewal {
  readonly generation: number;
  readonly workers: number;
  readonly seconds: number;
  /** Sessions that stay with older workers. */
  readonly lingering: number;
}

/** Nothing has changed, and the message says why. */
export class RenewalRefused extends Error {
  override readonly name = 'RenewalRefused';
}

/** Older generations that may still have sessions. */
const mostLingering = 2;
/** New workers that are not ready by then are given up; those before them serve on. */
const renewalMs = 120_000;

export class Supervisor {
  readonly stopped: Promise<void>;
  private readonly options: SupervisorOptions;
  private readonly started = new Started();
  private readonly numbers: Numbers;
  private config: Config;
  private foundation!: Foundation;
  private monitoring!: Monitoring;
  private current: Generation | undefined;
  /** Everybody whose processes are there, oldest first; the current one and one that starts among them. */
  private readonly generations = new Set<Generation>();
  private lastNumber = 0;
  private patienceMs = 0;
  private isStopping = false;
  private renewing: Promise<Renewal> | undefined;
  /** For all who asked while another one was under way. */
  private next: Promise<Renewal> | undefined;

  constructor(resolved: ResolvedConfig, options: SupervisorOptions) {
    this.options = options;
    this.config = resolved.config;
    this.stopped = this.started.stopped;
    this.numbers = new Numbers({
      generations: () => [...this.generations],
      current: () => this.current,
      isStopping: () => this.isStopping,
    });
    void this.stopped.then(() => (this.isStopping = true));
  }

  get addresses() {
    return this.foundation.addresses;
  }

  get metricsAddresses() {
    return this.monitoring.addresses;
  }

  /** Of the control plane; none where there is none. */
  get apiAddresses() {
    return this.foundation.apiSockets.map(({ address }) => address);
  }

  get dataDirectory() {
    return this.foundation.dataDirectory;
  }

  /** Resolves when clients are accepted; rejects with the reason, and nothing is left of it then. */
  async start(resolved: ResolvedConfig): Promise<void> {
    const { log, onProgress } = this.options;
    try {
      const { numbers, started, config } = this;
      this.monitoring = await startMonitoring(config, {
        metrics: numbers,
        readiness: { missing: () => numbers.missing() },
        dead: () => numbers.dead(),
        log,
      });
      started.add(() => this.monitoring.close());
      const first = this.fork(resolved);
      started.add(() => this.stopWorkers());
      this.foundation = await layFoundation(config, this.options, started);
      // Before the engine goes, and the port before them, so that nobody connects to whom nobody answers.
      started.add(() => {
        for (const { handle } of this.foundation.sockets) handle.close();
        return this.stopWorkers();
      });
      onProgress?.('Starting the workers');
      this.current = await this.begin(first, resolved);
      const { addresses } = this.foundation;
      const { engine, devMode, workers } = config;
      log.info({ addresses, engine: engine.kind, devMode, workers }, 'proxy running');
    } catch (error) {
      await this.stop(0);
      throw error;
    }
  }

  /**
   * Hands over to a new generation of workers: the configuration as it is now, the code that is on disk now. Whoever asks
   * while this is under way gets the next one, which begins after he asked.
   * Rejects with RenewalRefused when nothing has changed.
   */
  renew(): Promise<Renewal> {
    if (this.renewing === undefined) {
      this.renewing = this.renewNow().finally(() => (this.renewing = undefined));
      return this.renewing;
    }
    this.next ??= this.renewing
      .catch(() => undefined)
      .then(() => {
        this.next = undefined;
        return this.renew();
      });
    return this.next;
  }

  /** May be called again with less patience: how long clients may go on with their transactions. */
  async stop(patienceMs: number): Promise<void> {
    this.patienceMs = patienceMs;
    if (this.isStopping) for (const each of this.generations) void each.stop(patienceMs);
    this.isStopping = true;
    await this.started.stop();
  }

  private async renewNow(): Promise<Renewal> {
    const { log } = this.options;
    const begun = performance.now();
    const old = this.current;
    try {
      if (this.isStopping || old === undefined)
        throw new RenewalRefused('The proxy is not serving; nothing has changed.');
      const resolved = this.readConfig();
      const generation = await this.beginInTime(resolved);
      this.current = generation;
      this.config = resolved.config;
      log.level = resolved.config.log.level;
      const lingering = await old.sessionCount();
      this.retire(old);
      this.numbers.renewed += 1;
      this.options.onRenewed?.(resolved.config);
      const renewal = {
        generation: generation.number,
        workers: generation.size,
        seconds: (performance.now() - begun) / 1_000,
        lingering,
      };
      log.info(renewal, 'a new generation of workers serves');
      return renewal;
    } catch (error) {
      this.numbers.refused += 1;
      log.error({ err: error }, 'the workers were not renewed; nothing has changed');
      if (error instanceof RenewalRefused) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      throw new RenewalRefused(`New workers can't serve: ${reason}\nNothing has changed.`, {
        cause: error,
      });
    }
  }

  private async beginInTime(resolved: ResolvedConfig): Promise<Generation> {
    const generation = this.fork(resolved);
    const limit = new AbortController();
    const late = delay(renewalMs, undefined, { signal: limit.signal }).then(
      () => {
        throw new Error(`they were not ready within ${renewalMs / 1_000} seconds`);
      },
      () => generation,
    );
    try {
      return await Promise.race([this.begin(generation, resolved), late]);
    } catch (error) {
      await generation.stop(0);
      throw error;
    } finally {
      limit.abort();
    }
  }

  private readConfig(): ResolvedConfig {
    let resolved: ResolvedConfig;
    try {
      resolved = this.options.readConfig();
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      throw new RenewalRefused(`${error.message}\nNothing has changed.`, { cause: error });
    }
    const fixed = changedFixedSettings(this.config, resolved.config);
    if (fixed.length > 0) {
      throw new RenewalRefused(
        `${fixed.join(', ')}: can't be changed while the proxy runs; nothing has changed.` +
          ' Use `hati stop` and `hati start`, or take the change back.',
      );
    }
    for (const warning of resolved.warnings) this.options.log.warn(warning);
    return resolved;
  }

  /** The processes of a generation, which wait to be told more. */
  private fork({ config }: ResolvedConfig): Generation {
    const { entry, log } = this.options;
    this.lastNumber += 1;
    const generation = new Generation({
      number: this.lastNumber,
      entry,
      size: config.workers,
      hasControlPlane: config.api !== undefined,
      log,
      onEnded: (worker) => this.numbers.keep(worker.samples),
      onReplaced: () => {
        this.numbers.replaced += 1;
      },
    });
    this.generations.add(generation);
    void generation.over.then(() => {
      this.generations.delete(generation);
      log.debug({ generation: generation.number }, 'the last worker of a generation has ended');
    });
    return generation;
  }

  /** Lets a generation accept clients. Rejects with the reason of the first worker that could not. */
  private async begin(
    generation: Generation,
    { config, certificate }: ResolvedConfig,
  ): Promise<Generation> {
    const { sockets, addresses, apiSockets, secretKey, logins } = this.foundation;
    try {
      await generation.start({
        config,
        logins: logins(config),
        sockets,
        apiSockets,
        secretKey,
        address: addresses[0]!,
        ...(certificate === undefined ? {} : { certificate }),
      });
      // Told to stop meanwhile: its workers were told as well.
      if (this.isStopping) throw new RenewalRefused('The proxy is stopping.');
      await generation.serve();
      return generation;
    } catch (error) {
      await generation.stop(0);
      throw error;
    }
  }

  /** Those before it go as well where there are too many. */
  private retire(old: Generation): void {
    const { restartSeconds, drainSeconds } = this.config.limits;
    const transactionsMs = drainSeconds * 1_000;
    old.retire({ sessionsMs: restartSeconds * 1_000, transactionsMs });
    const lingering = [...this.generations].filter((each) => each !== this.current);
    for (const each of lingering.slice(0, -mostLingering)) void each.stop(transactionsMs);
  }

  private async stopWorkers(): Promise<void> {
    this.isStopping = true;
    await Promise.all([...this.generations].map((each) => each.stop(this.patienceMs)));
  }
}
