/** Joins everything into one running proxy. What starts here is stopped here, in the reverse order. */
import type pg from 'pg';
import type { Config } from './config.ts';
import { LoginJournal } from './control/audit/login-journal.ts';
import { joinInstances } from './control/instances/instances.ts';
import { StoreKeyDirectory } from './control/keys/directory.ts';
import { KeyHasher } from './control/keys/hasher.ts';
import { KeyService } from './control/keys/service.ts';
import { endedChannel } from './control/keys/store.ts';
import { SystemConnection } from './control/system/connection.ts';
import { StoreSystemRelations } from './control/system/relations.ts';
import { connectControlDatabase } from './database/connect.ts';
import { migrate } from './database/migrate.ts';
import { StoreChannel } from './database/store-channel.ts';
import { prepareSystemRole, systemRole } from './database/system-role.ts';
import { startEmbeddedServer, type EmbeddedServer } from './engine/embedded/server.ts';
import { checkEngineLogins, type EngineLogins } from './engine/logins.ts';
import { EnginePool } from './engine/pool/pool.ts';
import { EngineProbe } from './engine/probe.ts';
import type { EngineRole } from './engine/roles.ts';
import { BackendTerminator } from './engine/terminator.ts';
import { openUpstream } from './engine/upstream.ts';
import { CatalogueWatcher } from './engine/catalogue/watcher.ts';
import { Tally } from './metrics/tally.ts';
import { pinReasons } from './policy/session-use.ts';
import { checkParameters } from './proxy/engine-parameters.ts';
import type { LoginSink, SecretId } from './ports.ts';
import { Listener } from './proxy/listener.ts';
import { LiveSessions } from './proxy/live-sessions.ts';
import { pipeline, type Step } from './proxy/pipeline.ts';
import { listenerTls } from './serve/tls.ts';
import { snakeCase } from './proxy/status/clients.ts';
import { Status } from './proxy/status/status.ts';
import { startMonitoring, type Monitoring } from './serve/monitoring.ts';
import { listenOn, type Address } from './shared/listen-on.ts';
import type { Logger } from './shared/log.ts';
import { StatementReader } from './sql/reader.ts';

export interface RunningProxy {
  readonly addresses: readonly Address[];
  /** Where /metrics, /health and /ready are served; undefined where they are not. */
  readonly metricsAddresses: readonly Address[] | undefined;
  /** Where the embedded server keeps its data; undefined when everything is elsewhere. */
  readonly dataDirectory: string | undefined;
  /**
   * Resolves when nothing of it is left. May be called again with less patience.
   * @param patienceMs how long clients may go on with their transactions; 0 unless given.
   */
  stop(patienceMs?: number): Promise<void>;
  /** Settles when the proxy ended, whoever asked for it. */
  readonly stopped: Promise<void>;
}

export interface ServeOptions {
  readonly log: Logger;
  readonly onProgress?: (message: string) => void;
  /** The assembly of a test that takes the first lock out; the product has one pipeline. */
  readonly steps?: readonly Step[];
}

const parserWorkers = 2;
const parseDeadlineMs = 5_000;
const cacheBytes = 32 * 1024 * 1024;

