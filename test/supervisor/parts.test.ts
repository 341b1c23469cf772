/** What can be said of supervisor and workers without starting one. */
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, describe, expect, test } from 'vitest';
import { askToRenew, openControlChannel } from '../../src/cli/control-channel.ts';
import type { Config } from '../../src/config.ts';
import { countsOf, sumAsText, sumOf, type Samples } from '../../src/metrics/sum.ts';
import { bindSockets } from '../../src/serve/bound-socket.ts';
import { shareOf } from '../../src/serve/share.ts';
import { errorOf, faultOf } from '../../src/supervisor/calls.ts';
import { changedFixedSettings } from '../../src/supervisor/fixed-settings.ts';
import { testConfig } from '../fixtures/proxy.ts';

const base = mkdtempSync(join(tmpdir(), 'hati-parts-'));
afterAll(() => rmSync(base, { recursive: true }));

const config = testConfig('/p/.hati');

describe('shares', () => {
  test.each([
    [50, 1, [50]],
    [50, 4, [13, 13, 12, 12]],
    [2, 3, [1, 1, 1]],
  ])('%i over %i workers', (total, count, parts) => {
    const whole: Config = {
      ...config,
      pool: { ...config.pool, readers: total, writers: total },
    };
    const shares = parts.map((_, index) => shareOf(whole, { index, count }));
    expect(shares.map(({ pool }) => pool.readers)).toEqual(parts);
    expect(shares.map(({ pool }) => pool.writers)).toEqual(parts);
    // Those are counted together.
    expect(shares[0]!.limits).toEqual(config.limits);
  });
});

describe('settings that need a stop', () => {
  const url = (host: string): Config['engine'] => ({
    kind: 'url',
    url: `postgres://u@${host}/d`,
    readerUrl: undefined,
  });
  const controlDatabaseUrl = 'postgres://u@store/d';
  const own = { engine: url('one'), controlDatabaseUrl };
  test.each<[string, Partial<Config>, Partial<Config>, string[]]>([
    ['nothing', {}, {}, []],
    ['what workers have', {}, { workers: 3, pgpass: true }, []],
    ['the port', {}, { listen: { host: '::1', port: 7 } }, ['proxy.listen']],
    ['the metrics’ port', {}, { metrics: { host: '::1', port: 7 } }, ['metrics.listen']],
    ['no metrics', {}, { metrics: undefined }, ['metrics.enabled']],
    ['from the embedded engine', {}, { engine: url('one') }, ['engine.url']],
    ['to the embedded engine', own, {}, ['engine.url']],
    ['the keys alone elsewhere', {}, { controlDatabaseUrl }, []],
    ['another engine', own, { engine: url('two'), controlDatabaseUrl }, []],
    ['an embedded server for the keys', own, { engine: url('one') }, ['control.database_url']],
    ['its account', {}, { engine: { kind: 'embedded', user: 'somebody' } }, ['engine.user']],
    ['the form of the log', {}, { log: { level: 'info', pretty: true } }, ['log.pretty']],
    ['the level of the log', {}, { log: { level: 'trace', pretty: false } }, []],
  ])('%s', (_name, before, after, expected) => {
    expect(changedFixedSettings({ ...config, ...before }, { ...config, ...after })).toEqual(
      expected,
    );
  });
});

