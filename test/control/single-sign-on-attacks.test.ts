/** What somebody can do to a login that is under way: a real provider, driven as a browser does. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { reasonOf, someAddress } from '../fixtures/control-plane.ts';
import { startTestProvider } from '../fixtures/oidc-provider.ts';
import { isCallback, somebody, startTestSso, type TestSso } from '../fixtures/single-sign-on.ts';
import type { Page, Steer } from '../fixtures/browser.ts';

const minute = 60_000;
let sso: TestSso;

beforeAll(async () => {
  sso = await startTestSso();
});
afterEach(() => {
  sso.provider.intercept = undefined;
});
afterAll(() => sso.stop());

const unknown = [401, 'sso_login_unknown'];
const failed = [401, 'sso_failed'];
const away = [503, 'sso_provider_away'];

/** Up to where the provider sends the browser back. */
async function upToCallback(browser = sso.browser(), account = somebody()) {
  const { url } = await sso.login(account, {
    browser,
    steer: (next) => (isCallback(next) ? undefined : next),
  });
  expect(isCallback(url)).toBe(true);
  return { browser, url, account };
}

function changed(url: URL, change: (parameters: URLSearchParams) => void): URL {
  const next = new URL(url);
  change(next.searchParams);
  return next;
}

/** On the way to the provider. */
function tampering(name: string, value: string): Steer {
  return (url) =>
    url.pathname === '/auth' ? changed(url, (parameters) => parameters.set(name, value)) : url;
}

function answering(path: string, status: number, type: string, text: string) {
  return (request: IncomingMessage, response: ServerResponse): boolean => {
    if (!request.url!.startsWith(path)) return false;
    response.writeHead(status, { 'content-type': type, location: '/elsewhere' }).end(text);
    return true;
  };
}

describe('a callback', () => {
  test('with another state', async () => {
    const { browser, url } = await upToCallback();
    const other = changed(url, (parameters) => parameters.set('state', 'x'.repeat(43)));
    expect(reasonOf(await browser.open(other))).toEqual(unknown);
    const none = changed(url, (parameters) => parameters.delete('state'));
    expect(reasonOf(await browser.open(none))).toEqual([400, 'request_invalid']);
    const two = changed(url, (parameters) => parameters.append('state', 'x'.repeat(43)));
    expect(reasonOf(await browser.open(two))).toEqual([400, 'request_invalid']);
    expect((await browser.open(url)).status).toBe(200);
  });

  test('that comes a second time', async () => {
    const { browser, url } = await upToCallback();
    const cookies = new Map(browser.cookies.get(url.host));
    expect((await browser.open(url)).status).toBe(200);
    browser.cookies.set(url.host, cookies);
    expect(reasonOf(await browser.open(url))).toEqual(unknown);
  });

  test('twice at once: one login', async () => {
    const { browser, url } = await upToCallback();
    const pages = await Promise.all([1, 2, 3].map(() => browser.open(url)));
    expect(pages.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 401, 401]);
  });

  test('in another browser, which it does not end for the right one', async () => {
    const { browser, url } = await upToCallback();
    expect(reasonOf(await sso.browser().open(url))).toEqual(unknown);
    // Nor in one that has begun a login of its own.
    const other = await upToCallback();
    expect(reasonOf(await other.browser.open(url))).toEqual(unknown);
    expect((await browser.open(url)).status).toBe(200);
    expect((await other.browser.open(other.url)).status).toBe(200);
  });

  test('two logins under way in one browser are two', async () => {
    const first = await upToCallback();
    // The provider knows the browser by now.
    const second = await upToCallback(first.browser, first.account);
    for (const { url } of [first, second])
      expect((await first.browser.open(url)).body).toMatchObject({
        user: { email: first.account.email },
      });
  });

  test('of another organization', async () => {
    const { browser, url } = await upToCallback();
    const elsewhere = new URL(url);
    elsewhere.pathname = url.pathname.replace(sso.plane.orgId, 'org_elsewhere');
    expect(reasonOf(await browser.open(elsewhere))).toEqual(unknown);
  });

  test('with the code of another login', async () => {
    const victim = await upToCallback();
    const attacker = await upToCallback();
    const code = victim.url.searchParams.get('code')!;
    const injected = changed(attacker.url, (parameters) => parameters.set('code', code));
    expect(reasonOf(await attacker.browser.open(injected))).toEqual(failed);
  });

  test.each([
    [
      'of another issuer',
      (parameters: URLSearchParams) => parameters.set('iss', 'https://evil.example'),
    ],
    ['of no issuer', (parameters: URLSearchParams) => parameters.delete('iss')],
    [
      'of two issuers',
      (parameters: URLSearchParams) => parameters.append('iss', 'https://evil.example'),
    ],
    ['without a code', (parameters: URLSearchParams) => parameters.delete('code')],
    ['with a code that is none', (parameters: URLSearchParams) => parameters.set('code', 'none')],
    [
      'with an error in place of it',
      (parameters: URLSearchParams) => parameters.set('error', '<b>x</b>'),
    ],
  ])('%s', async (_what, change) => {
    const { browser, url } = await upToCallback();
    const page = await browser.open(changed(url, change));
    expect(reasonOf(page)).toEqual(failed);
    expect(page.body.error.message).not.toContain('<');
    expect((await sso.recorded('session.refused'))[0]).toMatchObject({
      actor: 'anonymous',
      detail: { reason: 'sso_failed', method: 'sso' },
    });
  });

  test('after ten minutes', async () => {
    const { browser, url } = await upToCallback();
    sso.plane.pass(10 * minute);
    expect(reasonOf(await browser.open(url))).toEqual(unknown);
    sso.plane.pass(-10 * minute);
  });

  test('after it was configured anew', async () => {
    const { browser, url } = await upToCallback();
    await sso.configure({ default_role: 'analyst' });
    expect(reasonOf(await browser.open(url))).toEqual(unknown);
  });
});

