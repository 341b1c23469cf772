/** What time brings for keys: notices, ends, rotation by schedule. By a control plane, and by several jobs on one store. */
import type pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Acts } from '../../src/control/act.ts';
import { KeyTimes } from '../../src/control/keys/expiry.ts';
import { KeyHasher } from '../../src/control/keys/hasher.ts';
import { KeyService } from '../../src/control/keys/service.ts';
import { adminAuthority } from '../../src/policy/authority.ts';
import { startTestControlPlane, type TestControlPlane } from '../fixtures/control-plane.ts';
import { silent as log, startTestStore, tester } from '../fixtures/control-store.ts';
import { isSignedWith, startReceiver, type Receiver } from '../fixtures/webhook-receiver.ts';
import { codeOf, until } from '../pool/small-pool.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

describe('a control plane', () => {
  let plane: TestControlPlane;
  let admin: string;
  let keys: string;
  let receiver: Receiver;
  let signingSecret: string;
  let names = 0;

  beforeAll(async () => {
    plane = await startTestControlPlane();
    const client = await plane.proxy.client();
    const { rows } = await client.query<{ key: string }>(
      "SELECT create_api_key('boss', 'admin') AS key",
    );
    admin = rows[0]!.key;
    keys = `/v1/environments/${plane.envId}/api-keys`;
  });
  afterAll(() => plane.stop());

  beforeAll(async () => {
    receiver = await startReceiver();
    const { body } = await ask('POST', `/v1/organizations/${plane.orgId}/webhooks`, {
      url: receiver.url,
      events: ['key.rotated', 'key.expiring', 'key.revoked'],
    });
    signingSecret = body.signing_secret;
  });
  afterAll(() => receiver.close());

  const ask = (method: string, path: string, body?: unknown, as = admin, headers = {}) =>
    plane.request(method, path, { as, headers, ...(body !== undefined && { body }) });

  async function create(more: object = {}): Promise<{ key: string; path: string; id: string }> {
    const { status, body } = await ask('POST', keys, {
      name: `agent-${(names += 1)}`,
      scopes: ['query:read'],
      ...more,
    });
    expect(status).toBe(201);
    return { key: body.key, id: body.key_id, path: `${keys}/${body.key_id}` };
  }

  const told = (count: number, type: string, id: string) =>
    receiver.waitFor(count, ({ body }) => body.type === type && body.data.key_id === id);

  /** A session that is there. */
  async function session(key: string): Promise<{ client: pg.Client; ended: Promise<number> }> {
    const client = await plane.proxy.client(key);
    const ended = new Promise<number>((resolve) =>
      client.on('end', () => resolve(performance.now())),
    );
    expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    return { client, ended };
  }

  const refused = (key: string) =>
    expect(plane.proxy.client(key)).rejects.toMatchObject({ code: '28P01' });

  test('from creation over rotation to revocation', async () => {
    const { key: old, path, id } = await create();
    const before = await session(old);
    const rotation = await ask('POST', `${path}/rotate`, { grace_period_hours: 1 });
    expect(rotation.status).toBe(200);
    const next = rotation.body.new_key as string;
    // Both are good.
    await (await session(old)).client.end();
    const after = await session(next);
    const [rotated] = await told(1, 'key.rotated', id);
    expect(rotated!.body.data).toMatchObject({
      old_key_expires_at: rotation.body.old_key_expires_at,
      grace_period_hours: 1,
      automatic: false,
    });
    // Fewer than 24 hours are left.
    const [expiring] = await told(1, 'key.expiring', id);
    expect(expiring!.body.data).toMatchObject({
      what: 'old_secret',
      prefix: old.slice(0, 12),
      expires_at: rotation.body.old_key_expires_at,
    });
    plane.pass(hourMs);
    await before.ended;
    await refused(old);
    expect((await after.client.query('SELECT 2 AS two')).rows).toEqual([{ two: 2 }]);
    const begun = performance.now();
    const ended = after.ended.then((at) => at - begun);
    const revoked = await ask('DELETE', path);
    expect(revoked.body).toMatchObject({ key_id: id, revoked: true });
    expect(await ended).toBeLessThan(2_000);
    await refused(next);
    await told(1, 'key.revoked', id);
    const all = receiver.received.filter(({ body }) => body.data.key_id === id);
    expect(all.map(({ body }) => body.type)).toEqual([
      'key.rotated',
      'key.expiring',
      'key.revoked',
    ]);
    expect(all.every((each) => isSignedWith(signingSecret, each))).toBe(true);
  });

  test('a key that ends is told of a day before, and its sessions end with it', async () => {
    const { key, id, path } = await create({ expires_in_days: 2 });
    const { client, ended } = await session(key);
    plane.pass(dayMs - 60_000);
    await new Promise((wait) => setTimeout(wait, 1_500));
    expect(receiver.received.filter(({ body }) => body.data.key_id === id)).toEqual([]);
    plane.pass(60_000);
    const [expiring] = await told(1, 'key.expiring', id);
    expect(expiring!.body.data).toMatchObject({ what: 'key', prefix: key.slice(0, 12) });
    expect((await client.query('SELECT 1 AS one')).rowCount).toBe(1);
    plane.pass(dayMs);
    await ended;
    await refused(key);
    expect((await ask('GET', keys, undefined, key)).status).toBe(401);
    expect((await ask('GET', path)).body.status).toBe('expired');
    const { rows } = await plane.store.query(
      "SELECT detail FROM hatidata.iam_audit WHERE action = 'key.expired' AND detail->>'keyId' = $1",
      [id],
    );
    expect(rows).toEqual([{ detail: { keyId: id, what: 'key' } }]);
    await new Promise((wait) => setTimeout(wait, 1_500));
    expect(await told(1, 'key.expiring', id)).toHaveLength(1);
  });

  test('a schedule replaces the secret, and who has the old one collects the new one once', async () => {
    const { key: old, id, path } = await create({ rotate_every_days: 7 });
    expect((await ask('POST', '/v1/auth/collect-secret', undefined, old)).status).toBe(404);
    plane.pass(7 * dayMs);
    const [rotated] = await told(1, 'key.rotated', id);
    expect(rotated!.body.data).toMatchObject({ automatic: true, grace_period_hours: 72 });
    expect(JSON.stringify(rotated!.body)).not.toMatch(/hd_live_[a-z0-9]{5}/);
    const mine = await ask('POST', '/v1/auth/collect-secret', undefined, old);
    expect(mine.status).toBe(200);
    expect(mine.body).toEqual({
      key_id: id,
      new_key: expect.stringMatching(/^hd_live_[a-z0-9]{32}$/),
      new_prefix: rotated!.body.data.new_prefix,
      rotated_at: rotated!.body.data.rotated_at,
    });
    const again = await ask('POST', `${path}/collect`);
    expect([again.status, again.body.error.details.reason]).toEqual([404, 'nothing_to_collect']);
    await (await session(old)).client.end();
    await (await session(mine.body.new_key)).client.end();
    plane.pass(2 * dayMs);
    await told(1, 'key.expiring', id);
    plane.pass(dayMs);
    const { ended } = await session(mine.body.new_key);
    await new Promise((wait) => setTimeout(wait, 1_500));
    await refused(old);
    // By its schedule again, counted from the last time.
    plane.pass(4 * dayMs);
    await told(2, 'key.rotated', id);
    const byAdmin = await ask('POST', `${path}/collect`);
    expect(byAdmin.status).toBe(200);
    await (await session(byAdmin.body.new_key)).client.end();
    await ask('DELETE', path);
    await ended;
  });

  test('two who collect at once: one gets it; with an Idempotency-Key again and again', async () => {
    const { id, path } = await create({ rotate_every_days: 1 });
    plane.pass(dayMs);
    await told(1, 'key.rotated', id);
    const headers = { 'idempotency-key': 'collect-it' };
    const both = await Promise.all([
      ask('POST', `${path}/collect`, undefined, admin, headers),
      ask('POST', `${path}/collect`),
    ]);
    expect(both.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 404]);
    if (both[0].status === 200) {
      const replay = await ask('POST', `${path}/collect`, undefined, admin, headers);
      expect(replay.body).toEqual(both[0].body);
    }
    await ask('DELETE', path);
  });

  test('a key with key:write does not collect the secret of a stronger one', async () => {
    const { key: weak } = await create({ scopes: ['key:write'] });
    const { id, path } = await create({ rotate_every_days: 1 });
    plane.pass(dayMs);
    await told(1, 'key.rotated', id);
    expect((await ask('POST', `${path}/collect`, undefined, weak)).status).toBe(403);
    expect((await ask('POST', `${path}/collect`)).status).toBe(200);
    await ask('DELETE', path);
  });

  test('lists of one name and one status', async () => {
    const name = 'ätl & co';
    const { id: gone, path } = await create({ name });
    await ask('DELETE', path);
    const { id } = await create({ name });
    const listed = async (query: string) => {
      const { status, body } = await ask('GET', `${keys}?name=${query}`);
      expect([status, body.pagination?.total]).toEqual([200, body.data?.length]);
      return body.data.map(({ key_id: found }: { key_id: string }) => found);
    };
    const encoded = encodeURIComponent(name);
    expect(await listed(encoded)).toEqual([id]);
    expect(await listed(`${encoded}&status=revoked`)).toEqual([gone]);
    expect(await listed(`${encoded}&status=expired`)).toEqual([]);
    expect(await listed(encodeURIComponent('ätl'))).toEqual([]);
    const longest = '🐎'.repeat(63);
    const { id: long } = await create({ name: longest });
    expect(await listed(encodeURIComponent(longest))).toEqual([long]);
    for (const wrong of ['', '%00', 'x'.repeat(64), encodeURIComponent(`${longest}🐎`)]) {
      const answer = await ask('GET', `${keys}?name=${wrong}`);
      expect([answer.status, answer.body.error.details.field]).toEqual([400, 'name']);
    }
  });

  test('what may be changed of a key', async () => {
    const { path } = await create();
    const read = await ask('GET', path);
    const etag = read.headers.get('etag')!;
    const headers = { 'if-match': etag };
    const change = { description: 'new', rotate_every_days: 30 };
    const changed = await ask('PATCH', path, change, admin, headers);
    expect(changed.body).toEqual({
      ...read.body,
      ...change,
      next_rotation_at: expect.stringMatching(/Z$/),
    });
    expect((await ask('PATCH', path, change, admin, headers)).status).toBe(412);
    const without = await ask('PATCH', path, { rotate_every_days: null });
    expect(without.body).toEqual({ ...read.body, description: 'new' });
    for (const [body, field] of [
      [{ rotate_every_days: 0 }, 'rotate_every_days'],
      [{ ip_allowlist: ['10.0.0.1/8'] }, 'ip_allowlist.0'],
      [{ scopes: ['query:write'] }, 'scopes'],
    ] as const) {
      const answer = await ask('PATCH', path, body);
      expect([answer.status, answer.body.error.details.field]).toEqual([400, field]);
    }
    await ask('DELETE', path);
    expect((await ask('PATCH', path, change)).status).toBe(409);
    const { rows } = await plane.store.query(
      "SELECT detail FROM hatidata.iam_audit WHERE action = 'key.updated' ORDER BY sequence LIMIT 1",
    );
    expect(rows[0].detail).toMatchObject({
      before: { description: '', rotateEveryDays: null },
      after: { description: 'new', rotateEveryDays: 30 },
    });
  });

  test('sessions end when their key may not be used from there any more', async () => {
    const { key, path } = await create();
    const { client, ended } = await session(key);
    expect((await ask('PATCH', path, { ip_allowlist: ['127.0.0.0/8'] })).status).toBe(200);
    await new Promise((wait) => setTimeout(wait, 300));
    expect((await client.query('SELECT 1 AS one')).rowCount).toBe(1);
    expect((await ask('PATCH', path, { ip_allowlist: ['203.0.113.0/24'] })).status).toBe(200);
    await ended;
    await expect(plane.proxy.client(key)).rejects.toMatchObject({ code: '28000' });
    expect((await ask('PATCH', path, { ip_allowlist: [] })).status).toBe(200);
    // The proxy, a process of its own, hears of it a moment later.
    const isLetIn = async (): Promise<boolean> => (await codeOf(session(key))) === 'no error';
    await until(isLetIn);
  });
});

