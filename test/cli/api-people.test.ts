import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestControlPlane, type TestControlPlane } from '../fixtures/control-plane.ts';
import { type Person, personWith } from './api-cli.ts';

/** `hati orgs` and `hati users` against a real server. */

let plane: TestControlPlane;
let owner: Awaited<ReturnType<typeof personWith>>;
let analyst: Person;

beforeAll(async () => {
  plane = await startTestControlPlane();
  owner = await personWith(plane);
  analyst = await personWith(plane, 'analyst');
});
afterAll(async () => {
  owner.remove();
  analyst.remove();
  await plane.stop();
});

describe('orgs', () => {
  test('from the first to the last', async () => {
    const args = ['--slug', 'acme', '--billing-email', 'pay@acme.example', '--region', 'eu-west-1'];
    const created = await owner.json('orgs', 'create', 'Acme', ...args, '--enforce-sso', 'off');
    expect(created).toMatchObject({ slug: 'acme', tier: 'free', cloud_region: 'eu-west-1' });
    expect(await owner.out('orgs', 'list')).toMatch(/^org_\w+ +\| acme +\| Acme +\| free/m);
    expect(await owner.json('orgs', 'list')).toHaveLength(2);
    expect(await owner.out('orgs', 'show', 'acme')).toMatch(/^settings.enforce_sso +false$/m);
    expect(await owner.out('orgs', 'show', created.org_id)).toMatch(/^name +Acme$/m);
    expect(await owner.json('orgs', 'show')).toMatchObject({ org_id: plane.orgId });
    expect(await owner.json('orgs', 'update', 'acme', '--name', 'Acme 2')).toMatchObject({
      name: 'Acme 2',
      billing_email: 'pay@acme.example',
      quotas: expect.anything(),
    });
    expect(await owner.out('orgs', 'delete', 'acme', '--yes')).toBe(
      'The organization acme is deleted.',
    );
    expect(await owner.json('orgs', 'list')).toHaveLength(1);
  });

  test('give it to another owner', async () => {
    await owner.out('orgs', 'create', 'T', '--slug', 'gift', '--billing-email', 'b@example.com');
    const { org_id } = await owner.json('orgs', 'show', 'gift');
    const heir = await plane.signIn('admin', org_id);
    const transfer = ['orgs', 'transfer', heir.email.toUpperCase(), '--org', 'gift'];
    expect(await owner.fault(...transfer)).toBe(
      `2 hati: Giving the organization to ${transfer[2]} cannot be undone; say --yes to do it.`,
    );
    expect(await owner.json(...transfer, '--yes')).toMatchObject({
      org_id,
      owner: heir.userId,
      previous_owner: owner.who.userId,
    });
  });

  test.each([
    [['create', 'A', '--slug', 'a b', '--billing-email', 'a@b.co'], /^2 hati: slug: must be lower/],
    [['create', 'A', '--billing-email', 'a@b.co'], /^2 error: required option '--slug/],
    [
      ['create', 'A', '--slug', 'my-organization', '--billing-email', 'a@b.co'],
      /^1 hati: there is an organization with the slug "my-organization" already$/,
    ],
    [['update', '--mfa-required', 'maybe'], /^2 error: .*Allowed choices are on, off/],
    [['update', '--mfa-required', 'on'], /^1 hati: Permission denied: who asks everybody/],
    [['show', 'nowhere'], /^1 hati: There is no organization "nowhere" that you may see/],
    [['show', 'org_zzzzzzzzzzzz'], /^1 hati: there is no such organization$/],
    [['delete', 'my-organization'], /^2 hati: Deleting .* cannot be undone; say --yes to do it\.$/],
    [['delete', 'my-organization', '--yes'], /^1 hati: /],
    [['transfer', 'nobody@example.com', '--yes'], /^1 hati: There is no user nobody@example\.com/],
  ])('refused: %j', async (args, said) => {
    expect(await owner.fault('orgs', ...args)).toMatch(said);
  });

  test('another’s organization answers as one that is not there', async () => {
    const args = ['--slug', 'private', '--billing-email', 'b@example.com'];
    const { org_id } = await owner.json('orgs', 'create', 'Private', ...args);
    expect(await analyst.fault('orgs', 'show', org_id)).toBe(
      '1 hati: there is no such organization',
    );
    expect(await analyst.fault('orgs', 'show', 'private')).toMatch(/There is no organization/);
    expect(await analyst.fault('envs', 'list', '--org', org_id)).toBe(
      '1 hati: there is no such organization',
    );
    expect(await analyst.fault('orgs', 'update', '--name', 'Mine')).toMatch(
      /^1 hati: Permission denied: this needs organization:update/,
    );
  });
});

describe('users', () => {
  const ada = 'ada@acme.example';

  test('invite: the link alone on standard output, where no mail is sent', async () => {
    const { stdout, stderr } = await owner.run(
      ['users', 'invite', ada, '--role', 'developer', '--name', 'Ada'], //
    );
    expect(stdout).toMatch(/^https:\/\/\S+#inv_\S{43}\n$/);
    expect(stderr).toMatch(
      /^ada@acme\.example is invited until 20\S+Z\. This server sends no mails/,
    );
    const again = await owner.json('users', 'resend', ada);
    expect(again).toMatchObject({ email: ada, status: 'invited', mail: 'off' });
    expect(again.invitation_link).not.toBe(stdout.trim());
  });

  test('list, show', async () => {
    expect(await owner.out('users', 'list', '--status', 'invited')).toMatch(
      /^usr_\w+ \| ada@acme\.example \| Ada +\| developer \| invited \| -$/m,
    );
    const all = await owner.json('users', 'list');
    expect(all.map((each: { role: string }) => each.role)).toEqual([
      'owner',
      'analyst',
      'developer',
    ]);
    expect(await owner.json('users', 'list', '--role', 'auditor')).toEqual([]);
    expect(await owner.out('users', 'show', ada)).toMatch(/^status +invited$/m);
  });

  test('role, suspend, resume, remove', async () => {
    const { email, userId } = await plane.signIn('developer');
    expect(await owner.out('users', 'role', email, 'auditor')).toBe(`${email} is auditor now.`);
    expect(await owner.json('users', 'role', userId, 'analyst')).toMatchObject({ role: 'analyst' });
    expect(await owner.out('users', 'suspend', email)).toBe(`${email} is suspended.`);
    expect(await owner.out('users', 'resume', email)).toBe(`${email} is active again.`);
    expect(await owner.fault('users', 'remove', email)).toMatch(/^2 hati: Removing .*say --yes/);
    expect(await owner.json('users', 'remove', email, '--yes')).toMatchObject({
      user_id: userId,
      removed: true,
    });
    expect(await owner.fault('users', 'show', email)).toBe(
      `1 hati: There is no user ${email} in the organization.`,
    );
  });

  test('every page of a list', async () => {
    await plane.store.query(
      `WITH added AS (
         INSERT INTO hatidata.users (user_id, email, name, created_at)
           SELECT 'usr_many' || n, 'many' || n || '@example.com', 'M', now() FROM generate_series(1, 450) n RETURNING user_id)
       INSERT INTO hatidata.memberships (org_id, user_id, role, status, created_at)
         SELECT $1, user_id, 'service_account', 'active', now() FROM added`,
      [plane.orgId],
    );
    const all = await owner.json('users', 'list', '--role', 'service_account');
    expect(new Set(all.map((each: { user_id: string }) => each.user_id)).size).toBe(450);
    expect(await owner.json('users', 'show', 'MANY450@example.com')).toMatchObject({ name: 'M' });
  });

  test.each([
    [['invite', ada, '--role', 'developer'], /already, or invited\n {2}`hati users resend` sends/],
    [['invite', 'x@example.com', '--role', 'king'], /^2 error: .*Allowed choices are owner, admin/],
    [['invite', 'no address', '--role', 'admin'], /^2 hati: email: /],
    [['invite', 'x@example.com', '--role', 'owner'], /`hati orgs transfer` is for its owner/],
    [['show', 'usr_zzzzzzzzzzzz'], /^1 hati: there is no such user$/],
  ])('refused: %j', async (args, said) => {
    expect(await owner.fault('users', ...args)).toMatch(said);
  });

  test('are not for an analyst', async () => {
    expect(await analyst.fault('users', 'list')).toBe(
      '1 hati: Permission denied: this needs user:read, which the role analyst does not have\n  docs/roles.md shows who has it.',
    );
  });
});
