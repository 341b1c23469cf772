/** Organizations over REST: who may do what to them, their transfer and their end. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import {
  startTestControlPlane,
  statusesOf,
  type SignedIn,
  type TestControlPlane,
} from '../fixtures/control-plane.ts';
import { newOrganization, recordsOf, wish } from './new-organizations.ts';

let control: TestControlPlane;
/** Of the first organization, whose tier lets him ask often. */
let founder: SignedIn;

beforeAll(async () => {
  control = await startTestControlPlane();
  founder = await control.signIn('owner');
});
afterAll(() => control.stop());

describe('who may', () => {
  test.each([
    ['owner', { GET: 200, PATCH: 200, transfer: 404, DELETE: 412 }],
    ['admin', { GET: 200, PATCH: 200, transfer: 403, DELETE: 403 }],
    ['developer', { GET: 200, PATCH: 403, transfer: 403, DELETE: 403 }],
    ['analyst', { GET: 200, PATCH: 403, transfer: 403, DELETE: 403 }],
    ['auditor', { GET: 200, PATCH: 403, transfer: 403, DELETE: 403 }],
    ['service_account', { GET: 200, PATCH: 403, transfer: 403, DELETE: 403 }],
    [undefined, { GET: 404, PATCH: 404, transfer: 404, DELETE: 404 }],
  ] as const)('%s', async (role, expected) => {
    const orgId = await newOrganization(control, founder);
    const foreigner = await control.signIn('admin');
    const caller =
      role === undefined
        ? foreigner
        : role === 'owner'
          ? founder
          : await control.signIn(role, orgId);
    const path = `/v1/organizations/${orgId}`;
    const as = caller.token;
    const statuses = {
      GET: (await control.request('GET', path, { as })).status,
      PATCH: (await control.request('PATCH', path, { as, body: {} })).status,
      // To nobody, and with a version that it does not have: allowed, and nothing is done.
      transfer: (
        await control.request('POST', `${path}/transfer`, { as, body: { user_id: 'usr_nobody' } })
      ).status,
      DELETE: (await control.request('DELETE', path, { as, headers: { 'if-match': '"999"' } }))
        .status,
    };
    expect(statuses).toEqual(expected);
  });
});

describe('a transfer', () => {
  test('makes another one the owner, and the owner an admin', async () => {
    const orgId = await newOrganization(control, founder);
    const heir = await control.signIn('analyst', orgId);
    const path = `/v1/organizations/${orgId}`;
    const answer = await control.request('POST', `${path}/transfer`, {
      as: founder.token,
      body: { user_id: heir.userId },
    });
    expect(answer.body).toEqual({
      org_id: orgId,
      owner: heir.userId,
      previous_owner: founder.userId,
      transferred_at: expect.any(String),
    });
    const users = await control.request('GET', `${path}/users`, { as: heir.token });
    const roles = users.body.data.map((each: { user_id: string; role: string }) => [
      each.user_id,
      each.role,
    ]);
    expect(Object.fromEntries(roles)).toEqual({
      [founder.userId]: 'admin',
      [heir.userId]: 'owner',
    });
    expect((await recordsOf(control, orgId)).at(-1)).toMatchObject({
      action: 'organization.transferred',
      detail: { before: { owner: founder.userId }, after: { owner: heir.userId } },
    });
  });

  test('goes to active users of the organization only, and away from oneself', async () => {
    const orgId = await newOrganization(control, founder);
    const outsider = await control.signIn('admin');
    const suspended = await control.signIn('admin', orgId);
    const path = `/v1/organizations/${orgId}`;
    const as = founder.token;
    await control.request('POST', `${path}/users/${suspended.userId}/suspend`, { as });
    const outcome = async (userId: string) =>
      (await control.request('POST', `${path}/transfer`, { as, body: { user_id: userId } })).status;
    expect(await outcome(outsider.userId)).toBe(404);
    expect(await outcome(suspended.userId)).toBe(404);
    expect(await outcome(founder.userId)).toBe(409);
    const owner = await control.request('GET', `${path}/users/${founder.userId}`, { as });
    expect(owner.body.role).toBe('owner');
  });

  test('two at once leave one owner', async () => {
    const orgId = await newOrganization(control, founder);
    const heirs = [await control.signIn('admin', orgId), await control.signIn('admin', orgId)];
    const answers = await Promise.all(
      heirs.map(({ userId }) =>
        control.request('POST', `/v1/organizations/${orgId}/transfer`, {
          as: founder.token,
          body: { user_id: userId },
        }),
      ),
    );
    expect(statusesOf(answers)).toEqual([200, 403]);
    const { rows } = await control.store.query(
      "SELECT count(*)::int AS owners FROM hatidata.memberships WHERE org_id = $1 AND role = 'owner'",
      [orgId],
    );
    expect(rows).toEqual([{ owners: 1 }]);
  });
});

