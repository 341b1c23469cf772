/** Every route × every role, every scope of a key alone, and nobody × own and foreign places, against the table in code. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { permissions, roleMay, roles, scopesMay } from '../../src/api/permissions.ts';
import type { Access, Route } from '../../src/api/route.ts';
import { scopeNames, type ScopeName } from '../../src/policy/authority.ts';
import { routesOfApi } from '../fixtures/api-routes.ts';
import {
  reasonOf,
  someAddress,
  startTestControlPlane,
  type TestControlPlane,
} from '../fixtures/control-plane.ts';

/** What a path can name. */
interface Ids {
  readonly org_id: string;
  readonly org_slug: string;
  readonly env_id: string;
  readonly key_id: string;
  readonly user_id: string;
  readonly webhook_id: string;
  readonly delivery_id: string;
  /** Of a promotion; in the same organization. */
  readonly target_env_id: string;
}

type Asker =
  | { readonly kind: 'nobody' }
  | { readonly kind: 'user'; readonly role: (typeof roles)[number] }
  | { readonly kind: 'key'; readonly scope: ScopeName };

/** Of the asker; `sibling`: another environment of his organization; `foreign`: of another organization. */
type Where = 'own' | 'sibling' | 'foreign';

type Outcome = 'let through' | 401 | 403 | 404;

const askers: readonly Asker[] = [
  { kind: 'nobody' },
  ...roles.map((role) => ({ kind: 'user', role }) as const),
  ...scopeNames.map((scope) => ({ kind: 'key', scope }) as const),
];
const whole = ['public', 'authenticated', 'user', 'account', ...Object.keys(permissions)];
const routes = await routesOfApi();

let plane: TestControlPlane;
const places = {} as Record<Where, Ids>;
const credentials = new Map<string, string>();

function nameOf(asker: Asker): string {
  if (asker.kind === 'nobody') return asker.kind;
  return asker.kind === 'user' ? asker.role : `key ${asker.scope}`;
}

/** From the table alone. */
function expected({ access, path }: Route, asker: Asker, where: Where): Outcome {
  if (access === 'public') return 'let through';
  if (asker.kind === 'nobody') return 401;
  const names = (id: string): boolean => path.includes(`{${id}}`);
  if (where === 'foreign' && (names('org_id') || names('env_id'))) return 404;
  // A key is good in its own environment only.
  if (where === 'sibling' && asker.kind === 'key' && names('env_id')) return 404;
  return may(access, asker) ? 'let through' : 403;
}

function may(
  access: Exclude<Access, 'public'>,
  asker: Exclude<Asker, { kind: 'nobody' }>,
): boolean {
  if (access === 'authenticated') return true;
  if (access === 'user' || access === 'account') return asker.kind === 'user';
  return asker.kind === 'user'
    ? roleMay(asker.role, access)
    : scopesMay(new Set([asker.scope]), access);
}

function pathOf(route: Route, ids: Ids): string {
  const path = route.path.replaceAll(/\{(\w+)\}/g, (_all, name: keyof Ids) => ids[name]);
  return path.endsWith('/promotion') ? `${path}?target_env_id=${ids.target_env_id}` : path;
}

/** Reading is done; whatever else is let through is refused for a parameter that there is not, before it does anything. */
async function outcome(route: Route, as: string | undefined, ids: Ids): Promise<unknown> {
  const isRead = route.method === 'GET' && route.redirects === undefined;
  const path = pathOf(route, ids) + (isRead ? '' : '?harmless=1');
  const { status, body } = await plane.request(route.method, path, { as, from: someAddress() });
  const isThrough = isRead ? status === 200 : status === 400;
  return isThrough ? 'let through' : [401, 403, 404].includes(status) ? status : { status, body };
}

async function asked(method: string, path: string, as: string, body?: unknown) {
  const answer = await plane.request(method, path, { as, body });
  if (answer.status >= 300) throw new Error(`${method} ${path}: ${JSON.stringify(answer.body)}`);
  return answer.body;
}

/** An environment with a key, and a webhook with a delivery. */
async function furnish(as: string, orgId: string, slug: string, scopes: readonly string[]) {
  const environments = `/v1/organizations/${orgId}/environments`;
  const { env_id: envId } = await asked('POST', environments, as, { name: slug, slug });
  await vi.waitFor(
    async () => {
      const { status } = await asked('GET', `/v1/environments/${envId}`, as);
      expect(status).toBe('active');
    },
    { timeout: 30_000, interval: 100 },
  );
  const keys = `/v1/environments/${envId}/api-keys`;
  const { key_id: keyId } = await asked('POST', keys, as, { name: 'one', scopes });
  const webhooks = `/v1/organizations/${orgId}/webhooks`;
  const { webhook_id: webhookId } = await asked('POST', webhooks, as, {
    url: 'http://127.0.0.1:1/',
  });
  const sent = await asked('POST', `${webhooks}/${webhookId}/test`, as);
  return { env_id: envId, key_id: keyId, webhook_id: webhookId, delivery_id: sent.delivery_id };
}