describe('numbers of several processes', () => {
  const sample = (values: Record<string, number>): Samples => [
    {
      name: 'hits_total',
      help: 'h',
      type: 'counter',
      aggregator: 'sum',
      values: [{ labels: { kind: 'a' }, value: values['a']! }],
    },
    {
      name: 'age',
      help: 'h',
      type: 'gauge',
      aggregator: 'max',
      values: [{ labels: {}, value: values['age']! }],
    },
    {
      name: 'took',
      help: 'h',
      type: 'histogram',
      aggregator: 'sum',
      values: [
        { metricName: 'took_bucket', labels: { le: 1 }, value: values['a']! },
        { metricName: 'took_bucket', labels: { le: '+Inf' }, value: values['a']! },
        { metricName: 'took_sum', labels: {}, value: 0.5 },
        { metricName: 'took_count', labels: {}, value: values['a']! },
      ],
    },
  ];

  test('become one, each in its own way', async () => {
    const [one, two] = [sample({ a: 3, age: 7 }), sample({ a: 4, age: 2 })];
    // As they come from another process.
    const told = await sumAsText([one, JSON.parse(JSON.stringify(two)) as Samples, []]);
    for (const line of [
      'hits_total{kind="a"} 7',
      'age 7',
      'took_bucket{le="1"} 7',
      'took_bucket{le="+Inf"} 7',
      'took_sum 1',
      'took_count 7',
    ])
      expect(told.split('\n')).toContain(line);
  });

  test('of a process that has ended, only what was counted stays', async () => {
    const past = await sumOf([[], countsOf(sample({ a: 3, age: 7 }))]);
    const told = await sumAsText([past, sample({ a: 1, age: 2 })]);
    expect(told.split('\n')).toEqual(expect.arrayContaining(['hits_total{kind="a"} 4', 'age 2']));
  });
});

test('an error keeps what a person needs on its way between processes', () => {
  const cause = Object.assign(new Error('listen EADDRINUSE'), {
    code: 'EADDRINUSE',
    syscall: 'listen',
  });
  const both = new AggregateError([cause, new Error('and another')]);
  const hinted = Object.assign(new Error('no', { cause }), { hint: 'do this' });
  const there = (error: unknown): Error =>
    errorOf(JSON.parse(JSON.stringify(faultOf(error))) as ReturnType<typeof faultOf>);
  expect(there(cause)).toMatchObject({
    message: cause.message,
    code: 'EADDRINUSE',
    syscall: 'listen',
  });
  expect(there(both).message).toBe('listen EADDRINUSE; and another');
  expect(there(hinted)).toMatchObject({ message: 'no\n  do this', cause: { code: 'EADDRINUSE' } });
  expect(there('a text').message).toBe('a text');
});

describe('a bound socket', () => {
  test('has its address, refuses who connects, and can not be had twice', async () => {
    const sockets = await bindSockets({ host: 'localhost', port: 0 });
    const { port } = sockets[0]!.address;
    expect(port).toBeGreaterThan(0);
    const socket = connect({ host: '127.0.0.1', port });
    const error = await new Promise<NodeJS.ErrnoException>((resolve) =>
      socket.once('error', resolve),
    );
    expect(error.code).toBe('ECONNREFUSED');
    for (const { handle } of sockets) handle.close();
    await expect(bindSockets({ host: '192.0.2.1', port: 0 })).rejects.toMatchObject({
      code: 'EADDRNOTAVAIL',
      syscall: 'listen',
    });
  });
});

describe('the control channel', () => {
  const renewal = { generation: 2, workers: 1, seconds: 1, lingering: 0 };

  test.each([
    ['beside the run file', base],
    ['elsewhere, where that path is too long', join(base, 'x'.repeat(120))],
  ])('%s', async (_name, directory) => {
    const channel = await openControlChannel(directory, () => Promise.resolve(renewal));
    expect(await askToRenew(channel.path)).toEqual({ done: true, ...renewal });
    channel.close();
    expect(await askToRenew(channel.path)).toBeUndefined();
  });

  test('tells why not, and does nothing for another word', async () => {
    let asked = 0;
    const channel = await openControlChannel(base, () => {
      asked += 1;
      return Promise.reject(new Error('because'));
    });
    const other = connect(channel.path);
    other.end('renew everything\n');
    expect(await text(other)).toBe('');
    expect(asked).toBe(0);
    expect(await askToRenew(channel.path)).toEqual({ done: false, reason: 'because' });
    channel.close();
  });
});
