/** The reference of API keys, request by request: whole answers, defaults, bad input. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SignedIn } from '../../fixtures/control-plane.ts';
import { KeyDesk } from './key-desk.ts';
import { expectError, id, onlyPage, time } from './shapes.ts';

const hour = 3_600_000;
const scopeNames = [
  ...['query:read', 'query:write', 'schema:read', 'schema:write', 'policy:read', 'policy:write'],
  ...['user:read', 'user:write', 'key:read', 'key:write', 'audit:read', 'billing:read'],
  ...['billing:write', 'webhook:read', 'webhook:write', 'environment:read', 'environment:write'],
  'agent:*',
];

let desk: KeyDesk;
let admin: SignedIn;

beforeAll(async () => {
  desk = await KeyDesk.open();
  admin = await desk.control.signIn('admin');
});
afterAll(() => desk.control.stop());

describe('POST …/api-keys', () => {
  test('the sample: 201, the key object with its secret, and ninety days of 24 hours', async () => {
    const answer = await desk.ask('POST', desk.keys, {
      name: 'ETL pipeline',
      scopes: ['query:read', 'schema:*'],
      ip_allowlist: ['10.0.0.0/8', '2001:db8::/32'],
      expires_in_days: 90,
    });
    expect(answer.status).toBe(201);
    expect(answer.body).toEqual({
      key_id: id('key_'),
      name: 'ETL pipeline',
      key: expect.stringMatching(/^hd_live_[a-z0-9]{32}$/),
      prefix: answer.body.key.slice(0, 12),
      scopes: ['query:read', 'schema:*'],
      ip_allowlist: ['10.0.0.0/8', '2001:db8::/32'],
      status: 'active',
      expires_at: time,
      created_at: time,
      created_by: desk.owner.userId,
    });
    const { created_at: createdAt, expires_at: expiresAt } = answer.body;
    expect(Date.parse(expiresAt) - Date.parse(createdAt)).toBe(90 * 24 * hour);
  });

  test('without what may be left out: from anywhere, and for ever', async () => {
    const body = { name: 'plain', scopes: ['query:read'] };
    const answer = await desk.ask('POST', desk.keys, body, admin.token);
    expect(answer.body).toEqual({
      key_id: id('key_'),
      name: 'plain',
      key: expect.stringMatching(/^hd_live_[a-z0-9]{32}$/),
      prefix: expect.stringMatching(/^hd_live_[a-z0-9]{4}$/),
      scopes: ['query:read'],
      ip_allowlist: [],
      status: 'active',
      expires_at: null,
      created_at: time,
      created_by: admin.userId,
    });
  });

  test('what goes beyond the reference is there where it was asked for', async () => {
    const limits = { tables: ['main.orders'] };
    const more = { description: 'nightly', limits, rotate_every_days: 7 };
    expect(await desk.create(more)).toMatchObject({ ...more, next_rotation_at: time });
  });

  test.each([...new Set([...scopeNames, ...scopeNames.map((name) => name.replace(/:.*/, ':*'))])])(
    'takes the scope %s, and says it again',
    async (scope) => expect((await desk.create({ scopes: [scope] })).scopes).toEqual([scope]),
  );

  test.each([
    ['a scope that there is not', { scopes: ['query:fly'] }, 'scopes.0'],
    ['a bare *', { scopes: ['*'] }, 'scopes.0'],
    ['a wildcard of no area', { scopes: ['sky:*'] }, 'scopes.0'],
    ['one scope wrong among others', { scopes: ['query:read', 'key'] }, 'scopes.1'],
    ['no scopes', { scopes: [] }, 'scopes'],
    ['scopes that are no list', { scopes: 'query:read' }, 'scopes'],
    ['scopes left out', { scopes: undefined }, 'scopes'],
    ['a CIDR that is none', { ip_allowlist: ['10.0.0.0/33'] }, 'ip_allowlist.0'],
    ['a CIDR with bits of a host', { ip_allowlist: ['10.0.0.1/8'] }, 'ip_allowlist.0'],
    ['a word for a CIDR', { ip_allowlist: ['10.0.0.0/8', 'office'] }, 'ip_allowlist.1'],
    ['a CIDR that is no list', { ip_allowlist: '10.0.0.0/8' }, 'ip_allowlist'],
    ['no name', { name: undefined }, 'name'],
    ['an empty name', { name: ' ' }, 'name'],
    ['a name that is no text', { name: 7 }, 'name'],
    ['no days', { expires_in_days: 0 }, 'expires_in_days'],
    ['half a day', { expires_in_days: 0.5 }, 'expires_in_days'],
    ['days as text', { expires_in_days: '90' }, 'expires_in_days'],
    ['a field that there is not', { expires_at: null }, 'expires_at'],
  ])('400 VALIDATION_ERROR for %s', async (_, more, field) => {
    const answer = await desk.ask('POST', desk.keys, {
      name: 'bad',
      scopes: ['query:read'],
      ...more,
    });
    expectError(answer, 400, 'VALIDATION_ERROR', { field });
  });

  test('409 CONFLICT for a name that is used in this environment; another one may have it', async () => {
    await desk.create({ name: 'taken' });
    const body = { name: 'taken', scopes: ['query:read'] };
    expectError(await desk.ask('POST', desk.keys, body), 409, 'CONFLICT', {
      reason: 'key_name_taken',
    });
    const staging = await desk.environment('staging');
    const other = await desk.create({ name: 'taken' }, staging);
    expect(other.key).toMatch(/^hd_test_[a-z0-9]{32}$/);
    expect(other.prefix).toBe(other.key.slice(0, 12));
  });

  test('is kept as Argon2id, each with a salt of its own, and nowhere in clear', async () => {
    const secrets = [(await desk.create()).key, (await desk.create()).key];
    const { rows } = await desk.control.store.query<{ hash: string }>(
      'SELECT s.hash FROM hatidata.api_key_secrets s ORDER BY s.issued_at DESC LIMIT 2',
    );
    const salts = rows.map(
      ({ hash }) => /^\$argon2id\$v=19\$m=19456,(?:t=2,p=1|p=1,t=2)\$([^$]+)\$/.exec(hash)?.[1],
    );
    expect(new Set(salts).size).toBe(2);
    expect(salts).not.toContain(undefined);
    for (const secret of secrets) expect(JSON.stringify(rows)).not.toContain(secret.slice(8));
  });
});