describe('several jobs on one store', () => {
  const stops: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const stop of stops.splice(0).toReversed()) await stop();
  });

  test('each end is told of once, and each key rotated once', async () => {
    const store = await startTestStore();
    stops.push(() => store.stop());
    const hasher = new KeyHasher();
    const service = new KeyService(hasher, () => undefined);
    const { db } = store.connect();
    const most = 12;
    for (let number = 0; number < most; number += 1) {
      await store.acts.run(tester, (act) =>
        service.create(
          act,
          { id: 'tester', receiver: 'tester', authority: adminAuthority },
          {
            envId: store.envId,
            name: `agent-${number}`,
            authority: adminAuthority,
            description: '',
            expiresAt: new Date(store.clock().getTime() + 10 * dayMs),
            networks: [],
            givenScopes: ['query:read'],
            rotateEveryDays: 8,
          },
        ),
      );
    }
    const jobs = Array.from({ length: 3 }, () => {
      const { db } = store.connect();
      const { clock, box } = store;
      return new KeyTimes({ db, acts: new Acts({ db, clock }), keys: service, box, clock, log });
    });
    for (const job of jobs) job.start();
    stops.push(async () => {
      for (const job of jobs) await job.stop();
    });
    const count = async (type: string): Promise<number> =>
      (await db.selectFrom('events').select('event_id').where('type', '=', type).execute()).length;
    const settle = async (type: string, wanted: number): Promise<void> => {
      const deadline = performance.now() + 20_000;
      while ((await count(type)) < wanted && performance.now() < deadline)
        await new Promise((wait) => setTimeout(wait, 50));
      // What would be too much comes at the next tick.
      await new Promise((wait) => setTimeout(wait, 2_500));
      expect([type, await count(type)]).toEqual([type, wanted]);
    };
    store.pass(8 * dayMs);
    await settle('key.rotated', most);
    expect(await count('key.expiring')).toBe(0);
    store.pass(dayMs);
    // Of the keys; their old secrets would end later than they do.
    await settle('key.expiring', most);
    store.pass(dayMs);
    const active = () =>
      db.selectFrom('api_key_secrets').select('secret_id').where('ended_at', 'is', null).execute();
    const deadline = performance.now() + 10_000;
    while ((await active()).length > 0 && performance.now() < deadline)
      await new Promise((wait) => setTimeout(wait, 50));
    expect(await active()).toEqual([]);
    expect(await count('key.expiring')).toBe(most);
    expect(await db.selectFrom('uncollected_secrets').selectAll().execute()).toEqual([]);
  });
});
