/** What holds in an organization that takes logins by single sign-on only. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { reasonOf, someAddress, testPassword } from '../fixtures/control-plane.ts';
import { somebody, startTestSso, type TestSso } from '../fixtures/single-sign-on.ts';

let sso: TestSso;
let as: string;

beforeAll(async () => {
  sso = await startTestSso();
  as = sso.owner.token;
});
beforeEach(async () => {
  await settings({ enforce_sso: false });
  await sso.configure({ default_role: 'analyst' });
});
afterAll(() => sso.stop());

const ask = (method: string, path: string, more = {}) =>
  sso.plane.request(method, path, { as, ...more });

const organization = () => `/v1/organizations/${sso.plane.orgId}`;

async function settings(wish: object, by = as) {
  return await sso.plane.request('PATCH', organization(), { as: by, body: { settings: wish } });
}

async function logIn(email: string, more = {}) {
  const body = { email, password: testPassword, ...more };
  return await sso.plane.request('POST', '/v1/auth/login', { body, from: someAddress() });
}

describe('enforced', () => {
  test('it needs one, and keeps it', async () => {
    const body = {
      name: 'New',
      slug: 'new',
      billing_email: 'a@example.com',
      settings: { enforce_sso: true },
    };
    expect(reasonOf(await ask('POST', '/v1/organizations', { body }))).toEqual([
      409,
      'sso_missing',
    ]);
    await ask('DELETE', sso.path);
    expect(reasonOf(await settings({ enforce_sso: true }))).toEqual([409, 'sso_missing']);
    await sso.configure();
    expect((await settings({ enforce_sso: true })).body.settings.enforce_sso).toBe(true);
    expect(reasonOf(await ask('DELETE', sso.path))).toEqual([409, 'sso_enforced']);
  });

  test("passwords are the owner's alone, and sessions by one end; keys and logins by it go on", async () => {
    const { plane } = sso;
    const admin = await plane.signIn('admin');
    const made = await ask('POST', `/v1/environments/${plane.envId}/api-keys`, {
      body: { name: 'unharmed', scopes: ['environment:read'] },
    });
    const { token } = (await sso.login(somebody())).body;
    expect((await settings({ enforce_sso: true }, admin.token)).status).toBe(200);
    const [record] = await sso.recorded('organization.updated');
    expect(record?.detail).toMatchObject({
      after: { enforce_sso: true },
      sessionsEnded: expect.any(Number),
    });
    expect(reasonOf(await settings({ enforce_sso: false }, admin.token))).toEqual([
      401,
      'credential_invalid',
    ]);
    const refreshed = await plane.request('POST', '/v1/auth/refresh', {
      body: { refresh_token: admin.refreshToken },
    });
    expect(reasonOf(refreshed)).toEqual([401, 'refresh_refused']);
    const refused = await logIn(admin.email);
    expect(reasonOf(refused)).toEqual([403, 'sso_required']);
    expect(refused.body.error.details.hint).toContain('hati login --sso');
    expect(reasonOf(await logIn(admin.email, { password: 'wrong' }))).toEqual([
      401,
      'login_refused',
    ]);
    for (const credential of [as, made.body.key, token]) {
      const path = `/v1/environments/${plane.envId}`;
      expect((await plane.request('GET', path, { as: credential })).status).toBe(200);
    }
    expect((await logIn(sso.owner.email)).status).toBe(200);
    expect((await sso.login(somebody())).status).toBe(200);
    expect((await settings({ enforce_sso: false })).status).toBe(200);
    // Those that were ended stay so.
    expect(reasonOf(await settings({}, admin.token))).toEqual([401, 'credential_invalid']);
    expect((await logIn(admin.email)).status).toBe(200);
  });

  test('who is elsewhere too logs in there, and comes here by it only', async () => {
    const { plane } = sso;
    const user = await plane.signIn('developer');
    const body = { name: 'Own', slug: 'own-place', billing_email: 'a@example.com' };
    const own = await plane.request('POST', '/v1/organizations', { as: user.token, body });
    await settings({ enforce_sso: true });
    const login = await logIn(user.email);
    expect(login.body.org.id).toBe(own.body.org_id);
    const here = await plane.request('GET', organization(), { as: login.body.token });
    expect(reasonOf(here)).toEqual([403, 'sso_required']);
    expect(reasonOf(await logIn(user.email, { org_id: plane.orgId }))).toEqual([
      403,
      'sso_required',
    ]);
  });

  test('and a second factor is asked of nobody who comes by the provider', async () => {
    const { store, orgId } = sso.plane;
    const require = (is: boolean) =>
      store.query('UPDATE hatidata.organizations SET mfa_required = $1 WHERE org_id = $2', [
        is,
        orgId,
      ]);
    const { token } = (await sso.login(somebody())).body;
    await require(true);
    expect((await sso.plane.request('GET', organization(), { as: token })).status).toBe(200);
    expect(reasonOf(await ask('GET', organization()))).toEqual([403, 'second_factor_required']);
    await require(false);
  });

  test('another issuer ends what the one before let in', async () => {
    const { token } = (await sso.login(somebody())).body;
    await sso.configure({ default_role: 'analyst' });
    expect((await sso.plane.request('GET', '/v1/auth/me', { as: token })).status).toBe(200);
    const localhost = sso.provider.issuer.replace('127.0.0.1', 'localhost');
    expect((await sso.configure({ issuer: localhost })).status).toBe(400);
    await sso.plane.store.query(
      "UPDATE hatidata.single_sign_on SET issuer = 'https://before.example'",
    );
    await sso.configure({ default_role: 'analyst' });
    expect((await sso.plane.request('GET', '/v1/auth/me', { as: token })).status).toBe(401);
  });
});
