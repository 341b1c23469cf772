/** Organizations over REST: how they are made, shown and changed. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { tiers } from '../../src/api/tiers.ts';
import {
  startTestControlPlane,
  statusesOf,
  type Answered,
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

function faultIn({ status, body }: Answered) {
  const { code, details } = body.error;
  return { status, code, reason: details.reason };
}

describe('creating', () => {
  test('answers with the object of the reference, in the free tier; its maker owns it', async () => {
    const body = wish({ settings: { enforce_sso: false } });
    const answer = await control.request('POST', '/v1/organizations', { as: founder.token, body });
    expect(answer.status).toBe(201);
    expect(answer.headers.get('etag')).toBe('"1"');
    expect(answer.body).toEqual({
      org_id: expect.stringMatching(/^org_/),
      name: 'Acme',
      slug: body.slug,
      billing_email: 'billing@acme.example',
      cloud_region: 'us-east-1',
      tier: 'free',
      status: 'active',
      settings: { mfa_required: false, enforce_sso: false },
      created_at: expect.any(String),
      updated_at: answer.body.created_at,
    });
    const { org_id: orgId } = answer.body;
    const path = `/v1/organizations/${orgId}/users/${founder.userId}`;
    const owner = await control.request('GET', path, { as: founder.token });
    expect(owner.body).toMatchObject({ role: 'owner', status: 'active', email: founder.email });
    expect(await recordsOf(control, orgId)).toEqual([
      {
        action: 'organization.created',
        actor: founder.userId,
        detail: expect.objectContaining({ owner: founder.userId }),
      },
    ]);
  });

  test('is for users of any role, not for keys', async () => {
    const analyst = await control.signIn('analyst');
    expect(await newOrganization(control, analyst)).toMatch(/^org_/);
    const client = await control.proxy.client();
    const { rows } = await client.query("SELECT create_api_key('org-maker', 'admin', '') AS key");
    const asKey = { as: rows[0].key, body: wish() };
    expect(faultIn(await control.request('POST', '/v1/organizations', asKey))).toEqual({
      status: 403,
      code: 'FORBIDDEN',
      reason: 'not_for_keys',
    });
  });

  test('two with one slug at once: one of them is made', async () => {
    const body = wish();
    const both = await Promise.all(
      [1, 2].map(() => control.request('POST', '/v1/organizations', { as: founder.token, body })),
    );
    expect(statusesOf(both)).toEqual([201, 409]);
    const refused = both.find((each) => each.status === 409)!;
    expect(refused.body.error).toMatchObject({
      code: 'CONFLICT',
      details: { reason: 'slug_taken', field: 'slug', constraint: 'unique' },
    });
  });

  test('the same request twice makes one, with an Idempotency-Key', async () => {
    const asked = {
      as: founder.token,
      body: wish(),
      headers: { 'idempotency-key': 'organization-once' },
    };
    const first = await control.request('POST', '/v1/organizations', asked);
    const second = await control.request('POST', '/v1/organizations', asked);
    expect(second.status).toBe(201);
    expect(second.body).toEqual(first.body);
    expect(second.headers.get('idempotent-replayed')).toBe('true');
  });

  test.each([
    ['no slug', { slug: undefined }, 'slug'],
    ['a slug with capitals', { slug: 'Acme' }, 'slug'],
    ['a slug that ends in a dash', { slug: 'acme-' }, 'slug'],
    ['an invisible character in its name', { name: 'Ac\u200bme' }, 'name'],
    ['a name of blanks', { name: '   ' }, 'name'],
    ['no address', { billing_email: 'nobody' }, 'billing_email'],
    ['a region that is none', { cloud_region: 'the moon' }, 'cloud_region'],
    ['a tier', { tier: 'enterprise' }, 'tier'],
    ['a setting that there is not', { settings: { mfa: true } }, 'settings.mfa'],
    [
      'a setting that is no boolean',
      { settings: { mfa_required: 'yes' } },
      'settings.mfa_required',
    ],
  ])('refuses %s', async (_what, more, field) => {
    const answer = await control.request('POST', '/v1/organizations', {
      as: founder.token,
      body: wish(more),
    });
    expect(answer.status).toBe(400);
    expect(answer.body.error.details.field).toBe(field);
  });
});

describe('reading', () => {
  test('gives a member all of it; limits are those of its tier', async () => {
    const orgId = await newOrganization(control, founder);
    const member = await control.signIn('auditor', orgId);
    const answer = await control.request('GET', `/v1/organizations/${orgId}`, { as: member.token });
    expect(answer.status).toBe(200);
    expect(answer.headers.get('etag')).toBe('"1"');
    expect(answer.body).toMatchObject({
      org_id: orgId,
      stripe_customer_id: null,
      stripe_subscription_id: null,
      quotas: {
        monthly_credit_limit: tiers.free.monthlyCredits,
        used: 0,
        max_concurrent_queries: tiers.free.concurrentQueries,
        storage_limit_gb: tiers.free.storageGb,
      },
    });
    const first = await control.request('GET', `/v1/organizations/${control.orgId}`, {
      as: founder.token,
    });
    expect(first.body).toMatchObject({ tier: 'enterprise', quotas: { storage_limit_gb: null } });
  });

  test("lists the caller's, page by page; another's is not there", async () => {
    const owner = await control.signIn('developer');
    const mine = [await newOrganization(control, owner), await newOrganization(control, owner)];
    const foreign = await newOrganization(control, founder);
    const seen: string[] = [];
    let cursor = '';
    do {
      const page = await control.request('GET', `/v1/organizations?limit=1${cursor}`, {
        as: owner.token,
      });
      expect(page.status).toBe(200);
      expect(page.body.pagination.total).toBe(3);
      seen.push(...page.body.data.map((each: { org_id: string }) => each.org_id));
      cursor = page.body.pagination.has_more ? `&cursor=${page.body.pagination.cursor}` : '';
    } while (cursor !== '');
    expect(seen).toEqual([control.orgId, ...mine]);
    const alias = await control.request('GET', '/v1/orgs', { as: owner.token });
    expect(alias.body.data.map((each: { role: string }) => each.role)).toEqual([
      'developer',
      'owner',
      'owner',
    ]);
    const unknown = await control.request('GET', '/v1/organizations/org_nosuch', {
      as: owner.token,
    });
    const others = await control.request('GET', `/v1/organizations/${foreign}`, {
      as: owner.token,
    });
    expect(faultIn(others)).toEqual(faultIn(unknown));
    expect(others.body.error.message).toBe(unknown.body.error.message);
    expect(unknown.status).toBe(404);
  });

  test('an API key lists its own', async () => {
    const client = await control.proxy.client();
    const { rows } = await client.query("SELECT create_api_key('lister', 'readonly', '') AS key");
    const { body } = await control.request('GET', '/v1/orgs', { as: rows[0].key });
    expect(body).toMatchObject({ data: [{ org_id: control.orgId, role: null }] });
    expect(body.pagination).toEqual({ cursor: null, has_more: false, total: 1 });
  });
});

describe('changing', () => {
  test('keeps what is not named, and says before and after', async () => {
    const orgId = await newOrganization(control, founder);
    await control.store.query(
      `INSERT INTO hatidata.single_sign_on (org_id, provider, issuer, client_id, client_secret, email_domains, created_at, updated_at, updated_by)
       VALUES ($1, 'okta', 'https://acme.okta.example', 'hati', '', '{acme.example}', now(), now(), 'somebody')`,
      [orgId],
    );
    const path = `/v1/organizations/${orgId}`;
    const answer = await control.request('PATCH', path, {
      as: founder.token,
      headers: { 'if-match': '"1"' },
      body: { name: 'Acme II', settings: { enforce_sso: true } },
    });
    expect(answer.status).toBe(200);
    expect(answer.headers.get('etag')).toBe('"2"');
    expect(answer.body).toMatchObject({
      name: 'Acme II',
      billing_email: 'billing@acme.example',
      settings: { mfa_required: false, enforce_sso: true, sso_provider: 'okta' },
    });
    expect((await recordsOf(control, orgId)).at(-1)).toEqual({
      action: 'organization.updated',
      actor: founder.userId,
      detail: {
        before: { name: 'Acme', enforce_sso: false },
        after: { name: 'Acme II', enforce_sso: true },
        sessionsEnded: 0,
      },
    });
    const again = await control.request('PATCH', path, {
      as: founder.token,
      body: { name: 'Acme II' },
    });
    expect(again.headers.get('etag')).toBe('"2"');
    expect(await recordsOf(control, orgId)).toHaveLength(2);
  });

  test('by two editors at once: the second one hears of it', async () => {
    const path = `/v1/organizations/${await newOrganization(control, founder)}`;
    const answers = await Promise.all(
      ['One', 'Two'].map((name) =>
        control.request('PATCH', path, {
          as: founder.token,
          headers: { 'if-match': '"1"' },
          body: { name },
        }),
      ),
    );
    expect(statusesOf(answers)).toEqual([200, 412]);
    const late = answers.find((each) => each.status === 412)!;
    expect(late.body.error).toMatchObject({
      code: 'PRECONDITION_FAILED',
      details: { reason: 'version_changed', version: 2 },
    });
  });

  test('a slug that another one has is refused', async () => {
    const taken = wish();
    await control.request('POST', '/v1/organizations', { as: founder.token, body: taken });
    const path = `/v1/organizations/${await newOrganization(control, founder)}`;
    const answer = await control.request('PATCH', path, {
      as: founder.token,
      body: { slug: taken.slug },
    });
    expect(faultIn(answer)).toMatchObject({ status: 409, reason: 'slug_taken' });
  });

  test('a second factor of everybody is asked for by who logged in with one', async () => {
    const orgId = await newOrganization(control, founder);
    const admin = await control.signIn('admin', orgId);
    const path = `/v1/organizations/${orgId}`;
    const asked = { as: admin.token, body: { settings: { mfa_required: true } } };
    expect(faultIn(await control.request('PATCH', path, asked))).toMatchObject({
      status: 403,
      reason: 'second_factor_first',
    });
    const atOnce = { as: founder.token, body: wish({ settings: { mfa_required: true } }) };
    expect(faultIn(await control.request('POST', '/v1/organizations', atOnce))).toMatchObject({
      status: 403,
      reason: 'second_factor_first',
    });
    await control.store.query(
      'UPDATE hatidata.auth_sessions SET has_second_factor = true WHERE user_id = $1',
      [admin.userId],
    );
    expect((await control.request('PATCH', path, asked)).status).toBe(200);
    expect(faultIn(await control.request('GET', path, { as: founder.token }))).toMatchObject({
      status: 403,
      reason: 'second_factor_required',
    });
  });
});
