/** Users of an organization: who may make whom what, suspend, remove and invite. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Role } from '../../src/api/permissions.ts';
import {
  statusesOf,
  startTestControlPlane,
  type SignedIn,
  type TestControlPlane,
} from '../fixtures/control-plane.ts';
import { keyOf, recordOf, eventsOf, userPath } from './members.ts';

let control: TestControlPlane;
let owner: SignedIn;

beforeAll(async () => {
  control = await startTestControlPlane();
  owner = await control.signIn('owner');
});
afterAll(() => control.stop());

/** Who changes whom from what to what, and the answer. */
const changes: readonly (readonly [
  by: 'owner' | 'admin' | 'key',
  whom: 'himself' | 'another',
  from: Role,
  to: Role,
  answer: 200 | 'owner_only' | 'owner_by_transfer',
])[] = [
  ['owner', 'another', 'analyst', 'developer', 200],
  ['owner', 'another', 'developer', 'service_account', 200],
  ['owner', 'another', 'analyst', 'admin', 200],
  ['owner', 'another', 'admin', 'auditor', 200],
  ['owner', 'another', 'admin', 'owner', 'owner_by_transfer'],
  ['owner', 'himself', 'owner', 'admin', 'owner_by_transfer'],
  ['owner', 'himself', 'owner', 'owner', 'owner_by_transfer'],
  ['admin', 'another', 'analyst', 'developer', 200],
  ['admin', 'another', 'developer', 'auditor', 200],
  ['admin', 'another', 'analyst', 'admin', 'owner_only'],
  ['admin', 'another', 'analyst', 'owner', 'owner_by_transfer'],
  ['admin', 'another', 'admin', 'analyst', 'owner_only'],
  ['admin', 'another', 'owner', 'analyst', 'owner_by_transfer'],
  ['admin', 'himself', 'admin', 'owner', 'owner_by_transfer'],
  ['admin', 'himself', 'admin', 'admin', 200],
  ['admin', 'himself', 'admin', 'developer', 200],
  ['key', 'another', 'analyst', 'developer', 200],
  ['key', 'another', 'analyst', 'admin', 'owner_only'],
  ['key', 'another', 'admin', 'analyst', 'owner_only'],
  ['key', 'another', 'owner', 'analyst', 'owner_by_transfer'],
  ['key', 'another', 'analyst', 'owner', 'owner_by_transfer'],
];

describe('a role', () => {
  let key: string;
  beforeAll(async () => {
    ({ key } = await keyOf(control, owner.token, 'role-changer', ['user:*']));
  });

  test.each(changes)('%s changes %s from %s to %s: %s', async (by, whom, from, to, expected) => {
    const admin = await control.signIn('admin');
    const caller = { owner: owner.token, admin: admin.token, key }[by];
    const himself = by === 'owner' ? owner : admin;
    const target =
      whom === 'himself' ? himself : from === 'owner' ? owner : await control.signIn(from);
    const answer = await control.request('PUT', userPath(control, target.userId, '/role'), {
      as: caller,
      body: { role: to },
    });
    expect(answer.status).toBe(expected === 200 ? 200 : 403);
    if (expected !== 200) expect(answer.body.error.details.reason).toBe(expected);
    const after = await control.request('GET', userPath(control, target.userId), {
      as: owner.token,
    });
    expect(after.body.role).toBe(expected === 200 ? to : from);
  });

  test('that changes is recorded and told; one that does not is not', async () => {
    const { userId, email } = await control.signIn('analyst');
    const asked = { as: owner.token, body: { role: 'developer' } };
    const answer = await control.request('PUT', userPath(control, userId, '/role'), asked);
    expect(answer.headers.get('etag')).toBe('"2"');
    await control.request('PUT', userPath(control, userId, '/role'), asked);
    expect(await recordOf(control, 'user.role_changed', userId)).toEqual([
      {
        actor: owner.userId,
        detail: { email, before: { role: 'analyst' }, after: { role: 'developer' } },
      },
    ]);
    expect(await eventsOf(control, 'user.role_changed', userId)).toEqual([
      {
        user_id: userId,
        email,
        previous_role: 'analyst',
        role: 'developer',
        changed_by: owner.userId,
      },
    ]);
  });

  test('changed by two editors at once: the second one hears of it', async () => {
    const { userId } = await control.signIn('analyst');
    const answers = await Promise.all(
      ['developer', 'auditor'].map((role) =>
        control.request('PUT', userPath(control, userId, '/role'), {
          as: owner.token,
          headers: { 'if-match': '"1"' },
          body: { role },
        }),
      ),
    );
    expect(statusesOf(answers)).toEqual([200, 412]);
  });

  test('holds from the next request on', async () => {
    const admin = await control.signIn('admin');
    expect((await control.request('GET', userPath(control), { as: admin.token })).status).toBe(200);
    const body = { role: 'analyst' };
    await control.request('PUT', userPath(control, admin.userId, '/role'), {
      as: owner.token,
      body,
    });
    expect((await control.request('GET', userPath(control), { as: admin.token })).status).toBe(403);
  });

  test.each([[{}], [{ role: 'root' }], [{ role: 'analyst', more: 1 }], [['analyst']]])(
    'refuses %j',
    async (body) => {
      const { userId } = await control.signIn('analyst');
      const asked = { as: owner.token, body };
      expect((await control.request('PUT', userPath(control, userId, '/role'), asked)).status).toBe(
        400,
      );
    },
  );
});

