/**
 * The configuration of one proxy: defaults < `.hati/config.toml` < environment < flags, read once at start into a
 * frozen value. Every fault of every source is reported together, each with where it stands and what is right.
 */
import { availableParallelism } from 'node:os';
import { dirname, resolve } from 'node:path';
import type { Certificate } from './config/certificate.ts';
import { readMail, type MailConfig } from './config/mail.ts';
import { type poolModes, settings } from './config/settings.ts';
import { checkApiExposure, readApi, readMetrics, readTracing } from './config/services.ts';
import { Sources } from './config/sources.ts';
import type { ConfigFile, ConfigFlags } from './config/sources.ts';
import { certificateOf, readTls, type TlsFiles } from './config/tls.ts';

export type { ConfigFile, ConfigFlags } from './config/sources.ts';

export interface Config {
  /** Absolute path of `.hati`. */
  readonly directory: string;
  /** `localhost` means 127.0.0.1 and ::1; port 0 means any free one. */
  readonly listen: { readonly host: string; readonly port: number };
  /** Processes that serve clients; the pool is divided over them. */
  readonly workers: number;
  /** Networks of load balancers, whose connections begin with a PROXY protocol header. */
  readonly trustedProxies: readonly string[];
  /** Loopback clients without a key are the local administrator. */
  readonly devMode: boolean;
  /** In dev mode, let libpq clients find the keyless password in their password file. */
  readonly pgpass: boolean;
  readonly tls: TlsFiles | undefined;
  /** A listener that other machines reach may take keys without TLS. */
  readonly allowCleartext: boolean;
  readonly engine: EngineConfig;
  /** `undefined`: a database of its own in the embedded server. */
  readonly controlDatabaseUrl: string | undefined;
  /** For what is sealed in the control store, in base64; undefined: in the file that the first start makes. */
  readonly secretKey: string | undefined;
  readonly keys: {
    /** How long keys that are remembered work while the control store is away. */
    readonly outageSeconds: number;
  };
  readonly pool: Pooling;
  readonly limits: Limits;
  /** Where numbers and readiness are told over HTTP; undefined: nowhere. */
  readonly metrics: { readonly host: string; readonly port: number } | undefined;
  /** The control plane over HTTP; undefined: there is none. */
  readonly api:
    | {
        readonly host: string;
        readonly port: number;
        /** Whose X-Forwarded-For is believed. */
        readonly trustedProxies: readonly string[];
        /** Where people find it, for links in mails; without a slash at its end. */
        readonly publicUrl: string;
        /** Administrators of organizations may name engines, which this machine then connects to. */
        readonly engineUrls: boolean;
        /** Webhooks may lead to addresses that only we can reach. */
        readonly webhookPrivateTargets: boolean;
        /** Providers of single sign-on may be where only we can reach them, on this machine without TLS. */
        readonly ssoPrivateIssuers: boolean;
        /** Whoever comes may make an account and an organization of his own. */
        readonly signup: boolean;
      }
    | undefined;
  /** How mails are sent; undefined: there are none. */
  readonly mail: MailConfig | undefined;
  /** Where traces are sent; undefined: there are none. */
  readonly tracing: { readonly endpoint: string; readonly samplePercent: number } | undefined;
  readonly log: {
    readonly level: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace';
    /** Lines for people in place of JSON. */
    readonly pretty: boolean;
  };
}

export type EngineConfig =
  /** `user`: the account that PostgreSQL runs as when we are root. */
  | { readonly kind: 'embedded'; readonly user: string | undefined }
  | { readonly kind: 'url'; readonly url: string; readonly readerUrl: string | undefined };

/**
 * - `auto`: engine connections are shared between transactions; a session keeps one while it has what can't be carried along;
 * - `session`: each session has one of its own;
 * - `transaction`: shared always; what would keep one is refused.
 */
export type PoolMode = (typeof poolModes)[number];

export interface Pooling {
  readonly mode: PoolMode;
  /** Engine connections at the most, for readonly keys and for the others. */
  readonly readers: number;
  readonly writers: number;
  readonly queueSeconds: number;
  readonly idleSeconds: number;
  readonly lifetimeSeconds: number;
  /** Short reads of different sessions go back to back on few connections. */
  readonly fastLane: boolean;
}

