/** The reference of organizations, request by request. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  someAddress,
  startTestControlPlane,
  type Answered,
  type SignedIn,
  type TestControlPlane,
} from '../../fixtures/control-plane.ts';
import { expectError, id, time } from './shapes.ts';

const collection = '/v1/organizations';
let control: TestControlPlane;
let owner: SignedIn;

beforeAll(async () => {
  control = await startTestControlPlane();
  owner = await control.signIn('owner');
});
afterAll(() => control.stop());

function ask(method: string, path: string, body?: unknown, as?: string): Promise<Answered> {
  return control.request(method, path, { as: as ?? owner.token, body, from: someAddress() });
}

const sample = { name: 'Acme Corp', slug: 'acme-corp', billing_email: 'billing@acme.example' };
const shown = {
  ...sample,
  org_id: id('org_'),
  cloud_region: 'us-east-1',
  tier: 'free',
  status: 'active',
  settings: { mfa_required: false, enforce_sso: false },
  created_at: time,
  updated_at: time,
};

describe('POST /v1/organizations', () => {
  test('201 with the object, in us-east-1, free, and active; its maker owns it', async () => {
    const analyst = await control.signIn('analyst');
    const answer = await ask('POST', collection, sample, analyst.token);
    expect(answer.status).toBe(201);
    expect(answer.body).toEqual(shown);
    const login = { email: analyst.email, password: analyst.password, org_id: answer.body.org_id };
    const { body } = await control.request('POST', '/v1/auth/login', { body: login });
    expect(body.user.role).toBe('owner');
    const path = `${collection}/${answer.body.org_id}`;
    const read = await ask('GET', path, undefined, analyst.token);
    expect(read.status).toBe(200);
    expect(read.body).toEqual({
      ...answer.body,
      stripe_customer_id: null,
      stripe_subscription_id: null,
      quotas: {
        monthly_credit_limit: 1_000,
        used: 0,
        max_concurrent_queries: 10,
        storage_limit_gb: 10,
      },
    });
    expectError(await ask('GET', path), 404, 'NOT_FOUND');
    const again = await ask('POST', collection, { ...sample, name: 'Another' });
    expectError(again, 409, 'CONFLICT', { field: 'slug', constraint: 'unique' });
  });

  test('with a region and settings of its own', async () => {
    const wish = {
      name: 'Elsewhere',
      slug: 'elsewhere',
      billing_email: 'billing@elsewhere.example',
      cloud_region: 'eu-central-1',
      settings: { mfa_required: false, enforce_sso: false },
    };
    const answer = await ask('POST', collection, wish);
    expect([answer.status, answer.body]).toEqual([201, { ...shown, ...wish }]);
  });

  test.each([
    ['no name', { name: undefined }, 'name'],
    ['no slug', { slug: undefined }, 'slug'],
    ['no billing address', { billing_email: undefined }, 'billing_email'],
    ['a slug that URLs cannot hold', { slug: 'Acme Corp!' }, 'slug'],
    ['an address that is none', { billing_email: 'billing' }, 'billing_email'],
    ['a region that is none', { cloud_region: 'mars' }, 'cloud_region'],
    ['settings of a wrong type', { settings: { mfa_required: 'no' } }, 'settings.mfa_required'],
    ['a setting that there is not', { settings: { sso: true } }, 'settings.sso'],
    ['a tier, which is not chosen here', { tier: 'enterprise' }, 'tier'],
  ])('400 VALIDATION_ERROR for %s', async (_, more, field) => {
    const answer = await ask('POST', collection, { ...sample, slug: 'bad-one', ...more });
    expectError(answer, 400, 'VALIDATION_ERROR', { field });
  });
});

describe('GET /v1/organizations/{org_id}', () => {
  test.each(['owner', 'admin', 'developer', 'analyst', 'auditor', 'service_account'] as const)(
    '200 for any member: %s',
    async (role) => {
      const { token } = await control.signIn(role);
      const answer = await ask('GET', `${collection}/${control.orgId}`, undefined, token);
      expect([answer.status, answer.body]).toMatchObject([200, { org_id: control.orgId }]);
    },
  );

  test('401 for nobody, 404 for what there is not', async () => {
    const path = `${collection}/${control.orgId}`;
    expectError(await control.request('GET', path), 401, 'UNAUTHORIZED');
    expectError(await ask('GET', `${collection}/org_none`), 404, 'NOT_FOUND');
  });

  test('the connection guide spells the list /v1/orgs', async () => {
    const [orgs, organizations] = await Promise.all([
      ask('GET', '/v1/orgs'),
      ask('GET', collection),
    ]);
    expect(orgs.status).toBe(200);
    expect(orgs.body).toEqual(organizations.body);
  });
});

test('only the owner deletes', async () => {
  const path = `${collection}/${control.orgId}`;
  const admin = await control.signIn('admin');
  expectError(await ask('DELETE', path, undefined, admin.token), 403, 'FORBIDDEN');
  const { body } = await ask('POST', collection, { ...sample, slug: 'short-lived' });
  const answer = await ask('DELETE', `${collection}/${body.org_id}`);
  expect([answer.status, answer.body]).toEqual([
    200,
    { org_id: body.org_id, deleted: true, deleted_at: time, deleted_by: owner.userId },
  ]);
});
