/** Environments over REST, and what their keys meet on the wire. */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import {
  reasonOf,
  startTestControlPlane,
  statusesOf,
  type SignedIn,
  type TestControlPlane,
} from '../fixtures/control-plane.ts';
import { loginUrl } from '../fixtures/proxy.ts';

let plane: TestControlPlane;
let owner: SignedIn;

beforeAll(async () => {
  plane = await startTestControlPlane();
  owner = await plane.signIn('owner');
});
afterAll(() => plane.stop());

const list = (): string => `/v1/organizations/${plane.orgId}/environments`;

async function make(slug: string, more: object = {}): Promise<string> {
  const body = { name: slug, slug, ...more };
  const made = await plane.request('POST', list(), { as: owner.token, body });
  expect(made).toMatchObject({ status: 201 });
  const { env_id: envId } = made.body;
  await vi.waitFor(
    async () => expect(await read(envId)).toMatchObject({ status: 'active' }),
    20_000,
  );
  return envId;
}

async function read(envId: string): Promise<unknown> {
  return (await plane.request('GET', `/v1/environments/${envId}`, { as: owner.token })).body;
}

async function keyFor(envId: string, name: string, scopes: string[]): Promise<string> {
  const { status, body } = await plane.request('POST', `/v1/environments/${envId}/api-keys`, {
    as: owner.token,
    body: { name, scopes },
  });
  expect(status).toBe(201);
  return body.key;
}

const everything = ['query:*', 'schema:*', 'policy:*', 'environment:*'];