export interface Limits {
  /** Of all proxies of one control store together. */
  readonly connections: number;
  /** The same of one key. 0 here and below: no limit. */
  readonly connectionsPerKey: number;
  readonly statementSeconds: number;
  readonly transactionSeconds: number;
  readonly idleInTransactionSeconds: number;
  readonly idleSessionSeconds: number;
  /** An older session is ended when it is at rest. */
  readonly sessionSeconds: number;
  readonly statementBytes: number;
  readonly messageBytes: number;
  readonly startupSeconds: number;
  /** How long open transactions may go on when the proxy is told to stop. */
  readonly drainSeconds: number;
  /** How long sessions may stay with the old workers after a restart. */
  readonly restartSeconds: number;
}

export interface ConfigInput {
  readonly file?: ConfigFile | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** By name, dashes included: `{ '--port': '5440' }`. */
  readonly flags: ConfigFlags;
  /** The `.hati` directory; relative paths in settings are relative to the directory that holds it. */
  readonly directory: string;
  /** Whether the log goes to a terminal. */
  readonly isTerminal?: boolean;
  /** Read the certificate and its key too, as who will serve with them does; what is wrong with them is a fault. */
  readonly readsCertificate?: boolean;
}

export interface ResolvedConfig {
  readonly config: Config;
  /** What was accepted and ignored; for the log. */
  readonly warnings: readonly string[];
  /** Where it was asked for and TLS is on. */
  readonly certificate?: Certificate;
}

export class ConfigError extends Error {
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(['The configuration cannot be used:', ...faults].join('\n  - '));
    this.name = 'ConfigError';
    this.faults = faults;
  }
}

/** @throws {ConfigError} with all the faults of all sources. */
export function resolveConfig({
  file,
  env,
  flags,
  directory,
  isTerminal,
  readsCertificate = false,
}: ConfigInput): ResolvedConfig {
  const sources = new Sources({ file, env, flags });
  const listen = readListen(sources, flags);
  const workers = sources.read(settings.workers) ?? 1;
  const engine = readEngine(sources);
  // A server of somebody's own has room for a hundred as a rule, and other users.
  const poolSize = engine.kind === 'url' ? 20 : 50;
  const tls = readTls(sources, dirname(resolve(directory)));
  const config: Config = {
    directory: resolve(directory),
    listen,
    workers: workers === 'auto' ? availableParallelism() : workers,
    trustedProxies: sources.read(settings.trustedProxies) ?? [],
    devMode: sources.read(settings.devMode) ?? false,
    pgpass: sources.read(settings.pgpass) ?? true,
    tls,
    allowCleartext: sources.read(settings.allowCleartext) ?? false,
    engine,
    controlDatabaseUrl: sources.read(settings.controlDatabaseUrl),
    secretKey: sources.read(settings.secretKey),
    keys: { outageSeconds: sources.read(settings.outageSeconds) ?? 300 },
    pool: {
      mode: sources.read(settings.poolMode) ?? 'auto',
      readers: sources.read(settings.poolReaders) ?? poolSize,
      writers: sources.read(settings.poolWriters) ?? poolSize,
      queueSeconds: sources.read(settings.poolQueueSeconds) ?? 30,
      idleSeconds: sources.read(settings.poolIdleSeconds) ?? 300,
      lifetimeSeconds: sources.read(settings.poolLifetimeSeconds) ?? 3_600,
      fastLane: sources.read(settings.poolFastLane) ?? true,
    },
    limits: readLimits(sources),
    metrics: readMetrics(sources, listen),
    api: readApi(sources, listen, tls),
    mail: readMail(sources),
    tracing: readTracing(sources),
    log: {
      level: sources.read(settings.logLevel) ?? 'info',
      pretty: sources.read(settings.logPretty) ?? isTerminal ?? false,
    },
  };
  if (!isLoopbackHost(listen.host)) checkExposure(config, sources);
  if (config.api !== undefined && !isLoopbackHost(config.api.host))
    checkApiExposure(config, sources);
  const certificate = readsCertificate ? certificateOf(config.tls, sources) : undefined;
  if (sources.faults.length > 0) throw new ConfigError(sources.faults);
  return {
    config: freeze(config),
    warnings: sources.warnings,
    ...(certificate === undefined ? {} : { certificate }),
  };
}

