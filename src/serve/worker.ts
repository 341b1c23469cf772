/** One process's part of the proxy: everything between a socket that others share and the engine. */
import type { Config } from '../config.ts';
import type { Certificate } from '../config/certificate.ts';
import { LoginJournal } from '../control/audit/login-journal.ts';
import { DefinitionNews } from '../control/instances/definitions.ts';
import { joinInstances } from '../control/instances/instances.ts';
import { StoreKeyDirectory } from '../control/keys/directory.ts';
import { KeyHasher } from '../control/keys/hasher.ts';
import { Acts } from '../control/act.ts';
import { hearEnvironments } from '../control/environments/hear-changes.ts';
import { StoreKeyFunctions } from '../control/keys/functions.ts';
import { hearEndings } from '../control/keys/hear-endings.ts';
import { KeyService } from '../control/keys/service.ts';
import { firstEnvironment } from '../control/keys/store.ts';
import { SystemConnection } from '../control/system/connection.ts';
import { StoreSystemRelations } from '../control/system/relations.ts';
import { connectControlDatabase } from '../database/connect.ts';
import { StoreChannel } from '../database/store-channel.ts';
import { EngineProbe } from '../engine/probe.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { Tally } from '../metrics/tally.ts';
import { pinReasons } from '../policy/pins.ts';
import type { LoginSink } from '../ports.ts';
import { Listener } from '../proxy/listener.ts';
import { LiveSessions } from '../proxy/live-sessions.ts';
import type { Step } from '../proxy/pipeline.ts';
import { snakeCase } from '../proxy/status/clients.ts';
import { Status } from '../proxy/status/status.ts';
import { systemClock, type Clock } from '../shared/clock.ts';
import type { Address } from '../shared/listen-on.ts';
import type { Logger } from '../shared/log.ts';
import { StatementReader } from '../sql/reader.ts';
import { EngineAccesses } from './engine-access.ts';
import { startEngineSide } from './engine-side.ts';
import { Environments } from './environments.ts';
import { engineLogins, type Logins } from './logins.ts';
import type { Observation } from './monitoring.ts';
import { shareOf, type Place } from './share.ts';
import { Started } from './started.ts';
import { listenerTls } from './tls.ts';

/** What a worker is told. Plain values: in most cases they come from another process. */
export interface WorkerOrder {
  readonly serves: 'proxy' | 'controlPlane';
  /** Of the whole proxy. */
  readonly config: Config;
  readonly logins: Logins;
  readonly certificate?: Certificate;
  /** For what is sealed in the control store, in base64; undefined where there is no control plane and never was one. */
  readonly secretKey: string | undefined;
  /** Where clients of the proxy connect. */
  readonly address: Address;
  readonly place: Place;
}

export interface WorkerOptions {
  readonly log: Logger;
  readonly observation: Observation;
  /** A test's. */
  readonly clock?: Clock;
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
  const { log, observation, clock = systemClock } = options;
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
    const hasher = new KeyHasher((seconds) => metrics.verifications.observe(seconds), place.count);
    await hasher.start();
    const outageMs = config.keys.outageSeconds * 1_000;
    const directory = new StoreKeyDirectory({ db: control.db, hasher, outageMs, clock, log });
    const channel = new StoreChannel({ config: logins.control, log });
    hearEndings(channel, directory);
    const instances = await joinInstances(control.db, channel, log);
    const news = new DefinitionNews({ instance: instances.number, channel });
    const environments = new Environments(log);
    hearEnvironments(channel, environments);
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

    const engine = engineLogins(logins);
    const probe = new EngineProbe([...new Set(Object.values(engine))]);
    started.add(() => probe.close());
    readiness.add('engine', async () =>
      (await probe.answers()) ? undefined : 'it does not answer; the log has more',
    );

    const { envId: firstId } = await firstEnvironment(control.db);
    const shared = { config, reader, news, keys: directory, meter: metrics.judgements, log };
    const sideParts = { ...shared, steps: options.steps };
    const access = new EngineAccesses({ db: control.db, logins, secretKey: order.secretKey });
    started.add(() => environments.stop());
    await environments.begin({
      first: firstId,
      isCurrent: (environment) => access.isCurrent(environment),
      start: async (environment) => {
        const { limits, pool, ...found } = await access.of(environment, config);
        return startEngineSide({
          ...sideParts,
          environment,
          access: found.access,
          config: { ...config, limits, pool },
        });
      },
    });
    sources.catalogue = () => environments.first.catalogue.counts;
    sources.lanes = () =>
      [...environments].flatMap(([environment, { lanes }]) =>
        Object.entries(lanes ?? {}).map(([role, { connections, counts }]) => ({
          role: environment === firstId ? role : `${environment} ${role}`,
          connections,
          counts,
        })),
      );
    const sessions = new LiveSessions();
    const status = new Status({
      engines: () => environments,
      first: firstId,
      pooling: config.pool.mode,
      sessions,
      reader,
    });
    sources.pools = () => status.poolNumbers();
    const pins = new Tally(pinReasons);
    sources.pins = () => [...pins.entries()].map(([reason, count]) => [snakeCase(reason), count]);
    const listener = new Listener({
      engines: environments,
      pooling: config.pool.mode,
      sessions,
      onPin: (reason) => pins.add(reason),
      authentication: {
        keys: directory,
        logins: countedLogins(metrics, loginJournal),
        devMode: config.devMode,
      },
      keyFunctions: new StoreKeyFunctions({
        db: control.db,
        acts: new Acts({ db: control.db, clock }),
        service: new KeyService(hasher, (secrets) =>
          secrets.forEach((secret) => directory.end(secret)),
        ),
      }),
      systemRelations: new StoreSystemRelations({
        connection: system,
        flushUses: () => directory.flushUses(),
        status,
      }),
      tls: listenerTls(config, certificate),
      trustedProxies: config.trustedProxies,
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
