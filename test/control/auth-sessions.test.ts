/** What a login is good for, how it ends, and another password. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  reasonOf,
  someAddress,
  startTestControlPlane,
  testPassword,
  type Answered,
  type TestControlPlane,
} from '../fixtures/control-plane.ts';
import { logIn, me, otherOrganization, recorded } from './logins.ts';

let control: TestControlPlane;

beforeAll(async () => {
  control = await startTestControlPlane();
});
afterAll(() => control.stop());

describe('who is it', () => {
  test('of a user', async () => {
    const { token, email, userId } = await control.signIn('auditor');
    expect((await me(control, token)).body).toEqual({
      kind: 'user',
      user_id: userId,
      email,
      name: 'The auditor',
      org_id: control.orgId,
      role: 'auditor',
      tier: 'enterprise',
      mfa_enabled: false,
      memberships: [
        {
          org_id: control.orgId,
          name: 'My organization',
          slug: 'my-organization',
          role: 'auditor',
          tier: 'enterprise',
        },
      ],
    });
  });

  test('of a key, in each of its headers', async () => {
    const client = await control.proxy.client();
    const { rows } = await client.query("SELECT create_api_key('reads', 'readonly')");
    const key: string = rows[0].create_api_key ?? rows[0].api_key;
    for (const headers of [
      { 'x-api-key': key },
      { authorization: `ApiKey ${key}` },
      { authorization: `Bearer ${key}` },
      { authorization: `Basic ${Buffer.from(`any:${key}`).toString('base64')}` },
    ]) {
      const { status, body } = await control.request('GET', '/v1/auth/me', { headers });
      expect(status).toBe(200);
      expect(body).toMatchObject({
        kind: 'key',
        user_id: null,
        email: null,
        key_id: expect.stringMatching(/^key_/),
        name: 'reads',
        env_id: control.envId,
        org_id: control.orgId,
        role: 'service_account',
        scopes: expect.arrayContaining(['query:read']),
        tier: 'enterprise',
      });
    }
  });

  test('what is for users is not for keys', async () => {
    const client = await control.proxy.client();
    const { rows } = await client.query("SELECT create_api_key('not-a-user', 'admin')");
    const key: string = rows[0].create_api_key ?? rows[0].api_key;
    for (const [method, path, body] of [
      ['POST', '/v1/auth/logout', undefined],
      ['POST', '/v1/auth/totp', undefined],
      ['POST', '/v1/auth/totp/confirm', { code: '123456' }],
      ['DELETE', '/v1/auth/totp', { password: 'x', code: '123456' }],
      ['POST', '/v1/auth/password', { current_password: 'x', new_password: 'x'.repeat(12) }],
    ] as const)
      expect(reasonOf(await control.request(method, path, { as: key, body }))).toEqual([
        403,
        'not_for_keys',
      ]);
  });

  test('health asks nobody; health of version 1 looks at the credential', async () => {
    const { token } = await control.signIn('analyst');
    const from = someAddress();
    expect((await control.request('GET', '/health', { from })).body).toMatchObject({
      status: 'ok',
    });
    expect((await control.request('GET', '/v1/health', { as: token })).status).toBe(200);
    expect((await control.request('GET', '/v1/health', { from })).status).toBe(401);
    expect((await control.request('GET', '/v1/health', { as: 'eyJ', from })).status).toBe(401);
  });
});

describe('a session ends', () => {
  test('for clients too that say of nothing that it is JSON', async () => {
    const { token } = await control.signIn('analyst');
    const headers = { 'content-type': 'application/json' };
    const out = await control.request('POST', '/v1/auth/logout', { as: token, headers });
    expect(out.status).toBe(200);
    expect((await me(control, token)).status).toBe(401);
  });

  test('with a logout, at once, for both of its tokens', async () => {
    const { token, refreshToken, userId } = await control.signIn('analyst');
    const out = await control.request('POST', '/v1/auth/logout', { as: token });
    expect(out).toMatchObject({
      status: 200,
      body: { session_id: expect.stringMatching(/^sess_/) },
    });
    expect(reasonOf(await me(control, token))).toEqual([401, 'credential_invalid']);
    const again = await control.request('POST', '/v1/auth/refresh', {
      body: { refresh_token: refreshToken },
      from: someAddress(),
    });
    expect(reasonOf(again)).toEqual([401, 'refresh_refused']);
    expect(await recorded(control, 'session.ended', out.body.session_id)).toMatchObject([
      { actor: userId, org_id: control.orgId },
    ]);
  });

  test.each([
    ['membership is suspended', "UPDATE hatidata.memberships SET status = 'suspended'"],
    ['membership is removed', 'DELETE FROM hatidata.memberships'],
  ])('when the %s', async (_name, statement) => {
    const { token, refreshToken, userId } = await control.signIn('analyst');
    await control.store.query(`${statement} WHERE user_id = $1`, [userId]);
    expect((await me(control, token)).status).toBe(401);
    const again = await control.request('POST', '/v1/auth/refresh', {
      body: { refresh_token: refreshToken },
      from: someAddress(),
    });
    expect(reasonOf(again)).toEqual([401, 'refresh_refused']);
  });

  test('when the organization is suspended', async () => {
    const orgId = await otherOrganization(control);
    const { token } = await control.signIn('owner', orgId);
    expect((await me(control, token)).status).toBe(200);
    await control.store.query(
      "UPDATE hatidata.organizations SET status = 'suspended' WHERE org_id = $1",
      [orgId],
    );
    expect((await me(control, token)).status).toBe(401);
  });

  test('not with another role, which counts at once', async () => {
    const { token, userId } = await control.signIn('admin');
    const keys = `/v1/environments/${control.envId}/api-keys`;
    expect((await control.request('GET', keys, { as: token })).status).toBe(200);
    await control.store.query(
      "UPDATE hatidata.memberships SET role = 'analyst' WHERE user_id = $1",
      [userId],
    );
    expect((await control.request('GET', keys, { as: token })).status).toBe(403);
    expect((await me(control, token)).body.role).toBe('analyst');
  });
});

describe('another password', () => {
  const next = 'another horse, another battery';
  const change = (token: string, body: unknown): Promise<Answered> =>
    control.request('POST', '/v1/auth/password', { as: token, body, from: someAddress() });

  test('ends all other sessions and the old password', async () => {
    const { token, email, userId } = await control.signIn('analyst');
    const other = await logIn(control, { email, password: testPassword });
    const changed = await change(token, { current_password: testPassword, new_password: next });
    expect(changed).toMatchObject({ status: 200, body: { sessions_ended: 1 } });
    expect((await me(control, token)).status).toBe(200);
    expect((await me(control, other.body.token)).status).toBe(401);
    expect(reasonOf(await logIn(control, { email, password: testPassword }))).toEqual([
      401,
      'login_refused',
    ]);
    expect((await logIn(control, { email, password: next })).status).toBe(200);
    expect(await recorded(control, 'user.password_changed', userId)).toMatchObject([
      { actor: userId, detail: { sessionsEnded: 1 } },
    ]);
  });

  test('needs the one that there is', async () => {
    const { token } = await control.signIn('analyst');
    const wrong = await change(token, { current_password: 'no', new_password: next });
    expect(reasonOf(wrong)).toEqual([403, 'confirmation_wrong']);
  });

  test.each([
    ['eleven characters', 'elevenchars', 400],
    ['eleven that are two code units each', '🐎'.repeat(11), 400],
    ['twelve characters', 'twelve chars', 200],
    ['twelve that are two code units each', '🐎'.repeat(12), 200],
    ['256 characters', 'x'.repeat(256), 200],
    ['257 characters', 'x'.repeat(257), 400],
    ['256 that are two code units each', '🐎'.repeat(256), 200],
    ['257 that are two code units each', '🐎'.repeat(257), 400],
  ])('%s', async (_name, password, status) => {
    const { token, email } = await control.signIn('analyst');
    const body = { current_password: testPassword, new_password: password };
    expect((await change(token, body)).status).toBe(status);
    expect(
      (await logIn(control, { email, password: status === 200 ? password : testPassword })).status,
    ).toBe(200);
  });

  test('is not the email', async () => {
    const { token, email } = await control.signIn('analyst');
    const body = { current_password: testPassword, new_password: email.toUpperCase() };
    expect(await change(token, body)).toMatchObject({
      status: 400,
      body: { error: { details: { field: 'new_password', constraint: 'not_email' } } },
    });
  });

  test('a login with the old one that is under way does not outlive the change', async () => {
    const { email, userId } = await control.signIn('analyst');
    const client = await control.store.connect();
    try {
      await client.query('BEGIN');
      await client.query("UPDATE hatidata.users SET password_hash = 'another' WHERE user_id = $1", [
        userId,
      ]);
      const login = logIn(control, { email, password: testPassword });
      // Until it has found the old one right, and waits for what becomes of it.
      await expect
        .poll(async () => {
          const { rows } = await control.store.query(
            "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%\"users\"%'",
          );
          return rows.length;
        })
        .toBe(1);
      await client.query('COMMIT');
      expect(reasonOf(await login)).toEqual([401, 'login_refused']);
    } finally {
      client.release();
    }
  });
});
