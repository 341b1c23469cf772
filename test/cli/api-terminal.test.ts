import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { TOTP } from 'otpauth';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startTestControlPlane, type TestControlPlane } from '../fixtures/control-plane.ts';
import { People, type Person } from './api-cli.ts';

/** What the commands ask a person, on a real terminal. */

const bin = resolve(import.meta.dirname, '../../bin/hati.js');
const ctrlC = '\u0003';

let plane: TestControlPlane;
const people = new People();

beforeAll(async () => {
  plane = await startTestControlPlane();
});
beforeEach(() => plane.pass(60_000));
afterAll(async () => {
  people.remove();
  await plane.stop();
});

interface Seen {
  readonly screen: string;
  readonly code: number;
}

/** For the shell that `script` starts. */
function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/** @param answers what is typed once the screen shows something, in this order */
async function atTerminal(
  person: Person,
  args: readonly string[],
  answers: readonly (readonly [RegExp, string])[],
): Promise<Seen> {
  const command = [process.execPath, bin, ...args].map(quoted).join(' ');
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('HATIDATA_'));
  const terminal = spawn('script', ['-qec', command, '/dev/null'], {
    cwd: person.cwd,
    env: { ...Object.fromEntries(kept), HOME: person.home },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let screen = '';
  const left = [...answers];
  terminal.stdout.on('data', (chunk: Buffer) => {
    screen += chunk.toString('utf8');
    if (left[0]?.[0].test(screen) === true) terminal.stdin.write(left.shift()![1]);
  });
  const code = await new Promise<number>((settle) => terminal.once('close', settle));
  expect(left).toEqual([]);
  return { screen, code };
}

async function enrolled() {
  const user = await plane.signIn('analyst');
  const begun = await plane.request('POST', '/v1/auth/totp', { as: user.token });
  const code = (): string =>
    new TOTP({ secret: begun.body.secret }).generate({ timestamp: plane.now().getTime() });
  const body = { code: code() };
  const confirmed = await plane.request('POST', '/v1/auth/totp/confirm', { as: user.token, body });
  expect(confirmed.status).toBe(200);
  plane.pass(60_000);
  return { ...user, code };
}

describe('login', () => {
  test('asks who and for the password, which is not echoed', async () => {
    const { email, password } = await plane.signIn('analyst');
    const person = people.stranger();
    const { screen, code } = await atTerminal(
      person,
      ['login', '--url', plane.base],
      [
        [/Email: /, `${email}\r`],
        [/Password: /, `${password}\r`],
      ],
    );
    expect(screen).toContain(`as ${email}`);
    expect(screen).not.toContain(password.slice(0, 7));
    expect(code).toBe(0);
    expect(person.session.email).toBe(email);
  });

  test('asks for the code of a second factor, which --code gives elsewhere', async () => {
    const { email, password, code } = await enrolled();
    const login = ['login', '--url', plane.base, '--email', email];
    const person = people.stranger();
    expect(
      await person.run([...login, '--password-stdin'], { stdin: password }), //
    ).toMatchObject({
      code: 1,
      stderr: 'hati: this account has a second factor\n  Give its code: hati login --code 123456\n',
    });
    expect(
      await person.run([...login, '--password-stdin', '--code', code()], { stdin: password }),
    ).toMatchObject({ code: 0 });
    plane.pass(60_000);
    const seen = await atTerminal(people.stranger(), login, [
      [/Password: /, `${password}\r`],
      [/Code: /, `${code()}\r`],
    ]);
    expect(seen.screen).toContain(`as ${email}`);
    expect(seen.code).toBe(0);
  });

  test('ends at Ctrl-C', async () => {
    const login = ['login', '--url', plane.base, '--email', 'a@example.com'];
    const { screen, code } = await atTerminal(people.stranger(), login, [
      [/Password: /, `sec${ctrlC}`],
    ]);
    expect(screen).toMatch(/hati: Interrupted\./);
    expect(screen).not.toContain('sec');
    expect(code).toBe(130);
  });
});

test('what cannot be undone is asked for first', async () => {
  const person = await people.loggedIn(plane);
  await person.out('keys', 'create', 'loader', '--scope', 'query:read');
  const revoke = ['keys', 'revoke', 'loader'];
  const question = /Revoking the key loader cannot be undone\. Go on\? \[y\/N\] /;
  const no = await atTerminal(person, revoke, [[question, '\r']]);
  expect(no).toMatchObject({ code: 1, screen: expect.stringContaining('Nothing was changed.') });
  expect(await person.json('keys', 'list')).toHaveLength(1);
  const yes = await atTerminal(person, revoke, [[question, 'y\r']]);
  expect(yes).toMatchObject({ code: 0, screen: expect.stringContaining('is revoked.') });
  expect(await person.json('keys', 'list')).toEqual([]);
});
