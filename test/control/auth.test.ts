/** Logging in by password, what a login is good for, and how it ends. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  reasonOf,
  someAddress,
  startTestControlPlane,
  testPassword,
  type TestControlPlane,
} from '../fixtures/control-plane.ts';
import { logIn, me, otherOrganization, recorded } from './logins.ts';

let control: TestControlPlane;

beforeAll(async () => {
  control = await startTestControlPlane();
});
afterAll(() => control.stop());

test('each operation of the document has an id of its own', async () => {
  const { body } = await control.request('GET', '/v1/openapi.json');
  const paths = Object.values<Record<string, { operationId: string }>>(body.paths);
  const ids = paths.flatMap((path) => Object.values(path).map((each) => each.operationId));
  expect(ids.length).toBeGreaterThan(15);
  expect(new Set(ids).size).toBe(ids.length);
});

describe('a login', () => {
  test('gives tokens, and who and where one is', async () => {
    const { email, userId } = await control.signIn('developer');
    const { status, headers, body } = await logIn(control, {
      email: email.toUpperCase(),
      password: testPassword,
    });
    expect(status).toBe(200);
    expect(headers.get('cache-control')).toBe('no-store');
    expect(body).toEqual({
      token: expect.stringMatching(/^ey/),
      access_token: body.token,
      refresh_token: expect.stringMatching(/^hrt_[\w-]{43}$/),
      expires_in: 3_600,
      user: { id: userId, email, name: 'The developer', role: 'developer' },
      org: {
        id: control.orgId,
        name: 'My organization',
        slug: 'my-organization',
        tier: 'enterprise',
      },
    });
  });

  test('answers alike where there is no such account and where its password is another', async () => {
    const { email } = await control.signIn('analyst');
    const wrong = await logIn(control, { email, password: 'not the password' });
    const unknown = await logIn(control, {
      email: 'nobody@example.com',
      password: 'not the password',
    });
    expect(reasonOf(wrong)).toEqual([401, 'login_refused']);
    const { request_id: _, timestamp: __, ...same } = wrong.body.error;
    expect(unknown).toMatchObject({ status: 401, body: { error: same } });
  });

  test('is as slow for an account that there is not', async () => {
    const { email } = await control.signIn('analyst');
    const timed = async (address: string): Promise<number> => {
      const begun = performance.now();
      await logIn(control, { email: address, password: 'not the password' });
      return performance.now() - begun;
    };
    const known: number[] = [];
    const unknown: number[] = [];
    for (let round = 0; round < 9; round += 1) {
      known.push(await timed(email));
      unknown.push(await timed('nobody-at-all@example.com'));
    }
    const middle = (times: number[]): number => times.toSorted((a, b) => a - b)[4]!;
    // Without the decoy's hash it would be a small part of it.
    expect(middle(unknown)).toBeGreaterThan(middle(known) * 0.6);
    expect(middle(unknown)).toBeLessThan(middle(known) * 1.7);
  });

  test.each([
    ['no email', { password: testPassword }, 'email'],
    ['no password', { email: 'a@example.com' }, 'password'],
    ['no address', { email: 'nobody', password: testPassword }, 'email'],
    ['an empty password', { email: 'a@example.com', password: '' }, 'password'],
    ['a number', { email: 'a@example.com', password: 123_456_789_012 }, 'password'],
    ['a long password', { email: 'a@example.com', password: 'x'.repeat(257) }, 'password'],
    ['five digits', { email: 'a@example.com', password: 'x', totp_code: '12345' }, 'totp_code'],
    ['a bad id', { email: 'a@example.com', password: 'x', org_id: 'acme' }, 'org_id'],
    ['another field', { email: 'a@example.com', password: 'x', remember: true }, 'remember'],
  ])('%s is a fault of the request', async (_name, body, field) => {
    const answer = await logIn(control, body);
    expect(answer.status).toBe(400);
    expect(answer.body.error).toMatchObject({ code: 'VALIDATION_ERROR', details: { field } });
  });

  test.each([
    ['a table', 'text/csv', '{}', 415],
    ['a form', 'application/x-www-form-urlencoded', 'email=a', 415],
    ['half of it', 'application/json', '{"email":', 400],
    ['nothing', 'application/json', '', 400],
    ['a list', 'application/json', '[]', 400],
    ['a prototype', 'application/json', '{"__proto__":{"email":"a@example.com"}}', 400],
    ['too much', 'application/json', JSON.stringify('x'.repeat(300_000)), 413],
  ])('%s is no body of a request', async (_name, type, body, status) => {
    const response = await fetch(`${control.base}/v1/auth/login`, {
      method: 'POST',
      headers: { 'content-type': type, 'x-forwarded-for': someAddress() },
      body,
    });
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ error: { status } });
  });

  test('is for one organization: the one that is named, or the one joined first', async () => {
    const { email, userId } = await control.signIn('admin');
    const orgId = await otherOrganization(control);
    const named = { email, password: testPassword, org_id: orgId };
    expect(reasonOf(await logIn(control, named))).toEqual([404, 'resource_unknown']);
    await control.store.query(
      "INSERT INTO hatidata.memberships (org_id, user_id, role, status, created_at) VALUES ($1, $2, 'auditor', 'active', $3)",
      [orgId, userId, control.now()],
    );
    const first = await logIn(control, { email, password: testPassword });
    expect(first.body.org.id).toBe(control.orgId);
    const other = await logIn(control, named);
    expect(other.body).toMatchObject({
      user: { role: 'auditor' },
      org: { id: orgId, tier: 'free' },
    });
    expect((await me(control, other.body.token)).body).toMatchObject({
      org_id: orgId,
      role: 'auditor',
      memberships: [
        { org_id: control.orgId, role: 'admin' },
        { org_id: orgId, role: 'auditor' },
      ],
    });
  });

  test('needs an active membership', async () => {
    const { email, userId } = await control.signIn('admin');
    await control.store.query(
      "UPDATE hatidata.memberships SET status = 'suspended' WHERE user_id = $1",
      [userId],
    );
    expect(reasonOf(await logIn(control, { email, password: testPassword }))).toEqual([
      403,
      'membership_missing',
    ]);
  });

  test('is recorded, a refused one without the password', async () => {
    const { email, userId } = await control.signIn('analyst');
    const from = someAddress();
    const answer = await control.request('POST', '/v1/auth/login', {
      body: { email, password: 'sesame open please' },
      from,
      headers: { 'user-agent': 'a test' },
    });
    const [refused] = await recorded(control, 'session.refused', userId);
    expect(refused).toEqual({
      action: 'session.refused',
      actor: 'anonymous',
      actor_key_id: null,
      source: from,
      target: userId,
      org_id: control.orgId,
      request_id: answer.headers.get('x-request-id'),
      detail: { reason: 'login_refused', email, userAgent: 'a test' },
    });
    const { rows } = await control.store.query(
      "SELECT count(*)::int AS n FROM hatidata.iam_audit WHERE iam_audit::text LIKE '%sesame%'",
    );
    expect(rows).toEqual([{ n: 0 }]);
    expect(control.proxy.logged()).not.toContain('sesame');
    await logIn(control, { email: 'stranger@example.com', password: 'sesame open please' });
    expect(await recorded(control, 'session.refused', 'stranger@example.com')).toMatchObject([
      { org_id: null, detail: { email: 'stranger@example.com' } },
    ]);
    const { rows: started } = await control.store.query(
      "SELECT org_id, detail FROM hatidata.iam_audit WHERE action = 'session.started' AND actor = $1",
      [userId],
    );
    expect(started).toMatchObject([{ org_id: control.orgId, detail: { hasSecondFactor: false } }]);
  });
});
