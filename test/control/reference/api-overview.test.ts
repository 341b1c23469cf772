/** What the overview says of all requests: credentials, tokens, errors, limits, ids. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  someAddress,
  startTestControlPlane,
  type Answered,
  type SignedIn,
  type TestControlPlane,
} from '../../fixtures/control-plane.ts';
import { expectError, id, time } from './shapes.ts';

let control: TestControlPlane;
let owner: SignedIn;
let keyId: string;
let key: string;

beforeAll(async () => {
  control = await startTestControlPlane();
  owner = await control.signIn('owner');
  const path = `/v1/environments/${control.envId}/api-keys`;
  const wish = { name: 'caller', scopes: ['query:read', 'key:read'] };
  ({ key, key_id: keyId } = (await ask('POST', path, wish)).body);
});
afterAll(() => control.stop());

function ask(method: string, path: string, body?: unknown, as?: string): Promise<Answered> {
  return control.request(method, path, { as: as ?? owner.token, body, from: someAddress() });
}

const basic = (user: string, password: string): string =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

describe('credentials', () => {
  test.each([
    ['a JWT as Bearer', () => ({ authorization: `Bearer ${owner.token}` }), 'user'],
    ['a key as X-API-Key', () => ({ 'x-api-key': key }), 'key'],
    ['a key as ApiKey', () => ({ authorization: `ApiKey ${key}` }), 'key'],
    ['a key as Bearer', () => ({ authorization: `Bearer ${key}` }), 'key'],
    ['a key as the password of Basic', () => ({ authorization: basic('agent', key) }), 'key'],
  ])('%s', async (_, headers, kind) => {
    const answer = await control.request('GET', '/v1/auth/me', { headers: headers() });
    expect([answer.status, answer.body]).toMatchObject([200, { kind, org_id: control.orgId }]);
  });

  test('GET /v1/auth/me says who it is', async () => {
    const login = (await ask('GET', '/v1/auth/me')).body;
    expect(login).toMatchObject({
      user_id: owner.userId,
      email: owner.email,
      org_id: control.orgId,
      role: 'owner',
      tier: 'enterprise',
    });
    expect((await ask('GET', '/v1/auth/me', undefined, key)).body).toEqual({
      kind: 'key',
      user_id: null,
      email: null,
      key_id: keyId,
      name: 'caller',
      env_id: control.envId,
      org_id: control.orgId,
      role: 'service_account',
      scopes: ['query:read', 'key:read'],
      tier: 'enterprise',
    });
  });
});

describe('logins', () => {
  const logIn = (body: unknown) =>
    control.request('POST', '/v1/auth/login', { body, from: someAddress() });

  test('give what the clients of the reference read: token, user, org', async () => {
    const { status, body } = await logIn({ email: owner.email, password: owner.password });
    expect(status).toBe(200);
    expect(body).toEqual({
      token: body.access_token,
      access_token: expect.stringMatching(/^ey[\w-]+\.[\w-]+\.[\w-]+$/),
      refresh_token: expect.any(String),
      expires_in: 3_600,
      user: { id: owner.userId, email: owner.email, name: expect.any(String), role: 'owner' },
      org: {
        id: control.orgId,
        name: expect.any(String),
        slug: expect.any(String),
        tier: 'enterprise',
      },
    });
    const [header, claims] = body.token
      .split('.')
      .slice(0, 2)
      .map((part: string) => JSON.parse(Buffer.from(part, 'base64url').toString()));
    expect(header).toMatchObject({ alg: 'RS256' });
    expect(claims).toMatchObject({
      sub: owner.userId,
      org_id: control.orgId,
      role: 'owner',
      env: 'production',
      iss: 'https://api.hatidata.com',
    });
    expect(claims.exp - claims.iat).toBe(3_600);
  });

  test('can be sent as the public TypeScript client does: fetch, and nothing said of the body', async () => {
    const body = JSON.stringify({ email: owner.email, password: owner.password });
    const from = { 'x-forwarded-for': someAddress() };
    const url = `${control.base}/v1/auth/login`;
    const answer = await fetch(url, { method: 'POST', body, headers: from });
    expect([answer.status, await answer.json()]).toMatchObject([200, { user: { role: 'owner' } }]);
    for (const bad of ['{"email":', '[]', ''])
      expect((await fetch(url, { method: 'POST', body: bad, headers: from })).status).toBe(400);
    const form = { 'content-type': 'application/x-www-form-urlencoded', ...from };
    expect((await fetch(url, { method: 'POST', body, headers: form })).status).toBe(415);
    const authorization = `Bearer ${owner.token}`;
    const elsewhere = await fetch(`${control.base}/v1/organizations`, {
      method: 'POST',
      body: '{}',
      headers: { authorization },
    });
    expect(elsewhere.status).toBe(415);
  });

  test('are refreshed: 200 with new tokens', async () => {
    const { refreshToken } = await control.signIn('developer');
    const answer = await ask('POST', '/v1/auth/refresh', { refresh_token: refreshToken });
    expect([answer.status, answer.body]).toEqual([
      200,
      {
        access_token: expect.stringMatching(/^ey/),
        refresh_token: expect.not.stringMatching(refreshToken),
        expires_in: 3_600,
      },
    ]);
    const again = await ask('POST', '/v1/auth/refresh', { refresh_token: refreshToken });
    expectError(again, 401, 'UNAUTHORIZED', { reason: 'refresh_refused' });
  });

  test('with a wrong password are 401 UNAUTHORIZED', async () => {
    const answer = await logIn({ email: owner.email, password: 'not this one' });
    expectError(answer, 401, 'UNAUTHORIZED', { reason: 'login_refused' });
  });
});

describe('health', () => {
  test('GET /health asks for nothing, GET /v1/health for a credential', async () => {
    const up = { status: 'ok', version: expect.stringMatching(/^\d+\.\d+\.\d+/) };
    const open = await control.request('GET', '/health');
    expect([open.status, open.body]).toEqual([200, up]);
    const known = await ask('GET', '/v1/health');
    expect([known.status, known.body]).toEqual([200, up]);
    expectError(await control.request('GET', '/v1/health'), 401, 'UNAUTHORIZED');
  });
});

describe('errors', () => {
  test('400: the field and what it must be', async () => {
    const wish = { name: 'A', slug: 'Not A Slug', billing_email: 'a@example.com' };
    const answer = await ask('POST', '/v1/organizations', wish);
    expectError(answer, 400, 'VALIDATION_ERROR', {
      field: 'slug',
      constraint: expect.any(String),
    });
  });

  test('400: what is no JSON', async () => {
    const headers = { authorization: `Bearer ${owner.token}`, 'content-type': 'application/json' };
    for (const body of ['{', 'null', '"text"', '[1]']) {
      const init = { method: 'POST', headers, body };
      const answer = await fetch(`${control.base}/v1/organizations`, init);
      expect([answer.status, await answer.json()]).toMatchObject([
        400,
        { error: { code: 'VALIDATION_ERROR' } },
      ]);
    }
  });

  test('404 for a path that there is not, with its method; 405 for a method that is not its', async () => {
    expectError(await ask('GET', '/v1/nothing'), 404, 'NOT_FOUND', { reason: 'route_unknown' });
    const wrong = await ask('DELETE', '/v1/auth/me');
    expectError(wrong, 405, 'METHOD_NOT_ALLOWED', { allowed: ['GET', 'HEAD'] });
    expect(wrong.headers.get('allow')).toBe('GET, HEAD');
  });

  test('409 for an Idempotency-Key that was used for another request', async () => {
    const send = (slug: string) =>
      control.request('POST', '/v1/organizations', {
        as: owner.token,
        body: { name: slug, slug, billing_email: 'a@example.com' },
        headers: { 'idempotency-key': 'one' },
      });
    const [first, again] = [await send('idem-one'), await send('idem-one')];
    expect([first.status, again.status, again.body]).toEqual([201, 201, first.body]);
    expect(again.headers.get('idempotent-replayed')).toBe('true');
    expectError(await send('idem-two'), 409, 'CONFLICT', { reason: 'idempotency_key_reused' });
  });

  test('413 for a body of more than 256 KiB', async () => {
    const wish = { name: 'x'.repeat(256 * 1_024), slug: 'big', billing_email: 'a@example.com' };
    expectError(await ask('POST', '/v1/organizations', wish), 413, 'PAYLOAD_TOO_LARGE');
  });
});

describe('what the public clients call and is not built answers 404 with the envelope', () => {
  const organization = '/v1/organizations/org_any';
  test.each([
    ['POST', '/v1/query'],
    ['GET', '/v1/databases/main/tables'],
    ['POST', '/v1/sync/push'],
    ['POST', '/v1/sync/pull'],
    ['POST', '/v1/transpile'],
    ['GET', `${organization}/agent-memory`],
    ['POST', `${organization}/triggers`],
    ['GET', `${organization}/branches`],
    ['POST', `${organization}/jit/request`],
    ['GET', `${organization}/agent-keys`],
    ['POST', '/v1/cot/ingest'],
  ])('%s %s', async (method, path) => {
    const body = method === 'POST' ? {} : undefined;
    expectError(await ask(method, path, body), 404, 'NOT_FOUND', { reason: 'route_unknown' });
  });
});

describe('rate limits', () => {
  const limited = { free: [60, 10], cloud: [300, 50], growth: [1_000, 100] } as const;

  test.each(Object.entries(limited))(
    '%s: so many at once, then 429 with Retry-After',
    async (tier, [perMinute, burst]) => {
      await control.store.query('UPDATE hatidata.organizations SET tier = $1', [tier]);
      const { token } = await control.signIn('auditor');
      // All at once: the bucket fills up again meanwhile.
      const answers = await Promise.all(
        Array.from({ length: 3 * burst }, () => ask('GET', '/v1/health', undefined, token)),
      );
      const told = (name: string) => answers.map(({ headers }) => Number(headers.get(name)));
      expect(new Set(told('x-ratelimit-limit'))).toEqual(new Set([perMinute]));
      expect(Math.max(...told('x-ratelimit-remaining'))).toBe(burst - 1);
      const through = answers.filter(({ status }) => status === 200);
      expect(through.length).toBeGreaterThanOrEqual(burst);
      const last = answers.find(({ status }) => status === 429)!;
      expectError(last, 429, 'RATE_LIMITED', { reason: 'rate_limited' });
      expect(last.headers.get('x-ratelimit-remaining')).toBe('0');
      const reset = Number(last.headers.get('x-ratelimit-reset'));
      expect(reset * 1_000).toBeGreaterThan(control.now().getTime());
      const wait = Number(last.headers.get('retry-after'));
      expect(wait).toBeGreaterThanOrEqual(1);
      control.pass(wait * 1_000);
      expect((await ask('GET', '/v1/health', undefined, token)).status).toBe(200);
    },
  );

  test('enterprise: ten thousand a minute; each caller has an allowance of its own', async () => {
    await control.store.query(`UPDATE hatidata.organizations SET tier = 'enterprise'`);
    for (const role of ['analyst', 'developer'] as const) {
      const { token } = await control.signIn(role);
      const { headers } = await ask('GET', '/v1/health', undefined, token);
      expect(headers.get('x-ratelimit-limit')).toBe('10000');
      expect(headers.get('x-ratelimit-remaining')).toBe('499');
    }
  });
});

test('ids have the prefixes of the reference, times are ISO 8601 in UTC', async () => {
  const organization = await ask('GET', `/v1/organizations/${control.orgId}`);
  expect(organization.body).toMatchObject({ org_id: id('org_'), created_at: time });
  expect({ env: control.envId, user: owner.userId, key: keyId }).toEqual({
    env: id('env_'),
    user: id('usr_'),
    key: id('key_'),
  });
});
