/** Webhooks over REST, and what real receivers get of them. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { eventData } from '../../src/api/events.ts';
import { startTestControlPlane, type TestControlPlane } from '../fixtures/control-plane.ts';
import { isSignedWith, startReceiver, type Receiver } from '../fixtures/webhook-receiver.ts';

let plane: TestControlPlane;
let admin: string;
let collection: string;
const receivers: Receiver[] = [];

beforeAll(async () => {
  plane = await startTestControlPlane();
  const client = await plane.proxy.client();
  const { rows } = await client.query<{ key: string }>(
    "SELECT create_api_key('boss', 'admin') AS key",
  );
  admin = rows[0]!.key;
  collection = `/v1/organizations/${plane.orgId}/webhooks`;
});
afterAll(() => plane.stop());
afterEach(async () => {
  const { body } = await ask('GET', collection);
  for (const { webhook_id: id } of body.data) await ask('DELETE', `${collection}/${id}`);
  for (const receiver of receivers.splice(0)) await receiver.close();
});

const ask = (method: string, path: string, body?: unknown, headers = {}) =>
  plane.request(method, path, { as: admin, headers, ...(body !== undefined && { body }) });

interface Made {
  readonly receiver: Receiver;
  readonly path: string;
  readonly id: string;
  readonly secret: string;
}

async function make(
  events: readonly string[] = ['key.created', 'webhook.disabled'],
): Promise<Made> {
  const receiver = await startReceiver();
  receivers.push(receiver);
  const { status, body } = await ask('POST', collection, { url: receiver.url, events });
  expect(status).toBe(201);
  const path = `${collection}/${body.webhook_id}`;
  return { receiver, path, id: body.webhook_id, secret: body.signing_secret };
}

let names = 0;

/** Something that webhooks are told of. @returns its name */
async function happen(): Promise<string> {
  const name = `agent-${(names += 1)}`;
  const { status } = await ask('POST', `/v1/environments/${plane.envId}/api-keys`, {
    name,
    scopes: ['query:read'],
  });
  expect(status).toBe(201);
  return name;
}

const fail = (receiver: Receiver, status = 500): void =>
  receiver.answer((response) => response.writeHead(status).end('no'));
const accept = (receiver: Receiver): void =>
  receiver.answer((response) => response.writeHead(200).end('yes'));

async function until<T>(what: () => Promise<T | undefined | false>): Promise<T> {
  const deadline = performance.now() + 10_000;
  for (;;) {
    const found = await what();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > deadline) throw new Error('it did not come');
    await new Promise((wait) => setTimeout(wait, 20));
  }
}

const deliveries = async (path: string, query = '') =>
  (await ask('GET', `${path}/deliveries${query}`)).body;

