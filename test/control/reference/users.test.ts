/** The reference of users and roles, request by request. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { permissions, roles } from '../../../src/api/permissions.ts';
import {
  someAddress,
  startTestControlPlane,
  type Answered,
  type SignedIn,
  type TestControlPlane,
} from '../../fixtures/control-plane.ts';
import { expectError, id, time } from './shapes.ts';

const dayMs = 24 * 3_600_000;
let control: TestControlPlane;
let owner: SignedIn;
let admin: SignedIn;
let users: string;

beforeAll(async () => {
  control = await startTestControlPlane();
  owner = await control.signIn('owner');
  admin = await control.signIn('admin');
  users = `/v1/organizations/${control.orgId}/users`;
});
afterAll(() => control.stop());

function ask(method: string, path: string, body?: unknown, as?: string): Promise<Answered> {
  return control.request(method, path, { as: as ?? owner.token, body, from: someAddress() });
}

function userOf({ userId, email }: SignedIn, role: string) {
  return {
    user_id: userId,
    email,
    name: expect.any(String),
    role,
    status: 'active',
    mfa_enabled: false,
    last_login: time,
    created_at: time,
  };
}

describe('GET …/users', () => {
  test('200 with the objects and the page, for owner and admin', async () => {
    for (const { token } of [owner, admin]) {
      const { status, body } = await ask('GET', `${users}?role=admin`, undefined, token);
      expect(status).toBe(200);
      expect(body).toEqual({
        data: [userOf(admin, 'admin')],
        pagination: { cursor: null, has_more: false, total: 1 },
      });
    }
  });

  test('filters by role and status; limit is 50 as a rule and 200 at most', async () => {
    await control.signIn('auditor');
    const invited = { email: 'filtered@example.com', role: 'analyst' };
    await ask('POST', users, invited);
    const found = async (query: string): Promise<{ role: string; status: string }[]> =>
      (await ask('GET', `${users}?${query}`)).body.data;
    expect((await found('role=auditor')).map(({ role }) => role)).toEqual(['auditor']);
    for (const { status } of await found('status=invited')) expect(status).toBe('invited');
    expect(await found('status=suspended')).toEqual([]);
    const { body } = await ask('GET', `${users}?limit=1`);
    expect(body.pagination).toMatchObject({
      cursor: expect.stringMatching(/^cur_/),
      has_more: true,
    });
    expect((await ask('GET', `${users}?limit=200`)).status).toBe(200);
    expectError(await ask('GET', `${users}?limit=201`), 400, 'VALIDATION_ERROR', {
      field: 'limit',
    });
    expectError(await ask('GET', `${users}?role=king`), 400, 'VALIDATION_ERROR', { field: 'role' });
  });
});

describe('POST …/users', () => {
  test.each([
    ['with a name', { name: 'Ada Lovelace' }, 'Ada Lovelace'],
    ['without one', {}, ''],
  ])('201, invited, for seven days: %s', async (_, more, name) => {
    const email = `invited${name.length}@example.com`;
    const answer = await ask('POST', users, { email, role: 'developer', ...more });
    expect(answer.status).toBe(201);
    expect(answer.body).toEqual({
      user_id: id('usr_'),
      email,
      name,
      role: 'developer',
      status: 'invited',
      mfa_enabled: false,
      last_login: null,
      created_at: time,
      invitation_expires_at: time,
      // Beyond the reference: what became of the mail, and the link where none is sent.
      mail: 'off',
      invitation_link: expect.stringMatching(/^https:\/\/hatidata\.test\/invitation#inv_/),
    });
    const { created_at: from, invitation_expires_at: until } = answer.body;
    expect(Date.parse(until) - Date.parse(from)).toBe(7 * dayMs);
    const again = await ask('POST', users, { email, role: 'developer' });
    expectError(again, 409, 'CONFLICT', { reason: 'user_is_member' });
  });

  test.each([
    ['no email', { email: undefined }, 'email'],
    ['an email that is none', { email: 'ada' }, 'email'],
    ['no role', { role: undefined }, 'role'],
    ['a role that there is not', { role: 'king' }, 'role'],
    ['a role in capitals', { role: 'Developer' }, 'role'],
    ['a name that is no text', { name: 1 }, 'name'],
    ['a field that there is not', { status: 'active' }, 'status'],
  ])('400 VALIDATION_ERROR for %s', async (_, more, field) => {
    const answer = await ask('POST', users, { email: 'b@example.com', role: 'analyst', ...more });
    expectError(answer, 400, 'VALIDATION_ERROR', { field });
  });
});

describe('PUT …/users/{user_id}/role', () => {
  test("200 with the user; a promotion to admin is the owner's", async () => {
    const person = await control.signIn('analyst');
    const path = `${users}/${person.userId}/role`;
    const answer = await ask('PUT', path, { role: 'developer' }, admin.token);
    expect([answer.status, answer.body]).toEqual([200, userOf(person, 'developer')]);
    expectError(await ask('PUT', path, { role: 'admin' }, admin.token), 403, 'FORBIDDEN', {
      reason: 'owner_only',
    });
    expect((await ask('PUT', path, { role: 'admin' })).body).toEqual(userOf(person, 'admin'));
  });

  test('an admin does not make itself the owner, and nobody makes another one', async () => {
    const own = `${users}/${admin.userId}/role`;
    for (const { token } of [admin, owner])
      expectError(await ask('PUT', own, { role: 'owner' }, token), 403, 'FORBIDDEN', {
        reason: 'owner_by_transfer',
      });
  });

  test('400 for a role that there is not, 404 for a user that there is not', async () => {
    const path = `${users}/${admin.userId}/role`;
    expectError(await ask('PUT', path, { role: 'king' }), 400, 'VALIDATION_ERROR', {
      field: 'role',
    });
    expectError(await ask('PUT', path, {}), 400, 'VALIDATION_ERROR', { field: 'role' });
    const nobody = await ask('PUT', `${users}/usr_none/role`, { role: 'analyst' });
    expectError(nobody, 404, 'NOT_FOUND');
  });
});

test('a key needs user:read to list, user:write for the rest', async () => {
  const keyWith = async (name: string, scopes: readonly string[]): Promise<string> => {
    const path = `/v1/environments/${control.envId}/api-keys`;
    return (await ask('POST', path, { name, scopes })).body.key;
  };
  const reading = await keyWith('reading', ['user:read']);
  const writing = await keyWith('writing', ['user:write']);
  const body = { email: 'by-key@example.com', role: 'analyst' };
  expect((await ask('GET', users, undefined, reading)).status).toBe(200);
  expectError(await ask('POST', users, body, reading), 403, 'FORBIDDEN');
  expectError(await ask('GET', users, undefined, writing), 403, 'FORBIDDEN');
  expect((await ask('POST', users, body, writing)).status).toBe(201);
});

test('whoever is removed is out at once', async () => {
  const person = await control.signIn('developer');
  const answer = await ask('DELETE', `${users}/${person.userId}`);
  expect([answer.status, answer.body]).toEqual([
    200,
    { user_id: person.userId, removed: true, removed_at: time, removed_by: owner.userId },
  ]);
  expectError(await ask('GET', '/v1/auth/me', undefined, person.token), 401, 'UNAUTHORIZED');
});

/** Of the reference's matrix; `x` where the permission is. */
const matrix = [
  ['query:execute', 'x x x - x x'],
  ['schema:read', 'x x x - x x'],
  ['schema:write', 'x x - - x -'],
  ['policy:write', 'x x - - - -'],
  ['user:write', 'x x - - - -'],
  ['key:write', 'x x - - - -'],
  ['audit:read', 'x x - x - -'],
  ['billing:write', 'x - - - - -'],
  ['webhook:write', 'x x - - - -'],
  ['sso:write', 'x x - - - -'],
  ['organization:delete', 'x - - - - -'],
] as const;

test.each(matrix)('the matrix: %s is for %s', (permission, line) => {
  const order = ['owner', 'admin', 'analyst', 'auditor', 'developer', 'service_account'] as const;
  expect(new Set(order)).toEqual(new Set(roles));
  const wanted = order.filter((_, at) => line.split(' ')[at] === 'x');
  expect(new Set<string>(permissions[permission].roles)).toEqual(new Set(wanted));
});
