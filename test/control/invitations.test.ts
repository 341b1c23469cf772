/** Invitations: who gets them, and what their token is good for. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { tiers } from '../../src/api/tiers.ts';
import {
  startTestControlPlane,
  statusesOf,
  type SignedIn,
  type TestControlPlane,
} from '../fixtures/control-plane.ts';
import { Guests } from './guests.ts';
import { newOrganization } from './new-organizations.ts';

const dayMs = 24 * 3_600_000;
const password = 'a long enough password';

let control: TestControlPlane;
let owner: SignedIn;
let guests: Guests;

beforeAll(async () => {
  control = await startTestControlPlane();
  owner = await control.signIn('owner');
  guests = new Guests(control, () => owner);
});
afterAll(() => control.stop());

describe('inviting', () => {
  test('answers as the reference says; the link is there, as nothing sends mails', async () => {
    const email = guests.someone();
    const before = control.now().getTime();
    const answer = await guests.invite({ email, role: 'developer', name: 'Dana' });
    expect(answer.status).toBe(201);
    expect(answer.body).toEqual({
      user_id: expect.stringMatching(/^usr_/),
      email,
      name: 'Dana',
      role: 'developer',
      status: 'invited',
      mfa_enabled: false,
      last_login: null,
      created_at: expect.any(String),
      invitation_expires_at: expect.any(String),
      mail: 'off',
      invitation_link: expect.stringMatching(/^https:\/\/hatidata\.test\/invitation#inv_/),
    });
    const ends = Date.parse(answer.body.invitation_expires_at) - Date.parse(answer.body.created_at);
    expect(ends).toBe(7 * dayMs);
    expect(Date.parse(answer.body.created_at)).toBeGreaterThanOrEqual(before);
    const { rows } = await control.store.query(
      `SELECT (SELECT body::jsonb -> 'data' FROM hatidata.events WHERE type = 'user.invited' AND body LIKE $1) AS data,
              (SELECT detail FROM hatidata.iam_audit WHERE action = 'user.invited' AND target = $2) AS detail`,
      [`%${email}%`, answer.body.user_id],
    );
    expect(rows[0].data).toEqual({
      user_id: answer.body.user_id,
      email,
      role: 'developer',
      invited_by: owner.userId,
      expires_at: answer.body.invitation_expires_at,
    });
    expect(rows[0].detail).toMatchObject({
      email,
      after: { role: 'developer', status: 'invited' },
    });
  });

  test('its token is nowhere but in the answer', async () => {
    const { token } = await guests.invited();
    const secret = token.slice('inv_'.length);
    const { rows } = await control.store.query<{ found: string }>(
      `SELECT 'memberships' AS found FROM hatidata.memberships m WHERE m::text LIKE $1
       UNION ALL SELECT 'audit' FROM hatidata.iam_audit a WHERE a::text LIKE $1
       UNION ALL SELECT 'events' FROM hatidata.events e WHERE e::text LIKE $1`,
      [`%${secret}%`],
    );
    expect(rows).toEqual([]);
    expect(control.proxy.logged()).not.toContain(secret);
  });

  test('a member, or one who is invited, is refused, however the address is spelt', async () => {
    const { email } = await guests.invited();
    for (const each of [email, email.toUpperCase(), owner.email]) {
      const answer = await guests.invite({ email: each, role: 'analyst' });
      expect(answer.status).toBe(409);
      expect(answer.body.error.details).toMatchObject({ reason: 'user_is_member', field: 'email' });
    }
  });

  test('the same one twice at once: invited once', async () => {
    const email = guests.someone();
    const both = await Promise.all([1, 2].map(() => guests.invite({ email, role: 'analyst' })));
    expect(statusesOf(both)).toEqual([201, 409]);
  });

  test('by two organizations at once: one user', async () => {
    const orgId = await newOrganization(control, owner);
    const email = guests.someone();
    const body = { email, role: 'analyst' };
    const [one, other] = await Promise.all([guests.invite(body), guests.invite(body, { orgId })]);
    expect(statusesOf([one, other])).toEqual([201, 201]);
    expect(one.body.user_id).toBe(other.body.user_id);
  });

  test('no more than the tier has room for, however many at once', async () => {
    const orgId = await newOrganization(control, owner);
    const room = tiers.free.users - 1;
    const answers = await Promise.all(
      Array.from({ length: room + 2 }, () =>
        guests.invite({ email: guests.someone(), role: 'analyst' }, { orgId }),
      ),
    );
    expect(answers.filter((each) => each.status === 201)).toHaveLength(room);
    const refused = answers.filter((each) => each.status !== 201);
    for (const { status, body } of refused) {
      expect(status).toBe(409);
      expect(body.error.details).toMatchObject({
        reason: 'too_many_users',
        limit: tiers.free.users,
      });
    }
  });

  test('says nothing of what the user is elsewhere', async () => {
    const known = await control.signIn('developer');
    const orgId = await newOrganization(control, owner);
    const { body } = await guests.invite({ email: known.email, role: 'analyst' }, { orgId });
    expect(body).toMatchObject({ name: '', last_login: null, mfa_enabled: false });
  });

  test.each([
    ['no address', { role: 'analyst' }, 'email'],
    ['an address that is none', { email: 'nobody', role: 'analyst' }, 'email'],
    ['no role', { email: 'a@b.example' }, 'role'],
    ['a role that there is not', { email: 'a@b.example', role: 'root' }, 'role'],
    ['a field that there is not', { email: 'a@b.example', role: 'analyst', tier: 'x' }, 'tier'],
    ['a line break in a name', { email: 'a@b.example', role: 'analyst', name: 'a\nb' }, 'name'],
  ])('refuses %s', async (_what, body, field) => {
    const answer = await guests.invite(body);
    expect(answer.status).toBe(400);
    expect(answer.body.error.details.field).toBe(field);
  });
});

describe('accepting', () => {
  test('makes an account that can log in; the token is good once', async () => {
    const { email, userId, token } = await guests.invited({ name: 'Ida' });
    expect((await guests.logIn(email, password)).status).toBe(401);
    const answer = await guests.accept({ token, password });
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({
      org_id: control.orgId,
      organization: 'My organization',
      user_id: userId,
      email,
      role: 'analyst',
      status: 'active',
    });
    const login = await guests.logIn(email, password);
    expect(login.body.user).toEqual({ id: userId, email, name: 'Ida', role: 'analyst' });
    const again = await guests.accept({ token, password: 'another long password' });
    expect(again.status).toBe(404);
    expect(again.body.error.details.reason).toBe('invitation_unknown');
    expect((await guests.logIn(email, password)).status).toBe(200);
    const { rows } = await control.store.query(
      "SELECT actor FROM hatidata.iam_audit WHERE action = 'user.joined' AND target = $1",
      [userId],
    );
    expect(rows).toEqual([{ actor: userId }]);
  });

  test('twice at once: once', async () => {
    const { email, token } = await guests.invited();
    const passwords = [password, 'another long password'];
    const both = await Promise.all(
      passwords.map((each) => guests.accept({ token, password: each })),
    );
    expect(statusesOf(both)).toEqual([200, 404]);
    const chosen = passwords[both.findIndex((each) => each.status === 200)]!;
    expect((await guests.logIn(email, chosen)).status).toBe(200);
  });

  test('in time: after seven days it is gone, and a new one works', async () => {
    const { userId, token } = await guests.invited();
    const { token: other } = await guests.invited();
    control.pass(7 * dayMs - 60_000);
    expect((await guests.accept({ token: other, password })).status).toBe(200);
    control.pass(60_000);
    const late = await guests.accept({ token, password });
    expect(late.status).toBe(410);
    expect(late.body.error).toMatchObject({
      code: 'GONE',
      details: { reason: 'invitation_expired' },
    });
    owner = await control.signIn('owner');
    const resent = await control.request(
      'POST',
      `/v1/organizations/${control.orgId}/users/${userId}/resend`,
      { as: owner.token },
    );
    expect(resent.status).toBe(200);
    expect((await guests.accept({ token, password })).status).toBe(404);
    const anew = guests.tokenIn(resent.body.invitation_link);
    expect((await guests.accept({ token: anew, password })).status).toBe(200);
  });

  test.each([
    ['a short password', { password: 'short' }, 'password'],
    ['no password', { password: undefined }, 'password'],
    ['a token that is none', { token: 'inv_x' }, 'token'],
    ['a field that there is not', { role: 'owner' }, 'role'],
  ])('refuses %s, and is still good', async (_what, more, field) => {
    const { token } = await guests.invited();
    const refused = await guests.accept({ token, password, ...more });
    expect(refused.status).toBe(400);
    expect(refused.body.error.details.field).toBe(field);
    expect((await guests.accept({ token, password })).status).toBe(200);
  });

  test('the address is no password', async () => {
    const { email, token } = await guests.invited();
    const refused = await guests.accept({ token, password: email.toUpperCase() });
    expect(refused.body.error.details).toMatchObject({
      field: 'password',
      constraint: 'not_email',
    });
  });

  test('not once it is withdrawn, or its organization is gone', async () => {
    const withdrawn = await guests.invited();
    const path = `/v1/organizations/${control.orgId}/users/${withdrawn.userId}`;
    expect((await control.request('DELETE', path, { as: owner.token })).status).toBe(200);
    expect((await guests.accept({ token: withdrawn.token, password })).status).toBe(404);
    const orgId = await newOrganization(control, owner);
    const orphaned = await guests.invited({}, orgId);
    await control.request('DELETE', `/v1/organizations/${orgId}`, { as: owner.token });
    expect((await guests.accept({ token: orphaned.token, password })).status).toBe(404);
  });
});
