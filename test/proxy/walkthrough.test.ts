/** The agent-RBAC walk-through, with `pg` and with `postgres`. */
import pg from 'pg';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestProxy, type TestProxy } from '../fixtures/proxy.ts';

let proxy: TestProxy;
let admin: pg.Client;

beforeAll(async () => {
  proxy = await startTestProxy();
  admin = await proxy.client();
  await admin.query('CREATE TABLE products (id int PRIMARY KEY, name text, price numeric)');
  await admin.query("INSERT INTO products SELECT i, 'p' || i, i FROM generate_series(1, 42) i");
}, 60_000);
afterAll(() => proxy.stop());

async function keyFor(agent: string, scope: string): Promise<string> {
  const { rows } = await admin.query<{ api_key: string }>('SELECT create_api_key($1, $2, $3)', [
    agent,
    scope,
    'made by a test',
  ]);
  return rows[0]!.api_key;
}

describe('agent RBAC walk-through', () => {
  test('as written', async () => {
    const { rows: made } = await admin.query(
      "SELECT create_api_key('analytics-agent', 'readonly', 'Read-only analytics')",
    );
    const readonlyKey: string = made[0].api_key;
    expect(readonlyKey).toMatch(/^hd_ro_[a-z0-9]{32}$/);
    const adminKey = await keyFor('pipeline-agent', 'admin');
    expect(adminKey).toMatch(/^hd_admin_[a-z0-9]{32}$/);

    const analytics = await proxy.client(readonlyKey);
    expect((await analytics.query('SELECT count(*) FROM products')).rows).toEqual([
      { count: '42' },
    ]);
    await expect(
      analytics.query("INSERT INTO products (id, name, price) VALUES (100, 'New', 9.99)"),
    ).rejects.toMatchObject({
      message: 'Permission denied: readonly scope cannot execute INSERT',
      code: '42501',
    });
    await expect(analytics.query('DROP TABLE products')).rejects.toMatchObject({
      message: 'Permission denied: readonly scope cannot execute DDL',
      code: '42501',
    });
    expect((await analytics.query('SELECT 1 AS alive')).rows).toEqual([{ alive: 1 }]);

    const pipeline = await proxy.client(adminKey);
    await pipeline.query("INSERT INTO products (id, name, price) VALUES (100, 'New', 9.99)");
    await pipeline.query('CREATE TABLE scratch (a int); DROP TABLE scratch');

    const { rows: rotated } = await admin.query("SELECT rotate_api_key('analytics-agent')");
    const newKey: string = rotated[0].api_key;
    expect(newKey).not.toBe(readonlyKey);
    await expect(proxy.client(readonlyKey)).rejects.toMatchObject({
      message: 'Authentication failed: invalid API key',
      code: '28P01',
    });
    const again = await proxy.client(newKey);
    expect((await again.query('SELECT count(*)::int AS n FROM products')).rows).toEqual([
      { n: 43 },
    ]);

    const { rows: active } = await admin.query(
      'SELECT agent_id, scope, created_at, last_used_at FROM _hatidata_keys.active_keys ORDER BY created_at DESC, agent_id',
    );
    expect(active.map((row) => [row.agent_id, row.scope])).toEqual(
      expect.arrayContaining([
        ['analytics-agent', 'readonly'],
        ['pipeline-agent', 'admin'],
      ]),
    );
    expect(active).toHaveLength(2);
    expect(
      active.every((row) => row.created_at instanceof Date && row.last_used_at instanceof Date),
    ).toBe(true);
  });

  test('with the postgres driver', async () => {
    const key = await keyFor('postgres-js', 'readonly');
    const sql = postgres({
      host: '127.0.0.1',
      port: proxy.port,
      user: 'agent',
      pass: key,
      database: 'x',
      max: 2,
    });
    try {
      expect(await sql`SELECT count(*)::int AS n FROM products WHERE id <= ${42}`).toEqual([
        { n: 42 },
      ]);
      await expect(sql`DELETE FROM products WHERE id = ${1}`).rejects.toMatchObject({
        message: 'Permission denied: readonly scope cannot execute DELETE',
        code: '42501',
      });
    } finally {
      await sql.end();
    }
  });
});