describe('GET …/api-keys', () => {
  test('the list: 200, each key without its secret, and the page', async () => {
    const development = await desk.environment('development');
    expect((await desk.ask('GET', development)).body).toEqual(onlyPage());
    const older = await desk.create({ ip_allowlist: ['127.0.0.1/32'] }, development);
    const newer = await desk.create({ expires_in_days: 1 }, development);
    const shown = (created: object): unknown => {
      const { key: _, ...rest } = created as { key: string };
      return { ...rest, last_used_at: null };
    };
    const answer = await desk.ask('GET', development, undefined, admin.token);
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual(onlyPage(shown(newer), shown(older)));
    expect(JSON.stringify(answer.body)).not.toContain(older.key.slice(12));
  });

  test('has fifty as a rule, at most 200, and goes on behind a cursor', async () => {
    const first = await desk.ask('GET', `${desk.keys}?limit=2`);
    expect(first.body).toEqual({
      data: [expect.anything(), expect.anything()],
      pagination: {
        cursor: expect.stringMatching(/^cur_/),
        has_more: true,
        total: first.body.pagination.total,
      },
    });
    const seen = new Set<string>();
    let cursor: string | null = '';
    do {
      const { body } = await desk.ask(
        'GET',
        `${desk.keys}?limit=20${cursor && `&cursor=${cursor}`}`,
      );
      for (const key of body.data) seen.add(key.key_id);
      ({ cursor } = body.pagination);
    } while (cursor !== null);
    expect(seen.size).toBe(first.body.pagination.total);
    const { body } = await desk.ask('GET', desk.keys);
    expect(body.data).toHaveLength(Math.min(50, seen.size));
    expect((await desk.ask('GET', `${desk.keys}?limit=200`)).status).toBe(200);
    for (const limit of ['0', '201', 'all'])
      expectError(await desk.ask('GET', `${desk.keys}?limit=${limit}`), 400, 'VALIDATION_ERROR', {
        field: 'limit',
      });
  });
});

