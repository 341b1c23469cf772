import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { configTemplate } from '../../src/cli/config-template.ts';
import { ConfigError, isLoopbackHost, resolveConfig } from '../../src/config.ts';
import type { ConfigFlags, ResolvedConfig } from '../../src/config.ts';
import { settings } from '../../src/config/settings.ts';
import type { Setting } from '../../src/config/settings.ts';

const directory = mkdtempSync(join(tmpdir(), 'hati-config-'));
afterAll(() => rmSync(directory, { recursive: true }));

const certificate = join(directory, 'cert.pem');
writeFileSync(certificate, 'not looked into here');

interface Given {
  readonly toml?: string;
  readonly env?: Record<string, string>;
  readonly flags?: ConfigFlags;
}

function resolved({ toml, env = {}, flags = {} }: Given): ResolvedConfig {
  return resolveConfig({
    file: toml === undefined ? undefined : { path: 'config.toml', text: toml },
    env,
    flags,
    directory: join(directory, '.hati'),
  });
}

function faultsOf(given: Given): readonly string[] {
  try {
    resolved(given);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
  return [];
}

describe('values', () => {
  test('without any source: the defaults', () => {
    expect(resolved({}).config).toEqual({
      directory: join(directory, '.hati'),
      listen: { host: 'localhost', port: 5439 },
      workers: 1,
      trustedProxies: [],
      devMode: false,
      pgpass: true,
      tls: undefined,
      allowCleartext: false,
      engine: { kind: 'embedded', user: undefined },
      controlDatabaseUrl: undefined,
      secretKey: undefined,
      keys: { outageSeconds: 300 },
      pool: {
        mode: 'auto',
        readers: 50,
        writers: 50,
        queueSeconds: 30,
        idleSeconds: 300,
        lifetimeSeconds: 3_600,
        fastLane: true,
      },
      limits: {
        connections: 500,
        connectionsPerKey: 200,
        statementSeconds: 0,
        transactionSeconds: 0,
        idleInTransactionSeconds: 3_600,
        idleSessionSeconds: 0,
        sessionSeconds: 0,
        statementBytes: 16 * 1024 * 1024,
        messageBytes: 256 * 1024 * 1024,
        startupSeconds: 30,
        drainSeconds: 20,
        restartSeconds: 3_600,
      },
      metrics: { host: 'localhost', port: 9090 },
      api: {
        host: 'localhost',
        port: 8080,
        trustedProxies: [],
        publicUrl: 'http://localhost:8080',
        engineUrls: false,
        webhookPrivateTargets: false,
        ssoPrivateIssuers: false,
        signup: false,
      },
      mail: undefined,
      tracing: undefined,
      log: { level: 'info', pretty: false },
    });
  });

  test('a public address without a slash at its end, and mails', () => {
    const { api, mail } = resolved({
      toml: '[mail]\nsmtp_url = "smtps://u:p@mail.example.com"\nfrom = "HatiData <h@example.com>"',
      env: { HATIDATA_API_PUBLIC_URL: 'https://hatidata.example.com/' },
    }).config;
    expect(api?.publicUrl).toBe('https://hatidata.example.com');
    expect(mail).toEqual({
      smtpUrl: 'smtps://u:p@mail.example.com',
      from: 'HatiData <h@example.com>',
    });
  });

  test('as many workers as there are cores, where that is left to the machine', () => {
    const given: Given[] = [
      { toml: '[proxy]\nworkers = "auto"' },
      { env: { HATIDATA_WORKERS: 'auto' } },
    ];
    for (const each of given) expect(resolved(each).config.workers).toBe(availableParallelism());
    expect(faultsOf({ toml: '[proxy]\nworkers = 0' })).toEqual([
      'config.toml:proxy.workers: 0 is not a whole number from 1 to 256, or "auto"',
    ]);
  });

  test('the file that init writes is valid and means dev mode', () => {
    const { config, warnings } = resolved({ toml: configTemplate(5440) });
    expect(config.listen).toEqual({ host: 'localhost', port: 5440 });
    expect(config.devMode).toBe(true);
    expect(warnings).toEqual([]);
  });

  test('what its comments offer is valid too', () => {
    const text = configTemplate(5440)
      .split('\n')
      .map((line) => line.replace(/^# (?=\[|\w+ = )/, ''))
      .join('\n')
      .replace('tls/cert.pem', 'cert.pem')
      .replace('tls/key.pem', 'cert.pem');
    const { config } = resolved({ toml: text });
    expect(config.engine.kind).toBe('url');
    expect(config.tls).toEqual({ certPath: certificate, keyPath: certificate });
  });

  test.each([
    [undefined, 'required'],
    ['off', undefined],
    ['optional', 'optional'],
    ['required', 'required'],
  ])('with authorities and client_certificates = %s, clients are asked: %s', (given, mode) => {
    const env = {
      HATIDATA_TLS_CERT_PATH: certificate,
      HATIDATA_TLS_KEY_PATH: certificate,
      HATIDATA_TLS_CLIENT_CA_PATH: certificate,
      HATIDATA_TLS_CLIENT_CERTIFICATES: given ?? '',
    };
    const asked = mode && { caPath: certificate, mode };
    expect(resolved({ env }).config.tls?.clientCertificates).toEqual(asked);
  });

  test.each<[string, Given, number]>([
    ['default', {}, 5439],
    ['file before default', { toml: 'proxy.listen = "localhost:1"' }, 1],
    [
      'environment before file',
      { toml: 'proxy.listen = "localhost:1"', env: { HATIDATA_LISTEN_ADDR: 'localhost:2' } },
      2,
    ],
    [
      'flag before environment',
      {
        toml: 'proxy.listen = "localhost:1"',
        env: { HATIDATA_LISTEN_ADDR: 'localhost:2' },
        flags: { '--listen': 'localhost:3' },
      },
      3,
    ],
    ['--port changes the port alone', { flags: { '--port': '4' } }, 4],
    ['an empty variable is not set', { env: { HATIDATA_LISTEN_ADDR: '' } }, 5439],
  ])('precedence: %s', (_name, given, port) => {
    expect(resolved(given).config.listen.port).toBe(port);
  });

  test.each<[string, { host: string; port: number }]>([
    ['[::1]:5439', { host: '::1', port: 5439 }],
    ['127.0.0.1:0', { host: '127.0.0.1', port: 0 }],
    ['localhost:65535', { host: 'localhost', port: 65535 }],
  ])('listen %s', (text, listen) => {
    expect(resolved({ env: { HATIDATA_LISTEN_ADDR: text } }).config.listen).toEqual(listen);
  });

  test('an engine of one’s own, with a reader, from the environment', () => {
    const env = {
      HATIDATA_ENGINE_URL: 'postgres://w:pw@db/app',
      HATIDATA_ENGINE_READER_URL: 'postgresql://r@db/app',
      HATIDATA_CONTROL_DATABASE_URL: 'postgres://c@db/control',
    };
    const { config } = resolved({ env });
    expect(config.engine).toEqual({
      kind: 'url',
      url: env.HATIDATA_ENGINE_URL,
      readerUrl: env.HATIDATA_ENGINE_READER_URL,
    });
    expect(config.controlDatabaseUrl).toBe(env.HATIDATA_CONTROL_DATABASE_URL);
  });

  test('the control plane elsewhere, or nowhere', () => {
    const env = {
      HATIDATA_API_LISTEN_ADDR: '[::1]:8181',
      HATIDATA_API_TRUSTED_PROXIES: '10.0.0.0/8, ::1',
    };
    expect(resolved({ env }).config.api).toEqual({
      publicUrl: 'http://[::1]:8181',
      host: '::1',
      port: 8181,
      trustedProxies: ['10.0.0.0/8', '::1/128'],
      engineUrls: false,
      webhookPrivateTargets: false,
      ssoPrivateIssuers: false,
      signup: false,
    });
    expect(resolved({ toml: 'api.enabled = false' }).config.api).toBeUndefined();
  });

  test('load balancers in front', () => {
    const given = { toml: 'proxy.trusted_proxies = ["10.1.0.0/16", "::ffff:10.2.0.1", "::1"]' };
    const networks = ['10.1.0.0/16', '10.2.0.1/32', '::1/128'];
    expect(resolved(given).config.trustedProxies).toEqual(networks);
    const env = { HATIDATA_TRUSTED_PROXIES: '10.1.0.0/16, 10.2.0.1,::1' };
    expect(resolved({ env }).config.trustedProxies).toEqual(networks);
  });

  test('metrics elsewhere, or nowhere', () => {
    const env = { HATIDATA_METRICS_LISTEN_ADDR: '[::1]:9191' };
    expect(resolved({ env }).config.metrics).toEqual({ host: '::1', port: 9191 });
    const off = { toml: 'metrics.enabled = false\nmetrics.listen = "localhost:5439"' };
    expect(resolved(off).config.metrics).toBeUndefined();
  });

  test('traces, with the share of statements', () => {
    const toml = '[tracing]\notlp_endpoint = "http://collector:4318"\nsample_percent = 5';
    expect(resolved({ toml }).config.tracing).toEqual({
      endpoint: 'http://collector:4318',
      samplePercent: 5,
    });
  });

  test('the result is frozen to the bottom', () => {
    const { config } = resolved({});
    expect(
      [config, config.listen, config.engine, config.limits, config.log].every(Object.isFrozen),
    ).toBe(true);
  });

  test.each([
    ['localhost', true],
    ['127.0.0.1', true],
    ['127.8.9.1', true],
    ['::1', true],
    ['0.0.0.0', false],
    ['::', false],
    ['127.0.0.1.example.com', false],
    ['localhost.example.com', false],
    ['10.0.0.1', false],
  ])('%s is loopback: %s', (host, expected) => {
    expect(isLoopbackHost(host)).toBe(expected);
  });
});

describe('faults', () => {
  test.each<[string, Given, RegExp]>([
    [
      'no port',
      { env: { HATIDATA_LISTEN_ADDR: 'localhost' } },
      /^HATIDATA_LISTEN_ADDR: "localhost" is not an address and a port/,
    ],
    [
      'port too large',
      { flags: { '--port': '70000' } },
      /^--port: "70000" is not a whole number from 0 to 65535/,
    ],
    [
      'port and listen',
      { flags: { '--port': '1', '--listen': 'localhost:2' } },
      /^--port and --listen/,
    ],
    [
      'not a boolean',
      { toml: '[dev]\ndev_mode = "maybe"' },
      /^config\.toml:dev\.dev_mode: "maybe" is not true or false/,
    ],
    [
      'a number as text',
      { toml: '[limits]\nconnections = "many"' },
      /limits\.connections: "many" is not a whole number/,
    ],
    ['no connections', { env: { HATIDATA_MAX_CONNECTIONS: '0' } }, /HATIDATA_MAX_CONNECTIONS: "0"/],
    [
      'unknown level',
      { env: { HATIDATA_LOG_LEVEL: 'loud' } },
      /"loud" is not one of fatal, error, warn/,
    ],
    [
      'unknown key',
      { toml: '[dev]\ncolour = 1' },
      /^config\.toml:dev\.colour: there is no such setting; the settings are/,
    ],
    [
      'unknown section',
      { toml: '[devel]\nx = 1' },
      /^config\.toml:devel: there is no such setting/,
    ],
    ['misspelt key', { toml: '[dev]\ndevmode = true' }, /dev\.devmode: .* dev\.dev_mode is meant/],
    [
      'misspelt variable',
      { env: { HATIDATA_ENGNE_URL: 'postgres://x' } },
      /^HATIDATA_ENGNE_URL: .* HATIDATA_ENGINE_URL is meant/,
    ],
    [
      'section in place of value',
      { toml: '[proxy.listen]\nport = 1' },
      /proxy\.listen: .* is not an address/,
    ],
    [
      'reader alone',
      { flags: { '--engine-reader': 'postgres://r@h/d' } },
      /^--engine-reader: a reader URL needs/,
    ],
    [
      'user with URL',
      { env: { HATIDATA_ENGINE_USER: 'pg', HATIDATA_ENGINE_URL: 'postgres://h/d' } },
      /^HATIDATA_ENGINE_USER/,
    ],
    [
      'message below statement',
      { toml: '[limits]\nmessage_bytes = 4096' },
      /limits\.message_bytes: 4096 is less/,
    ],
    [
      'certificate not there',
      {
        env: {
          HATIDATA_TLS_ENABLED: 'true',
          HATIDATA_TLS_CERT_PATH: '/no/such',
          HATIDATA_TLS_KEY_PATH: certificate,
        },
      },
      /^HATIDATA_TLS_CERT_PATH: "\/no\/such" is not a file/,
    ],
    [
      'certificates of clients without their authorities',
      {
        toml: '[tls]\nclient_certificates = "optional"',
        env: { HATIDATA_TLS_CERT_PATH: certificate, HATIDATA_TLS_KEY_PATH: certificate },
      },
      /tls\.client_certificates: "optional" needs tls\.client_ca_path/,
    ],
    [
      'certificates of clients without TLS',
      { env: { HATIDATA_TLS_CLIENT_CA_PATH: certificate } },
      /^HATIDATA_TLS_CLIENT_CA_PATH: clients show certificates over TLS only/,
    ],
    [
      'authorities not there',
      {
        env: {
          HATIDATA_TLS_CERT_PATH: certificate,
          HATIDATA_TLS_KEY_PATH: certificate,
          HATIDATA_TLS_CLIENT_CA_PATH: '/no/such',
        },
      },
      /^HATIDATA_TLS_CLIENT_CA_PATH: "\/no\/such" is not a file/,
    ],
    [
      'dev mode for all',
      {
        env: {
          HATIDATA_DEV_MODE: 'true',
          HATIDATA_LISTEN_ADDR: '0.0.0.0:5439',
          HATIDATA_TLS_ALLOW_CLEARTEXT: 'true',
        },
      },
      /^HATIDATA_DEV_MODE: dev mode lets clients in/,
    ],
    [
      'cleartext for all',
      { env: { HATIDATA_LISTEN_ADDR: '[::]:5439' } },
      /^HATIDATA_LISTEN_ADDR: "::" can be reached from other machines/,
    ],
    [
      'metrics without a port',
      { env: { HATIDATA_METRICS_LISTEN_ADDR: 'localhost' } },
      /^HATIDATA_METRICS_LISTEN_ADDR: "localhost" is not an address and a port/,
    ],
    [
      'a control plane where clients connect',
      { toml: 'api.listen = "localhost:5439"' },
      /^config\.toml:api\.listen: port 5439 is where clients connect/,
    ],
    [
      'a control plane that others reach without TLS',
      { toml: 'api.listen = "0.0.0.0:8080"' },
      /^config\.toml:api\.listen: "0\.0\.0\.0" can be reached from other machines/,
    ],
    [
      'a short secret key',
      { env: { HATIDATA_SECRET_KEY: 'c2hvcnQ=' } },
      /^HATIDATA_SECRET_KEY: the given value is not 32 random bytes in base64/,
    ],
    [
      'a proxy that is no network',
      { toml: 'api.trusted_proxies = ["nginx"]' },
      /^config\.toml:api\.trusted_proxies: \["nginx"\] is not a list of addresses and networks/,
    ],
    [
      'a load balancer in a network that is none',
      { toml: 'proxy.trusted_proxies = ["10.0.0.5/8"]' },
      /^config\.toml:proxy\.trusted_proxies: \["10\.0\.0\.5\/8"\] is not a list of .*no bits behind the prefix$/,
    ],
    [
      'metrics where clients connect',
      { toml: 'metrics.listen = "localhost:5439"' },
      /^config\.toml:metrics\.listen: port 5439 is where clients connect/,
    ],
    [
      'a collector that is no URL, without its password',
      { toml: 'tracing.otlp_endpoint = "grpc://u:canary-secret@h"' },
      /^config\.toml:tracing\.otlp_endpoint: the given value is not a URL such as/,
    ],
    [
      'mails without a sender',
      { env: { HATIDATA_MAIL_SMTP_URL: 'smtp://localhost' } },
      /^HATIDATA_MAIL_SMTP_URL: mails need a sender; set mail\.from \(HATIDATA_MAIL_FROM\) beside it/,
    ],
    [
      'a mail server that is no URL, without its password',
      { toml: 'mail.smtp_url = "smtp//u:canary-secret@h"\nmail.from = "a@b.example"' },
      /^config\.toml:mail\.smtp_url: the given value is not a URL such as smtps:/,
    ],
    [
      'a sender that is none',
      { toml: 'mail.from = "nobody"' },
      /^config\.toml:mail\.from: "nobody" is not an address such as/,
    ],
    [
      'no share',
      { toml: 'tracing.sample_percent = 0' },
      /tracing\.sample_percent: 0 is not a whole/,
    ],
    ['broken file', { toml: 'listen = = 1' }, /^config\.toml:1:\d+: the file is not valid TOML/],
  ])('%s', (_name, given, expected) => {
    const faults = faultsOf(given);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatch(expected);
  });

  test('all of them at once, from all sources', () => {
    const faults = faultsOf({
      toml: '[dev]\ndev_mode = 3\n[limits]\nconnections = -1\nspeed = 9',
      env: { HATIDATA_LOG_LEVEL: 'x', HATIDATA_LISTEN_ADDR: 'nope' },
      flags: { '--port': 'abc' },
    });
    expect(faults).toHaveLength(6);
    expect(new ConfigError(faults).message.split('\n')).toHaveLength(7);
  });

  test('a bad value is told even where a good one overrides it', () => {
    expect(faultsOf({ toml: 'log.level = "x"', env: { HATIDATA_LOG_LEVEL: 'warn' } })).toHaveLength(
      1,
    );
  });

  test('a listener for all is fine with TLS, or with the operator’s word', () => {
    const listen = { HATIDATA_LISTEN_ADDR: '0.0.0.0:5439' };
    const tls = { HATIDATA_TLS_CERT_PATH: certificate, HATIDATA_TLS_KEY_PATH: certificate };
    expect(faultsOf({ env: { ...listen, ...tls } })).toEqual([]);
    expect(
      faultsOf({
        env: { ...listen, HATIDATA_TLS_ALLOW_CLEARTEXT: 'true' },
      }),
    ).toEqual([]);
  });

  test.each([
    'mysql://u:canary-secret@h/d',
    'postgres://u:canary-secret@h:port/d',
    'postgres//u:canary-secret@h',
  ])('a refused URL does not show its password: %#', (url) => {
    const faults = faultsOf({
      toml: `engine.url = "${url}"\ncontrol.database_url = "${url}"`,
      env: { HATIDATA_ENGINE_READER_URL: url },
      flags: { '--engine': url },
    });
    expect(faults).toHaveLength(4);
    expect(faults.every((fault) => /is not a connection URL/.test(fault))).toBe(true);
    expect(faults.join('\n')).not.toContain('canary-secret');
  });

  test('a broken file is not quoted', () => {
    expect(faultsOf({ toml: 'a = 1\nurl = "canary-secret' }).join('\n')).not.toContain(
      'canary-secret',
    );
  });
});

describe('what older configurations hold', () => {
  test('is accepted, without effect, with a warning', () => {
    const toml = [
      'cloud_endpoint = "https://api.example.com"',
      'api_key = ""',
      '[database]',
      'path = "warehouse.duckdb"',
      '[transpiler]',
      'dialect = "snowflake"',
      '[cache]',
      'l1_max_entries = 1',
      '[dev]',
      'dev_mode = true',
      'tls_enabled = false',
    ].join('\n');
    const { config, warnings } = resolved({ toml });
    expect(config.devMode).toBe(true);
    expect(warnings).toHaveLength(5);
  });

  test('variables of clients and of Kubernetes pass in silence, unknown ones with a warning', () => {
    const env = {
      HATIDATA_API_KEY: 'k',
      HATIDATA_SERVICE_HOST: '10.0.0.1',
      HATIDATA_PORT: 'tcp://10.0.0.1:5439',
      HATIDATA_PORT_5439_TCP: 'tcp://10.0.0.1:5439',
      HATIDATA_DUCKDB_THREADS: '4',
    };
    const { warnings } = resolved({ env });
    expect(warnings).toEqual([expect.stringContaining('HATIDATA_DUCKDB_THREADS')]);
  });
});

describe('docs/configuration.md', () => {
  const page = readFileSync(resolve(import.meta.dirname, '../../docs/configuration.md'), 'utf8');
  const rows = page.split('\n').filter((line) => /^\| (?:`|–)/.test(line));
  const names = (row: string) => [...row.matchAll(/`([^`]+)`/g)].map((match) => match[1]);
  const all: readonly Setting<unknown>[] = Object.values(settings);

  test.each(all.map((setting) => [setting.key ?? setting.flag ?? '', setting] as const))(
    'has a row for %s',
    (_name, setting) => {
      const wanted = [setting.key, setting.alias, setting.env, setting.flag].filter(
        (name) => name !== undefined,
      );
      const row = rows.find((line) => wanted.every((name) => names(line).includes(name)));
      expect(row).toBeDefined();
      expect(row).toContain(setting.default);
    },
  );

  test('has no row for anything else', () => {
    expect(rows).toHaveLength(all.length);
  });
});