export async function serve(config: Config, options: ServeOptions): Promise<RunningProxy> {
  const { log, onProgress = () => undefined } = options;
  const started = new Started();
  /** Of whoever stops us, with clients in the middle of a transaction. */
  let patience = 0;
  try {
    const monitoring = await startMonitoring(config, log);
    const { metrics, readiness } = monitoring;
    const { sources } = metrics;
    started.add(() => monitoring.close());
    const embedded = await startEngine(config, options, started);
    const logins = engineLogins(config, embedded);
    const controlConfig = controlLogin(config, embedded);
    onProgress('Preparing the control store');
    await migrate(controlConfig, log);
    const ownControl = config.controlDatabaseUrl === undefined;
    await prepareSystemRole(controlConfig, { hasLogin: ownControl, log });
    if (config.engine.kind === 'url') await checkEngineLogins(logins, log);
    const control = connectControlDatabase(controlConfig, log);
    started.add(() => control.close());

    const hasher = new KeyHasher((seconds) => metrics.verifications.observe(seconds));
    await hasher.start();
    const outageMs = config.keys.outageSeconds * 1_000;
    const directory = new StoreKeyDirectory({ db: control.db, hasher, outageMs, log });
    const channel = new StoreChannel({ config: controlConfig, log });
    channel.receive(endedChannel, (secret) => directory.end(secret as SecretId));
    channel.watch({
      catchUp: () => directory.resume(),
      onHeard: () => undefined,
      onLost: (heardAt) => directory.suspend(heardAt),
    });
    const instances = await joinInstances(control.db, channel, log);
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
    const system = ownControl
      ? new SystemConnection(embeddedLogin(embedded!, 'system'), undefined)
      : new SystemConnection(controlConfig, systemRole);
    started.add(() => system.close());

    const reader = new StatementReader({
      cacheBytes,
      statementBytes: config.limits.statementBytes,
      workers: parserWorkers,
      deadlineMs: parseDeadlineMs,
    });
    await reader.start();
    started.add(() => reader.close());
    sources.statementCache = () => reader.cacheCounts;
    sources.parsers = () => reader.parserCounts;
    readiness.add('parser', () => (reader.isLoaded ? undefined : 'it is not loaded'));

    const catalogue = new CatalogueWatcher({
      config: logins.reader,
      read: (text) => reader.read(Buffer.from(text)),
      log,
    });
    started.add(() => catalogue.stop());
    await catalogue.start();
    sources.catalogue = () => catalogue.counts;

    const probe = new EngineProbe([...new Set(Object.values(logins))]);
    started.add(() => probe.close());
    readiness.add('engine', async () =>
      (await probe.answers()) ? undefined : 'it does not answer; the log has more',
    );

    const terminators = startTerminators(config, logins, embedded, log);
    started.add(async () => {
      for (const each of new Set(Object.values(terminators))) await each.close();
    });
    const pools = startPools(config, logins, log);
    started.add(async () => {
      await Promise.all(Object.values(pools).map((pool) => pool.stop()));
    });
    const sessions = new LiveSessions();
    const status = new Status({ pools, pooling: config.pool.mode, sessions, reader });
    sources.pools = () => status.poolNumbers();
    const pins = new Tally(pinReasons);
    sources.pins = () => [...pins.entries()].map(([reason, count]) => [snakeCase(reason), count]);
    let definitionEpoch = 0;
    const listener = new Listener({
      pools,
      pooling: config.pool.mode,
      sessions,
      onPin: (reason) => pins.add(reason),
      terminate: (role, processId) => terminators[role].terminate(processId),
      authentication: {
        keys: directory,
        logins: countedLogins(monitoring, loginJournal),
        devMode: config.devMode,
      },
      pipeline: {
        keys: directory,
        reader,
        catalogue: () => catalogue.current(),
        freshenCatalogue: () => catalogue.freshen(),
        onDefinition: () => {
          definitionEpoch += 1;
          catalogue.expectChange();
        },
        definitionEpoch: () => definitionEpoch,
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
      tls: listenerTls(config),
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
    const addresses = await listenOn(config.listen, (host, port) => listener.listen(host, port));
    started.add(() => {
      readiness.phase = 'stopping';
      return Promise.resolve();
    });
    readiness.phase = 'serving';
    log.info({ addresses, engine: config.engine.kind, devMode: config.devMode }, 'proxy running');
    return {
      addresses,
      metricsAddresses: monitoring.addresses,
      dataDirectory: embedded?.dataDirectory,
      stop: (patienceMs = 0) => {
        patience = patienceMs;
        if (started.isStopping) void listener.close(patienceMs);
        return started.stop();
      },
      stopped: started.stopped,
    };
  } catch (error) {
    await started.stop();
    throw error;
  }
}

/** A login is counted where it is recorded. */
function countedLogins({ metrics }: Monitoring, journal: LoginSink): LoginSink {
  return {
    record: (login) => {
      const { outcome, principal } = login;
      metrics.logins.add(principal?.kind === 'localAdministrator' ? 'local' : outcome);
      journal.record(login);
    },
  };
}

/** What has been started, in order. */
class Started {
  readonly stopped: Promise<void>;
  private readonly stops: (() => Promise<void>)[] = [];
  private resolveStopped!: () => void;
  private stopping: Promise<void> | undefined;

  constructor() {
    this.stopped = new Promise((resolve) => {
      this.resolveStopped = resolve;
    });
  }

  add(stop: () => Promise<void>): void {
    this.stops.push(stop);
  }

  get isStopping(): boolean {
    return this.stopping !== undefined;
  }

  stop(): Promise<void> {
    this.stopping ??= this.stopAll();
    return this.stopping;
  }

  private async stopAll(): Promise<void> {
    try {
      for (const stop of this.stops.toReversed()) await stop();
    } finally {
      this.resolveStopped();
    }
  }
}

async function startEngine(
  config: Config,
  { log, onProgress }: ServeOptions,
  started: Started,
): Promise<EmbeddedServer | undefined> {
  const { engine } = config;
  if (engine.kind === 'url' && config.controlDatabaseUrl !== undefined) return undefined;
  const embedded = await startEmbeddedServer({
    directory: config.directory,
    log,
    ...(engine.kind === 'embedded' && engine.user !== undefined ? { user: engine.user } : {}),
    ...(onProgress === undefined ? {} : { onProgress }),
    onFailure: () => void started.stop(),
  });
  started.add(() => embedded.stop());
  return embedded;
}

function engineLogins(config: Config, embedded: EmbeddedServer | undefined): EngineLogins {
  const { engine } = config;
  if (engine.kind === 'url') {
    const writer = { connectionString: engine.url };
    return {
      writer,
      reader: engine.readerUrl === undefined ? writer : { connectionString: engine.readerUrl },
    };
  }
  return { reader: embeddedLogin(embedded!, 'reader'), writer: embeddedLogin(embedded!, 'writer') };
}

/** In session mode there is a connection for each client. */
function startPools(
  { pool, limits }: Config,
  logins: EngineLogins,
  log: Logger,
): Record<EngineRole, EnginePool> {
  const start = (role: EngineRole, size: number): EnginePool =>
    new EnginePool({
      open: (session) => openUpstream(logins[role], session),
      check: (parameters) => checkParameters(parameters, role === 'reader'),
      size: pool.mode === 'session' ? limits.connections : size,
      queueMs: pool.queueSeconds * 1_000,
      idleMs: pool.idleSeconds * 1_000,
      lifetimeMs: pool.lifetimeSeconds * 1_000,
      log,
    });
  return { reader: start('reader', pool.readers), writer: start('writer', pool.writers) };
}

/** Of the embedded server, the control login may signal backends; elsewhere each role ends its own. */
function startTerminators(
  config: Config,
  logins: EngineLogins,
  embedded: EmbeddedServer | undefined,
  log: Logger,
): Record<EngineRole, BackendTerminator> {
  if (config.engine.kind === 'embedded') {
    const both = new BackendTerminator(embeddedLogin(embedded!, 'control'), log);
    return { writer: both, reader: both };
  }
  return {
    writer: new BackendTerminator(logins.writer, log),
    reader: new BackendTerminator(logins.reader, log),
  };
}

function controlLogin(config: Config, embedded: EmbeddedServer | undefined): pg.ClientConfig {
  return config.controlDatabaseUrl === undefined
    ? embeddedLogin(embedded!, 'control')
    : { connectionString: config.controlDatabaseUrl };
}

/** `ssl` is given so that pg does not look for it in the environment. */
function embeddedLogin(
  embedded: EmbeddedServer,
  role: Parameters<EmbeddedServer['connection']>[0],
): pg.ClientConfig {
  return { ...embedded.connection(role), ssl: false };
}
