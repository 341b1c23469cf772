/** `hati login --sso` in a process of its own, with a real provider and what a browser does. */
import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Account } from '../fixtures/oidc-provider.ts';
import { somebody, startTestSso, type TestSso } from '../fixtures/single-sign-on.ts';
import { People, type Person } from './api-cli.ts';
import { outcomeOf } from './hati.ts';

const bin = resolve(import.meta.dirname, '../../bin/hati.js');
let sso: TestSso;
const people = new People();

beforeAll(async () => {
  sso = await startTestSso();
});
afterAll(async () => {
  people.remove();
  await sso.stop();
});

/** The command, begun; what it says; and what comes of it. */
function begin(person: Person, args: readonly string[] = [], more: Record<string, string> = {}) {
  const url = sso.plane.base;
  const child = spawn(
    process.execPath,
    [bin, 'login', '--url', url, '--sso', '--org', 'my-organization', ...args],
    {
      cwd: person.cwd,
      env: { PATH: process.env['PATH'], HOME: person.home, ...more },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString('utf8');
  });
  const address = async (): Promise<string> =>
    await vi.waitFor(() => /https:\/\/hatidata\.test\S+/.exec(said)![0], { timeout: 20_000 });
  return { outcome: outcomeOf(child), address, child };
}

async function browse(address: string, account: Account | undefined) {
  sso.provider.account = account;
  return await sso.browser().open(address);
}

describe('hati login --sso', () => {
  test('prints an address, and has a session once somebody has logged in there', async () => {
    const person = people.stranger();
    const account = somebody();
    const { outcome, address } = begin(person);
    const url = await address();
    const page = await browse(url, account);
    expect([page.status, page.body]).toEqual([
      200,
      'You have logged in. Go back to the terminal; this page can be closed.\n',
    ]);
    const { code, stdout, stderr } = await outcome;
    expect([code, stdout]).toEqual([
      0,
      `Logged in to ${sso.plane.base} as ${account.email}, analyst of My organization (my-organization).\n`,
    ]);
    const { token, refresh_token } = person.session;
    expect(statSync(person.sessionPath).mode & 0o777).toBe(0o600);
    expect(await person.json('whoami')).toMatchObject({ email: account.email, role: 'analyst' });
    // No token has been in an address, nor on the terminal.
    for (const secret of [token, refresh_token])
      for (const text of [url, page.url.href, stdout, stderr]) expect(text).not.toContain(secret);
  });

  test('says why somebody is not let in', async () => {
    const person = people.stranger();
    const { outcome, address } = begin(person);
    const page = await browse(await address(), somebody({ email_verified: false }));
    expect(page.body).toMatch(/^The login failed\./);
    const { code, stderr } = await outcome;
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /\nhati: single sign-on refused: the provider has not verified the email address\n$/,
    );
    expect(existsSync(person.sessionPath)).toBe(false);
  });

  test('takes no answer that is not to its own question', async () => {
    const person = people.stranger();
    const { outcome, address } = begin(person);
    const start = new URL(await address());
    const listener = start.searchParams.get('redirect_uri')!;
    for (const query of ['', '?code=x', '?code=x&state=y', '?error=x&state='])
      expect((await fetch(listener + query)).status).toBe(404);
    expect((await browse(start.href, somebody())).status).toBe(200);
    expect((await outcome).code).toBe(0);
  });

  test('takes no code that is for another', async () => {
    const person = people.stranger();
    const { outcome, address } = begin(person);
    const start = new URL(await address());
    const { redirect_uri: listener, state } = Object.fromEntries(start.searchParams);
    start.searchParams.set('code_challenge', 'c'.repeat(43));
    expect(listener).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/$/);
    expect(state).toMatch(/^[\w-]{43}$/);
    await browse(start.href, somebody());
    const { code, stderr } = await outcome;
    expect(code).toBe(1);
    expect(stderr).toContain('hati: the code is not valid, not any more, or not for this program');
  });

  test('opens the browser where there is one', async () => {
    const person = people.stranger();
    const opened = join(person.home, 'opened');
    const opener = join(person.home, 'bin', process.platform === 'darwin' ? 'open' : 'xdg-open');
    mkdirSync(dirname(opener));
    writeFileSync(
      opener,
      `#!/bin/sh\nprintf %s "$1" > "${opened}.new" && mv "${opened}.new" "${opened}"\n`,
    );
    chmodSync(opener, 0o755);
    const path = dirname(opener) + delimiter + process.env['PATH'];
    const { address, child } = begin(person, [], { DISPLAY: ':0', PATH: path });
    const printed = await address();
    await vi.waitFor(() => expect(readFileSync(opened, 'utf8')).toBe(printed), { timeout: 10_000 });
    child.kill();
  });

  test.each([
    [['--sso'], 2, /give --org/],
    [['--sso', '--org', 'nowhere'], 1, /there is no organization "nowhere" with single sign-on/],
    [['--sso', '--org', 'x', '--email', 'a@b.example'], 2, /cannot be used with/],
  ])('%j is told what is wrong', async (args, code, said) => {
    const person = people.stranger();
    const outcome = await person.run(['login', '--url', sso.plane.base, ...args]);
    expect(outcome.code).toBe(code);
    expect(outcome.stderr).toMatch(said);
  });

  test('is what a login by password is told to use', async () => {
    const { plane, owner } = sso;
    const admin = await plane.signIn('admin');
    const path = `/v1/organizations/${plane.orgId}`;
    const enforce = { settings: { enforce_sso: true } };
    await plane.request('PATCH', path, { as: owner.token, body: enforce });
    const args = ['login', '--url', plane.base, '--email', admin.email, '--password-stdin'];
    const { code, stderr } = await people.stranger().run(args, { stdin: admin.password });
    expect([code, stderr]).toEqual([
      1,
      'hati: this organization takes logins by single sign-on only\n  Log in with `hati login --sso --org <slug>`.\n',
    ]);
  });
});

