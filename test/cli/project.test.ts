/** The commands as a person types them, on a real proxy with its embedded PostgreSQL. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isRunning, readRunRecord } from '../../src/cli/run-file.ts';
import { Hati, outcomeOf } from './hati.ts';

const hati = new Hati();

beforeAll(async () => {
  expect((await hati.run(['init', hati.project, '--port', '0'], { cwd: hati.base })).code).toBe(0);
  hati.record();
});
afterAll(() => hati.remove());

describe('status', () => {
  test('from a directory below', async () => {
    const below = join(hati.project, 'a', 'b');
    mkdirSync(below, { recursive: true });
    const { code, stdout } = await hati.run(['status', '--json'], { cwd: below });
    const { pid, address } = hati.record();
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      running: true,
      answering: true,
      pid,
      address: `localhost:${address.port}`,
      engine: 'embedded PostgreSQL',
      keys: 0,
      directory: hati.at(),
      log: hati.at('logs', 'proxy.log'),
    });
  });

  test('for people', async () => {
    const { stdout } = await hati.run(['status']);
    expect(stdout).toMatch(/^Proxy +running \(process \d+, for \d+/);
    expect(stdout).toContain('Keys       0 active');
  });
});

describe('query', () => {
  test('a table, with count and time beside it', async () => {
    const { code, stdout, stderr } = await hati.run(['query', 'SELECT 7 AS n, NULL::text AS t']);
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'n | t\n--+-----\n7 | NULL\n' });
    expect(stderr).toMatch(/^1 row in \d+\.\d{3} s\n$/);
  });

  test('from a file, several statements, as JSON', async () => {
    writeFileSync(
      join(hati.project, 'report.sql'),
      "SELECT 1 AS a;\nSELECT 'x' AS b, 1.10 AS c;\n",
    );
    expect(await hati.json('query', '-f', 'report.sql')).toEqual([
      [{ a: 1 }],
      [{ b: 'x', c: '1.10' }],
    ]);
  });

  test.each<[string, string[], number, RegExp]>([
    [
      'an error of the engine',
      ['SELECT * FROM nowhere'],
      1,
      /^hati: relation "nowhere" does not exist\n$/,
    ],
    ['nothing to run', [], 2, /^hati: Give the SQL/],
    ['a file that is not there', ['-f', 'no.sql'], 1, /^hati: no\.sql cannot be read/],
    ['an unknown option', ['--nope'], 2, /unknown option/],
    [
      'a wrong key',
      ['SELECT 1', '--key', 'hd_ro_wrong'],
      1,
      /^hati: Authentication failed: invalid API key\n$/,
    ],
  ])('%s', async (_name, args, expected, message) => {
    const { code, stdout, stderr } = await hati.run(['query', ...args]);
    expect({ code, stdout }).toEqual({ code: expected, stdout: '' });
    expect(stderr).toMatch(message);
  });
});

describe('keys', () => {
  test('create, use, rotate, list, revoke', async () => {
    const created = await hati.run([
      'keys',
      'create',
      'reporter',
      '--scope',
      'readonly',
      '--description',
      "it's for tests",
    ]);
    expect(created).toMatchObject({ code: 0, stdout: expect.stringMatching(/^hd_ro_\w+\n$/) });
    const first = created.stdout.trim();

    const allowed = await hati.run(['query', 'SELECT count(*) FROM products', '--key', first]);
    expect(allowed.stdout).toContain('42');
    const refused = await hati.run(['query', 'DELETE FROM products'], {
      env: { HATIDATA_API_KEY: first },
    });
    expect(refused).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('Permission denied: readonly scope cannot execute DELETE'),
    });

    const rotated = (await hati.json('keys', 'rotate', 'reporter')) as {
      agent_id: string;
      api_key: string;
    };
    expect(rotated.agent_id).toBe('reporter');
    expect(rotated.api_key).not.toBe(first);
    expect((await hati.run(['query', 'SELECT 1', '--key', first])).stderr).toContain(
      'invalid API key',
    );
    expect((await hati.run(['query', 'SELECT 1', '--key', rotated.api_key])).code).toBe(0);

    expect(await hati.json('keys', 'list')).toEqual([
      {
        agent_id: 'reporter',
        scope: 'readonly',
        created_at: expect.stringMatching(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/),
        last_used_at: expect.any(String),
        limits: null,
      },
    ]);
    expect((await hati.run(['keys', 'revoke', 'reporter'])).stdout).toBe(
      'The key of reporter is revoked.\n',
    );
    expect(await hati.json('keys', 'list')).toEqual([]);
  });

  test.each<[string, string[], number, string]>([
    ['no scope', ['create', 'x'], 2, '--scope'],
    ['an unknown scope', ['create', 'x', '--scope', 'root'], 2, 'readonly'],
    ['an unknown agent', ['rotate', 'nobody'], 1, 'agent "nobody" has no active key'],
  ])('%s', async (_name, args, code, message) => {
    const outcome = await hati.run(['keys', ...args]);
    expect(outcome).toMatchObject({ code, stdout: '', stderr: expect.stringContaining(message) });
  });

  test('no secret reaches the log', () => {
    expect(readFileSync(hati.at('logs', 'proxy.log'), 'utf8')).not.toMatch(
      /hd_(?:ro|admin)_[a-z0-9]{8}/,
    );
  });
});

test('logs: the last lines, for people or as they are', async () => {
  const plain = await hati.run(['logs', '-n', '2']);
  expect(plain.stdout.trimEnd().split('\n')).toHaveLength(2);
  const records = (await hati.run(['logs', '--json'])).stdout.trimEnd().split('\n');
  expect(
    records
      .map((line) => JSON.parse(line) as { msg: string })
      .some(({ msg }) => msg === 'proxy running'),
  ).toBe(true);
  expect((await hati.run(['logs', '-n', 'x'])).code).toBe(2);
});

test('logs: what is added, as it comes', async () => {
  const child = hati.spawn(['logs', '-f', '-n', '0']);
  if (child.stdout === null) throw new Error('no output');
  const outcome = outcomeOf(child);
  const shown = once(child.stdout, 'data');
  while ((await Promise.race([shown, sleep(50)])) === undefined) {
    appendFileSync(
      hati.at('logs', 'proxy.log'),
      '{"level":"info","time":"2026-01-02T03:04:05.678Z","pid":1,"msg":"hello"}\n',
    );
  }
  child.kill('SIGTERM');
  expect((await outcome).stdout).toMatch(/^(?:03:04:05\.678 INFO  hello\n)+$/);
});

describe('the password file', () => {
  const hasPsql = (() => {
    try {
      execFileSync('psql', ['--version'], { stdio: 'ignore' });
      return true;
    } catch {
      return false;
    }
  })();

  test.runIf(hasPsql).each(['localhost', '127.0.0.1', '::1'])(
    'lets psql in without a key at %s',
    (host) => {
      const args = [
        '-h',
        host,
        '-p',
        String(hati.record().address.port),
        '-U',
        'anybody',
        '-w',
        '-At',
      ];
      const output = execFileSync(
        'psql',
        [...args, '-c', 'SELECT count(*) FROM products', 'hatidata'],
        {
          env: hati.env(),
          encoding: 'utf8',
        },
      );
      expect(output).toBe('42\n');
    },
  );

  test('holds a block while the proxy runs', () => {
    expect(readFileSync(join(hati.base, '.pgpass'), 'utf8')).toContain(
      `localhost:${hati.record().address.port}:*:*:hd_local`,
    );
  });
});

describe('the life of a proxy', () => {
  test('a second one for the same project is refused', async () => {
    const { pid } = hati.record();
    const { code, stderr } = await hati.run(['start', '--port', '0']);
    expect(code).toBe(1);
    expect(stderr).toContain(`(process ${pid}); end it with \`hati stop\``);
    expect(hati.record().pid).toBe(pid);
  });

  test('killed without warning: seen as gone, started again with everything in it', async () => {
    const { pid } = hati.record();
    await hati.run(['keys', 'create', 'survivor', '--scope', 'admin']);
    await hati.run(['query', "INSERT INTO products (id, name) VALUES (2000, 'kept')"]);
    process.kill(pid, 'SIGKILL');
    while (hati.seen.some(isRunning)) await sleep(10);
    expect((await hati.run(['status'])).code).toBe(3);
    expect((await hati.run(['query', 'SELECT 1'])).stderr).toContain(
      'is not running; start it with',
    );

    expect((await hati.run(['init'])).code).toBe(0);
    expect(hati.record().pid).not.toBe(pid);
    expect(await hati.json('query', 'SELECT name FROM products WHERE id = 2000')).toEqual([
      { name: 'kept' },
    ]);
    expect(await hati.json('keys', 'list')).toMatchObject([{ agent_id: 'survivor' }]);
  });

  test('stop says so, tidies up, and can be repeated', async () => {
    const { pid } = hati.record();
    expect((await hati.run(['stop'])).stdout).toBe(
      `The proxy of ${hati.project} (process ${pid}) has stopped.\n`,
    );
    expect((await hati.run(['stop'])).stdout).toBe(
      `The proxy of ${hati.project} is not running.\n`,
    );
    expect((await hati.run(['status', '--json'])).code).toBe(3);
    expect(statSync(join(hati.base, '.pgpass'), { throwIfNoEntry: false })).toBeUndefined();
  });

  test.each(['SIGINT', 'SIGTERM'] as const)(
    'start runs in the foreground until %s',
    async (signal) => {
      const child = hati.spawn(['start', '--port', '0']);
      const outcome = outcomeOf(child);
      while (readRunRecord(hati.at('run', 'proxy.json'))?.address === undefined) {
        expect(child.exitCode).toBeNull();
        await sleep(20);
      }
      hati.record();
      expect((await hati.run(['query', 'SELECT 1'])).code).toBe(0);
      child.kill(signal);
      expect((await outcome).code).toBe(0);
    },
  );

  test('an empty project has no sample, and its proxy can be ended by force', async () => {
    const empty = join(hati.base, 'empty');
    expect((await hati.run(['init', empty, '--empty', '--port', '0'])).code).toBe(0);
    const { stderr } = await hati.run(['query', 'SELECT * FROM products'], { cwd: empty });
    expect(stderr).toContain('does not exist');
    expect((await hati.run(['stop', '--force'], { cwd: empty })).stdout).toContain('has stopped');
    expect((await hati.run(['status'], { cwd: empty })).code).toBe(3);
    // Its PostgreSQL has outlived it; a proper start and stop puts that right.
    expect((await hati.run(['init'], { cwd: empty })).code).toBe(0);
    expect((await hati.run(['stop'], { cwd: empty })).code).toBe(0);
  });
});
