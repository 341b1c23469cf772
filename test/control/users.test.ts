/** Users of an organization: the list of them, and what ends when somebody leaves. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import {
  someAddress,
  startTestControlPlane,
  type SignedIn,
  type TestControlPlane,
} from '../fixtures/control-plane.ts';
import { keyOf, recordOf, eventsOf, userPath } from './members.ts';
import { newOrganization } from './new-organizations.ts';

let control: TestControlPlane;
let owner: SignedIn;

beforeAll(async () => {
  control = await startTestControlPlane();
  owner = await control.signIn('owner');
});
afterAll(() => control.stop());

/** Each from somewhere else: whoever comes with credentials that are none has an allowance by where he is. */
const request: TestControlPlane['request'] = (method, path, asked) =>
  control.request(method, path, { from: someAddress(), ...asked });

describe('the list', () => {
  test('has the fields of the reference, filtered and page by page', async () => {
    const orgId = await newOrganization(control, owner);
    const members = [
      await control.signIn('developer', orgId),
      await control.signIn('developer', orgId),
      await control.signIn('auditor', orgId),
    ];
    const as = owner.token;
    await request('POST', userPath(control, members[1]!.userId, '/suspend', orgId), { as });
    const all = await request('GET', userPath(control, '', '', orgId), { as });
    expect(all.body.pagination).toEqual({ cursor: null, has_more: false, total: 4 });
    expect(all.body.data[1]).toEqual({
      user_id: members[0]!.userId,
      email: members[0]!.email,
      name: 'The developer',
      role: 'developer',
      status: 'active',
      mfa_enabled: false,
      last_login: expect.any(String),
      created_at: expect.any(String),
    });
    const ids = async (query: string): Promise<string[]> => {
      const { body } = await request('GET', `${userPath(control, '', '', orgId)}?${query}`, { as });
      return body.data.map((each: { user_id: string }) => each.user_id);
    };
    expect(await ids('role=developer')).toEqual([members[0]!.userId, members[1]!.userId]);
    expect(await ids('status=suspended')).toEqual([members[1]!.userId]);
    expect(await ids('status=active&role=auditor')).toEqual([members[2]!.userId]);
    const first = await request('GET', `${userPath(control, '', '', orgId)}?limit=3`, {
      as,
    });
    expect(first.body.pagination).toMatchObject({ has_more: true, total: 4 });
    expect(await ids(`limit=3&cursor=${first.body.pagination.cursor}`)).toEqual([
      members[2]!.userId,
    ]);
  });

  test.each([
    ['role=root', 'role'],
    ['status=gone', 'status'],
    ['limit=201', 'limit'],
    ['limit=0', 'limit'],
    ['cursor=cur_x', 'cursor'],
    ['page=2', 'page'],
  ])('refuses ?%s', async (query, field) => {
    const answer = await request('GET', `${userPath(control)}?${query}`, {
      as: owner.token,
    });
    expect(answer.status).toBe(400);
    expect(answer.body.error.details.field).toBe(field);
  });

  test('users of another organization are as unknown as nobody, whatever is done to them', async () => {
    const stranger = await control.signIn('developer', await newOrganization(control, owner));
    const as = owner.token;
    for (const [method, rest, body] of [
      ['GET', '', undefined],
      ['PUT', '/role', { role: 'analyst' }],
      ['POST', '/suspend', undefined],
      ['POST', '/resume', undefined],
      ['POST', '/resend', undefined],
      ['DELETE', '', undefined],
    ] as const) {
      const foreign = await request(method, userPath(control, stranger.userId, rest), {
        as,
        body,
      });
      const nobody = await request(method, userPath(control, 'usr_nobody', rest), {
        as,
        body,
      });
      expect(foreign.status).toBe(404);
      expect(foreign.body.error.message).toBe(nobody.body.error.message);
      expect(foreign.body.error.details).toEqual(nobody.body.error.details);
    }
  });

  test.each(['developer', 'analyst', 'auditor', 'service_account'] as const)(
    'is not for the role %s',
    async (role) => {
      const { token: as } = await control.signIn(role);
      expect((await request('GET', userPath(control), { as })).status).toBe(403);
      const body = { email: 'x@example.com', role: 'analyst' };
      expect((await request('POST', userPath(control), { as, body })).status).toBe(403);
    },
  );
});

