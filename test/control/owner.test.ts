/** The first user of a server, made in its store while the control plane runs. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createFirstOwner } from '../../src/operator.ts';
import { createLogger } from '../../src/shared/log.ts';
import { someAddress, startTestControlPlane } from '../fixtures/control-plane.ts';
import type { Answered, TestControlPlane } from '../fixtures/control-plane.ts';
import { testConfig } from '../fixtures/proxy.ts';

let control: TestControlPlane;

beforeAll(async () => {
  control = await startTestControlPlane();
});
afterAll(() => control.stop());

const log = createLogger({ level: 'fatal', destination: { write: () => undefined } });
const password = 'a password of the owner';

const create = (more: { email?: string; name?: string; password?: string } = {}) =>
  createFirstOwner(testConfig(control.proxy.directory), {
    email: 'ada@example.com',
    name: 'Ada',
    password,
    log,
    ...more,
  });

const logIn = (email: string, word = password): Promise<Answered> =>
  control.request('POST', '/v1/auth/login', {
    body: { email, password: word },
    from: someAddress(),
  });

const withoutOwner = (): Promise<unknown> =>
  control.store.query("UPDATE hatidata.memberships SET role = 'admin' WHERE role = 'owner'");

test.each([
  ['no email', { email: 'ada' }, 'email'],
  ['no name', { name: ' ' }, 'name'],
  ['a short password', { password: 'short' }, 'password'],
  ['the email for a password', { password: 'ADA@example.com' }, 'password'],
])('%s', async (_name, more, field) => {
  await expect(create(more)).rejects.toMatchObject({
    code: 'request_invalid',
    details: { field },
  });
});

test('one is made, once, of two who try at the same time', async () => {
  const tried = await Promise.allSettled([create(), create({ email: 'grace@example.com' })]);
  const [made] = tried.filter((each) => each.status === 'fulfilled');
  const [refused] = tried.filter((each) => each.status === 'rejected');
  expect(refused!.reason).toMatchObject({
    code: 'conflict',
    message: 'the organization has an owner already',
  });
  const { email, userId, orgId } = made!.value;
  expect(orgId).toBe(control.orgId);
  const { status, body } = await logIn(email);
  expect(status).toBe(200);
  expect(body).toMatchObject({ user: { id: userId, role: 'owner' }, org: { id: orgId } });
  const keys = `/v1/environments/${control.envId}/api-keys`;
  expect((await control.request('GET', keys, { as: body.token })).status).toBe(200);
  const { rows } = await control.store.query(
    'SELECT action, actor, source, org_id FROM hatidata.iam_audit WHERE target = $1 ORDER BY sequence',
    [userId],
  );
  const by = { actor: 'hati admin', source: 'command line', org_id: orgId };
  expect(rows).toEqual([
    { action: 'user.created', ...by },
    { action: 'user.joined', ...by },
  ]);
});

test('a user who is there already becomes it, with a new password', async () => {
  await withoutOwner();
  const { email, token, userId } = await control.signIn('analyst');
  const made = await create({ email: email.toUpperCase() });
  expect(made).toEqual({ userId, email, orgId: control.orgId });
  expect((await control.request('GET', '/v1/auth/me', { as: token })).status).toBe(401);
  expect((await logIn(email)).body.user.role).toBe('owner');
});
