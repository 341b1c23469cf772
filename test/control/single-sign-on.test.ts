/** How an organization sets up single sign-on, and where its provider may be. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ProviderAway, guardedFetch } from '../../src/control/single-sign-on/guarded-fetch.ts';
import { Providers } from '../../src/control/single-sign-on/provider.ts';
import { TargetRefused } from '../../src/control/webhooks/targets.ts';
import { reasonOf } from '../fixtures/control-plane.ts';
import { somebody, startTestSso, type TestSso } from '../fixtures/single-sign-on.ts';

let sso: TestSso;
let as: string;

beforeAll(async () => {
  sso = await startTestSso();
  as = sso.owner.token;
});
beforeEach(() => sso.configure({ default_role: 'analyst' }));
afterAll(() => sso.stop());

const ask = (method: string, path: string, more = {}) =>
  sso.plane.request(method, path, { as, ...more });

const organization = () => `/v1/organizations/${sso.plane.orgId}`;

describe('setting up', () => {
  test('is read as it was written, without the secret', async () => {
    const put = await sso.configure({
      email_domains: ['b.example', 'a.example', 'a.example'],
      provider: 'okta',
    });
    expect(put.body).toEqual({
      org_id: sso.plane.orgId,
      provider: 'okta',
      issuer: sso.provider.issuer,
      client_id: 'hati',
      email_domains: ['b.example', 'a.example'],
      default_role: null,
      redirect_uri: `https://hatidata.test/v1/auth/sso/callback/${sso.plane.orgId}`,
      created_at: expect.stringMatching(/Z$/),
      updated_at: expect.stringMatching(/Z$/),
      updated_by: sso.owner.userId,
    });
    const read = await ask('GET', sso.path);
    expect(read.body).toEqual(put.body);
    expect(read.headers.get('etag')).toBe(put.headers.get('etag'));
    const { body } = await ask('GET', organization());
    expect(body.settings).toEqual({
      mfa_required: false,
      enforce_sso: false,
      sso_provider: 'okta',
    });
    const [record] = await sso.recorded('sso.configured');
    expect(record).toMatchObject({
      actor: sso.owner.userId,
      detail: {
        before: { default_role: 'analyst' },
        after: { provider: 'okta', email_domains: ['b.example', 'a.example'], default_role: null },
        secretChanged: true,
      },
    });
    expect(JSON.stringify(record)).not.toContain(sso.provider.clientSecret);
    const { rows } = await sso.plane.store.query(
      'SELECT client_secret FROM hatidata.single_sign_on',
    );
    expect(rows[0].client_secret.includes(sso.provider.clientSecret)).toBe(false);
  });

  test('the secret stays where it is not given, but goes to nobody else', async () => {
    expect(
      (await sso.configure({ client_secret: undefined, default_role: 'analyst' })).status,
    ).toBe(200);
    expect((await sso.login(somebody())).status).toBe(200);
    const answer = await sso.configure({ client_secret: undefined, client_id: 'other' });
    expect(answer.body.error.details).toMatchObject({
      field: 'client_secret',
      constraint: 'required',
    });
  });

  test('two editors', async () => {
    const { headers } = await ask('GET', sso.path);
    const old = { 'if-match': headers.get('etag')! };
    await sso.configure();
    expect(reasonOf(await ask('DELETE', sso.path, { headers: old }))).toEqual([
      412,
      'version_changed',
    ]);
    const now = { 'if-match': (await ask('GET', sso.path)).headers.get('etag')! };
    expect((await ask('DELETE', sso.path, { headers: now })).status).toBe(200);
  });

  test.each<[string, Readonly<Record<string, unknown>>, string, string]>([
    ['no domain', { email_domains: [] }, 'email_domains', 'too_small'],
    [
      'a domain in capitals',
      { email_domains: ['ACME.example'] },
      'email_domains.0',
      'invalid_format',
    ],
    [
      'an address in place of a domain',
      { email_domains: ['a@acme.example'] },
      'email_domains.0',
      'invalid_format',
    ],
    ['every domain', { email_domains: ['*'] }, 'email_domains.0', 'invalid_format'],
    ['a role that is more', { default_role: 'admin' }, 'default_role', 'invalid_value'],
    ['what there is not', { enabled: true }, 'enabled', 'unknown'],
    ['no URL', { issuer: 'acme' }, 'issuer', 'invalid_format'],
    ['another scheme', { issuer: 'file:///etc/passwd' }, 'issuer', 'discovery'],
    ['a user in it', { issuer: 'https://a:b@acme.example' }, 'issuer', 'url'],
    ['a query', { issuer: 'https://acme.example/?x=1' }, 'issuer', 'url'],
    ['nobody there', { issuer: 'http://127.0.0.1:1' }, 'issuer', 'discovery'],
    ['http elsewhere', { issuer: 'http://acme.example' }, 'issuer', 'discovery'],
  ])('%s is refused', async (_what, more, field, constraint) => {
    const { status, body } = await sso.configure(more);
    expect([status, body.error.details.field, body.error.details.constraint]).toEqual([
      400,
      field,
      constraint,
    ]);
  });

  test.each<[string, object, RegExp]>([
    [
      'another name',
      { issuer: 'https://login.example/{tenantid}/v2.0' },
      /no OpenID Connect|another name/,
    ],
    ['no token endpoint', { token_endpoint: undefined }, /names no token_endpoint/],
    [
      'an endpoint without TLS',
      { jwks_uri: 'http://acme.example/' },
      /jwks_uri is not an https address/,
    ],
    [
      'an endpoint that is a script',
      { authorization_endpoint: 'javascript:alert(1)' },
      /is not an https address/,
    ],
  ])('a provider with %s is refused', async (_what, more, said) => {
    const path = '/.well-known/openid-configuration';
    const document = (await (await fetch(sso.provider.issuer + path)).json()) as object;
    sso.provider.intercept = (_request, response) => {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ ...document, ...more }));
      return true;
    };
    const { body } = await sso.configure();
    sso.provider.intercept = undefined;
    expect(body.error.message).toMatch(said);
  });

  test('removed, it lets nobody in, and what it let in is out', async () => {
    const { body } = await sso.login(somebody());
    const removed = await ask('DELETE', sso.path);
    expect(removed.body).toMatchObject({ deleted: true, sessions_ended: expect.any(Number) });
    expect(removed.body.sessions_ended).toBeGreaterThan(0);
    expect((await sso.plane.request('GET', '/v1/auth/me', { as: body.token })).status).toBe(401);
    expect(reasonOf(await sso.login(somebody()))).toEqual([404, 'sso_unknown']);
    const gone = await ask('GET', sso.path);
    expect(reasonOf(gone)).toEqual([404, 'resource_unknown']);
    expect(gone.body.error.details.redirect_uri).toMatch(/^https:\/\/hatidata\.test\//);
    expect(reasonOf(await ask('DELETE', sso.path))).toEqual([404, 'resource_unknown']);
    expect((await ask('GET', organization())).body.settings).not.toHaveProperty('sso_provider');
  });

  test('an account that it has made is no owner: it has no password', async () => {
    const { body } = await sso.login(somebody());
    const answer = await ask('POST', `${organization()}/transfer`, {
      body: { user_id: body.user.id },
    });
    expect([...reasonOf(answer), answer.body.error.details.constraint]).toEqual([
      409,
      'conflict',
      'password',
    ]);
  });
});

describe('where a provider may be', () => {
  test.each([
    'https://127.0.0.1/',
    'https://[::1]/',
    'https://10.0.0.1/',
    'https://169.254.169.254/',
    'https://[::ffff:10.0.0.1]/',
    'https://localhost/',
    'http://127.0.0.1:8080/',
    'https://0x7f000001/',
  ])('not at %s', async (address) => {
    const asked = guardedFetch(false)(address, {
      method: 'GET',
      headers: {},
      body: undefined,
      redirect: 'manual',
    });
    await expect(asked).rejects.toSatisfy(
      (error) => error instanceof ProviderAway && error.cause instanceof TargetRefused,
    );
  });

  test('and not on this machine, unless the operator says so', async () => {
    const { asked, issuer } = sso.provider;
    const before = asked.length;
    const providers = new Providers({ allowsPrivate: false, clock: () => new Date() });
    await expect(providers.check(issuer)).rejects.toThrow('no OpenID Connect configuration');
    expect(asked.length).toBe(before);
  });

  test('nor without TLS elsewhere, whoever says so', async () => {
    const ask = guardedFetch(true)('http://acme.example/', {
      method: 'GET',
      headers: {},
      body: undefined,
      redirect: 'manual',
    });
    await expect(ask).rejects.toSatisfy((error) =>
      /neither https/.test(String((error as Error).cause)),
    );
  });
});
