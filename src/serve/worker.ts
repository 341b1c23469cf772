/** One process's part of the proxy: everything between a socket that others share and the engine. */
import type { Config } from '../config.ts';
import type { Certificate } from '../config/certificate.ts';
import { LoginJournal } from '../control/audit/login-journal.ts';
import { Definitions } from '../control/instances/definitions.ts';
import { joinInstances } from '../control/instances/instances.ts';
import { StoreKeyDirectory } from '../control/keys/directory.ts';
import { KeyHasher } from '../control/keys/hasher.ts';
import { KeyService } from '../control/keys/service.ts';
import { endedChannel } from '../control/keys/store.ts';
import { SystemConnection } from '../control/system/connection.ts';
import { StoreSystemRelations } from '../control/system/relations.ts';
import { connectControlDatabase } from '../database/connect.ts';
import { StoreChannel } from '../database/store-channel.ts';
import { CatalogueWatcher } from '../engine/catalogue/watcher.ts';
import { EngineProbe } from '../engine/probe.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { Tally } from '../metrics/tally.ts';
import { pinReasons } from '../policy/pins.ts';
import type { LoginSink, SecretId } from '../ports.ts';
import { Listener } from '../proxy/listener.ts';
import { LiveSessions } from '../proxy/live-sessions.ts';
import { pipeline, type Step } from '../proxy/pipeline.ts';
import { snakeCase } from '../proxy/status/clients.ts';
import { Status } from '../proxy/status/status.ts';
import type { Logger } from '../shared/log.ts';
import { StatementReader } from '../sql/reader.ts';
import { startLanes, startPools, startTerminators } from './engine-parts.ts';
import { engineLogins, type Logins } from './logins.ts';
import type { Observation } from './monitoring.ts';
import { shareOf, type Place } from './share.ts';
import { Started } from './started.ts';
import { listenerTls } from './tls.ts';

/** What a worker is told. Plain values: in most cases they come from another process. */
export interface WorkerOrder {
  /** Of the whole proxy. */
  readonly config: Config;
  readonly logins: Logins;
  readonly certificate?: Certificate;
  readonly place: Place;
}

export interface WorkerOptions {
  readonly log: Logger;
  readonly observation: Observation;
  /** The assembly of a test that takes the first lock out; the product has one pipeline. */
  readonly steps?: readonly Step[];
}

export interface Worker {
  /** From here on clients are let in. Rejects with the system's error (EADDRINUSE …). */
  listen(sockets: readonly object[]): Promise<void>;
  readonly sessionCount: number;
  /** Accepts nobody any more; resolves when the last client has gone by itself. */
  retire(): Promise<void>;
  /**
   * Resolves when nothing of it is left. May be called again with less patience.
   * @param patienceMs how long clients may go on with their transactions
   */
  stop(patienceMs: number): Promise<void>;
}

const parserThreads = 2;
const parseDeadlineMs = 5_000;
const cacheBytes = 32 * 1024 * 1024;

