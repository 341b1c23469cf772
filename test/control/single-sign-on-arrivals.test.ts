/** Who comes by a provider for the first time, or is invited: a real provider, driven as a browser does. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { reasonOf, someAddress } from '../fixtures/control-plane.ts';
import { startTestProvider, type Account } from '../fixtures/oidc-provider.ts';
import {
  otherOrganization,
  refusal,
  somebody,
  startTestSso,
  type TestSso,
} from '../fixtures/single-sign-on.ts';

const hour = 3_600_000;
let sso: TestSso;

beforeAll(async () => {
  sso = await startTestSso();
});
beforeEach(() => sso.configure({ default_role: 'analyst' }));
afterAll(() => sso.stop());

const get = (path: string, as: string) => sso.plane.request('GET', path, { as });

describe('who comes for the first time', () => {
  test('gets an account of the organization, and is the same one the next time', async () => {
    const { plane } = sso;
    const ada = somebody({ name: 'Ada' });
    const first = await sso.login(ada);
    expect(first.status).toBe(200);
    expect(first.body).toEqual({
      token: expect.stringMatching(/^ey/),
      access_token: first.body.token,
      refresh_token: expect.stringMatching(/^hrt_/),
      expires_in: 3_600,
      user: { id: expect.stringMatching(/^usr_/), email: ada.email, name: 'Ada', role: 'analyst' },
      org: {
        id: plane.orgId,
        name: 'My organization',
        slug: 'my-organization',
        tier: 'enterprise',
      },
    });
    expect(first.headers.get('cache-control')).toBe('no-store');
    expect(first.headers.get('set-cookie')).toMatch(/^__Host-hati_sso_\S+=; Path=\/; Max-Age=0;/);
    const { id } = first.body.user;
    expect((await sso.recorded('user.joined'))[0]).toEqual({
      actor: id,
      target: id,
      detail: { email: ada.email, role: 'analyst', by: 'sso' },
    });
    expect((await sso.recorded('sso.linked'))[0]?.detail).toEqual({
      email: ada.email,
      issuer: sso.provider.issuer,
      subject: ada.sub,
    });
    expect((await sso.recorded('session.started'))[0]).toMatchObject({
      actor: id,
      detail: { method: 'sso', hasSecondFactor: true },
    });
    // Whatever address the provider has for him later.
    const second = await sso.login({ ...ada, email: 'lovelace@acme.example' });
    expect(second.body.user).toEqual(first.body.user);
    const me = await get('/v1/auth/me', second.body.token);
    expect(me.body).toMatchObject({
      user_id: id,
      mfa_enabled: false,
      memberships: [{ org_id: plane.orgId }],
    });
  });

  test('is refreshed like any other login, and asked for again after a day', async () => {
    const { plane } = sso;
    const { body } = await sso.login(somebody());
    const refresh = async (refresh_token: string) =>
      await plane.request('POST', '/v1/auth/refresh', {
        body: { refresh_token },
        from: someAddress(),
      });
    const next = await refresh(body.refresh_token);
    expect(next.status).toBe(200);
    plane.pass(24 * hour);
    expect(reasonOf(await refresh(next.body.refresh_token))).toEqual([401, 'refresh_refused']);
    plane.pass(-24 * hour);
  });

  test('two arrivals at once are one person', async () => {
    const account = somebody();
    const pages = await Promise.all([1, 2, 3].map(() => sso.login(account)));
    expect(pages.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(new Set(pages.map(({ body }) => body.user.id)).size).toBe(1);
  });

  test('is refused where only users may come', async () => {
    await sso.configure({ default_role: null });
    expect(await refusal(sso, somebody())).toEqual([403, 'sso_refused', 'not_a_user']);
  });

  test('is refused where the tier has no room', async () => {
    const { plane } = sso;
    const tier = (name: string) =>
      plane.store.query('UPDATE hatidata.organizations SET tier = $1 WHERE org_id = $2', [
        name,
        plane.orgId,
      ]);
    for (let n = 0; n < 3; n += 1) await plane.signIn('analyst');
    await tier('free');
    expect(await refusal(sso, somebody())).toEqual([409, 'too_many_users', undefined]);
    await tier('enterprise');
  });

  test.each<[string, Partial<Account>, string]>([
    ['no address', { email: undefined }, 'email_missing'],
    ['no address that is one', { email: 'acme.example' }, 'email_missing'],
    ['an address that is not verified', { email_verified: false }, 'email_unverified'],
    ['an address of which nothing is said', { email_verified: undefined }, 'email_unverified'],
    ['a word for true', { email_verified: 'true' }, 'email_unverified'],
    ['a foreign domain', { email: 'eve@evil.example' }, 'email_domain'],
    ['a domain below', { email: 'eve@sub.acme.example' }, 'email_domain'],
    ['a domain that ends alike', { email: 'eve@notacme.example' }, 'email_domain'],
    ['a domain in front', { email: 'eve@acme.example@evil.example' }, 'email_missing'],
  ])('%s is refused, and recorded', async (_what, more, constraint) => {
    const account = somebody(more);
    expect(await refusal(sso, account)).toEqual([403, 'sso_refused', constraint]);
    expect((await sso.recorded('session.refused'))[0]?.detail).toMatchObject({
      reason: 'sso_refused',
      constraint,
      method: 'sso',
      subject: account.sub,
    });
  });

  test('a domain counts in whatever letters', async () => {
    const { status } = await sso.login(somebody({ email: `Big${Date.now()}@ACME.Example` }));
    expect(status).toBe(200);
  });

  test('who declines at the provider is told so', async () => {
    const { status, body } = await sso.login(undefined);
    expect([status, body.error.message]).toEqual([
      401,
      'the provider did not confirm the login: it answered access_denied',
    ]);
  });
});

describe('who is invited', () => {
  async function invite(email: string, role = 'developer') {
    const path = `/v1/organizations/${sso.plane.orgId}/users`;
    return await sso.plane.request('POST', path, {
      as: sso.owner.token,
      body: { email, role, name: 'As invited' },
    });
  }

  test('joins by it, as what he was invited as, and the link is worth nothing then', async () => {
    await sso.configure({ default_role: null });
    const account = somebody({ name: '' });
    const { body } = await invite(account.email!);
    const page = await sso.login(account);
    expect(page.body.user).toMatchObject({
      email: account.email,
      role: 'developer',
      name: 'As invited',
    });
    const token = body.invitation_link.split('#')[1];
    const accept = { token, password: 'a password of somebody' };
    const late = await sso.plane.request('POST', '/v1/invitations/accept', { body: accept });
    expect(reasonOf(late)).toEqual([404, 'invitation_unknown']);
    expect(reasonOf(await invite(account.email!))).toEqual([409, 'user_is_member']);
  });

  test('for too long is refused', async () => {
    await sso.configure({ default_role: null });
    const account = somebody();
    const { body } = await invite(account.email!);
    await sso.plane.store.query(
      "UPDATE hatidata.memberships SET invitation_expires_at = now() - interval '1 s' WHERE user_id = $1",
      [body.user_id],
    );
    expect(await refusal(sso, account)).toEqual([403, 'sso_refused', 'invitation_expired']);
  });
});

test('a provider that has the claims in its token and takes the secret in the body', async () => {
  const { plane } = sso;
  const { orgId, person } = await otherOrganization(sso, 'posted');
  const redirectUris = [`https://hatidata.test/v1/auth/sso/callback/${orgId}`];
  const provider = await startTestProvider({
    redirectUris,
    claimsInToken: true,
    authMethod: 'client_secret_post',
  });
  try {
    const { issuer, clientId: client_id, clientSecret: client_secret } = provider;
    const body = {
      issuer,
      client_id,
      client_secret,
      email_domains: ['acme.example'],
      default_role: 'auditor',
    };
    const path = `/v1/organizations/${orgId}/sso`;
    expect((await plane.request('PUT', path, { as: person.token, body })).status).toBe(200);
    provider.account = somebody();
    const page = await sso.login(undefined, { org: orgId });
    expect(page.body).toMatchObject({ user: { role: 'auditor' }, org: { slug: 'posted' } });
    expect(provider.asked).not.toContain('/me');
  } finally {
    await provider.stop();
  }
});
