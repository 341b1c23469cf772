/** Logins that a program on the user's machine begins and collects, as `hati login --sso` does. */
import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { reasonOf, someAddress, statusesOf } from '../fixtures/control-plane.ts';
import type { Account } from '../fixtures/oidc-provider.ts';
import { somebody, startTestSso, type TestSso } from '../fixtures/single-sign-on.ts';

let sso: TestSso;

beforeAll(async () => {
  sso = await startTestSso();
});
afterAll(() => sso.stop());

const listener = 'http://127.0.0.1:40123/';
const refused = [401, 'sso_code_refused'];

function program(redirectUri = listener) {
  const verifier = randomBytes(32).toString('base64url');
  const code_challenge = createHash('sha256').update(verifier).digest('base64url');
  const state = randomBytes(16).toString('base64url');
  return { verifier, state, asked: { redirect_uri: redirectUri, code_challenge, state } };
}

const start = (body: object) =>
  sso.plane.request('POST', '/v1/auth/sso/start', { body, from: someAddress() });

const exchange = (code: string, verifier: string) =>
  sso.plane.request('POST', '/v1/auth/sso/exchange', {
    body: { code, code_verifier: verifier },
    from: someAddress(),
  });

/** @returns what the browser brings to the listener */
async function brought(account: Account | undefined, { asked } = program()): Promise<URL> {
  const { status, body } = await start({ org_slug: 'my-organization', ...asked });
  expect(status).toBe(200);
  sso.provider.account = account;
  const { url } = await sso
    .browser()
    .open(body.url, (next) => (next.host === new URL(asked.redirect_uri).host ? undefined : next));
  return url;
}

test('a code comes to the listener, and is exchanged for what every login answers', async () => {
  const mine = program();
  const account = somebody();
  const url = await brought(account, mine);
  expect(url.origin + url.pathname).toBe(listener);
  expect([...url.searchParams.keys()]).toEqual(['code', 'state']);
  expect(url.searchParams.get('state')).toBe(mine.state);
  const { body } = await exchange(url.searchParams.get('code')!, mine.verifier);
  expect(body).toMatchObject({
    token: expect.stringMatching(/^ey/),
    user: { email: account.email, role: 'analyst' },
    org: { slug: 'my-organization' },
  });
  expect((await sso.recorded('session.started'))[0]?.detail).toMatchObject({ method: 'sso' });
});

describe('a code', () => {
  test('is for who began, and over with the first try', async () => {
    const mine = program();
    const code = (await brought(somebody(), mine)).searchParams.get('code')!;
    expect(reasonOf(await exchange(code, program().verifier))).toEqual(refused);
    expect(reasonOf(await exchange(code, mine.verifier))).toEqual(refused);
  });

  test('is good once, also of several at once', async () => {
    const mine = program();
    const code = (await brought(somebody(), mine)).searchParams.get('code')!;
    const answers = await Promise.all([1, 2, 3].map(() => exchange(code, mine.verifier)));
    expect(statusesOf(answers)).toEqual([200, 401, 401]);
  });

  test('is good for a minute', async () => {
    const mine = program();
    const code = (await brought(somebody(), mine)).searchParams.get('code')!;
    sso.plane.pass(60_000);
    expect(reasonOf(await exchange(code, mine.verifier))).toEqual(refused);
    sso.plane.pass(-60_000);
  });

  test.each([
    ['who was suspended meanwhile', "UPDATE hatidata.memberships SET status = 'suspended'"],
    ['who was removed meanwhile', 'DELETE FROM hatidata.memberships'],
  ])('is nothing for %s', async (_what, change) => {
    const mine = program();
    const { email, ...account } = somebody();
    const url = await brought({ ...account, email }, mine);
    const where = 'WHERE user_id = (SELECT user_id FROM hatidata.users WHERE email = $1)';
    await sso.plane.store.query(`${change} ${where}`, [email]);
    expect(reasonOf(await exchange(url.searchParams.get('code')!, mine.verifier))).toEqual(refused);
  });

  test('is nothing once single sign-on was set up anew', async () => {
    const mine = program();
    const code = (await brought(somebody(), mine)).searchParams.get('code')!;
    await sso.configure({ default_role: 'analyst' });
    expect(reasonOf(await exchange(code, mine.verifier))).toEqual(refused);
  });
});

test('what went wrong is told to the listener', async () => {
  const mine = program('http://[::1]:40123/somewhere');
  const url = await brought(somebody({ email: 'eve@evil.example' }), mine);
  expect(Object.fromEntries(url.searchParams)).toEqual({
    error: 'sso_refused',
    error_description:
      'single sign-on refused: addresses of evil.example are not allowed in this organization',
    state: mine.state,
  });
});

test.each([
  'https://evil.example/',
  'http://evil.example:80/',
  'http://127.0.0.1.evil.example:80/',
  'http://127.0.0.1:80@evil.example/',
  'http://127.0.0.1:80\\@evil.example/',
  'http://127.0.0.1:80/\\evil.example',
  'http://127.0.0.1:80/?next=x',
  'http://127.0.0.1:80/#x',
  'http://127.0.0.1:80',
  'http://127.0.0.1/',
  'http://127.0.0.1:99999/',
  'http://localhost:80/',
  'https://127.0.0.1:80/',
  '//127.0.0.1:80/',
  'http://127.0.0.1:80/\r\nx: y',
  'javascript:alert(1)',
])('nobody is sent on to %j', async (redirectUri) => {
  const { asked } = program(redirectUri);
  const posted = await start({ org_slug: 'my-organization', ...asked });
  expect([...reasonOf(posted), posted.body.error.details.field]).toEqual([
    400,
    'request_invalid',
    'redirect_uri',
  ]);
  const query = new URLSearchParams(asked).toString();
  const page = await sso.login(undefined, { query: `?${query}` });
  expect(reasonOf(page)).toEqual([400, 'request_invalid']);
});

test('an address without all that goes with it', async () => {
  const page = await sso.login(undefined, {
    query: `?redirect_uri=${encodeURIComponent(listener)}`,
  });
  expect(reasonOf(page)).toEqual([400, 'request_invalid']);
});

test('an organization without it', async () => {
  const answer = await start({ org_slug: 'nowhere', ...program().asked });
  expect(reasonOf(answer)).toEqual([404, 'sso_unknown']);
});
