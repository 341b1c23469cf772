/** Who may read `_hatidata_status`, and what of other clients it must not show or be taken in by. */
import { describe, expect, test } from 'vitest';
import { codeOf, until } from '../pool/small-pool.ts';
import { clientNamed, Operator } from './operator.ts';

const operator = new Operator();

describe('who may', () => {
  const forms = [
    'SELECT * FROM _hatidata_status.clients',
    'TABLE _hatidata_status.statements',
    'SELECT count(*) FROM pg_class, _hatidata_status.pools',
    'SELECT (SELECT count(*) FROM _hatidata_status.servers)',
    'SELECT 1 WHERE EXISTS (SELECT FROM "_hatidata_status".clients)',
    'WITH c AS (SELECT * FROM _hatidata_status.clients) SELECT * FROM c',
    'EXPLAIN SELECT * FROM _hatidata_status.clients',
    'EXPLAIN ANALYZE SELECT * FROM _hatidata_status.clients',
    'COPY (SELECT * FROM _hatidata_status.clients) TO STDOUT',
    'COPY _hatidata_status.clients TO STDOUT',
    'PREPARE p AS SELECT * FROM _hatidata_status.clients',
    'DECLARE c CURSOR FOR SELECT * FROM _hatidata_status.clients',
    'CREATE TEMP VIEW v AS SELECT * FROM _hatidata_status.clients',
    'CREATE FUNCTION f() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM _hatidata_status.clients; END',
    'SELECT 1; SELECT * FROM _hatidata_status.clients',
    "SELECT current_setting('_hatidata_status.clients') FROM _hatidata_status.pools",
  ];

  test.each([
    ['readonly', undefined],
    ['key:read,query:read', undefined],
    ['query:*,schema:*,key:*', { schemas: ['main'] }],
  ])('a key that may not do anything is refused in every form: %s %o', async (scope, limits) => {
    const one = await operator.client(
      'limited',
      await operator.key(`limited ${scope}`, scope, limits),
    );
    for (const text of forms) {
      expect([text, await codeOf(one.query(text))]).toEqual([text, '42501']);
      const extended = codeOf(one.query({ name: 'extended', text, values: [] }));
      expect([text, await extended]).toEqual([text, '42501']);
    }
    // Hidden in a string, it names nothing that there is.
    expect(
      await codeOf(
        one.query("SELECT query_to_xml('TABLE _hatidata_status.clients', true, true, '')"),
      ),
    ).toBe('42501');
    await one.end();
  });

  test('an admin key may; beside it, nothing that does something', async () => {
    const one = await operator.client('unlimited', await operator.key('unlimited', 'admin'));
    expect((await one.query('TABLE _hatidata_status.pools')).rows).toHaveLength(2);
    for (const text of [
      'SELECT * FROM _hatidata_status.clients, t',
      'EXPLAIN SELECT * FROM _hatidata_status.clients',
      'COPY (SELECT * FROM _hatidata_status.clients) TO STDOUT',
      'CREATE VIEW v AS SELECT * FROM _hatidata_status.clients',
      'CREATE SCHEMA _hatidata_status',
      'SELECT pg_sleep(1) FROM _hatidata_status.clients',
      "SELECT set_config('_hatidata_status.clients', '[]', false) FROM _hatidata_status.clients",
      'TABLE _hatidata_status.clients; SELECT 1',
    ])
      expect([text, await codeOf(one.query(text))]).toEqual([text, '0A000']);
    expect(await codeOf(one.query('TABLE _hatidata_status.nothing'))).toBe('42P01');
    // A mistake in such a statement leaves the session as it was.
    expect(await codeOf(one.query('SELECT nothing FROM _hatidata_status.clients'))).toBe('42703');
    expect((await one.query('TABLE _hatidata_status.pools')).rows).toHaveLength(2);
    await one.end();
  });

  test('what one reader was given, the next does not find', async () => {
    await operator.rows('TABLE _hatidata_status.clients');
    const one = await operator.client(
      'peeping',
      await operator.key('peeping', 'key:read,query:read'),
    );
    const peek =
      "SELECT current_setting('_hatidata_status.clients', true) AS s FROM _hatidata_keys.active_keys";
    expect(await codeOf(one.query(peek))).toMatch(/^(42501|0A000)$/);
    await one.end();
  });
});

