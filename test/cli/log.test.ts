import { Writable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { formatLogLine, prettyDestination } from '../../src/cli/log-format.ts';
import { createLogger } from '../../src/shared/log.ts';
import { redactSecrets } from '../../src/shared/redact.ts';

class Sink extends Writable {
  text = '';

  override _write(chunk: Buffer, _encoding: string, callback: () => void): void {
    this.text += String(chunk);
    callback();
  }
}

const key = 'hd_ro_canary1234567890canary1234567890';
const admin = 'hd_admin_canary1234567890canary';
const url = 'postgres://app:canary-pass@w"ord@db.internal:5432/app';

describe('redactSecrets', () => {
  test.each([
    [`password ${key}.`, 'password hd_ro_[redacted].'],
    [admin, 'hd_admin_[redacted]'],
    ['hd_live_svc_abcdefgh1234', 'hd_live_svc_[redacted]'],
    ['key hd_ro_abc123 ended', 'key hd_ro_abc123 ended'],
    ['hd_local', 'hd_local'],
    ['signed with whsec_abcdefgh1234', 'signed with whsec_[redacted]'],
    ['at postgres://app:s3cret@db/app now', 'at postgres://app:[redacted]@db/app now'],
    ['postgresql://app:p@ss:w/ord@db/app', 'postgresql://app:[redacted]@db/app'],
    ['postgres://app@db/app', 'postgres://app@db/app'],
    ['postgres://db:5432/app', 'postgres://db:5432/app'],
    ['host=db password=s3cret user=x', 'host=db password=[redacted] user=x'],
    ["password='s3 cret' user=x", 'password=[redacted] user=x'],
    [
      'postgres://db/app?user=x&password=s3cret&sslmode=require',
      'postgres://db/app?user=x&password=[redacted]&sslmode=require',
    ],
    ['{"password":"s3\\"cret","user":"x"}', '{"password":"[redacted]","user":"x"}'],
    ['nothing to hide', 'nothing to hide'],
  ])('%s', (text, expected) => {
    expect(redactSecrets(text)).toBe(expected);
  });
});

describe('the logger', () => {
  const cause = new Error(`the pool said: cannot connect to ${url}`);
  const error = Object.assign(new Error(`login with ${key}`, { cause }), {
    connection: { connectionString: url, password: 'canary-plain' },
    query: `select '${admin}'`,
  });

  test.each<[string, (log: ReturnType<typeof createLogger>) => void]>([
    ['message', (log) => log.info(`key ${key} for ${url}`)],
    ['fields', (log) => log.info({ key, nested: { list: [admin, { url }] } }, 'x')],
    [
      'field names of ours',
      (log) => log.info({ password: 'canary-plain', api_key: 'canary-plain' }, 'x'),
    ],
    ['error, its cause and its own members', (log) => log.error({ err: error }, 'failed')],
    ['error alone', (log) => log.error(error)],
    ['child bindings', (log) => log.child({ url }).warn({ secret: 'canary-plain' }, 'x')],
    ['format arguments', (log) => log.info('key %s url %s', key, url)],
  ])('lets no secret through: %s', (_name, write) => {
    for (const isPretty of [false, true]) {
      const sink = new Sink();
      write(
        createLogger({ level: 'trace', destination: isPretty ? prettyDestination(sink) : sink }),
      );
      expect(sink.text).toContain('[redacted]');
      expect(sink.text).not.toContain('canary');
    }
  });

  test('writes one JSON object a line, still valid after redaction', () => {
    const sink = new Sink();
    const log = createLogger({ level: 'info', destination: sink });
    log.error({ err: error, url, password: 'x"y' }, 'failed');
    log.info('second');
    log.debug('not shown');
    const records = sink.text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(records).toHaveLength(2);
    expect(records[0]).toMatchObject({ level: 'error', msg: 'failed', pid: process.pid });
    expect(records[1]).toMatchObject({ level: 'info', msg: 'second' });
  });
});

describe('lines for people', () => {
  test.each([
    [
      '{"level":"info","time":"2026-01-02T03:04:05.678Z","pid":1,"msg":"listening","port":5439}',
      '03:04:05.678 INFO  listening port=5439',
    ],
    [
      '{"level":"error","time":"2026-01-02T03:04:05.678Z","pid":1,"err":{"message":"no route"},"msg":"engine lost"}',
      '03:04:05.678 ERROR engine lost no route',
    ],
    ['hati: plain words', 'hati: plain words'],
    ['{"broken', '{"broken'],
    ['[1]', '[1]'],
  ])('%s', (line, expected) => {
    expect(formatLogLine(line)).toBe(expected);
  });
});

test('lines that a closed terminal does not take end nothing', async () => {
  const terminal = new Writable({
    write: (_chunk, _encoding, callback) => callback(new Error('write EIO')),
  });
  const told = new Promise<Error>((resolve) => terminal.once('error', resolve));
  const destination = prettyDestination(terminal);
  createLogger({ level: 'info', destination }).info('a line');
  expect((await told).message).toBe('write EIO');
  await new Promise((resolve) => setImmediate(resolve));
  expect(destination.errored).toBeNull();
});