describe('an environment of its own', () => {
  test('is made, listed, and shown as the contract has it', async () => {
    const body = { name: 'Staging', slug: 'staging', settings: { query_timeout_ms: 60_000 } };
    const made = await plane.request('POST', list(), { as: owner.token, body });
    expect(made.status).toBe(201);
    expect(made.body).toEqual({
      env_id: expect.stringMatching(/^env_/),
      org_id: plane.orgId,
      name: 'Staging',
      slug: 'staging',
      kind: 'staging',
      status: 'provisioning',
      engine: 'embedded',
      connection: { host: '127.0.0.1', port: plane.proxy.port, database: 'hatidata' },
      settings: {
        query_timeout_ms: 60_000,
        max_concurrent_queries: 0,
        cache_enabled: false,
        fast_lane: true,
      },
      created_at: expect.stringMatching(/Z$/),
      updated_at: expect.stringMatching(/Z$/),
    });
    const { body: all } = await plane.request('GET', list(), { as: owner.token });
    expect(all.data.map((each: { slug: string }) => each.slug)).toEqual(['production', 'staging']);
    expect(all.pagination).toEqual({ cursor: null, has_more: false, total: 2 });
    const page = await plane.request('GET', `${list()}?limit=1`, { as: owner.token });
    const { cursor } = page.body.pagination;
    const next = await plane.request('GET', `${list()}?limit=1&cursor=${cursor}`, {
      as: owner.token,
    });
    expect([page, next].map((each) => each.body.data[0].slug)).toEqual(['production', 'staging']);
  });

  test('gets no keys before it is ready', async () => {
    const body = { name: 'New', slug: 'new' };
    const made = await plane.request('POST', list(), { as: owner.token, body });
    const key = await plane.request('POST', `/v1/environments/${made.body.env_id}/api-keys`, {
      as: owner.token,
      body: { name: 'early', scopes: ['query:read'] },
    });
    expect(key).toMatchObject({
      status: 409,
      body: { error: { details: { status: 'provisioning' } } },
    });
  });

  test('has a database, roles and keys that no other has', async () => {
    const envId = await make('apart');
    const [here, there] = [
      await keyFor(plane.envId, 'apart', everything),
      await keyFor(envId, 'apart', everything),
    ];
    expect([here.slice(0, 8), there.slice(0, 8)]).toEqual(['hd_live_', 'hd_test_']);
    const [first, other] = [await plane.proxy.client(here), await plane.proxy.client(there)];
    await first.query('CREATE TABLE secret_of_first (x int)');
    await other.query('CREATE TABLE apart (x int)');
    await other.query('INSERT INTO apart VALUES (1)');
    await expect(other.query('TABLE secret_of_first')).rejects.toMatchObject({ code: '42P01' });
    await expect(first.query('TABLE apart')).rejects.toMatchObject({ code: '42P01' });
    const { rows } = await other.query(
      'SELECT current_user AS role, current_database() AS name, hatidata.agent_id() AS agent',
    );
    const name = envId.replace('env_', 'hatidata_env_');
    expect(rows).toEqual([{ role: `${name}_writer`, name, agent: 'apart' }]);
    const reader = await plane.proxy.client(await keyFor(envId, 'reads', ['query:read']));
    expect((await reader.query('TABLE apart')).rows).toEqual([{ x: 1 }]);
    await expect(reader.query('DELETE FROM apart')).rejects.toMatchObject({ code: '42501' });
    await expect(reader.query('TABLE secret_of_first')).rejects.toMatchObject({ code: '42P01' });
  });

  test('shows its keys nothing of the others: statements, sessions, pools, keys', async () => {
    const envId = await make('blind');
    const client = await plane.proxy.client(await keyFor(envId, 'looks', everything));
    const elsewhere = await plane.proxy.client();
    await elsewhere.query(`SELECT 'a secret of the first'`);
    const ask = async (text: string): Promise<unknown> => (await client.query(text)).rows;
    expect(await ask('SELECT agent FROM _hatidata_status.clients')).toEqual([{ agent: 'looks' }]);
    expect(await ask('SELECT pool FROM _hatidata_status.pools')).toEqual([
      { pool: `${envId} reader` },
      { pool: `${envId} writer` },
    ]);
    expect(await ask('SELECT * FROM _hatidata_status.statements')).toEqual([]);
    expect(
      await ask(`SELECT query FROM pg_stat_activity WHERE query LIKE '%a secret of the first%'
                  AND usename NOT LIKE 'hatidata_env_%'`),
    ).toEqual([]);
    const { rows } = await elsewhere.query('SELECT pool FROM _hatidata_status.pools');
    expect(rows.map(({ pool }) => pool)).toEqual(
      expect.arrayContaining(['reader', 'writer', `${envId} reader`]),
    );
  });

  test('cannot touch the database, the roles or the sessions of another', async () => {
    const envId = await make('attacker');
    const client = await plane.proxy.client(await keyFor(envId, 'attacks', everything));
    const victim = await plane.proxy.client();
    const { rows } = await victim.query('SELECT pg_backend_pid() AS pid');
    for (const text of [
      'ALTER DATABASE hatidata CONNECTION LIMIT 0',
      `DO $$ BEGIN EXECUTE 'ALTER DATABASE hatidata SET search_path = pg_temp'; END $$`,
      `DO $$ BEGIN EXECUTE 'ALTER ROLE hatidata_writer SET search_path = pg_temp'; END $$`,
      `DO $$ BEGIN EXECUTE 'SET ROLE hatidata_writer'; END $$`,
      `DO $$ BEGIN PERFORM pg_terminate_backend(${rows[0].pid}); END $$`,
    ])
      await expect(client.query(text), text).rejects.toMatchObject({ code: '42501' });
    expect((await victim.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  });

  test('keeps two that prepare the same text apart', async () => {
    const envId = await make('prepared');
    const clients = [
      await plane.proxy.client(await keyFor(plane.envId, 'prepares', everything)),
      await plane.proxy.client(await keyFor(envId, 'prepares', everything)),
    ];
    for (const [n, client] of clients.entries()) {
      await client.query(`CREATE TABLE same_text (${n === 0 ? 'x int' : 'y text'})`);
      await client.query(`INSERT INTO same_text VALUES (${n === 0 ? '1' : `'two'`})`);
    }
    const ask = { name: 'same', text: 'SELECT * FROM same_text WHERE $1::int > 0', values: [1] };
    for (let round = 0; round < 30; round += 1) {
      const answers = await Promise.all(clients.map((client) => client.query(ask)));
      expect(answers.map(({ rows }) => rows)).toEqual([[{ x: 1 }], [{ y: 'two' }]]);
    }
  });

  test('has settings that hold for sessions that begin later', async () => {
    const envId = await make('timed');
    const key = await keyFor(envId, 'slow', everything);
    const before = await plane.proxy.client(key);
    const path = `/v1/environments/${envId}`;
    const { headers } = await plane.request('GET', path, { as: owner.token });
    const etag = headers.get('etag')!;
    const change = (ifMatch: string) =>
      plane.request('PATCH', path, {
        as: owner.token,
        body: { settings: { query_timeout_ms: 1_000 } },
        headers: { 'if-match': ifMatch },
      });
    const changed = await change(etag);
    expect(changed).toMatchObject({ status: 200, body: { settings: { query_timeout_ms: 1_000 } } });
    expect(await change(etag)).toMatchObject({
      status: 412,
      body: { error: { code: 'PRECONDITION_FAILED' } },
    });
    // The proxy hears of it in a moment.
    await sleep(200);
    const after = await plane.proxy.client(key);
    await expect(after.query('SELECT pg_sleep(6)')).rejects.toMatchObject({ code: '57014' });
    // Whoever was there before goes on as before.
    await before.query('SELECT pg_sleep(2.5)');
  });

  test('is archived: its sessions end at once, its keys are no more, its slug is free', async () => {
    const envId = await make('short-lived');
    const key = await keyFor(envId, 'ends', ['query:read']);
    const client = await plane.proxy.client(key);
    const ended = new Promise((resolve) => client.once('error', resolve));
    const path = `/v1/environments/${envId}`;
    const archive = () => plane.request('DELETE', path, { as: owner.token });
    expect(await archive()).toMatchObject({ status: 200, body: { status: 'archived' } });
    const late = sleep(1_000, 'it lives');
    expect(await Promise.race([ended, late])).toMatchObject({ code: '28P01' });
    await expect(plane.proxy.client(key)).rejects.toMatchObject({ code: '28P01' });
    expect(await archive()).toMatchObject({ status: 200, body: { status: 'archived' } });
    expect(
      await plane.request('PATCH', path, { as: owner.token, body: { name: 'x' } }),
    ).toMatchObject({ status: 409 });
    await make('short-lived');
    const { rows } = await plane.store.query(
      `SELECT action, detail FROM hatidata.iam_audit WHERE env_id = $1 ORDER BY sequence`,
      [envId],
    );
    expect(rows.map(({ action }) => action)).toEqual([
      'environment.created',
      'key.created',
      'environment.archived',
    ]);
    expect(rows[2].detail).toMatchObject({
      before: { status: 'active' },
      after: { status: 'archived' },
      keysRevoked: 1,
    });
  });
});

describe('the first environment', () => {
  const path = (): string => `/v1/environments/${plane.envId}`;

  const change = async (settings: object): Promise<void> => {
    const changed = await plane.request('PATCH', path(), { as: owner.token, body: { settings } });
    expect(changed).toMatchObject({ status: 200, body: { settings } });
    // Proxies hear of it, and begin anew with its engine.
    await sleep(1_000);
  };

  test('has settings too, and loses no session when they change', async () => {
    const key = await keyFor(plane.envId, 'first-timed', everything);
    const before = await plane.proxy.client(key);
    await before.query('BEGIN');
    await change({ query_timeout_ms: 1_000 });
    const after = await plane.proxy.client(key);
    await expect(after.query('SELECT pg_sleep(6)')).rejects.toMatchObject({ code: '57014' });
    await before.query('SELECT pg_sleep(2.5)');
    await before.query('COMMIT');
    await change({ query_timeout_ms: 0 });
    const later = await plane.proxy.client(key);
    await later.query('SELECT pg_sleep(1.5)');
    expect((await before.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  });

  test('has its fast lane switched off', async () => {
    const lanes = async (): Promise<number> => {
      const { port } = plane.proxy.running.metricsAddresses![0]!;
      const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
      return [...text.matchAll(/^hatidata_lane_statements_total\{role="reader"\S* (\d+)$/gm)]
        .map(([, count]) => Number(count))
        .reduce((sum, count) => sum + count, 0);
    };
    const key = await keyFor(plane.envId, 'first-lane', ['query:read']);
    const read = async (): Promise<number> => {
      const counted = await lanes();
      const clients = await Promise.all([1, 2, 3, 4].map(() => plane.proxy.client(key)));
      await Promise.all(
        clients.map(async (client) => {
          for (let n = 0; n < 100; n += 1) await client.query(`SELECT ${n} AS n`);
        }),
      );
      return (await lanes()) - counted;
    };
    expect(await read()).toBeGreaterThan(0);
    await change({ fast_lane: false });
    expect(await read()).toBe(0);
    await change({ fast_lane: true });
    expect(await read()).toBeGreaterThan(0);
  });
});

describe('an engine by its URL', () => {
  test('is looked at before it is taken, and used', async () => {
    const engine = {
      url: loginUrl(plane.proxy.direct('writer')),
      reader_url: loginUrl(plane.proxy.direct('reader')),
    };
    const envId = await make('by-url', { engine });
    expect(JSON.stringify(await read(envId))).not.toContain('postgres://');
    const client = await plane.proxy.client(await keyFor(envId, 'far', ['query:read']));
    const { rows } = await client.query('SELECT current_user AS role');
    expect(rows).toEqual([{ role: 'hatidata_reader' }]);
    const { rows: stored } = await plane.store.query(
      'SELECT engine_url FROM hatidata.environments WHERE env_id = $1',
      [envId],
    );
    expect(String(stored[0].engine_url)).not.toContain('postgres');
    const audit = await plane.store.query(`SELECT detail::text FROM hatidata.iam_audit`);
    expect(JSON.stringify(audit.rows)).not.toContain('postgres://');
  });

  test.each([
    ['a superuser', () => loginUrl(plane.proxy.direct('superuser')), /is a superuser/],
    ['the control store', () => loginUrl(plane.proxy.direct('control')), /control store lies in/],
    ['nobody', () => 'postgres://nobody@127.0.0.1:1/x', /cannot be used with the engine URL/],
  ])('that is of %s is refused', async (_, url, reason) => {
    const body = { name: 'x', slug: 'refused', engine: { url: url() } };
    const answer = await plane.request('POST', list(), { as: owner.token, body });
    expect(answer).toMatchObject({
      status: 400,
      body: { error: { details: { field: 'engine' } } },
    });
    expect(answer.body.error.message).toMatch(reason);
  });
});

describe('promoting', () => {
  test('shows what would change, changes it, and nothing else', async () => {
    const [source, target] = [
      await make('from', { settings: { query_timeout_ms: 5_000, max_concurrent_queries: 7 } }),
      await make('to'),
    ];
    const preview = `/v1/environments/${source}/promotion?target_env_id=${target}`;
    const shown = await plane.request('GET', preview, { as: owner.token });
    const differences = [
      { field: 'settings.query_timeout_ms', source: 5_000, target: 0 },
      { field: 'settings.max_concurrent_queries', source: 7, target: 0 },
    ];
    expect(shown.body).toEqual({ source_env_id: source, target_env_id: target, differences });
    const promote = (headers: Record<string, string> = {}) =>
      plane.request('POST', `/v1/environments/${source}/promote`, {
        as: owner.token,
        body: { target_env_id: target },
        headers,
      });
    expect(await promote({ 'if-match': '"99"' })).toMatchObject({ status: 412 });
    const done = await promote({ 'if-match': shown.headers.get('etag')! });
    expect(done).toMatchObject({ status: 200, body: { differences } });
    expect(await read(target)).toMatchObject({
      name: 'to',
      settings: { query_timeout_ms: 5_000, max_concurrent_queries: 7 },
    });
    expect((await promote()).body.differences).toEqual([]);
  });

  test('does what was shown, or nothing', async () => {
    const source = await make('source-moves', { settings: { query_timeout_ms: 5_000 } });
    const target = await make('target-waits');
    const preview = `/v1/environments/${source}/promotion?target_env_id=${target}`;
    const { differences } = (await plane.request('GET', preview, { as: owner.token })).body;
    const promote = (shown: object) =>
      plane.request('POST', `/v1/environments/${source}/promote`, {
        as: owner.token,
        body: { target_env_id: target, differences: shown },
      });
    await plane.request('PATCH', `/v1/environments/${source}`, {
      as: owner.token,
      body: { settings: { query_timeout_ms: 9_000 } },
    });
    expect(reasonOf(await promote(differences))).toEqual([412, 'version_changed']);
    expect(await read(target)).toMatchObject({ settings: { query_timeout_ms: 0 } });
    const again = (await plane.request('GET', preview, { as: owner.token })).body.differences;
    const both = await Promise.all([promote(again), promote(again)]);
    expect(statusesOf(both)).toEqual([200, 412]);
    expect(await read(target)).toMatchObject({ settings: { query_timeout_ms: 9_000 } });
  });

  test('is not for keys, which are good in one environment', async () => {
    const target = await make('not-by-key');
    const made = await plane.request('POST', `/v1/environments/${plane.envId}/api-keys`, {
      as: owner.token,
      body: { name: 'promoter', scopes: ['environment:*'] },
    });
    const answer = await plane.request('POST', `/v1/environments/${plane.envId}/promote`, {
      as: made.body.key,
      body: { target_env_id: target },
    });
    expect(reasonOf(answer)).toEqual([403, 'not_for_keys']);
  });

  test('goes nowhere else', async () => {
    const source = await make('lonely');
    const promote = (target: string) =>
      plane.request('POST', `/v1/environments/${source}/promote`, {
        as: owner.token,
        body: { target_env_id: target },
      });
    expect(await promote(source)).toMatchObject({ status: 400 });
    expect(await promote('env_unknown')).toMatchObject({ status: 404 });
  });
});

describe('bad input', () => {
  const valid = { name: 'x', slug: 'bad-input' };

  test.each([
    ['no slug', { name: 'x' }, 400, 'slug'],
    ['a slug with capitals', { ...valid, slug: 'Bad' }, 400, 'slug'],
    ['an unknown kind', { ...valid, kind: 'qa' }, 400, 'kind'],
    ['an unknown field', { ...valid, color: 'red' }, 400, 'color'],
    ['an unknown setting', { ...valid, settings: { speed: 1 } }, 400, 'settings.speed'],
    [
      'half a second',
      { ...valid, settings: { query_timeout_ms: 500 } },
      400,
      'settings.query_timeout_ms',
    ],
    ['a cache', { ...valid, settings: { cache_enabled: true } }, 400, 'settings.cache_enabled'],
    ['a URL of something else', { ...valid, engine: { url: 'http://x' } }, 400, 'engine.url'],
    ['a slug that is taken', { ...valid, slug: 'production' }, 409, 'slug'],
  ] as const)('%s', async (_, body, status, field) => {
    const answer = await plane.request('POST', list(), { as: owner.token, body });
    expect(answer).toMatchObject({ status, body: { error: { details: { field } } } });
  });

  test('the first one is not archived', async () => {
    const path = `/v1/environments/${plane.envId}`;
    expect(await plane.request('DELETE', path, { as: owner.token })).toMatchObject({ status: 409 });
  });

  test('two with one slug at once: one of them is made', async () => {
    const body = { name: 'x', slug: 'at-once' };
    const both = await Promise.all(
      [1, 2].map(() => plane.request('POST', list(), { as: owner.token, body })),
    );
    expect(new Set(both.map(({ status }) => status))).toEqual(new Set([201, 409]));
  });

  test('a key sees its own environment only', async () => {
    const envId = await make('not-mine');
    const key = await keyFor(plane.envId, 'near', ['environment:*', 'key:*']);
    for (const path of [`/v1/environments/${envId}`, `/v1/environments/${envId}/api-keys`])
      expect(await plane.request('GET', path, { as: key })).toMatchObject({ status: 404 });
    expect(
      await plane.request('GET', `/v1/environments/${plane.envId}`, { as: key }),
    ).toMatchObject({
      status: 200,
    });
  });
});

test('an environment whose engine is away says so, and is found again', async () => {
  const envId = await make('away');
  const key = await keyFor(envId, 'waits', ['query:read']);
  const database = envId.replace('env_', 'hatidata_env_');
  const control = plane.proxy.direct('superuser');
  const admin = new pg.Client({ ...control, database: 'postgres' });
  await admin.connect();
  await admin.query(`ALTER DATABASE ${database} ALLOW_CONNECTIONS false`);
  await expect(plane.proxy.client(key)).rejects.toMatchObject({ code: '57P03' });
  await admin.query(`ALTER DATABASE ${database} ALLOW_CONNECTIONS true`);
  await admin.end();
  const client = await plane.proxy.client(key);
  expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
});
