import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestControlPlane, type TestControlPlane } from '../fixtures/control-plane.ts';
import { personWith } from './api-cli.ts';

/** `hati envs`, and `hati keys` of environments, against a real server. */

let plane: TestControlPlane;
let owner: Awaited<ReturnType<typeof personWith>>;

beforeAll(async () => {
  plane = await startTestControlPlane();
  owner = await personWith(plane);
});
afterAll(async () => {
  owner.remove();
  await plane.stop();
});

describe('envs', () => {
  test('create waits until there can be keys in it', async () => {
    expect(await owner.out('keys', 'list')).toMatch(/^key_id/);
    const args = ['--slug', 'staging', '--query-timeout-ms', '60000', '--kind', 'staging'];
    expect(await owner.json('envs', 'create', 'Staging', ...args)).toMatchObject({
      slug: 'staging',
      status: 'active',
      settings: { query_timeout_ms: 60_000, max_concurrent_queries: 0 },
    });
  });

  test('list, show, update', async () => {
    expect(await owner.out('envs', 'list')).toMatch(
      /^env_\w+ \| staging +\| Staging +\| staging +\| active \| embedded$/m,
    );
    expect(await owner.json('envs', 'list')).toHaveLength(2);
    expect(await owner.out('envs', 'show', 'production')).toMatch(/^kind +production$/m);
    const update = [
      'envs',
      'update',
      'staging',
      '--name',
      'Stage',
      '--max-concurrent-queries',
      '7',
    ];
    expect(await owner.json(...update)).toMatchObject({
      name: 'Stage',
      settings: { query_timeout_ms: 60_000, max_concurrent_queries: 7 },
    });
  });

  test('promote: what it would change, then the change, then nothing more', async () => {
    const promote = ['envs', 'promote', 'staging', 'production'];
    const dry = await owner.run([...promote, '--dry-run']);
    expect(dry.stdout).toMatch(/^settings\.query_timeout_ms +\| +0 \| 60000$/m);
    expect(dry.stderr).toBe('Nothing was changed in production.\n');
    expect(await owner.json('envs', 'show', 'production')).toMatchObject({
      settings: { query_timeout_ms: 0 },
    });
    expect((await owner.json(...promote)).differences).toHaveLength(2);
    expect(await owner.json('envs', 'show', plane.envId)).toMatchObject({
      settings: { query_timeout_ms: 60_000, max_concurrent_queries: 7 },
    });
    expect(await owner.out(...promote)).toBe('production has the settings of staging already.');
  });

  test('archive', async () => {
    await owner.out('envs', 'create', 'Old', '--slug', 'old');
    expect(await owner.fault('envs', 'archive', 'old')).toMatch(/^2 hati: .*say --yes to do it\.$/);
    expect(await owner.out('envs', 'archive', 'old', '--yes')).toBe(
      'The environment old is archived.',
    );
    expect(await owner.out('envs', 'list', '--status', 'archived')).toMatch(/\| old /);
    expect(await owner.fault('envs', 'show', 'old')).toMatch(
      /^1 hati: There is no environment "old" that you may see; there is production, staging\.$/,
    );
  });

  test.each([
    [
      ['create', 'X', '--slug', 'staging'],
      /^1 hati: the organization has an environment "staging"/,
    ],
    [
      ['create', 'X', '--slug', 'x1', '--query-timeout-ms', '5'],
      /^2 hati: settings\.query_timeout/,
    ],
    [['create', 'X', '--slug', 'x1', '--query-timeout-ms', '1.5'], /^2 error: .*whole number/],
    [
      ['create', 'X', '--slug', 'x1', '--engine-reader', 'postgres://x'],
      /^2 hati: --engine-reader/,
    ],
    [['show', 'env_zzzzzzzzzzzz'], /^1 hati: there is no such environment$/],
    [['list', '--status', 'gone'], /^2 error: .*Allowed choices are provisioning/],
  ])('refused: %j', async (args, said) => {
    expect(await owner.fault('envs', ...args)).toMatch(said);
  });
});