describe('whoever is suspended', () => {
  test('is out at once, with the keys that he made, and those that these made', async () => {
    const admin = await control.signIn('admin');
    const own = await keyOf(control, admin.token, 'own');
    const second = await keyOf(control, own.key, 'second', ['query:read']);
    const foreign = await keyOf(control, owner.token, 'not-his');
    const client = await control.proxy.client(second.key);
    const ended = new Promise<void>((resolve) => client.once('end', () => resolve()));
    await client.query('SELECT 1');

    const answer = await request('POST', userPath(control, admin.userId, '/suspend'), {
      as: owner.token,
    });
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({ user_id: admin.userId, status: 'suspended' });
    await ended;
    expect((await request('GET', userPath(control), { as: admin.token })).status).toBe(401);
    const refresh = { body: { refresh_token: admin.refreshToken } };
    expect((await request('POST', '/v1/auth/refresh', refresh)).status).toBe(401);
    for (const { key } of [own, second])
      expect((await request('GET', '/v1/orgs', { as: key })).status).toBe(401);
    expect((await request('GET', '/v1/orgs', { as: foreign.key })).status).toBe(200);
    const login = { email: admin.email, password: admin.password, org_id: control.orgId };
    expect((await request('POST', '/v1/auth/login', { body: login })).status).toBe(404);

    const [record] = await recordOf(control, 'user.suspended', admin.userId);
    expect(record).toMatchObject({
      actor: owner.userId,
      detail: { before: { status: 'active' }, after: { status: 'suspended' }, sessionsEnded: 1 },
    });
    expect(record.detail.keysRevoked.toSorted()).toEqual([own.keyId, second.keyId].toSorted());
    const { rows } = await control.store.query<{ body: string }>(
      "SELECT body FROM hatidata.events WHERE type = 'key.revoked' ORDER BY created_at",
    );
    const told = rows.map((row) => JSON.parse(row.body).data);
    expect(told).toContainEqual({
      key_id: second.keyId,
      name: 'second',
      revoked_at: expect.any(String),
      revoked_by: owner.userId,
    });

    const again = await request('POST', userPath(control, admin.userId, '/suspend'), {
      as: owner.token,
    });
    expect(again.status).toBe(200);
    expect(await recordOf(control, 'user.suspended', admin.userId)).toHaveLength(1);
  });

  test('logs in again once he is resumed; his keys are gone for good', async () => {
    const admin = await control.signIn('admin');
    const { key } = await keyOf(control, admin.token, 'gone');
    await request('POST', userPath(control, admin.userId, '/suspend'), { as: owner.token });
    const resumed = await request('POST', userPath(control, admin.userId, '/resume'), {
      as: owner.token,
    });
    expect(resumed.body).toMatchObject({ status: 'active', role: 'admin' });
    expect((await request('GET', userPath(control), { as: admin.token })).status).toBe(401);
    const login = { email: admin.email, password: admin.password };
    const { status, body } = await request('POST', '/v1/auth/login', { body: login });
    expect(status).toBe(200);
    expect((await request('GET', userPath(control), { as: body.token })).status).toBe(200);
    expect((await request('GET', '/v1/orgs', { as: key })).status).toBe(401);
  });
});

describe('secrets of keys that others made', () => {
  const works = async (key: string) =>
    (await request('GET', '/v1/orgs', { as: key })).status === 200;
  const rotate = async (as: string, keyId: string) => {
    const at = `/v1/environments/${control.envId}/api-keys/${keyId}/rotate`;
    const { status, body } = await request('POST', at, { as, body: {} });
    expect(status).toBe(200);
    return body.new_key as string;
  };

  test('end with who rotated them, at once; the key and its other secrets go on', async () => {
    const admin = await control.signIn('admin');
    const { key: first, keyId } = await keyOf(control, owner.token, 'rotated-by-him');
    const second = await rotate(admin.token, keyId);
    const client = await control.proxy.client(second);
    const ended = new Promise<void>((resolve) => client.once('end', () => resolve()));
    expect([await works(first), await works(second)]).toEqual([true, true]);
    await request('POST', userPath(control, admin.userId, '/suspend'), { as: owner.token });
    await ended;
    expect([await works(first), await works(second)]).toEqual([true, false]);
    const [record] = await recordOf(control, 'user.suspended', admin.userId);
    expect(record.detail).toMatchObject({ keysRevoked: [], keysLosingSecrets: [keyId] });
    expect(await works(await rotate(owner.token, keyId))).toBe(true);
  });

  test('end with who rotated them by a key, and so does what was made with them', async () => {
    const admin = await control.signIn('admin');
    const { keyId } = await keyOf(control, owner.token, 'not-his-either');
    const own = await keyOf(control, admin.token, 'his-tool');
    const second = await rotate(own.key, keyId);
    const third = await rotate(second, keyId);
    const child = await keyOf(control, third, 'made-with-it', ['query:read']);
    const other = await keyOf(control, owner.token, 'has-nothing-to-do-with-it');
    await request('DELETE', userPath(control, admin.userId), { as: owner.token });
    for (const key of [own.key, second, third, child.key]) expect(await works(key)).toBe(false);
    expect(await works(other.key)).toBe(true);
    const [record] = await recordOf(control, 'user.removed', admin.userId);
    expect(record.detail.keysRevoked.toSorted()).toEqual([own.keyId, child.keyId].toSorted());
    expect(record.detail.keysLosingSecrets).toEqual([keyId]);
  });

  test('that a schedule made end with who collected them', async () => {
    const admin = await control.signIn('admin');
    const { keyId } = await keyOf(control, owner.token, 'by-schedule');
    await control.store.query(
      `UPDATE hatidata.api_keys SET rotate_every_days = 30, next_rotation_at = now() WHERE key_id = $1`,
      [keyId],
    );
    const at = `/v1/environments/${control.envId}/api-keys/${keyId}/collect`;
    const collected = await vi.waitFor(async () => {
      const { status, body } = await request('POST', at, { as: admin.token });
      expect(status).toBe(200);
      return body.new_key as string;
    }, 10_000);
    expect(await works(collected)).toBe(true);
    await request('POST', userPath(control, admin.userId, '/suspend'), { as: owner.token });
    expect(await works(collected)).toBe(false);
  });
});

