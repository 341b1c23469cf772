/** Users who come by a provider, and how far that counts: a real provider, driven as a browser does. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { reasonOf, someAddress, testPassword } from '../fixtures/control-plane.ts';
import {
  otherOrganization,
  refusal,
  somebody,
  startTestSso,
  type TestSso,
} from '../fixtures/single-sign-on.ts';

let sso: TestSso;

beforeAll(async () => {
  sso = await startTestSso();
});
beforeEach(() => sso.configure({ default_role: 'analyst' }));
afterAll(() => sso.stop());

const get = (path: string, as: string) => sso.plane.request('GET', path, { as });

async function changeUser(act: string, userId: string): Promise<void> {
  const path = `/v1/organizations/${sso.plane.orgId}/users/${userId}${act}`;
  const method = act === '' ? 'DELETE' : 'POST';
  const { status } = await sso.plane.request(method, path, { as: sso.owner.token });
  expect(status).toBe(200);
}

describe('who is a user', () => {
  async function member(role: Parameters<typeof sso.plane.signIn>[0]) {
    const user = await sso.plane.signIn(role);
    const email = `${user.userId.toLowerCase()}@acme.example`;
    await sso.plane.store.query('UPDATE hatidata.users SET email = $1 WHERE user_id = $2', [
      email,
      user.userId,
    ]);
    return { ...user, email };
  }

  test('is found by his verified address, keeps his role, and another with that address is not let in', async () => {
    const user = await member('developer');
    const page = await sso.login(
      somebody({ email: user.email.toUpperCase().replace('ACME.EXAMPLE', 'acme.example') }),
    );
    expect(page.body.user).toMatchObject({ id: user.userId, role: 'developer' });
    expect(await refusal(sso, somebody({ email: user.email }))).toEqual([
      403,
      'sso_refused',
      'other_identity',
    ]);
  });

  test('is let in nowhere else by it, and can change nothing that counts elsewhere', async () => {
    const { plane } = sso;
    const user = await member('admin');
    const body = { name: 'Elsewhere', slug: 'elsewhere', billing_email: 'b@example.com' };
    const elsewhere = await plane.request('POST', '/v1/organizations', { as: user.token, body });
    const path = `/v1/organizations/${elsewhere.body.org_id}`;
    expect((await get(path, user.token)).status).toBe(200);
    const { token } = (await sso.login(somebody({ email: user.email }))).body;
    expect(reasonOf(await get(path, token))).toEqual([404, 'resource_unknown']);
    expect((await get(`/v1/organizations/${plane.orgId}`, token)).status).toBe(200);
    for (const list of ['/v1/orgs', '/v1/organizations'])
      expect((await get(list, token)).body.data).toEqual([
        expect.objectContaining({ org_id: plane.orgId, role: 'admin' }),
      ]);
    expect((await get('/v1/auth/me', token)).body.memberships).toHaveLength(1);
    const password = { current_password: testPassword, new_password: 'another good password' };
    const tries = [
      ['POST', '/v1/organizations', { ...body, slug: 'third' }],
      ['POST', '/v1/auth/password', password],
      ['POST', '/v1/auth/totp', undefined],
      ['POST', '/v1/auth/totp/confirm', { code: '123456' }],
      ['DELETE', '/v1/auth/totp', { password: testPassword, code: '123456' }],
      ['POST', '/v1/invitations/join', { token: 'inv_x' }],
    ] as const;
    for (const [method, route, asked] of tries) {
      const answer = await plane.request(method, route, { as: token, body: asked });
      expect([route, ...reasonOf(answer)]).toEqual([route, 403, 'not_for_sso']);
    }
    expect((await plane.request('POST', '/v1/auth/logout', { as: token })).status).toBe(200);
    expect((await get('/v1/auth/me', token)).status).toBe(401);
  });

  test('and is suspended or removed here is out at once, and not let in', async () => {
    await sso.configure({ default_role: null });
    for (const [act, constraint] of [
      ['/suspend', 'suspended'],
      ['', 'not_a_user'],
    ] as const) {
      const user = await member('analyst');
      const account = somebody({ email: user.email });
      const { token } = (await sso.login(account)).body;
      await changeUser(act, user.userId);
      expect((await get('/v1/auth/me', token)).status).toBe(401);
      expect(await refusal(sso, account)).toEqual([403, 'sso_refused', constraint]);
    }
  });

  test('and owns it is let in where he has set it up himself, so that no admin becomes him', async () => {
    const { store } = sso.plane;
    await store.query("UPDATE hatidata.users SET email = 'boss@acme.example' WHERE user_id = $1", [
      sso.owner.userId,
    ]);
    const boss = somebody({ email: 'boss@acme.example' });
    const admin = await sso.plane.signIn('admin');
    expect((await sso.configure({}, admin.token)).status).toBe(200);
    expect(await refusal(sso, boss)).toEqual([403, 'sso_refused', 'owner']);
    await sso.configure();
    expect((await sso.login(boss)).body.user).toMatchObject({
      id: sso.owner.userId,
      role: 'owner',
    });
    // Known by now, and still.
    await sso.configure({}, admin.token);
    expect(await refusal(sso, boss)).toEqual([403, 'sso_refused', 'owner']);
  });

  test('somewhere else, under the same address, is another one', async () => {
    const { plane } = sso;
    const { orgId, person } = await otherOrganization(sso, 'theirs');
    const stranger = await plane.signIn('owner', orgId);
    expect(stranger.userId).toBe(person.userId);
    await changeUser('', person.userId);
    await plane.store.query(
      "UPDATE hatidata.users SET email = 'eve@acme.example' WHERE user_id = $1",
      [person.userId],
    );
    const page = await sso.login(somebody({ email: 'eve@acme.example' }));
    expect(page.status).toBe(200);
    expect(page.body.user.id).not.toBe(person.userId);
    const login = { email: 'eve@acme.example', password: testPassword };
    const theirs = await plane.request('POST', '/v1/auth/login', {
      body: login,
      from: someAddress(),
    });
    expect(theirs.body).toMatchObject({ user: { id: person.userId }, org: { id: orgId } });
    expect((await get(`/v1/organizations/${plane.orgId}`, theirs.body.token)).status).toBe(404);
  });
});