/** Whether only this machine can reach a listener on `host`. A name other than localhost may mean anything. */
export function isLoopbackHost(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host);
}

function readListen(sources: Sources, flags: ConfigFlags): Config['listen'] {
  const listen = sources.read(settings.listen) ?? { host: 'localhost', port: 5439 };
  const port = sources.read(settings.port);
  if (flags['--listen'] !== undefined && flags['--port'] !== undefined) {
    sources.faults.push('--port and --listen: give one of them; --listen names the port as well');
  }
  return { host: listen.host, port: port ?? listen.port };
}

function readEngine(sources: Sources): EngineConfig {
  const url = sources.read(settings.engineUrl);
  const readerUrl = sources.read(settings.engineReaderUrl);
  const user = sources.read(settings.engineUser);
  if (url !== undefined) {
    if (user !== undefined) {
      sources.faults.push(
        `${sources.nameOf(settings.engineUser)}: it is the account of the embedded engine; an engine URL is set, so remove one of them`,
      );
    }
    return { kind: 'url', url, readerUrl };
  }
  if (readerUrl !== undefined && !sources.has(settings.engineUrl)) {
    sources.faults.push(
      `${sources.nameOf(settings.engineReaderUrl)}: a reader URL needs engine.url (HATIDATA_ENGINE_URL, --engine) beside it`,
    );
  }
  return { kind: 'embedded', user };
}

function readLimits(sources: Sources): Limits {
  const limits = {
    connections: sources.read(settings.connections) ?? 500,
    connectionsPerKey: sources.read(settings.connectionsPerKey) ?? 200,
    statementSeconds: sources.read(settings.statementSeconds) ?? 0,
    transactionSeconds: sources.read(settings.transactionSeconds) ?? 0,
    idleInTransactionSeconds: sources.read(settings.idleInTransactionSeconds) ?? 3_600,
    idleSessionSeconds: sources.read(settings.idleSessionSeconds) ?? 0,
    sessionSeconds: sources.read(settings.sessionSeconds) ?? 0,
    statementBytes: sources.read(settings.statementBytes) ?? 16 * 1024 * 1024,
    messageBytes: sources.read(settings.messageBytes) ?? 256 * 1024 * 1024,
    startupSeconds: sources.read(settings.startupSeconds) ?? 30,
    drainSeconds: sources.read(settings.drainSeconds) ?? 20,
    restartSeconds: sources.read(settings.restartSeconds) ?? 3_600,
  };
  if (limits.messageBytes < limits.statementBytes) {
    sources.faults.push(
      `${sources.nameOf(settings.messageBytes)}: ${limits.messageBytes} is less than limits.statement_bytes ` +
        `(${limits.statementBytes}), but a statement travels in one message`,
    );
  }
  return limits;
}

/** Rules for a listener that other machines can reach. */
function checkExposure({ devMode, tls, allowCleartext, listen }: Config, sources: Sources): void {
  const where = sources.nameOf(settings.listen);
  if (devMode) {
    sources.faults.push(
      `${sources.nameOf(settings.devMode)}: dev mode lets clients in without a key, so it needs a loopback listener; ` +
        `set dev_mode = false, or listen on localhost in place of "${listen.host}" (${where})`,
    );
  }
  if (tls === undefined && !allowCleartext) {
    sources.faults.push(
      `${where}: "${listen.host}" can be reached from other machines, which would send their keys unencrypted; ` +
        'set tls.cert_path and tls.key_path, or tls.allow_cleartext = true where the network itself is private',
    );
  }
}

function freeze<T extends object>(value: T): T {
  for (const member of Object.values(value)) {
    if (typeof member === 'object' && member !== null) freeze(member);
  }
  return Object.freeze(value);
}