describe('keys', () => {
  const inStaging = ['--env', 'staging'];
  const inEither = /^2 hati: Name an environment of .* with --env\. It has: production, staging\.$/;

  test('create: the secret alone on standard output, and it connects', async () => {
    const flags = ['--ip', '127.0.0.0/8', '--expires-in-days', '90', '--table', 'main.orders'];
    const { stdout, stderr } = await owner.run([
      ...['keys', 'create', 'loader', '--scope', 'query:*,schema:read', ...flags, ...inStaging],
    ]);
    expect(stdout).toMatch(/^hd_test_\w{32}\n$/);
    expect(stderr).toMatch(/^The key loader is key_\w+\.\nKeep this key now;/);
    const client = await plane.proxy.client(stdout.trim());
    expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    expect((await owner.json('keys', 'list', ...inStaging))[0]).toMatchObject({
      name: 'loader',
      ip_allowlist: ['127.0.0.0/8'],
      limits: { tables: ['main.orders'] },
      expires_at: expect.any(String),
    });
  });

  test('a bundle stands for its scopes', async () => {
    const create = ['keys', 'create', 'reader', '--scope', 'readonly', '--rotate-every-days', '30'];
    expect(await owner.json(...create, ...inStaging)).toMatchObject({
      scopes: ['query:read', 'schema:read'],
      rotate_every_days: 30,
      key: expect.stringMatching(/^hd_test_/),
    });
    expect(await owner.out('keys', 'list', ...inStaging)).toMatch(
      /^key_\w+ \| reader \| hd_test_\w{4} \| query:read, schema:read +\| active \| - +\| -$/m,
    );
  });

  test('rotate: the old secret goes on for a while; revoke: it does not', async () => {
    const { key: old } = await owner.json(
      ...['keys', 'create', 'worker', '--scope', 'query:read', ...inStaging],
    );
    const { stdout, stderr } = await owner.run(
      ['keys', 'rotate', 'worker', '--grace', '1', ...inStaging], //
    );
    expect(stdout).toMatch(/^hd_test_\w{32}\n$/);
    expect(stderr).toMatch(/^The old secret ends at 20\S+Z\.\n/);
    await plane.proxy.client(old);
    await plane.proxy.client(stdout.trim());
    expect(await owner.fault('keys', 'revoke', 'worker', ...inStaging)).toMatch(
      /^2 hati: Revoking the key worker cannot be undone; say --yes to do it\.$/,
    );
    expect(await owner.out('keys', 'revoke', 'worker', '--yes', ...inStaging)).toBe(
      'The key worker is revoked.',
    );
    await expect(plane.proxy.client(stdout.trim())).rejects.toThrow(/key/i);
  });

  test('by id, and in the only environment without a name', async () => {
    const [first] = await owner.json('keys', 'list', ...inStaging);
    expect(await owner.json('keys', 'revoke', first.key_id, '--yes', ...inStaging)).toMatchObject({
      key_id: first.key_id,
      revoked: true,
    });
    expect(await owner.fault('keys', 'list')).toMatch(inEither);
    expect(await owner.fault('keys', 'create', 'x', '--scope', 'admin')).toMatch(inEither);
  });

  test.each([
    [['create', 'loader', '--scope', 'query:read', ...inStaging], /^1 hati: .*loader/],
    [['create', 'y', '--scope', 'query:fly', ...inStaging], /^2 error: .*--scope/],
    [['create', 'y', '--scope', 'query:read', '--ip', 'home', ...inStaging], /^2 hati: ip_allowl/],
    [['rotate', 'nobody', ...inStaging], /^1 hati: There is no key "nobody" in this environment/],
    [['rotate', 'key_zzzzzzzzzzzz', ...inStaging], /^1 hati: there is no such API key$/],
    [['rotate', 'loader', '--grace', '169', ...inStaging], /^2 hati: grace_period_hours: /],
    [['list', '--env', 'nowhere'], /^1 hati: There is no environment "nowhere" that you may see/],
  ])('refused: %j', async (args, said) => {
    expect(await owner.fault('keys', ...args)).toMatch(said);
  });
});