describe('hati sso', () => {
  test('sets it up anew, shows and removes it, without ever showing its secret', async () => {
    const owner = people.stranger();
    await owner.logIn(sso.plane, sso.owner);
    const { issuer, clientId, clientSecret } = sso.provider;
    const wish = ['--issuer', issuer, '--client-id', clientId, '--domain', 'acme.example'];
    const set = await owner.run(
      ['sso', 'set', ...wish, '--domain', 'b.example', '--secret-stdin'],
      {
        stdin: `${clientSecret}\n`,
      },
    );
    expect(set).toMatchObject({ code: 0, stderr: '' });
    expect(set.stdout).toMatch(/^email_domains +acme\.example, b\.example$/m);
    // The secret that is there stays.
    const again = await owner.json('sso', 'set', ...wish, '--default-role', 'auditor');
    expect(again).toMatchObject({ email_domains: ['acme.example'], default_role: 'auditor' });
    const shown = await owner.json('sso', 'show');
    expect(shown).toEqual(again);
    expect(shown.redirect_uri).toBe(
      `https://hatidata.test/v1/auth/sso/callback/${sso.plane.orgId}`,
    );
    expect(set.stdout + JSON.stringify(shown)).not.toContain(clientSecret);
    await owner.out('orgs', 'update', '--enforce-sso', 'on');
    expect(await owner.fault('sso', 'remove', '--yes')).toContain('while it is enforced');
    await owner.out('orgs', 'update', '--enforce-sso', 'off');
    expect(await owner.out('sso', 'remove', '--yes')).toMatch(
      /^Single sign-on is removed; \d+ sessions? ended\.$/,
    );
    expect(await owner.fault('sso', 'show')).toContain(
      `register this redirect URI at the provider: ${shown.redirect_uri}`,
    );
  });

  test('what is wrong is said', async () => {
    const owner = people.stranger();
    await owner.logIn(sso.plane, sso.owner);
    expect(await owner.fault('sso', 'set', '--client-id', 'a', '--domain', 'b.example')).toContain(
      '--issuer',
    );
    const nobody = ['--issuer', 'http://127.0.0.1:1', '--client-id', 'a', '--domain', 'b.example'];
    const { code, stderr } = await owner.run(['sso', 'set', ...nobody, '--secret-stdin'], {
      stdin: 'secret',
    });
    expect(code).toBe(2);
    expect(stderr).toContain('no OpenID Connect configuration can be read there');
    const analyst = await people.loggedIn(sso.plane, 'analyst');
    expect(await analyst.fault('sso', 'show')).toContain('sso:write');
  });
});