describe('POST …/{key_id}/rotate', () => {
  test.each([
    ['no body', undefined, 72],
    ['an empty body', {}, 72],
    ['24 hours', { grace_period_hours: 24 }, 24],
    ['the longest', { grace_period_hours: 168 }, 168],
    ['none', { grace_period_hours: 0 }, 0],
  ])('%s: 200, with the fields of the reference', async (_, body, hours) => {
    const { key_id: keyId, key: old } = await desk.create();
    const answer = await desk.ask('POST', `${desk.keys}/${keyId}/rotate`, body);
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({
      key_id: keyId,
      new_key: expect.stringMatching(/^hd_live_[a-z0-9]{32}$/),
      new_prefix: answer.body.new_key.slice(0, 12),
      old_key_expires_at: time,
      grace_period_hours: hours,
      rotated_at: time,
      rotated_by: desk.owner.userId,
    });
    const { rotated_at: from, old_key_expires_at: until } = answer.body;
    expect(Date.parse(until) - Date.parse(from)).toBe(hours * hour);
    expect(await desk.letsIn(answer.body.new_key)).toBe(true);
    expect(await desk.letsIn(old)).toBe(hours > 0);
  });

  test.each([
    ['more than 168 hours', { grace_period_hours: 169 }, 'grace_period_hours'],
    ['less than none', { grace_period_hours: -1 }, 'grace_period_hours'],
    ['half hours', { grace_period_hours: 0.5 }, 'grace_period_hours'],
    ['text', { grace_period_hours: '24' }, 'grace_period_hours'],
    ['a field that there is not', { grace: 24 }, 'grace'],
  ])('400 VALIDATION_ERROR for %s', async (_, body, field) => {
    const { key_id: keyId } = await desk.create();
    const answer = await desk.ask('POST', `${desk.keys}/${keyId}/rotate`, body);
    expectError(answer, 400, 'VALIDATION_ERROR', { field });
  });
});

describe('DELETE …/{key_id}', () => {
  test('200 with a body; from then on 401, and the list has it no more', async () => {
    const { key_id: keyId, name, key } = await desk.create();
    const path = `${desk.keys}/${keyId}`;
    expect(await desk.letsIn(key)).toBe(true);
    const answer = await desk.ask('DELETE', path);
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({
      key_id: keyId,
      name,
      revoked: true,
      revoked_at: time,
      revoked_by: desk.owner.userId,
    });
    for (const [method, at] of [
      ['GET', desk.keys],
      ['GET', '/v1/health'],
      ['POST', `${path}/rotate`],
      ['DELETE', path],
    ] as const)
      expectError(await desk.ask(method, at, undefined, key), 401, 'UNAUTHORIZED');
    const { body } = await desk.ask('GET', `${desk.keys}?limit=200`);
    expect(body.data.map((each: { key_id: string }) => each.key_id)).not.toContain(keyId);
    const again = await desk.ask('DELETE', path, undefined, admin.token);
    expect([again.status, again.body]).toEqual([200, answer.body]);
    expectError(await desk.ask('POST', `${path}/rotate`), 409, 'CONFLICT');
  });
});

test('creation, rotation and revocation are in the record, without secrets', async () => {
  const { key_id: keyId, key, name } = await desk.create();
  const { body } = await desk.ask('POST', `${desk.keys}/${keyId}/rotate`);
  await desk.ask('DELETE', `${desk.keys}/${keyId}`);
  const records = await desk.control.store.query<{ action: string; text: string }>(
    'SELECT action, detail::text AS text FROM hatidata.iam_audit WHERE target = $1 ORDER BY sequence',
    [name],
  );
  expect(records.rows.map(({ action }) => action)).toEqual([
    'key.created',
    'key.rotated',
    'key.revoked',
  ]);
  const said = JSON.stringify(records.rows);
  for (const secret of [key, body.new_key]) expect(said).not.toContain(secret.slice(12));
});