describe('key functions', () => {
  test.each<[string, string, (string | null)[], string, RegExp]>([
    [
      'a name that is taken',
      'SELECT create_api_key($1, $2, $3)',
      ['taken', 'readonly', ''],
      '42710',
      /already has an active key/,
    ],
    [
      'an unknown scope',
      'SELECT create_api_key($1, $2, $3)',
      ['x', 'root', ''],
      '22023',
      /unknown scope "root"/,
    ],
    ['no name', 'SELECT create_api_key($1, $2, $3)', ['', 'admin', ''], '22023', /agent name/],
    [
      'a NULL name',
      'SELECT create_api_key($1, $2, $3)',
      [null, 'admin', ''],
      '22023',
      /agent name/,
    ],
    [
      'rotating an unknown agent',
      'SELECT rotate_api_key($1)',
      ['nobody'],
      '42704',
      /no active key/,
    ],
    [
      'revoking an unknown agent',
      'SELECT revoke_api_key($1)',
      ['nobody'],
      '42704',
      /no active key/,
    ],
  ])('%s', async (_, text, values, code, message) => {
    if (values[0] === 'taken') await keyFor('taken', 'readonly');
    await expect(admin.query(text, values)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
    expect((await admin.query('SELECT 1 AS alive')).rows).toEqual([{ alive: 1 }]);
  });

  test('are for admins', async () => {
    const reader = await proxy.client(await keyFor('not-admin', 'readonly'));
    for (const text of [
      "SELECT create_api_key('mine', 'admin', '')",
      "SELECT rotate_api_key('not-admin')",
      "SELECT revoke_api_key('not-admin')",
      'SELECT * FROM _hatidata_keys.active_keys',
    ]) {
      await expect(reader.query(text), text).rejects.toMatchObject({ code: '42501' });
      await expect(
        reader.query({ text, values: [], name: text.slice(0, 30) }),
        text,
      ).rejects.toMatchObject({
        code: '42501',
      });
    }
  });

  test('forms: alias, FROM, star, text and binary results', async () => {
    for (const text of [
      "SELECT create_api_key('f1', 'readonly', 'd')",
      "SELECT * FROM create_api_key('f2', 'readonly', 'd')",
      "SELECT api_key FROM create_api_key('f3', 'readonly', 'd')",
    ]) {
      const { rows, fields } = await admin.query(text);
      expect(
        fields.map((field) => field.name),
        text,
      ).toEqual(['api_key']);
      expect(rows[0].api_key).toMatch(/^hd_ro_/);
    }
    const { rows } = await admin.query("SELECT rotate_api_key('f1') AS secret");
    expect(Object.keys(rows[0])).toEqual(['secret']);
    const binary = await admin.query({
      text: 'SELECT rotate_api_key($1)',
      values: ['f2'],
      binary: true,
    } as pg.QueryConfig);
    expect(binary.rows[0].api_key).toMatch(/^hd_ro_/);
    await admin.query("SELECT revoke_api_key('f3')");
    await keyFor('f3', 'admin');
  });

  test('a revoked name can be used again, and active_keys has one row for it', async () => {
    await keyFor('again', 'readonly');
    await admin.query("SELECT revoke_api_key('again')");
    const key = await keyFor('again', 'admin');
    const { rows } = await admin.query(
      "SELECT scope, count(*) OVER () AS n FROM _hatidata_keys.active_keys WHERE agent_id = 'again'",
    );
    expect(rows).toEqual([{ scope: 'admin', n: '1' }]);
    expect((await (await proxy.client(key)).query('SELECT 1 AS x')).rows).toEqual([{ x: 1 }]);
  });
});

describe('_hatidata_keys.active_keys', () => {
  test.each<[string, unknown[]]>([
    [
      'SELECT count(*)::int AS n FROM _hatidata_keys.active_keys WHERE agent_id = $1',
      ['pipeline-agent'],
    ],
    ['SELECT max(length(agent_id)) AS n FROM _hatidata_keys.active_keys k', []],
    [
      `SELECT k.agent_id, c.relname FROM _hatidata_keys.active_keys k
         JOIN pg_catalog.pg_class c ON c.relname = $1 WHERE k.scope = 'admin' ORDER BY 1 LIMIT 1`,
      ['pg_class'],
    ],
    [
      "WITH k AS (SELECT * FROM _hatidata_keys.active_keys) SELECT agent_id FROM k WHERE agent_id LIKE 'pipe%'",
      [],
    ],
  ])('answers %s', async (text, values) => {
    const simple = values.length === 0 ? await admin.query(text) : undefined;
    const extended = await admin.query({ text, values: [...values], name: `k${text.length}` });
    const repeated = await admin.query({ text, values: [...values], name: `k${text.length}` });
    expect(extended.rows.length).toBeGreaterThan(0);
    expect(repeated.rows).toEqual(extended.rows);
    if (simple !== undefined) expect(simple.rows).toEqual(extended.rows);
  });

  test('its mistakes are told in the words of PostgreSQL', async () => {
    await expect(
      admin.query('SELECT nothing FROM _hatidata_keys.active_keys'),
    ).rejects.toMatchObject({
      code: '42703',
    });
    await expect(
      admin.query(
        'SELECT agent_id FROM _hatidata_keys.active_keys WHERE agent_id = $1::int::text',
        ['x'],
      ),
    ).rejects.toMatchObject({ code: '22P02' });
    await expect(admin.query('DELETE FROM _hatidata_keys.active_keys')).rejects.toMatchObject({
      code: '0A000',
    });
    await expect(
      admin.query('SELECT * FROM _hatidata_keys.active_keys JOIN products ON true'),
    ).rejects.toMatchObject({ code: '0A000' });
    expect((await admin.query('SELECT 1 AS alive')).rows).toEqual([{ alive: 1 }]);
  });
});

describe('the record', () => {
  test('every act is there, and no secret is anywhere', async () => {
    const key = await keyFor('recorded', 'readonly');
    await expect(proxy.client(`${key.slice(0, -4)}zzzz`)).rejects.toMatchObject({ code: '28P01' });
    await (await proxy.client(key)).query('SELECT 1');
    await admin.query("SELECT revoke_api_key('recorded')");
    expect(proxy.logged()).not.toContain(key);
    expect(proxy.logged()).not.toContain(key.slice(14));

    const control = new pg.Client(proxy.direct('control'));
    await control.connect();
    try {
      // Logins are written behind the scenes, shortly after.
      const wanted = ['key.created', 'login.refused', 'login.accepted', 'key.revoked'];
      let actions: string[] = [];
      for (
        let tries = 0;
        tries < 50 && !wanted.every((each) => actions.includes(each));
        tries += 1
      ) {
        const { rows } = await control.query(
          "SELECT action FROM hatidata.iam_audit WHERE actor = 'recorded' OR target = 'recorded' OR action = 'login.refused'",
        );
        actions = rows.map((row) => row.action);
        if (tries > 0) await new Promise((resolve) => setTimeout(resolve, 100));
      }
      expect(actions).toEqual(expect.arrayContaining(wanted));
      const everything = await control.query('SELECT a::text FROM hatidata.iam_audit a');
      const keys = await control.query('SELECT k::text FROM hatidata.api_keys k');
      const text = JSON.stringify([everything.rows, keys.rows]);
      expect(text).toContain('recorded');
      expect(text).not.toContain(key.slice(14));
      await expect(control.query('DELETE FROM hatidata.iam_audit')).rejects.toThrow('append-only');
      await expect(control.query('TRUNCATE hatidata.iam_audit')).rejects.toThrow('append-only');
    } finally {
      await control.end();
    }
  });
});