beforeAll(async () => {
  plane = await startTestControlPlane();
  const { orgId, envId, store } = plane;
  const allowAll = async (id: string) =>
    await store.query("UPDATE hatidata.organizations SET tier = 'enterprise' WHERE org_id = $1", [
      id,
    ]);
  await allowAll(orgId);
  const users = Object.fromEntries(
    await Promise.all(roles.map(async (role) => [role, await plane.signIn(role)] as const)),
  );
  for (const role of roles) credentials.set(role, users[role]!.token);
  const owner = users['owner']!;
  const scope = { scopes: ['query:read'] };
  const keys = `/v1/environments/${envId}/api-keys`;
  for (const each of scopeNames) {
    const made = await asked('POST', keys, owner.token, { name: each, scopes: [each] });
    credentials.set(`key ${each}`, made.key);
  }
  const sibling = await furnish(owner.token, orgId, 'sibling', scope.scopes);
  const own = { name: 'own', ...scope };
  const { key_id: keyId } = await asked('POST', keys, owner.token, own);
  const there = { org_id: orgId, org_slug: 'my-organization', user_id: users['analyst']!.userId };
  places.own = {
    ...sibling,
    ...there,
    env_id: envId,
    key_id: keyId,
    target_env_id: sibling.env_id,
  };
  places.sibling = { ...sibling, ...there, target_env_id: envId };

  const stranger = await plane.signIn('auditor');
  const created = await asked('POST', '/v1/organizations', stranger.token, {
    name: 'Foreign',
    slug: 'foreign',
    billing_email: 'billing@example.com',
  });
  await allowAll(created.org_id);
  const foreign = await furnish(stranger.token, created.org_id, 'foreign', scope.scopes);
  const other = await furnish(stranger.token, created.org_id, 'other', scope.scopes);
  places.foreign = {
    ...foreign,
    org_id: created.org_id,
    org_slug: 'foreign',
    user_id: (await plane.signIn('analyst', created.org_id)).userId,
    target_env_id: other.env_id,
  };
  credentials.set('stranger', stranger.token);
  await store.query(
    `INSERT INTO hatidata.single_sign_on (org_id, provider, issuer, client_id, client_secret, email_domains, created_at, updated_at, updated_by)
     SELECT org_id, 'one', 'https://provider.example.com', 'hati', '', '{example.com}', now(), now(), 'somebody'
       FROM hatidata.organizations`,
  );
});
afterAll(() => plane.stop());

test('the routes are those that the server has, and each says who may use it', async () => {
  const { body } = await plane.request('GET', '/v1/openapi.json');
  const served = Object.entries<object>(body.paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
  );
  expect(served.length).toBeGreaterThan(40);
  expect(routes.map(({ method, path }) => `${method} ${path}`).toSorted()).toEqual(
    served.toSorted(),
  );
  expect(routes.filter(({ access }) => !whole.includes(access))).toEqual([]);
});

test('a path says what it is for to a method that it is not for', async () => {
  for (const method of ['QUERY', 'PROPFIND', 'PUT', 'OPTIONS']) {
    const answer = await plane.request(method, '/v1/auth/totp');
    expect([method, ...reasonOf(answer)]).toEqual([method, 405, 'method_unknown']);
    expect(answer.headers.get('allow')).toBe('POST, DELETE');
    const unknown = await plane.request(method, '/v1/nothing');
    expect([method, ...reasonOf(unknown)]).toEqual([method, 404, 'route_unknown']);
  }
});

test.each([
  ['organizations/%00', 404, 'resource_unknown'],
  ['organizations/org_%F0%9F%98%80/users', 404, 'resource_unknown'],
  ['environments/%00/api-keys', 404, 'resource_unknown'],
  ['organizations/%ff', 400, 'request_invalid'],
  ['organizations/%/users', 400, 'request_invalid'],
])('a path that is no text, or no name of anything: %s', async (path, ...wanted) => {
  const answer = await plane.request('GET', `/v1/${path}`, { as: credentials.get('owner') });
  expect(reasonOf(answer)).toEqual(wanted);
  expect(answer.body.error.request_id).toMatch(/^req_/);
});

test('the document has all that it refers to', async () => {
  const { body } = await plane.request('GET', '/v1/openapi.json');
  const names = [...JSON.stringify(body).matchAll(/"#\/components\/schemas\/(\w+)"/g)];
  expect(names.length).toBeGreaterThan(100);
  for (const [, name] of names) expect(body.components.schemas).toHaveProperty(name!);
});

describe.each(askers.map((asker) => [nameOf(asker), asker] as const))('%s', (name, asker) => {
  test.each(['own', 'sibling', 'foreign'] as const)('%s', async (where) => {
    const found: Record<string, unknown> = {};
    const wanted: Record<string, Outcome> = {};
    for (const route of routes) {
      const each = `${route.method} ${route.path}`;
      found[each] = await outcome(route, credentials.get(name), places[where]);
      wanted[each] = expected(route, asker, where);
    }
    expect(found).toEqual(wanted);
  });
});

test('what a user is in the organization that is named counts, not what he is where he logged in', async () => {
  const as = credentials.get('stranger');
  for (const route of routes) {
    const own = { kind: 'user', role: 'auditor' } as const;
    const foreign = { kind: 'user', role: 'owner' } as const;
    expect(await outcome(route, as, places.own), route.path).toBe(expected(route, own, 'own'));
    expect(await outcome(route, as, places.foreign), route.path).toBe(
      expected(route, foreign, 'own'),
    );
  }
});

test('what belongs to another organization is not in ours', async () => {
  const as = credentials.get('owner');
  const isPlaced = ({ method, access }: Route) => method === 'GET' && access !== 'public';
  for (const route of routes.filter(isPlaced)) {
    const named = [...route.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!);
    for (const name of named.filter((each) => each !== 'org_id' && each !== 'env_id')) {
      const mixed = { ...places.own, [name]: places.foreign[name as keyof Ids] };
      expect(await outcome(route, as, mixed), `${route.path} ${name}`).toBe(404);
    }
  }
});
