import { spawn } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, resolve } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startTestControlPlane, type TestControlPlane } from '../fixtures/control-plane.ts';
import { People, type Person } from './api-cli.ts';
import { outcomeOf } from './hati.ts';

const bin = resolve(import.meta.dirname, '../../bin/hati.js');
const hour = 3_600_000;

let plane: TestControlPlane;
const people = new People();

beforeAll(async () => {
  plane = await startTestControlPlane();
});
// Whoever logs in has an allowance by where he is, and all of these are here.
beforeEach(() => plane.pass(60_000));
afterAll(async () => {
  people.remove();
  await plane.stop();
});

/** As the server's log has them. */
function renewals(): number {
  return plane.proxy.logged().split('"route":"/v1/auth/refresh"').length - 1;
}

/** In a process of its own. */
function hati(person: Person, ...args: string[]) {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('HATIDATA_'));
  return outcomeOf(
    spawn(process.execPath, [bin, ...args], {
      cwd: person.cwd,
      env: { ...Object.fromEntries(kept), HOME: person.home },
      stdio: ['ignore', 'pipe', 'pipe'],
    }),
  );
}

describe('login', () => {
  test('is told in one sentence, and leaves a file for this user alone', async () => {
    const { who, ...person } = await people.loggedIn(plane, 'admin');
    const { stdout, code } = await people
      .stranger()
      .run(['login', '--url', `${plane.base}/v1/`, '--email', who.email, '--password-stdin'], {
        stdin: `${who.password}\n`,
      });
    expect(code).toBe(0);
    expect(stdout).toBe(
      `Logged in to ${plane.base} as ${who.email}, admin of My organization (my-organization).\n`,
    );
    expect(statSync(person.sessionPath).mode & 0o777).toBe(0o600);
    expect(JSON.parse(readFileSync(person.sessionPath, 'utf8'))).toEqual({
      url: plane.base,
      token: expect.stringMatching(/^ey/),
      refresh_token: expect.any(String),
      email: who.email,
      org_id: plane.orgId,
      expires_at: expect.stringMatching(/Z$/),
    });
    expect(readdirSync(dirname(person.sessionPath))).toEqual(['session.json']);
  });

  test('as JSON: who and where, never the tokens', async () => {
    const { who } = await people.loggedIn(plane, 'analyst');
    const { stdout } = await people
      .stranger()
      .run(
        ['login', '--email', who.email, '--password-stdin', '--org', 'my-organization', '--json'],
        { stdin: who.password, env: { HATIDATA_API_URL: plane.base } },
      );
    expect(JSON.parse(stdout)).toEqual({
      url: plane.base,
      user: { id: who.userId, email: who.email, name: 'The analyst', role: 'analyst' },
      org: expect.objectContaining({ id: plane.orgId }),
      expires_at: expect.any(String),
    });
  });

  test('into another organization, by its slug', async () => {
    const person = await people.loggedIn(plane);
    const args = ['--slug', 'second', '--billing-email', 'a@example.com'];
    const { org_id } = await person.json('orgs', 'create', 'Second', ...args);
    const { email, password } = person.who;
    const login = ['login', '--email', email, '--password-stdin', '--org'];
    expect(await person.run([...login, 'second'], { stdin: password })).toMatchObject({ code: 0 });
    expect(person.session.org_id).toBe(org_id);
    expect(await person.out('orgs', 'show')).toContain('second');
    expect(await person.run([...login, 'third'], { stdin: password })).toMatchObject({
      code: 1,
      stderr: 'hati: You are not in an organization "third"; you are in my-organization, second.\n',
    });
  });

  test.each([
    ['a wrong password', [], 'wrong', 1, /^hati: the email or the password is not right\n$/],
    [
      'no password',
      undefined,
      '',
      2,
      /^hati: Nobody can be asked here; give --password-stdin\.\n$/,
    ],
    [
      'a bad code',
      ['--code', '12'],
      'x',
      2,
      /^hati: totp_code: must be six digits, or a recovery code/,
    ],
    ['a foreign organization', ['--org', 'org_zzzz'], undefined, 1, /^hati: .*organization.*\n$/],
  ])('refused: %s', async (_, more, password, code, said) => {
    const { who } = await people.loggedIn(plane, 'developer');
    const person = people.stranger();
    const flags = more === undefined ? [] : ['--password-stdin', ...more];
    const outcome = await person.run(
      ['login', '--url', plane.base, '--email', who.email, ...flags],
      { stdin: password ?? who.password },
    );
    expect(outcome).toMatchObject({ code, stdout: '' });
    expect(outcome.stderr).toMatch(said);
    expect(existsSync(person.sessionPath)).toBe(false);
  });
});

