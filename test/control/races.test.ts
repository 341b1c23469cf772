/** What is taken away while somebody is using it: whoever comes second finds it so. */
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import {
  reasonOf,
  someAddress,
  startTestControlPlane,
  statusesOf,
  testPassword,
  type Answered,
  type SignedIn,
  type TestControlPlane,
} from '../fixtures/control-plane.ts';

let control: TestControlPlane;
let owner: SignedIn;
let names = 0;

beforeAll(async () => {
  control = await startTestControlPlane();
  owner = await control.signIn();
});
afterAll(() => control.stop());

const keysPath = () => `/v1/environments/${control.envId}/api-keys`;
const userPath = (userId: string, more = '') =>
  `/v1/organizations/${control.orgId}/users/${userId}${more}`;

async function newKey(scopes: readonly string[] = ['key:*', 'query:*', 'schema:*']) {
  const body = { name: `key-${(names += 1)}`, scopes };
  const made = await control.request('POST', keysPath(), { as: owner.token, body });
  expect(made.status).toBe(201);
  return { key: made.body.key as string, keyId: made.body.key_id as string };
}

/** Until so many statements of the control plane wait for a lock. */
async function waiting(count: number): Promise<void> {
  await vi.waitFor(async () => {
    const { rows } = await control.store.query<{ waiting: number }>(
      `SELECT count(*)::int AS waiting FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`,
    );
    expect(rows[0]!.waiting).toBeGreaterThanOrEqual(count);
  }, 5_000);
}

/** Does one thing up to its record of it, and lets the other one come before it is durable. */
async function overtaking<A, B>(one: () => Promise<A>, other: () => Promise<B>): Promise<[A, B]> {
  const blocker = await control.store.connect();
  try {
    await blocker.query('BEGIN');
    await blocker.query('LOCK hatidata.iam_audit IN SHARE MODE');
    const first = one();
    await waiting(1);
    const second = other();
    await waiting(2);
    await blocker.query('COMMIT');
    return [await first, await second];
  } finally {
    // With what it has not committed.
    blocker.release(true);
  }
}

const madeSince = async (name: string): Promise<number | null> => {
  const { rowCount } = await control.store.query(
    'SELECT FROM hatidata.api_keys WHERE agent_id = $1',
    [name],
  );
  return rowCount;
};

test('a key that is being revoked makes no other one by SQL', async () => {
  const { key, keyId } = await newKey();
  const client = await control.proxy.client(key);
  const [revoked, made] = await overtaking(
    () => control.request('DELETE', `${keysPath()}/${keyId}`, { as: owner.token }),
    () =>
      client.query("SELECT create_api_key('by-sql', 'readonly')").then(
        () => 'made',
        () => 'refused',
      ),
  );
  expect([revoked.status, made]).toEqual([200, 'refused']);
  expect(await madeSince('by-sql')).toBe(0);
});

test.each([
  ['revoked', 'DELETE', ''],
  ['rotated without grace', 'POST', '/rotate'],
] as const)('a key that is being %s makes no other one over REST', async (how, method, more) => {
  const { key, keyId } = await newKey();
  const name = `by-rest-${how.replaceAll(' ', '-')}`;
  const [ended, made] = await overtaking(
    () =>
      control.request(method, `${keysPath()}/${keyId}${more}`, {
        as: owner.token,
        ...(more !== '' && { body: { grace_period_hours: 0 } }),
      }),
    () => control.request('POST', keysPath(), { as: key, body: { name, scopes: ['query:read'] } }),
  );
  expect(ended.status).toBe(200);
  expect(reasonOf(made)).toEqual([401, 'credential_invalid']);
  expect(await madeSince(name)).toBe(0);
});

test.each(['suspended', 'removed'] as const)(
  'a login of a user who is just being %s gets no session',
  async (how) => {
    const { userId, email } = await control.signIn('analyst');
    const [ended, login] = await overtaking<Answered, Answered>(
      () =>
        how === 'suspended'
          ? control.request('POST', userPath(userId, '/suspend'), { as: owner.token })
          : control.request('DELETE', userPath(userId), { as: owner.token }),
      () =>
        control.request('POST', '/v1/auth/login', {
          body: { email, password: testPassword },
          from: someAddress(),
        }),
    );
    expect(ended.status).toBe(200);
    expect(reasonOf(login)).toEqual([403, 'membership_missing']);
    const { rowCount } = await control.store.query(
      'SELECT FROM hatidata.auth_sessions WHERE user_id = $1 AND ended_at IS NULL',
      [userId],
    );
    expect(rowCount).toBe(0);
  },
);

test('two keys of one name at once: one is made, and its name is free when it is revoked', async () => {
  const body = { name: 'one-name', scopes: ['query:read'] };
  const make = () => control.request('POST', keysPath(), { as: owner.token, body });
  const answers = await Promise.all([make(), make(), make()]);
  expect(statusesOf(answers)).toEqual([201, 409, 409]);
  const { key_id: keyId } = answers.find(({ status }) => status === 201)!.body;
  await control.request('DELETE', `${keysPath()}/${keyId}`, { as: owner.token });
  expect((await make()).status).toBe(201);
});

test('two environments of one slug at once: one is made', async () => {
  const make = () =>
    control.request('POST', `/v1/organizations/${control.orgId}/environments`, {
      as: owner.token,
      body: { name: 'One', slug: 'one-slug' },
    });
  expect(statusesOf(await Promise.all([make(), make(), make()]))).toEqual([201, 409, 409]);
});

test('one Idempotency-Key at once: one key, the same answer; for another request it is refused', async () => {
  const make = (name: string) =>
    control.request('POST', keysPath(), {
      as: owner.token,
      body: { name, scopes: ['query:read'] },
      headers: { 'idempotency-key': 'at-once' },
    });
  const answers = await Promise.all(Array.from({ length: 5 }, () => make('idempotent')));
  expect(statusesOf(answers)).toEqual(Array(5).fill(201));
  expect(new Set(answers.map(({ body }) => body.key)).size).toBe(1);
  expect(await madeSince('idempotent')).toBe(1);
  expect(reasonOf(await make('another'))).toEqual([409, 'idempotency_key_reused']);
});

test('many acts of one key at once are all done, one after the other', async () => {
  const { key, keyId } = await newKey();
  const rotations = Array.from({ length: 6 }, () =>
    control.request('POST', `${keysPath()}/${keyId}/rotate`, { as: key, body: {} }),
  );
  const creations = Array.from({ length: 6 }, (_, at) =>
    control.request('POST', keysPath(), {
      as: key,
      body: { name: `one-of-many-${at}`, scopes: ['query:read'] },
    }),
  );
  const answers = await Promise.all([...rotations, ...creations]);
  const statuses = answers.map(({ status }) => status);
  expect(statuses).toEqual([...Array<number>(6).fill(200), ...Array<number>(6).fill(201)]);
});

test('whoever is just becoming less makes no key of what he was', async () => {
  const heir = await control.signIn('admin');
  const [transferred, made] = await overtaking(
    () =>
      control.request('POST', `/v1/organizations/${control.orgId}/transfer`, {
        as: owner.token,
        body: { user_id: heir.userId },
      }),
    () =>
      control.request('POST', keysPath(), {
        as: owner.token,
        body: { name: 'by-former-owner', scopes: ['billing:read'] },
      }),
  );
  expect(transferred.status).toBe(200);
  expect(reasonOf(made)).toEqual([403, 'key_stronger']);
  expect(await madeSince('by-former-owner')).toBe(0);
});
