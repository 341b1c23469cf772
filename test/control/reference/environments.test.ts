/** The reference of environments, request by request. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import {
  someAddress,
  startTestControlPlane,
  type Answered,
  type SignedIn,
  type TestControlPlane,
} from '../../fixtures/control-plane.ts';
import { expectError, id, onlyPage, time } from './shapes.ts';

let control: TestControlPlane;
let owner: SignedIn;
let environments: string;

beforeAll(async () => {
  control = await startTestControlPlane();
  owner = await control.signIn('owner');
  environments = `/v1/organizations/${control.orgId}/environments`;
});
afterAll(() => control.stop());

function ask(method: string, path: string, body?: unknown, as?: string): Promise<Answered> {
  return control.request(method, path, { as: as ?? owner.token, body, from: someAddress() });
}

const configured = { engine: 'configured' };

/** The reference's object, and what goes beyond it: kind, engine, fast_lane. */
function environment(more: { slug: string; kind: string; settings?: object }) {
  const { settings, ...rest } = more;
  return {
    env_id: id('env_'),
    org_id: control.orgId,
    name: expect.any(String),
    status: 'active',
    engine: 'embedded',
    connection: { host: '127.0.0.1', port: control.proxy.port, database: 'hatidata' },
    settings: {
      query_timeout_ms: 0,
      max_concurrent_queries: 0,
      cache_enabled: false,
      fast_lane: true,
      ...settings,
    },
    created_at: time,
    updated_at: time,
    ...rest,
  };
}

async function becomesActive({ env_id: envId }: { env_id: string }): Promise<unknown> {
  const read = async () => (await ask('GET', `/v1/environments/${envId}`)).body;
  await vi.waitFor(async () => expect(await read()).toMatchObject({ status: 'active' }), {
    timeout: 30_000,
    interval: 100,
  });
  return await read();
}

describe('GET …/environments', () => {
  test.each(['owner', 'admin', 'developer', 'analyst', 'auditor', 'service_account'] as const)(
    '200 with the objects and the page, for any member: %s',
    async (role) => {
      const { token } = await control.signIn(role);
      const answer = await ask('GET', environments, undefined, token);
      expect(answer.status).toBe(200);
      expect(answer.body).toEqual(
        onlyPage(environment({ slug: 'production', kind: 'production', ...configured })),
      );
    },
  );

  test('401 for nobody, 404 for another organization', async () => {
    expectError(await control.request('GET', environments), 401, 'UNAUTHORIZED');
    const other = '/v1/organizations/org_none/environments';
    expectError(await ask('GET', other), 404, 'NOT_FOUND');
  });
});

describe('POST …/environments', () => {
  test('201, provisioning, with the connection; then active', async () => {
    const settings = { query_timeout_ms: 60_000, max_concurrent_queries: 50, cache_enabled: false };
    const wish = { name: 'Staging', slug: 'staging', settings };
    const answer = await ask('POST', environments, wish);
    expect(answer.status).toBe(201);
    const expected = environment({ ...wish, kind: 'staging' });
    expect(answer.body).toEqual({ ...expected, status: 'provisioning' });
    expect(await becomesActive(answer.body)).toEqual({ ...expected, name: 'Staging' });
    expectError(await ask('POST', environments, wish), 409, 'CONFLICT');
  });

  test('settings may be left out, and the admin may do it', async () => {
    const { token } = await control.signIn('admin');
    const answer = await ask('POST', environments, { name: 'Lab', slug: 'lab' }, token);
    expect([answer.status, answer.body]).toEqual([
      201,
      { ...environment({ slug: 'lab', kind: 'development' }), name: 'Lab', status: 'provisioning' },
    ]);
  });

  test.each([
    ['no name', { name: undefined }, 'name'],
    ['no slug', { slug: undefined }, 'slug'],
    ['a slug that URLs cannot hold', { slug: 'A b' }, 'slug'],
    ['settings of a wrong type', { settings: { query_timeout_ms: '30s' } }, /^settings\./],
    ['a setting that there is not', { settings: { speed: 1 } }, 'settings.speed'],
    // Beyond the reference, whose sample caches in production: results are not cached here.
    ['a cache, which there is not', { settings: { cache_enabled: true } }, /^settings\./],
    ['a field that there is not', { region: 'eu' }, 'region'],
  ])('400 VALIDATION_ERROR for %s', async (_, more, field) => {
    const answer = await ask('POST', environments, { name: 'Bad', slug: 'bad', ...more });
    expectError(answer, 400, 'VALIDATION_ERROR', {
      field: typeof field === 'string' ? field : expect.stringMatching(field),
    });
  });

  test.each(['developer', 'analyst', 'auditor', 'service_account'] as const)(
    '403 FORBIDDEN for the role %s',
    async (role) => {
      const { token } = await control.signIn(role);
      const answer = await ask('POST', environments, { name: 'No', slug: 'no' }, token);
      expectError(answer, 403, 'FORBIDDEN', { permission: 'environment:write' });
    },
  );
});

test('a key needs environment:read to list, environment:write to create', async () => {
  const keyWith = async (name: string, scopes: readonly string[]): Promise<string> => {
    const path = `/v1/environments/${control.envId}/api-keys`;
    return (await ask('POST', path, { name, scopes })).body.key;
  };
  const reading = await keyWith('reading', ['environment:read']);
  const writing = await keyWith('writing', ['environment:write']);
  const neither = await keyWith('neither', ['query:read']);
  expect((await ask('GET', environments, undefined, reading)).status).toBe(200);
  expectError(await ask('GET', environments, undefined, neither), 403, 'FORBIDDEN');
  const body = { name: 'By key', slug: 'by-key' };
  expectError(await ask('POST', environments, body, reading), 403, 'FORBIDDEN');
  expect((await ask('POST', environments, body, writing)).status).toBe(201);
});

test('promoting: 200 with what it changed, which the preview showed', async () => {
  const { body: source } = await ask('POST', environments, {
    name: 'Source',
    slug: 'source',
    settings: { query_timeout_ms: 120_000, max_concurrent_queries: 25 },
  });
  const { body: target } = await ask('POST', environments, { name: 'Target', slug: 'target' });
  const path = `/v1/environments/${source.env_id}`;
  for (const each of [source, target]) await becomesActive(each);
  const preview = await ask('GET', `${path}/promotion?target_env_id=${target.env_id}`);
  const promoted = await ask('POST', `${path}/promote`, { target_env_id: target.env_id });
  expect([preview.status, promoted.status]).toEqual([200, 200]);
  expect(preview.body).toEqual({
    source_env_id: source.env_id,
    target_env_id: target.env_id,
    differences: [
      { field: 'settings.query_timeout_ms', source: 120_000, target: 0 },
      { field: 'settings.max_concurrent_queries', source: 25, target: 0 },
    ],
  });
  expect(promoted.body).toEqual(preview.body);
});