describe('whoever is removed', () => {
  test('is out at once, and the answer, the record and the event say so', async () => {
    const admin = await control.signIn('admin');
    const { key, keyId } = await keyOf(control, admin.token, 'left-behind');
    const answer = await request('DELETE', userPath(control, admin.userId), {
      as: owner.token,
    });
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({
      user_id: admin.userId,
      removed: true,
      removed_at: expect.any(String),
      removed_by: owner.userId,
    });
    expect((await request('GET', userPath(control), { as: admin.token })).status).toBe(401);
    expect((await request('GET', '/v1/orgs', { as: key })).status).toBe(401);
    expect(
      (await request('GET', userPath(control, admin.userId), { as: owner.token })).status,
    ).toBe(404);
    expect(
      (await request('DELETE', userPath(control, admin.userId), { as: owner.token })).status,
    ).toBe(404);
    expect(await recordOf(control, 'user.removed', admin.userId)).toEqual([
      {
        actor: owner.userId,
        detail: {
          email: admin.email,
          before: { role: 'admin', status: 'active' },
          keysRevoked: [keyId],
          keysLosingSecrets: [],
          sessionsEnded: 1,
        },
      },
    ]);
    expect(await eventsOf(control, 'user.removed', admin.userId)).toEqual([
      { user_id: admin.userId, email: admin.email, role: 'admin', removed_by: owner.userId },
    ]);
  });

  test('keeps what he has in other organizations', async () => {
    const admin = await control.signIn('admin');
    const { key } = await keyOf(control, admin.token, 'stays');
    const orgId = await newOrganization(control, owner);
    await control.store.query(
      `INSERT INTO hatidata.memberships (org_id, user_id, role, status) VALUES ($1, $2, 'analyst', 'active')`,
      [orgId, admin.userId],
    );
    await request('DELETE', userPath(control, admin.userId, '', orgId), {
      as: owner.token,
    });
    expect((await request('GET', userPath(control), { as: admin.token })).status).toBe(200);
    expect((await request('GET', '/v1/orgs', { as: key })).status).toBe(200);
    const foreign = await request('GET', `/v1/organizations/${orgId}`, {
      as: admin.token,
    });
    expect(foreign.status).toBe(404);
  });

  test.each(['he himself', 'a key of his'] as const)(
    'does not finish what %s began',
    async (who) => {
      const admin = await control.signIn('admin');
      const name = who.replaceAll(' ', '-');
      const as = who === 'he himself' ? admin.token : (await keyOf(control, admin.token, name)).key;
      const blocker = await control.store.connect();
      try {
        // The request waits for the environment; meanwhile he is removed.
        await blocker.query('BEGIN');
        await blocker.query('SELECT 1 FROM hatidata.environments WHERE env_id = $1 FOR UPDATE', [
          control.envId,
        ]);
        const underWay = request('POST', `/v1/environments/${control.envId}/api-keys`, {
          as,
          body: { name: `late-by-${name}`, scopes: ['query:read'] },
        });
        await waiting(1);
        const removal = request('DELETE', userPath(control, admin.userId), {
          as: owner.token,
        });
        await waiting(2);
        await blocker.query('COMMIT');
        const { status, body } = await underWay;
        expect((await removal).status).toBe(200);
        // It was done before the removal, which therefore ended it.
        expect(status).toBe(201);
        expect((await request('GET', '/v1/orgs', { as: body.key })).status).toBe(401);
      } finally {
        // With what it has not committed.
        blocker.release(true);
      }
    },
  );
});

/** Until so many statements of the control plane wait for a lock. */
async function waiting(count: number): Promise<void> {
  await vi.waitFor(async () => {
    const { rows } = await control.store.query<{ waiting: number }>(
      `SELECT count(*)::int AS waiting FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`,
    );
    expect(rows[0]!.waiting).toBeGreaterThanOrEqual(count);
  }, 5_000);
}