describe('a login that was tampered with on its way out', () => {
  test.each([
    ['another nonce', 'nonce', 'n'.repeat(43)],
    ['another challenge', 'code_challenge', 'c'.repeat(43)],
  ])('%s', async (_what, name, value) => {
    const page = await sso.login(somebody(), { steer: tampering(name, value) });
    expect(reasonOf(page)).toEqual(failed);
  });

  test('the provider takes the browser to no other address', async () => {
    const page = await sso.login(somebody(), {
      steer: tampering('redirect_uri', 'https://evil.example/'),
    });
    expect([page.status, page.url.origin]).toEqual([400, sso.provider.issuer]);
  });
});

describe('a provider', () => {
  test.each([
    ['that is broken', 500, 'text/html', 'oops'],
    ['that sends elsewhere', 302, 'text/plain', ''],
    ['that speaks something else', 200, 'text/html', 'hello'],
    ['whose answer is no JSON', 200, 'application/json', '{'],
    ['whose answer does not end', 200, 'application/json', ' '.repeat(600_000)],
  ])('%s', async (_what, status, type, text) => {
    const { browser, url } = await upToCallback();
    sso.provider.intercept = answering('/token', status, type, text);
    const page = await browser.open(url);
    expect(reasonOf(page)).toEqual(away);
    expect(page.body.error.message).toContain(new URL(sso.provider.issuer).host);
    expect(sso.provider.asked).not.toContain('/elsewhere');
  });

  test('that does not take our secret', async () => {
    const { browser, url } = await upToCallback();
    sso.provider.intercept = answering(
      '/token',
      401,
      'application/json',
      '{"error":"invalid_client"}',
    );
    const page = await browser.open(url);
    expect([...reasonOf(page), page.body.error.message]).toEqual([
      ...failed,
      'the provider did not confirm the login: it answered invalid_client',
    ]);
  });

  test('that hangs up', async () => {
    const { browser, url } = await upToCallback();
    sso.provider.intercept = (request) => {
      request.socket.destroy();
      return true;
    };
    expect(reasonOf(await browser.open(url))).toEqual(away);
    // What it says of itself was remembered until now.
    sso.plane.pass(11 * minute);
    expect(reasonOf(await sso.login(somebody()))).toEqual(away);
    sso.plane.pass(-11 * minute);
  });

  test('whose clock is another', async () => {
    const steer =
      (ms: number): Steer =>
      (url) => {
        if (isCallback(url)) sso.plane.pass(ms);
        return url;
      };
    // Its tokens are good for five minutes.
    expect((await sso.login(somebody(), { steer: steer(5 * minute + 15_000) })).status).toBe(200);
    sso.plane.pass(-5 * minute - 15_000);
    const page = await sso.login(somebody(), { steer: steer(6 * minute) });
    sso.plane.pass(-6 * minute);
    expect(reasonOf(page)).toEqual(failed);
    expect(page.body.error.message).toContain('clocks');
  });

  test('that has not signed the token with its own key', async () => {
    const redirectUris = [`https://hatidata.test/v1/auth/sso/callback/${sso.plane.orgId}`];
    const other = await startTestProvider({ redirectUris });
    try {
      const { issuer } = other;
      expect((await sso.configure({ issuer })).status).toBe(200);
      other.account = somebody();
      const keys = (await (await fetch(`${issuer}/jwks`)).json()) as { keys: { n?: string }[] };
      const forged = keys.keys.map((key) =>
        key.n === undefined ? key : { ...key, n: `${key.n.slice(0, -8)}AAAAAAAA` },
      );
      other.intercept = answering(
        '/jwks',
        200,
        'application/json',
        JSON.stringify({ keys: forged }),
      );
      expect(reasonOf(await sso.login(undefined))).toEqual(failed);
    } finally {
      await other.stop();
      await sso.configure({ default_role: 'analyst' });
    }
  });
});

describe('an organization', () => {
  test.each(['nowhere', 'org_nowhere'])('%s has none', async (org) => {
    const page = await sso.login(undefined, { org });
    expect(reasonOf(page)).toEqual([404, 'sso_unknown']);
  });

  test('has an allowance for each address, as for logins', async () => {
    const from = someAddress();
    const asks = Array.from({ length: 12 }, () =>
      sso.plane.request('POST', '/v1/auth/sso/exchange', {
        from,
        body: { code: 'x', code_verifier: 'v'.repeat(43) },
      }),
    );
    const reasons = new Set((await Promise.all(asks)).map((answer) => reasonOf(answer).join(' ')));
    expect([...reasons].toSorted()).toEqual(['401 sso_code_refused', '429 rate_limited']);
  });

  test('tells no secret, to nobody', async () => {
    const pages: Page[] = [await sso.login(somebody())];
    const secrets = [
      sso.provider.clientSecret,
      ...pages.map(({ body }) => body.refresh_token as string),
    ];
    const { rows } = await sso.plane.store.query<{ text: string }>(
      "SELECT string_agg(detail::text, '') AS text FROM hatidata.iam_audit",
    );
    for (const secret of secrets)
      for (const text of [rows[0]!.text, sso.plane.proxy.logged()])
        expect(text).not.toContain(secret);
    expect(sso.plane.proxy.logged()).not.toMatch(/[?&](?:code|state)=/);
  });
});