describe('a session', () => {
  test('whoami', async () => {
    const person = await people.loggedIn(plane, 'auditor');
    expect(await person.out('whoami')).toMatch(/^role +auditor$/m);
    expect(await person.json('whoami')).toMatchObject({
      kind: 'user',
      email: person.who.email,
      memberships: [{ slug: 'my-organization' }],
    });
  });

  test('whose token has expired is renewed, the file with it', async () => {
    const person = await people.loggedIn(plane, 'admin');
    const before = person.session;
    plane.pass(hour + 1);
    expect(await person.json('whoami')).toMatchObject({ email: before.email });
    expect(person.session).toMatchObject({ url: before.url, email: before.email });
    expect(person.session.token).not.toBe(before.token);
    expect(person.session.refresh_token).not.toBe(before.refresh_token);
    expect(statSync(person.sessionPath).mode & 0o777).toBe(0o600);
  });

  test('is renewed once by commands that run at the same time', async () => {
    const person = await people.loggedIn(plane, 'admin');
    plane.pass(hour + 1);
    const before = renewals();
    const outcomes = await Promise.all([1, 2, 3].map(() => hati(person, 'whoami')));
    expect(outcomes.map(({ code, stderr }) => ({ code, stderr }))).toEqual(
      [1, 2, 3].map(() => ({ code: 0, stderr: '' })),
    );
    expect(renewals() - before).toBe(1);
    // A refresh token that comes twice would have ended it.
    plane.pass(hour + 1);
    expect(await person.json('whoami')).toMatchObject({ email: person.who.email });
    expect(readdirSync(dirname(person.sessionPath))).toEqual(['session.json']);
  });

  test('whose renewal was cut short is renewed by the next command', async () => {
    const person = await people.loggedIn(plane, 'admin');
    const gone = { pid: 4_194_304, startedAt: '2026-01-01T00:00:00Z', processStart: '1' };
    writeFileSync(`${person.sessionPath}.lock`, JSON.stringify(gone));
    plane.pass(hour + 1);
    expect(await person.json('whoami')).toMatchObject({ email: person.who.email });
    expect(readdirSync(dirname(person.sessionPath))).toEqual(['session.json']);
  });

  test('that has ended says so', async () => {
    const person = await people.loggedIn(plane, 'admin');
    plane.pass(31 * 24 * hour);
    const ended = `1 hati: The login at ${plane.base} has ended; run \`hati login\` again.`;
    expect(await person.fault('whoami')).toBe(ended);
    expect(await person.out('logout')).toBe(`The login at ${plane.base} had ended already.`);
    expect(existsSync(person.sessionPath)).toBe(false);
  });

  test('logout ends it on the server too', async () => {
    const person = await people.loggedIn(plane, 'admin');
    const { token } = person.session;
    expect(await person.out('logout')).toBe(`Logged out of ${plane.base}.`);
    expect(existsSync(person.sessionPath)).toBe(false);
    expect(await plane.request('GET', '/v1/auth/me', { as: token })).toMatchObject({ status: 401 });
    expect(await person.fault('logout')).toBe('1 hati: Nobody has logged in from here.');
  });

  test('of one server is not shown to another', async () => {
    const person = await people.loggedIn(plane, 'admin');
    const heard: (string | undefined)[] = [];
    const other = createServer((request, reply) => {
      heard.push(request.headers.authorization);
      reply.writeHead(502).end('<html>');
    });
    await new Promise<void>((done) => other.listen(0, '127.0.0.1', done));
    const url = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
    expect(await person.fault('whoami', '--url', url)).toBe(
      `1 hati: Nobody has logged in to ${url} from here; run \`hati login\`, or give an API key as HATIDATA_API_KEY.`,
    );
    expect(heard).toEqual([]);
    expect(await person.fault('whoami', '--url', url, '--key', 'hd_live_x')).toBe(
      `1 hati: ${url} answered 502, and not as a HatiData control plane does; is the URL right?`,
    );
    await new Promise((done) => other.close(done));
  });

  test.each([['open to others', (path: string) => chmodSync(path, 0o644), /open to other users/]])(
    'in a file that is %s is not trusted',
    async (_, spoil, said) => {
      const person = await people.loggedIn(plane, 'admin');
      spoil(person.sessionPath);
      expect(await person.fault('whoami')).toMatch(said);
    },
  );
});

describe('without a session', () => {
  test('an API key does, from the environment or by --key', async () => {
    const owner = await people.loggedIn(plane);
    const key = await owner.out('keys', 'create', 'reader', '--scope', 'key:read,environment:read');
    const person = people.stranger();
    const env = { HATIDATA_API_URL: plane.base, HATIDATA_API_KEY: key };
    const { stdout } = await person.run(['whoami', '--json'], { env });
    expect(JSON.parse(stdout)).toMatchObject({ kind: 'key', name: 'reader', env_id: plane.envId });
    expect(await person.out('envs', 'list', '--url', plane.base, '--key', key)).toMatch(
      /production/,
    );
    expect(await person.out('keys', 'list', '--url', plane.base, '--key', key)).toMatch(/reader/);
    expect(await person.run(['users', 'list'], { env })).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^hati: Permission denied: this needs user:read/),
    });
  });

  test.each([
    [['whoami'], /^1 hati: No control plane is known here/],
    [['orgs', 'list', '--url', 'ftp://x'], /^2 hati: The URL of a control plane must be/],
    [['orgs', 'list', '--url', 'http://u:p@x'], /^2 hati: The URL of a control plane must be/],
    [['orgs', 'list', '--url', 'http://127.0.0.1:9'], /^1 hati: Nobody has logged in to/],
    [
      ['orgs', 'list', '--url', 'http://127.0.0.1:9', '--key', 'hd_live_x'],
      /^1 hati: The control plane at http:\/\/127\.0\.0\.1:9 cannot be reached: .*ECONNREFUSED/,
    ],
  ])('%j', async (args, said) => {
    expect(await people.stranger().fault(...args)).toMatch(said);
  });

  test('a key that is not good', async () => {
    const args = ['whoami', '--url', plane.base, '--key', `hd_live_${'x'.repeat(32)}`];
    expect(await people.stranger().fault(...args)).toBe(
      '1 hati: the credential is not valid, or not any more\n  Log in with `hati login`, or give an API key as HATIDATA_API_KEY.',
    );
  });
});
