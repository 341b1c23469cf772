/** Signing up, as the public clients do it. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  reasonOf,
  someAddress,
  startTestControlPlane,
  statusesOf,
  testApi,
  testPassword,
  type Answered,
  type TestControlPlane,
} from '../fixtures/control-plane.ts';
import { recordsOf } from './new-organizations.ts';

let control: TestControlPlane;

beforeAll(async () => {
  control = await startTestControlPlane();
});
afterAll(() => control.stop());

const wish = {
  name: 'Ada Lovelace',
  email: 'ada@engines.example',
  password: testPassword,
  org_name: 'Analytical Engines',
};

function signUp(more: object = {}): Promise<Answered> {
  return control.request('POST', '/v1/signup', { body: { ...wish, ...more }, from: someAddress() });
}

test('makes a user, who has logged in, and an organization that is his', async () => {
  const { status, body } = await signUp({ tier: 'free' });
  expect(status).toBe(201);
  const { org_id: orgId } = body;
  expect(body).toEqual({
    org_id: expect.stringMatching(/^org_/),
    token: body.access_token,
    access_token: expect.any(String),
    refresh_token: expect.any(String),
    expires_in: 3_600,
    user: {
      id: expect.stringMatching(/^usr_/),
      email: wish.email,
      name: wish.name,
      role: 'owner',
    },
    org: { id: orgId, name: wish.org_name, slug: 'analytical-engines', tier: 'free' },
  });
  const path = `/v1/organizations/${orgId}`;
  const shown = await control.request('GET', path, { as: body.token });
  expect(shown.body).toMatchObject({ billing_email: wish.email, status: 'active', tier: 'free' });
  const { email, password } = wish;
  const login = { body: { email, password }, from: someAddress() };
  expect((await control.request('POST', '/v1/auth/login', login)).body.org.id).toBe(orgId);
  const records = await recordsOf(control, orgId);
  expect(records.map(({ action, actor }) => [action, actor])).toEqual(
    expect.arrayContaining([['organization.created', body.user.id]]),
  );
  expect(JSON.stringify(records)).not.toContain(wish.password);
});

test('of two at once with one address one is let in', async () => {
  const email = 'twins@engines.example';
  const answers = await Promise.all([signUp({ email }), signUp({ email: email.toUpperCase() })]);
  expect(statusesOf(answers)).toEqual([201, 409]);
  const refused = answers.find(({ status }) => status === 409)!;
  expect(reasonOf(refused)).toEqual([409, 'account_exists']);
  const { rows } = await control.store.query(
    'SELECT 1 FROM hatidata.users WHERE lower(email) = $1',
    [email],
  );
  expect(rows).toHaveLength(1);
});

test.each([
  ['Analytical Engines', /^analytical-engines-\d{6}$/],
  ['Ångström & Söhne', /^angstrom-sohne$/],
  ['東京', /^org$/],
  ['X', /^org-x$/],
])('an organization called %s has a slug', async (org_name, slug) => {
  const email = `${Math.random().toString(36).slice(2)}@engines.example`;
  expect((await signUp({ org_name, email })).body.org.slug).toMatch(slug);
});

test.each([
  ['another tier', { tier: 'enterprise' }, 'tier'],
  ['a short password', { password: 'short' }, 'password'],
  ['no address', { email: 'nobody' }, 'email'],
  ['no name', { org_name: '' }, 'org_name'],
  ['a role', { role: 'admin' }, 'role'],
])('%s is refused', async (_name, more, field) => {
  const { status, body } = await signUp(more);
  expect([status, body.error.details.field]).toEqual([400, field]);
});

describe('where the server lets nobody in', () => {
  let closed: TestControlPlane;
  beforeAll(async () => {
    closed = await startTestControlPlane({ api: { ...testApi, signup: false } });
  });
  afterAll(() => closed.stop());

  test('it says so, whoever asks', async () => {
    const answer = await closed.request('POST', '/v1/signup', { body: wish });
    expect(reasonOf(answer)).toEqual([403, 'signup_off']);
  });
});