describe('what clients say', () => {
  const names = [
    `'; DROP SCHEMA hatidata CASCADE; --`,
    `$1 $json$ ]}' \\' \\u0000 "quoted"`,
    `'||(select 1)||'`,
  ];

  test.each(names)('is data, in a name of an application: %s', async (name) => {
    const one = await operator.client(name);
    expect(await operator.row(clientNamed, [name])).toMatchObject({
      application_name: name,
      state: 'idle',
    });
    await one.query(`SET application_name = '${`${name}!`.replaceAll("'", "''")}'`);
    await until(async () => (await operator.rows(clientNamed, [`${name}!`])).length === 1);
    await one.end();
  });

  test.each(names)('is data, in a name of an agent: %s', async (name) => {
    const one = await operator.client('agents', await operator.key(name, 'readonly'));
    await one.query('BEGIN');
    expect(
      await operator.row('SELECT * FROM _hatidata_status.clients WHERE agent = $1', [name]),
    ).toMatchObject({
      application_name: 'agents',
    });
    expect(
      await operator.row('SELECT * FROM _hatidata_status.servers WHERE agent = $1', [name]),
    ).toMatchObject({
      state: 'in_use',
    });
    await one.end();
    expect(await operator.rows('SELECT count(*) FROM _hatidata_keys.active_keys')).toHaveLength(1);
  });

  test('a key in a name of an application is not shown', async () => {
    const secret = await operator.key('forgetful', 'readonly');
    const one = await operator.client(`x ${secret}`, secret);
    const shown = JSON.stringify(await operator.rows('TABLE _hatidata_status.clients'));
    expect(shown).toContain('x hd_');
    expect(shown).not.toContain(secret.slice(-12));
    await one.end();
  });
});

describe('statements', () => {
  const shapes = 'SELECT * FROM _hatidata_status.statements WHERE statement LIKE $1';

  test('texts that differ in constants are one, and count together', async () => {
    for (const id of [1, 2, 3])
      await operator.admin.query(`SELECT name FROM t WHERE id = ${id} AND name <> 'n${id}'`);
    for (const id of [1, 2, 3])
      await operator.admin.query(`SELECT name FROM t WHERE id = ${id} AND name <> E'n${id}'`);
    await operator.admin.query({
      name: 'named',
      text: 'SELECT name FROM t WHERE id = $1',
      values: [1],
    });
    await operator.admin.query({
      name: 'named',
      text: 'SELECT name FROM t WHERE id = $1',
      values: [2],
    });
    expect(
      await operator.row(shapes, ['SELECT name FROM t WHERE id = ? AND name <> ?']),
    ).toMatchObject({
      fingerprint: expect.stringMatching(/^[0-9a-f]{16}$/),
      class: 'read',
      runs: '6',
      // One for the three that are known by their form.
      texts: 4,
    });
    expect(await operator.row(shapes, ['SELECT name FROM t WHERE id = $1'])).toMatchObject({
      runs: '2',
      texts: 1,
    });
  });

  test.each([
    `SELECT 'secret-4711'`,
    `SELECT E'secret\\x2d4711', U&'secret-4711', $a$secret-4711$a$, B'1', X'4711'`,
    `SELECT 4711, -4711, 4711.5, 4711e3, 0x1267 /* secret-4711 */ -- secret-4711`,
    `SELECT * FROM t WHERE name = "secret-4711"`,
    `SELECT U&"secret-4711" FROM t`,
    `INSERT INTO t VALUES (4711, 'secret-4711'), (4711, 'secret-4711')`,
    `DO $$ BEGIN PERFORM 'secret-4711'; END $$`,
    `SET TimeZone = secret_4711`,
    `SET my.own TO secret_4711`,
    `CREATE FUNCTION f() RETURNS int LANGUAGE sql SET my.own TO Secret_4711 AS 'SELECT 1'`,
    `CREATE FUNCTION g() RETURNS int LANGUAGE sql SET my.own TO "Secret_4711" AS 'SELECT 1'`,
    `PREPARE secret AS SELECT 'secret-4711'; DEALLOCATE secret`,
    `SELECT 'secret-'
       '4711'`,
    `SELECT interval '4711' day, date '4711-01-01', '{"secret-4711": 1}'::json`,
    `NOTIFY news, 'secret-4711'`,
    `COMMENT ON TABLE t IS 'secret-4711'`,
  ])('no constant of anybody is shown: %s', async (text) => {
    await operator.admin.query(text).catch(() => undefined);
    const shown = JSON.stringify(
      await operator.rows('SELECT statement FROM _hatidata_status.statements'),
    );
    expect(shown.length).toBeGreaterThan(10);
    expect(shown).not.toMatch(/4711|1267/);
  });
});