describe('over REST', () => {
  test('one is created, read, listed, changed and deleted', async () => {
    const url = 'https://hooks.example.com/in?x=1';
    const made = await ask('POST', collection, {
      url,
      description: 'ops',
      events: ['key.rotated', 'key.rotated', 'policy.changed'],
    });
    expect(made.status).toBe(201);
    expect(made.body).toEqual({
      webhook_id: expect.stringMatching(/^wh_[a-z0-9]{12}$/),
      url,
      description: 'ops',
      events: ['key.rotated', 'policy.changed'],
      status: 'active',
      created_at: expect.stringMatching(/Z$/),
      signing_secret: expect.stringMatching(/^whsec_[A-Za-z0-9]{40}$/),
    });
    const path = `${collection}/${made.body.webhook_id}`;
    const { signing_secret: _, ...shown } = made.body;
    const expected = {
      ...shown,
      last_delivered_at: null,
      last_status_code: null,
      failure_count: 0,
    };
    const read = await ask('GET', path);
    expect(read.body).toEqual(expected);
    expect((await ask('GET', collection)).body).toEqual({
      data: [expected],
      pagination: { cursor: null, has_more: false, total: 1 },
    });
    const etag = read.headers.get('etag')!;
    const changed = await ask('PATCH', path, { description: 'new' }, { 'if-match': etag });
    expect(changed.body).toEqual({ ...expected, description: 'new' });
    const late = await ask('PATCH', path, { description: 'late' }, { 'if-match': etag });
    expect([late.status, late.body.error.details.reason]).toEqual([412, 'version_changed']);
    expect((await ask('DELETE', path)).body).toEqual({
      webhook_id: made.body.webhook_id,
      deleted: true,
      deleted_at: expect.any(String),
    });
    for (const [method, at] of [
      ['GET', path],
      ['DELETE', path],
      ['PATCH', path],
      ['POST', `${path}/test`],
      ['POST', `${path}/enable`],
      ['POST', `${path}/rotate-secret`],
      ['GET', `${path}/deliveries`],
      ['POST', `${path}/deliveries/whd_x/redeliver`],
    ] as const) {
      const { status } = await ask(method, at, method === 'PATCH' ? {} : undefined);
      expect([method, at, status]).toEqual([method, at, 404]);
    }
    const { rows } = await plane.store.query(
      'SELECT action, detail::text FROM hatidata.iam_audit WHERE target = $1 ORDER BY sequence',
      [made.body.webhook_id],
    );
    expect(rows.map(({ action }) => action)).toEqual([
      'webhook.created',
      'webhook.updated',
      'webhook.deleted',
    ]);
    // Neither the secret nor the part of the URL that may be one.
    expect(JSON.stringify(rows)).not.toMatch(/whsec_|x=1/);
  });

  test('without events it has those of the contract', async () => {
    const { body } = await ask('POST', collection, { url: 'https://hooks.example.com' });
    expect(body.events).toContain('key.rotated');
    expect(body.events).not.toContain('key.created');
    expect(body.events).not.toContain('webhook.test');
  });

  test.each([
    [{ url: 'http://hooks.example.com/in' }, 'url'],
    [{ url: 'ftp://hooks.example.com/in' }, 'url'],
    [{ url: 'hooks.example.com' }, 'url'],
    [{ url: 'https://user:pw@hooks.example.com' }, 'url'],
    [{ url: 'https://hooks.example.com/#part' }, 'url'],
    [{ url: 'https://hooks.example.com', events: ['key.eaten'] }, 'events.0'],
    [{ url: 'https://hooks.example.com', events: ['webhook.test'] }, 'events.0'],
    [{ url: 'https://hooks.example.com', events: [] }, 'events'],
    [{ url: 'https://hooks.example.com', secret: 'mine' }, 'secret'],
    [{ url: 'https://hooks.example.com', description: 'a\0b' }, 'description'],
    [{ url: 'https://hooks.example.com', description: '\ud800' }, 'description'],
    [{}, 'url'],
  ])('%j is refused', async (body, field) => {
    const answer = await ask('POST', collection, body);
    expect([answer.status, answer.body.error.details.field]).toEqual([400, field]);
  });

  test('there are no more than a hundred', async () => {
    const { id, path } = await make();
    await plane.store.query(
      `INSERT INTO hatidata.webhooks (webhook_id, org_id, url, description, events, secret, created_at, created_by, updated_at)
       SELECT 'wh_many' || n, org_id, url, description, events, secret, created_at, created_by, updated_at
         FROM hatidata.webhooks, generate_series(1, 98) AS n WHERE webhook_id = $1`,
      [id],
    );
    const body = { url: 'https://hooks.example.com' };
    const both = await Promise.all([ask('POST', collection, body), ask('POST', collection, body)]);
    expect(both.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([201, 409]);
    await plane.store.query("DELETE FROM hatidata.webhooks WHERE webhook_id LIKE 'wh_many%'");
    expect((await ask('GET', path)).status).toBe(200);
  });

  test.each([
    ['limit=0', 'limit'],
    ['limit=201', 'limit'],
    ['order=asc', 'order'],
    [`cursor=cur_${Buffer.from('["2026","wh_x"]').toString('base64url')}`, 'cursor'],
    [
      `cursor=cur_${Buffer.from('["0000-01-01T00:00:00.000Z","wh_x"]').toString('base64url')}`,
      'cursor',
    ],
    [
      `cursor=cur_${Buffer.from('["2026-01-01T00:00:00.000Z","\\u0000"]').toString('base64url')}`,
      'cursor',
    ],
  ])('a list with ?%s is refused', async (query, field) => {
    const { status, body } = await ask('GET', `${collection}?${query}`);
    expect([status, body.error.details.field]).toEqual([400, field]);
  });

  test('another organization has none of them', async () => {
    const { path } = await make();
    const elsewhere = path.replace(plane.orgId, 'org_other');
    expect((await ask('GET', elsewhere)).status).toBe(404);
  });

  test('the same request with an Idempotency-Key makes one', async () => {
    const body = { url: 'https://hooks.example.com' };
    const headers = { 'idempotency-key': 'once' };
    const both = await Promise.all([
      ask('POST', collection, body, headers),
      ask('POST', collection, body, headers),
    ]);
    expect(both[0].body).toEqual(both[1].body);
    expect((await ask('GET', collection)).body.pagination.total).toBe(1);
  });
});

test('the document of the API has each event that is sent', async () => {
  const { body } = await plane.request('GET', '/v1/openapi.json');
  expect(Object.keys(body.webhooks)).toEqual(Object.keys(eventData));
  const { schema } = body.webhooks['key.revoked'].post.requestBody.content['application/json'];
  expect(schema.properties.type).toMatchObject({ const: 'key.revoked' });
  expect(schema.properties.data.required).toEqual(['key_id', 'name', 'revoked_at', 'revoked_by']);
});

describe('a delivery', () => {
  test('has the headers and the signature of the contract', async () => {
    const { receiver, secret, path } = await make();
    const name = await happen();
    const [got] = await receiver.waitFor(1);
    expect(isSignedWith(secret, got!)).toBe(true);
    expect(isSignedWith(`${secret}x`, got!)).toBe(false);
    expect(got!.headers).toMatchObject({
      'content-type': 'application/json',
      'x-hatidata-event-type': 'key.created',
      'x-hatidata-event-id': got!.body.event_id,
      'x-hatidata-timestamp': got!.body.created_at,
      'x-hatidata-delivery-attempt': '1',
    });
    expect(got!.body).toEqual({
      event_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      type: 'key.created',
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      org_id: plane.orgId,
      env_id: plane.envId,
      data: {
        key_id: expect.stringMatching(/^key_/),
        name,
        prefix: expect.stringMatching(/^hd_live_.{4}$/),
        scopes: ['query:read'],
        expires_at: null,
        created_by: expect.stringMatching(/^key_/),
      },
    });
    const shown = await until(async () => {
      const { body } = await ask('GET', path);
      return body.last_status_code === 204 && body;
    });
    expect(shown).toMatchObject({ failure_count: 0, last_delivered_at: expect.any(String) });
    expect((await deliveries(path)).data).toEqual([
      expect.objectContaining({
        event_id: got!.body.event_id,
        event_type: 'key.created',
        state: 'delivered',
        attempts: 1,
        next_attempt_at: null,
        last_status_code: 204,
        last_error: null,
      }),
    ]);
  });

  test('is only of events that the webhook wants', async () => {
    const wanted = await make(['key.created']);
    const other = await make(['key.revoked']);
    await happen();
    await wanted.receiver.waitFor(1);
    expect((await deliveries(other.path)).data).toEqual([]);
  });

  test('tells what was done by SQL as well', async () => {
    const { receiver } = await make(['key.created', 'key.rotated', 'key.revoked']);
    const client = await plane.proxy.client();
    await client.query("SELECT create_api_key('by-sql', 'readonly')");
    await client.query("SELECT rotate_api_key('by-sql')");
    await client.query("SELECT revoke_api_key('by-sql')");
    const got = await receiver.waitFor(3);
    expect(got.map(({ body }) => [body.type, body.data.name])).toEqual([
      ['key.created', 'by-sql'],
      ['key.rotated', 'by-sql'],
      ['key.revoked', 'by-sql'],
    ]);
    const { data } = got[1]!.body;
    expect([data.grace_period_hours, data.old_key_expires_at]).toEqual([0, data.rotated_at]);
  });

  test('comes in order, and the next waits for the one before', async () => {
    const { receiver, path } = await make();
    fail(receiver);
    const names = [await happen(), await happen(), await happen()];
    await receiver.waitFor(1);
    await until(async () => (await ask('GET', path)).body.failure_count === 1);
    expect(receiver.received).toHaveLength(1);
    accept(receiver);
    plane.pass(20_000);
    const got = await receiver.waitFor(4);
    expect(got.map(({ body }) => body.data.name)).toEqual([names[0], ...names]);
    expect(got[1]!.headers['x-hatidata-delivery-attempt']).toBe('2');
    expect(got[1]!.raw).toBe(got[0]!.raw);
    await until(async () => (await ask('GET', path)).body.failure_count === 0);
  });

  test('follows no redirect', async () => {
    const { receiver, path } = await make();
    const other = await make(['webhook.disabled']);
    receiver.answer((response) => response.writeHead(307, { location: other.receiver.url }).end());
    await happen();
    await until(async () => (await ask('GET', path)).body.last_status_code === 307);
    expect(other.receiver.received).toEqual([]);
  });

  test('an endless answer is not read to its end', async () => {
    const { receiver, path } = await make();
    receiver.answer((response) => {
      response.writeHead(200);
      const write = (): void => {
        while (response.write(Buffer.alloc(16 * 1024)));
      };
      response.on('drain', write).on('error', () => undefined);
      write();
    });
    await happen();
    await until(async () => (await ask('GET', path)).body.last_status_code === 200);
    expect((await deliveries(path)).data[0]).toMatchObject({ state: 'delivered', attempts: 1 });
  });

  test('the webhook is disabled after three days of failures, and others are told', async () => {
    const broken = await make();
    const other = await make(['webhook.disabled']);
    fail(broken.receiver, 503);
    await happen();
    await until(async () => (await ask('GET', broken.path)).body.failure_count === 1);
    plane.pass(71 * 3_600_000);
    await until(async () => (await ask('GET', broken.path)).body.failure_count === 2);
    expect((await ask('GET', broken.path)).body.status).toBe('active');
    plane.pass(25 * 3_600_000);
    const [told] = await other.receiver.waitFor(1);
    expect(told!.body).toMatchObject({
      type: 'webhook.disabled',
      data: { webhook_id: broken.id, reason: 'failures', failure_count: 3 },
    });
    expect((await ask('GET', broken.path)).body.status).toBe('disabled');
    const { rows } = await plane.store.query(
      "SELECT detail FROM hatidata.iam_audit WHERE action = 'webhook.disabled' AND target = $1",
      [broken.id],
    );
    expect(rows).toHaveLength(1);
    // What happens now is not for it.
    await happen();
    const refused = await ask('POST', `${broken.path}/test`);
    expect([refused.status, refused.body.error.code]).toEqual([409, 'CONFLICT']);
    accept(broken.receiver);
    expect((await ask('POST', `${broken.path}/enable`)).body).toMatchObject({
      status: 'active',
      failure_count: 0,
    });
    const name = await happen();
    const got = await broken.receiver.waitFor(4);
    expect(got.at(-1)!.body.data.name).toBe(name);
    const failed = await deliveries(broken.path, '?state=failed');
    expect(failed.data).toHaveLength(1);
  });
});

describe('on demand', () => {
  test('a test event comes, though nobody subscribed to it', async () => {
    const { receiver, path, id, secret } = await make();
    const { status, body } = await ask('POST', `${path}/test`);
    expect([status, body.state, body.event_type]).toEqual([202, 'pending', 'webhook.test']);
    const [got] = await receiver.waitFor(1);
    expect(got!.body).toMatchObject({ type: 'webhook.test', data: { webhook_id: id } });
    expect(isSignedWith(secret, got!)).toBe(true);
  });

  test('what was delivered is delivered again, as the same event', async () => {
    const { receiver, path } = await make();
    await happen();
    await receiver.waitFor(1);
    const one = await until(async () => (await deliveries(path, '?state=delivered')).data[0]);
    const again = await ask('POST', `${path}/deliveries/${one.delivery_id}/redeliver`);
    expect([again.status, again.body.state]).toEqual([202, 'pending']);
    const got = await receiver.waitFor(2);
    expect(got[1]!.raw).toBe(got[0]!.raw);
    expect(got[1]!.headers['x-hatidata-event-id']).toBe(got[0]!.headers['x-hatidata-event-id']);
    const unknown = await ask('POST', `${path}/deliveries/whd_unknown/redeliver`);
    expect(unknown.status).toBe(404);
  });

  test('what waits is not delivered again, but tried at once after a test', async () => {
    const { receiver, path } = await make();
    fail(receiver);
    await happen();
    const one = await until(async () =>
      (await deliveries(path)).data.find(
        (each: { last_error: unknown }) => each.last_error !== null,
      ),
    );
    const again = await ask('POST', `${path}/deliveries/${one.delivery_id}/redeliver`);
    expect(again.status).toBe(409);
    accept(receiver);
    await ask('POST', `${path}/test`);
    const got = await receiver.waitFor(3);
    expect(got.map(({ body }) => body.type)).toEqual([
      'key.created',
      'key.created',
      'webhook.test',
    ]);
  });

  test('the log has pages', async () => {
    const { receiver, path } = await make();
    for (let i = 0; i < 5; i += 1) await happen();
    await receiver.waitFor(5);
    const first = await deliveries(path, '?limit=3');
    expect(first.pagination).toEqual({ cursor: expect.any(String), has_more: true, total: 5 });
    const second = await deliveries(path, `?limit=3&cursor=${first.pagination.cursor}`);
    expect(second.pagination.has_more).toBe(false);
    const ids = [...first.data, ...second.data].map((each) => each.event_id);
    expect(ids.toReversed()).toEqual(receiver.received.map(({ body }) => body.event_id));
    expect((await ask('GET', `${path}/deliveries?cursor=cur_x`)).status).toBe(400);
  });

  test('two secrets are valid after a rotation, until the grace period is over', async () => {
    const { receiver, path, secret: old } = await make();
    const { status, body } = await ask('POST', `${path}/rotate-secret`, { grace_period_hours: 2 });
    expect([status, body.grace_period_hours]).toEqual([200, 2]);
    expect(body.signing_secret).toMatch(/^whsec_[A-Za-z0-9]{40}$/);
    await happen();
    const [during] = await receiver.waitFor(1);
    expect([isSignedWith(old, during!), isSignedWith(body.signing_secret, during!)]).toEqual([
      true,
      true,
    ]);
    plane.pass(2 * 3_600_000);
    await happen();
    const [, after] = await receiver.waitFor(2);
    expect([isSignedWith(old, after!), isSignedWith(body.signing_secret, after!)]).toEqual([
      false,
      true,
    ]);
    expect(after!.headers['x-hatidata-signature']).not.toContain(',');
    const { body: next } = await ask('POST', `${path}/rotate-secret`, { grace_period_hours: 0 });
    await happen();
    const [, , last] = await receiver.waitFor(3);
    expect(isSignedWith(body.signing_secret, last!)).toBe(false);
    expect(isSignedWith(next.signing_secret, last!)).toBe(true);
  });

  test('no secret is readable in the store', async () => {
    const { secret } = await make();
    const { rows } = await plane.store.query('SELECT w::text FROM hatidata.webhooks w');
    const hex = Buffer.from(secret).toString('hex');
    expect(rows.length).toBeGreaterThan(0);
    expect(JSON.stringify(rows)).not.toContain(secret);
    expect(JSON.stringify(rows)).not.toContain(hex);
  });
});
