/** Keys that act: what they make is good from no other networks and for no longer than they are. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { liesWithin } from '../../src/shared/networks.ts';
import {
  reasonOf,
  startTestControlPlane,
  type SignedIn,
  type TestControlPlane,
} from '../fixtures/control-plane.ts';

const here = '127.0.0.1/32';
const scopes = ['key:*', 'query:read', 'schema:read'];

let control: TestControlPlane;
let owner: SignedIn;
let names = 0;

beforeAll(async () => {
  control = await startTestControlPlane();
  owner = await control.signIn();
});
afterAll(() => control.stop());

const path = (more = '') => `/v1/environments/${control.envId}/api-keys${more}`;
const create = (as: string, more: object = {}) =>
  control.request('POST', path(), { as, body: { name: `key-${(names += 1)}`, scopes, ...more } });

async function made(more: object = {}): Promise<{ key: string; keyId: string }> {
  const { status, body } = await create(owner.token, more);
  expect(status).toBe(201);
  return { key: body.key, keyId: body.key_id };
}

describe('networks', () => {
  test.each([
    [['10.0.0.0/8'], [], true],
    [[], ['10.0.0.0/8'], false],
    [['10.1.0.0/16', '10.2.3.4/32'], ['10.0.0.0/8'], true],
    [['10.0.0.0/8'], ['10.0.0.0/9', '10.128.0.0/9'], false],
    [['10.1.0.0/16', '11.0.0.0/8'], ['10.0.0.0/8'], false],
    [['2001:db8:1::/48'], ['10.0.0.0/8', '2001:db8::/32'], true],
    [['2001:db8:1::/48'], ['0.0.0.0/0'], false],
  ] as const)('%j within %j: %s', (networks, others, is) => {
    expect(liesWithin(networks, others)).toBe(is);
  });
});

test('a key that is good from here makes none that is good from elsewhere', async () => {
  const { key } = await made({ ip_allowlist: ['127.0.0.0/8'] });
  for (const networks of [undefined, [], ['10.0.0.0/8'], [here, '::1/128'], ['126.0.0.0/7']])
    expect(reasonOf(await create(key, { ip_allowlist: networks }))).toEqual([403, 'key_stronger']);
  expect((await create(key, { ip_allowlist: [here] })).status).toBe(201);
});

test('a key that ends makes none that goes on', async () => {
  const { key } = await made({ expires_in_days: 10 });
  for (const days of [undefined, 11])
    expect(reasonOf(await create(key, { expires_in_days: days }))).toEqual([403, 'key_stronger']);
  expect((await create(key, { expires_in_days: 9 })).status).toBe(201);
});

test('nor does it get their secrets, or let itself out', async () => {
  const { key, keyId } = await made({ ip_allowlist: [here] });
  const open = await made();
  const refused = [403, 'key_stronger'];
  const rotate = (id: string) =>
    control.request('POST', path(`/${id}/rotate`), { as: key, body: {} });
  expect(reasonOf(await rotate(open.keyId))).toEqual(refused);
  expect((await rotate(keyId)).status).toBe(200);
  const widen = (id: string, ip_allowlist: readonly string[]) =>
    control.request('PATCH', path(`/${id}`), { as: key, body: { ip_allowlist } });
  expect(reasonOf(await widen(keyId, []))).toEqual(refused);
  expect(reasonOf(await widen(keyId, ['0.0.0.0/0']))).toEqual(refused);
  expect((await widen(open.keyId, [here])).status).toBe(200);
  expect((await rotate(open.keyId)).status).toBe(200);
  // Nothing is gained by ending one.
  const other = await made();
  expect((await control.request('DELETE', path(`/${other.keyId}`), { as: key })).status).toBe(200);
});

test('by SQL a new one is good from where and as long as the key that makes it', async () => {
  const { key } = await made({ ip_allowlist: [here], expires_in_days: 3 });
  const client = await control.proxy.client(key);
  await client.query("SELECT create_api_key('made-by-sql', 'readonly')");
  const { rows } = await control.store.query(
    `SELECT ip_allowlist, expires_at < $1 AS "isEnding" FROM hatidata.api_keys WHERE agent_id = 'made-by-sql'`,
    [new Date(control.now().getTime() + 4 * 24 * 3_600_000)],
  );
  expect(rows).toEqual([{ ip_allowlist: [here], isEnding: true }]);
  const open = await made();
  await expect(
    client.query('SELECT rotate_api_key($1)', [await nameOf(open.keyId)]),
  ).rejects.toMatchObject({ code: '42501' });
});

async function nameOf(keyId: string): Promise<string> {
  return (await control.request('GET', path(`/${keyId}`), { as: owner.token })).body.name;
}

test('users are bound to nothing', async () => {
  expect((await create(owner.token)).status).toBe(201);
});
