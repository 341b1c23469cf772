import {
  emailAddress,
  flag,
  httpUrl,
  integer,
  listenAddress,
  networks,
  oneOf,
  orAuto,
  port,
  postgresUrl,
  secretKey,
  smtpUrl,
  text,
} from './value.ts';
import type { ValueKind } from './value.ts';

/** One setting and every place it can come from. `docs/configuration.md` is compared with this table by a test. */
export interface Setting<T> {
  /** `section.key` of config.toml. */
  readonly key?: string;
  /** A second spelling that published material uses. */
  readonly alias?: string;
  readonly env?: string;
  readonly flag?: string;
  readonly kind: ValueKind<T>;
  /** As the documentation writes it; the value itself is set in `config.ts`. */
  readonly default: string;
}

const mebibyte = 1024 * 1024;

export const clientCertificateModes = ['off', 'optional', 'required'] as const;

export const poolModes = ['auto', 'session', 'transaction'] as const;

export const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace'] as const;

export const settings = {
  listen: {
    key: 'proxy.listen',
    env: 'HATIDATA_LISTEN_ADDR',
    flag: '--listen',
    kind: listenAddress,
    default: 'localhost:5439',
  },
  port: { flag: '--port', kind: port, default: "the listen address's" },
  workers: {
    key: 'proxy.workers',
    env: 'HATIDATA_WORKERS',
    kind: orAuto(integer(1, 256)),
    default: '1',
  },
  trustedProxies: {
    key: 'proxy.trusted_proxies',
    env: 'HATIDATA_TRUSTED_PROXIES',
    kind: networks,
    default: 'none',
  },
  devMode: { key: 'dev.dev_mode', env: 'HATIDATA_DEV_MODE', kind: flag, default: 'false' },
  pgpass: { key: 'dev.pgpass', env: 'HATIDATA_DEV_PGPASS', kind: flag, default: 'true' },
  tlsEnabled: {
    key: 'tls.enabled',
    alias: 'dev.tls_enabled',
    env: 'HATIDATA_TLS_ENABLED',
    kind: flag,
    default: 'true when both paths are given',
  },
  tlsCertificate: {
    key: 'tls.cert_path',
    env: 'HATIDATA_TLS_CERT_PATH',
    kind: text,
    default: '/etc/hatidata/tls/cert.pem',
  },
  tlsKey: {
    key: 'tls.key_path',
    env: 'HATIDATA_TLS_KEY_PATH',
    kind: text,
    default: '/etc/hatidata/tls/key.pem',
  },
  tlsClientAuthorities: {
    key: 'tls.client_ca_path',
    env: 'HATIDATA_TLS_CLIENT_CA_PATH',
    kind: text,
    default: 'none',
  },
  tlsClientCertificates: {
    key: 'tls.client_certificates',
    env: 'HATIDATA_TLS_CLIENT_CERTIFICATES',
    kind: oneOf(clientCertificateModes),
    default: 'required when tls.client_ca_path is given, else off',
  },
  allowCleartext: {
    key: 'tls.allow_cleartext',
    env: 'HATIDATA_TLS_ALLOW_CLEARTEXT',
    kind: flag,
    default: 'false',
  },
  engineUrl: {
    key: 'engine.url',
    env: 'HATIDATA_ENGINE_URL',
    flag: '--engine',
    kind: postgresUrl,
    default: 'the embedded PostgreSQL',
  },
  engineReaderUrl: {
    key: 'engine.reader_url',
    env: 'HATIDATA_ENGINE_READER_URL',
    flag: '--engine-reader',
    kind: postgresUrl,
    default: 'none',
  },
  engineUser: {
    key: 'engine.user',
    env: 'HATIDATA_ENGINE_USER',
    kind: text,
    default: 'chosen at start',
  },
  controlDatabaseUrl: {
    key: 'control.database_url',
    env: 'HATIDATA_CONTROL_DATABASE_URL',
    kind: postgresUrl,
    default: 'a database in the embedded PostgreSQL',
  },
  secretKey: {
    key: 'control.secret_key',
    env: 'HATIDATA_SECRET_KEY',
    kind: secretKey,
    default: 'made at the first start, in `.hati/secret-key`',
  },
  outageSeconds: { key: 'keys.outage_seconds', kind: integer(0, 604_800), default: '300' },
  poolMode: {
    key: 'pool.mode',
    env: 'HATIDATA_POOL_MODE',
    kind: oneOf(poolModes),
    default: 'auto',
  },
  poolReaders: {
    key: 'pool.readers',
    env: 'HATIDATA_POOL_READERS',
    kind: integer(1, 10_000),
    default: '50; 20 with engine.url',
  },
  poolWriters: {
    key: 'pool.writers',
    env: 'HATIDATA_POOL_WRITERS',
    kind: integer(1, 10_000),
    default: '50; 20 with engine.url',
  },
  poolQueueSeconds: { key: 'pool.queue_seconds', kind: integer(1, 3_600), default: '30' },
  poolFastLane: {
    key: 'pool.fast_lane',
    env: 'HATIDATA_POOL_FAST_LANE',
    kind: flag,
    default: 'true',
  },
  poolIdleSeconds: { key: 'pool.idle_seconds', kind: integer(1, 86_400), default: '300' },
  poolLifetimeSeconds: { key: 'pool.lifetime_seconds', kind: integer(1, 604_800), default: '3600' },
  connections: {
    key: 'limits.connections',
    env: 'HATIDATA_MAX_CONNECTIONS',
    kind: integer(1, 100_000),
    default: '500',
  },
  connectionsPerKey: {
    key: 'limits.connections_per_key',
    kind: integer(0, 100_000),
    default: '200',
  },
  statementSeconds: { key: 'limits.statement_seconds', kind: integer(0, 604_800), default: '0' },
  transactionSeconds: {
    key: 'limits.transaction_seconds',
    kind: integer(0, 604_800),
    default: '0',
  },
  idleInTransactionSeconds: {
    key: 'limits.idle_in_transaction_seconds',
    kind: integer(0, 604_800),
    default: '3600',
  },
  idleSessionSeconds: {
    key: 'limits.idle_session_seconds',
    kind: integer(0, 604_800),
    default: '0',
  },
  sessionSeconds: { key: 'limits.session_seconds', kind: integer(0, 604_800), default: '0' },
  statementBytes: {
    key: 'limits.statement_bytes',
    kind: integer(1024, 1023 * mebibyte),
    default: '16777216 (16 MiB)',
  },
  messageBytes: {
    key: 'limits.message_bytes',
    kind: integer(1024, 1023 * mebibyte),
    default: '268435456 (256 MiB)',
  },
  startupSeconds: { key: 'limits.startup_seconds', kind: integer(1, 600), default: '30' },
  drainSeconds: { key: 'limits.drain_seconds', kind: integer(0, 86_400), default: '20' },
  restartSeconds: { key: 'limits.restart_seconds', kind: integer(0, 604_800), default: '3600' },
  metricsEnabled: {
    key: 'metrics.enabled',
    env: 'HATIDATA_METRICS_ENABLED',
    kind: flag,
    default: 'true',
  },
  metricsListen: {
    key: 'metrics.listen',
    env: 'HATIDATA_METRICS_LISTEN_ADDR',
    kind: listenAddress,
    default: 'localhost:9090',
  },
  apiEnabled: { key: 'api.enabled', env: 'HATIDATA_API_ENABLED', kind: flag, default: 'true' },
  apiListen: {
    key: 'api.listen',
    env: 'HATIDATA_API_LISTEN_ADDR',
    kind: listenAddress,
    default: 'localhost:8080',
  },
  apiEngineUrls: {
    key: 'api.engine_urls',
    env: 'HATIDATA_API_ENGINE_URLS',
    kind: flag,
    default: 'false',
  },
  apiTrustedProxies: {
    key: 'api.trusted_proxies',
    env: 'HATIDATA_API_TRUSTED_PROXIES',
    kind: networks,
    default: 'none',
  },
  apiWebhookPrivateTargets: {
    key: 'api.webhook_private_targets',
    env: 'HATIDATA_API_WEBHOOK_PRIVATE_TARGETS',
    kind: flag,
    default: 'false',
  },
  apiSsoPrivateIssuers: {
    key: 'api.sso_private_issuers',
    env: 'HATIDATA_API_SSO_PRIVATE_ISSUERS',
    kind: flag,
    default: 'false',
  },
  apiSignup: { key: 'api.signup', env: 'HATIDATA_API_SIGNUP', kind: flag, default: 'false' },
  apiPublicUrl: {
    key: 'api.public_url',
    env: 'HATIDATA_API_PUBLIC_URL',
    kind: httpUrl,
    default: 'http:// (https:// with TLS) and api.listen',
  },
  mailSmtpUrl: {
    key: 'mail.smtp_url',
    env: 'HATIDATA_MAIL_SMTP_URL',
    kind: smtpUrl,
    default: 'none',
  },
  mailFrom: {
    key: 'mail.from',
    env: 'HATIDATA_MAIL_FROM',
    kind: emailAddress,
    default: 'none',
  },
  tracingEndpoint: {
    key: 'tracing.otlp_endpoint',
    env: 'HATIDATA_TRACING_OTLP_ENDPOINT',
    kind: httpUrl,
    default: 'none',
  },
  tracingSamplePercent: {
    key: 'tracing.sample_percent',
    env: 'HATIDATA_TRACING_SAMPLE_PERCENT',
    kind: integer(1, 100),
    default: '100',
  },
  logLevel: {
    key: 'log.level',
    env: 'HATIDATA_LOG_LEVEL',
    kind: oneOf(logLevels),
    default: 'info',
  },
  logPretty: { key: 'log.pretty', kind: flag, default: 'true on a terminal' },
} as const satisfies Record<string, Setting<unknown>>;

/** Sections and flat keys of older published configurations: accepted, without effect, with a warning. */
export const ignoredSections: readonly string[] = ['database', 'transpiler', 'cache'];
export const ignoredKeys: readonly string[] = [
  'cloud_endpoint',
  'api_key',
  'default_target',
  'org_id',
  'tier',
];

/** Variables that belong to clients, the commands among them, so the proxy has no opinion on them. */
export const clientVariables: readonly string[] = [
  'HATIDATA_API_KEY',
  'HATIDATA_API_URL',
  'HATIDATA_CLOUD_KEY',
  'HATIDATA_HOST',
  'HATIDATA_PORT',
  'HATIDATA_USER',
  'HATIDATA_PASSWORD',
  'HATIDATA_DATABASE',
];