describe('deleting', () => {
  /** An environment with a key that works. */
  async function withEnvironment(orgId: string): Promise<{ envId: string; key: string }> {
    const environments = `/v1/organizations/${orgId}/environments`;
    const body = { name: 'Staging', slug: 'staging' };
    const asked = { as: founder.token };
    const { env_id: envId } = (await control.request('POST', environments, { ...asked, body }))
      .body;
    await vi.waitFor(async () => {
      const { body: now } = await control.request('GET', `/v1/environments/${envId}`, asked);
      expect(now).toMatchObject({ status: 'active' });
    }, 20_000);
    const made = await control.request('POST', `/v1/environments/${envId}/api-keys`, {
      ...asked,
      body: { name: 'agent', scopes: ['query:read'] },
    });
    expect(made.status).toBe(201);
    return { envId, key: made.body.key };
  }

  test('ends its keys and sessions at once, and frees its slug', async () => {
    const { slug } = wish();
    const created = await control.request('POST', '/v1/organizations', {
      as: founder.token,
      body: wish({ slug }),
    });
    const { org_id: orgId } = created.body;
    const path = `/v1/organizations/${orgId}`;
    const { envId, key } = await withEnvironment(orgId);
    const member = await control.signIn('admin', orgId);
    expect((await control.request('GET', '/v1/orgs', { as: key })).status).toBe(200);
    const client = await control.proxy.client(key);
    const ended = new Promise<void>((resolve) => client.once('end', () => resolve()));
    await client.query('SELECT 1');

    const answer = await control.request('DELETE', path, { as: founder.token });
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({
      org_id: orgId,
      deleted: true,
      deleted_at: expect.any(String),
      deleted_by: founder.userId,
    });
    await ended;
    await expect(control.proxy.client(key)).rejects.toMatchObject({ code: '28P01' });
    expect((await control.request('GET', '/v1/orgs', { as: key })).status).toBe(401);
    expect((await control.request('GET', '/v1/orgs', { as: member.token })).status).toBe(401);
    const gone = await control.request('GET', `/v1/environments/${envId}`, { as: founder.token });
    expect(gone.status).toBe(404);
    expect((await control.request('GET', path, { as: founder.token })).status).toBe(404);
    expect((await control.request('DELETE', path, { as: founder.token })).status).toBe(404);
    const { rows } = await control.store.query(
      `SELECT k.revoked_by, s.ended_at IS NOT NULL AS ended FROM hatidata.api_keys k
         JOIN hatidata.environments USING (env_id) JOIN hatidata.api_key_secrets s USING (key_id) WHERE org_id = $1`,
      [orgId],
    );
    expect(rows).toEqual([{ revoked_by: founder.userId, ended: true }]);
    expect((await recordsOf(control, orgId)).at(-1)).toMatchObject({
      action: 'organization.deleted',
      detail: { environmentsArchived: 1, keysRevoked: 1, sessionsEnded: 1 },
    });
    const again = await control.request('POST', '/v1/organizations', {
      as: founder.token,
      body: wish({ slug }),
    });
    expect(again.status).toBe(201);
  });

  test('is not for the organization whose engine is that of the configuration', async () => {
    const path = `/v1/organizations/${control.orgId}`;
    const answer = await control.request('DELETE', path, { as: founder.token });
    expect(answer.status).toBe(409);
    expect(answer.body.error.details).toMatchObject({ constraint: 'first_environment' });
    expect((await control.request('GET', path, { as: founder.token })).status).toBe(200);
  });
});
