/** Who may not, and what is not there: the errors that all requests for API keys have. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { someAddress } from '../../fixtures/control-plane.ts';
import { newOrganization } from '../new-organizations.ts';
import { KeyDesk } from './key-desk.ts';
import { expectError } from './shapes.ts';

let desk: KeyDesk;

beforeAll(async () => {
  desk = await KeyDesk.open();
});
afterAll(() => desk.control.stop());

const acts = [
  ['GET', '', undefined],
  ['POST', '', { name: 'no', scopes: ['query:read'] }],
  ['POST', '/key_none/rotate', {}],
  ['DELETE', '/key_none', undefined],
] as const;

test.each(acts)('401 UNAUTHORIZED without a good credential: %s%s', async (method, rest, body) => {
  for (const headers of [
    {},
    { authorization: 'Bearer nonsense' },
    { authorization: `Bearer hd_live_${'a'.repeat(32)}` },
    { authorization: `ApiKey hd_live_${'a'.repeat(32)}` },
    { 'x-api-key': `hd_live_${'a'.repeat(32)}` },
    { authorization: 'Basic bm86bm8=' },
  ]) {
    const answer = await desk.control.request(method, desk.keys + rest, {
      body,
      headers,
      from: someAddress(),
    });
    expectError(answer, 401, 'UNAUTHORIZED');
    expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer/);
  }
});

test.each(['developer', 'analyst', 'auditor', 'service_account'] as const)(
  '403 FORBIDDEN for the role %s',
  async (role) => {
    const { token } = await desk.control.signIn(role);
    for (const [method, rest, body] of acts)
      expectError(await desk.ask(method, desk.keys + rest, body, token), 403, 'FORBIDDEN');
  },
);

test('403 FORBIDDEN for a key without the scope: key:read lists, key:write does the rest', async () => {
  const { key: reading } = await desk.create({ scopes: ['key:read'] });
  const { key: writing } = await desk.create({ scopes: ['key:write', 'query:read'] });
  const { key: both } = await desk.create({ scopes: ['key:*', 'query:read'] });
  const reader = await desk.ask('GET', desk.keys, undefined, reading);
  expect(reader.status).toBe(200);
  for (const [method, rest, body] of acts.slice(1))
    expectError(await desk.ask(method, desk.keys + rest, body, reading), 403, 'FORBIDDEN');
  expectError(await desk.ask('GET', desk.keys, undefined, writing), 403, 'FORBIDDEN');
  for (const key of [writing, both]) {
    const wish = { name: desk.newName(), scopes: ['query:read'] };
    const { status, body } = await desk.ask('POST', desk.keys, wish, key);
    expect(status).toBe(201);
    expect(body.created_by).toMatch(/^key_/);
    const path = `${desk.keys}/${body.key_id}`;
    expect((await desk.ask('POST', `${path}/rotate`, {}, key)).status).toBe(200);
    expect((await desk.ask('DELETE', path, undefined, key)).status).toBe(200);
  }
  const stronger = { name: 'stronger', scopes: ['query:write'] };
  const refused = await desk.ask('POST', desk.keys, stronger, writing);
  expectError(refused, 403, 'FORBIDDEN', { reason: 'key_stronger' });
});

test.each(acts)('404 NOT_FOUND for an environment that there is not: %s%s', async (...act) => {
  const [method, rest, body] = act;
  const other = await newOrganization(desk.control, desk.owner);
  const foreign = await desk.control.signIn('admin', other);
  const nowhere = await desk.ask(method, `/v1/environments/env_none/api-keys${rest}`, body);
  expectError(nowhere, 404, 'NOT_FOUND');
  expectError(await desk.ask(method, desk.keys + rest, body, foreign.token), 404, 'NOT_FOUND');
});

test.each(acts.slice(2))('404 NOT_FOUND for a key that there is not: %s%s', async (...act) => {
  const [method, rest, body] = act;
  expectError(await desk.ask(method, desk.keys + rest, body), 404, 'NOT_FOUND');
});

test('from outside of its ip_allowlist a key is 403 FORBIDDEN', async () => {
  const { key: as } = await desk.create({ ip_allowlist: ['10.1.0.0/16'] });
  const from = (address: string) =>
    desk.control.request('GET', '/v1/health', { as, from: address });
  expect((await from('10.1.2.3')).status).toBe(200);
  expectError(await from('10.2.2.3'), 403, 'FORBIDDEN', { reason: 'address_not_allowed' });
});