/** Who invites as what, and what he may do to whom. */
const powers: readonly (readonly [
  by: 'owner' | 'admin' | 'key',
  whom: Role,
  suspend: number,
  remove: number,
  invite: number,
])[] = [
  ['owner', 'analyst', 200, 200, 201],
  ['owner', 'admin', 200, 200, 201],
  ['owner', 'owner', 403, 403, 403],
  ['admin', 'developer', 200, 200, 201],
  ['admin', 'admin', 403, 403, 403],
  ['admin', 'owner', 403, 403, 403],
  ['key', 'service_account', 200, 200, 201],
  ['key', 'admin', 403, 403, 403],
  ['key', 'owner', 403, 403, 403],
];

describe('suspending, removing, inviting', () => {
  let key: string;
  let admin: SignedIn;
  beforeAll(async () => {
    ({ key } = await keyOf(control, owner.token, 'administrator', ['user:*']));
    admin = await control.signIn('admin');
  });

  test.each(powers)('%s and the role %s', async (by, whom, suspend, remove, invite) => {
    const as = { owner: owner.token, admin: admin.token, key }[by];
    const target = whom === 'owner' ? owner : await control.signIn(whom);
    const email = `${by}-${whom}@example.com`;
    expect({
      suspend: (await control.request('POST', userPath(control, target.userId, '/suspend'), { as }))
        .status,
      remove: (await control.request('DELETE', userPath(control, target.userId), { as })).status,
      invite: (
        await control.request('POST', userPath(control), { as, body: { email, role: whom } })
      ).status,
    }).toEqual({ suspend, remove, invite });
  });

  test('nobody suspends himself; an admin may leave', async () => {
    const leaving = await control.signIn('admin');
    const as = leaving.token;
    expect(
      (await control.request('POST', userPath(control, leaving.userId, '/suspend'), { as })).status,
    ).toBe(409);
    expect(
      (await control.request('DELETE', userPath(control, leaving.userId), { as })).status,
    ).toBe(200);
    expect((await control.request('GET', userPath(control), { as })).status).toBe(401);
  });

  test('an invitation is neither suspended nor resumed; a member gets no second one', async () => {
    const as = owner.token;
    const body = { email: 'pending@example.com', role: 'analyst' };
    const { user_id: userId } = (await control.request('POST', userPath(control), { as, body }))
      .body;
    const status = async (id: string, rest: string) =>
      (await control.request('POST', userPath(control, id, rest), { as })).status;
    expect(await status(userId, '/suspend')).toBe(409);
    expect(await status(userId, '/resume')).toBe(409);
    expect(await status(admin.userId, '/resend')).toBe(409);
  });
});