export async function startWorker(order: WorkerOrder, options: WorkerOptions): Promise<Worker> {
  const { logins, certificate, place } = order;
  const config = shareOf(order.config, place);
  const { log, observation } = options;
  const { metrics, readiness } = observation;
  const { sources } = metrics;
  const started = new Started();
  /** Of whoever stops us, with clients in the middle of a transaction. */
  let patience = 0;
  try {
    const control = connectControlDatabase(logins.control, log);
    started.add(() => control.close());

    const reader = new StatementReader({
      cacheBytes,
      statementBytes: config.limits.statementBytes,
      workers: parserThreads,
      deadlineMs: parseDeadlineMs,
    });
    const engine = engineLogins(logins);
    const catalogue = new CatalogueWatcher({
      config: engine.reader,
      read: (text) => reader.read(Buffer.from(text)),
      epoch: () => definitions.epoch,
      log,
    });
    const hasher = new KeyHasher((seconds) => metrics.verifications.observe(seconds), place.count);
    await hasher.start();
    const outageMs = config.keys.outageSeconds * 1_000;
    const directory = new StoreKeyDirectory({ db: control.db, hasher, outageMs, log });
    const channel = new StoreChannel({ config: logins.control, log });
    channel.receive(endedChannel, (secret) => directory.end(secret as SecretId));
    channel.watch({
      catchUp: () => directory.resume(),
      onHeard: () => undefined,
      onLost: (heardAt) => directory.suspend(heardAt),
    });
    const instances = await joinInstances(control.db, channel, log);
    const definitions = new Definitions({
      instance: instances.number,
      channel,
      onChanged: () => catalogue.expectChange(),
    });
    started.add(() => channel.stop());
    started.add(() => instances.stop());
    await channel.start();
    sources.keyCache = () => directory.counts;
    sources.waitingVerifications = () => hasher.waitingCount;
    sources.store = () => ({
      isHeard: channel.isHeard,
      unheardSeconds: directory.unheardSeconds,
      isRefusing: directory.isRefusing,
    });
    sources.instances = () => instances.counts.instances + 1;
    sources.forwardedCancels = () => instances.cancels.outcomes.entries();
    readiness.add('control store', () => directory.complaint);
    const loginJournal = new LoginJournal({ db: control.db, log });
    started.add(async () => {
      await directory.flushUses();
      await loginJournal.flush();
    });
    const system = new SystemConnection(logins.system, logins.systemRole);
    started.add(() => system.close());

    await reader.start();
    started.add(() => reader.close());
    sources.statementCache = () => reader.cacheCounts;
    sources.parsers = () => reader.parserCounts;
    readiness.add('parser', () => (reader.isLoaded ? undefined : 'it is not loaded'));

    started.add(() => catalogue.stop());
    await catalogue.start();
    sources.catalogue = () => catalogue.counts;

    const probe = new EngineProbe([...new Set(Object.values(engine))]);
    started.add(() => probe.close());
    readiness.add('engine', async () =>
      (await probe.answers()) ? undefined : 'it does not answer; the log has more',
    );

    const terminators = startTerminators(logins, log);
    started.add(async () => {
      for (const each of new Set(Object.values(terminators))) await each.close();
    });
    const pools = startPools(config, engine);
    started.add(async () => {
      await Promise.all(Object.values(pools).map((pool) => pool.stop()));
    });
    const lanes = startLanes(config, pools);
    started.add(() => {
      for (const each of Object.values(lanes ?? {})) each.stop();
      return Promise.resolve();
    });
    sources.lanes = () =>
      Object.entries(lanes ?? {}).map(([role, { connections, counts }]) => ({
        role,
        connections,
        counts,
      }));
    const sessions = new LiveSessions();
    const status = new Status({ pools, pooling: config.pool.mode, sessions, reader });
    sources.pools = () => status.poolNumbers();
    const pins = new Tally(pinReasons);
    sources.pins = () => [...pins.entries()].map(([reason, count]) => [snakeCase(reason), count]);
    const listener = new Listener({
      pools,
      pooling: config.pool.mode,
      lanes,
      sessions,
      onPin: (reason) => pins.add(reason),
      terminators,
      authentication: {
        keys: directory,
        logins: countedLogins(metrics, loginJournal),
        devMode: config.devMode,
      },
      pipeline: {
        keys: directory,
        reader,
        catalogue: () => catalogue.current(),
        isCatalogueCurrent: () => catalogue.isCurrent,
        freshenCatalogue: () => catalogue.freshen(),
        definitions,
        steps: options.steps ?? pipeline,
        meter: metrics.judgements,
      },
      keyFunctions: new KeyService({
        db: control.db,
        hasher,
        onEnded: (secrets) => secrets.forEach((secret) => directory.end(secret)),
      }),
      systemRelations: new StoreSystemRelations({
        connection: system,
        flushUses: () => directory.flushUses(),
        status,
      }),
      tls: listenerTls(config, certificate),
      allowCleartext: config.allowCleartext,
      limits: config.limits,
      cancelKeys: instances.cancelKeys,
      cancels: instances.cancels,
      sessionCounts: instances.counts,
      meter: {
        opened: (about) => metrics.sessions.open(about),
        refused: (code) => metrics.connectionsRefused.add(code),
      },
      log,
    });
    sources.arriving = () => listener.arrivingCount;
    started.add(() => listener.close(patience));
    return {
      listen: async (sockets) => {
        for (const socket of sockets) await listener.listen(socket);
        readiness.phase = 'serving';
      },
      get sessionCount() {
        return listener.sessionCount;
      },
      retire: () => listener.retire(),
      stop: (patienceMs) => {
        patience = patienceMs;
        readiness.phase = 'stopping';
        if (started.isStopping) void listener.close(patienceMs);
        return started.stop();
      },
    };
  } catch (error) {
    await started.stop();
    throw error;
  }
}

/** A login is counted where it is recorded. */
function countedLogins(metrics: Metrics, journal: LoginSink): LoginSink {
  return {
    record: (login) => {
      const { outcome, principal } = login;
      metrics.logins.add(principal?.kind === 'localAdministrator' ? 'local' : outcome);
      journal.record(login);
    },
  };
}
