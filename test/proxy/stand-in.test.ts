/** System views of which a readonly key sees a part, as tools read them. */
import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestProxy, type TestProxy } from '../fixtures/proxy.ts';

let proxy: TestProxy;
let admin: pg.Client;
let reader: pg.Client;

beforeAll(async () => {
  proxy = await startTestProxy();
  admin = await proxy.client();
  reader = await proxy.client(
    (await admin.query("SELECT create_api_key('r', 'readonly')")).rows[0].api_key,
  );
});
afterAll(() => proxy.stop());

const hidden = [
  'archive_command',
  'restore_command',
  'ssl_key_file',
  'log_directory',
  'jit_provider',
];

test.each<[string, unknown[]]>([
  ['SELECT name FROM pg_settings', []],
  ['SELECT * FROM pg_catalog.pg_settings s WHERE s.name = $1 OR true', ['work_mem']],
  [`SELECT "name" FROM "pg_catalog" . "pg_settings" WHERE pg_settings.name <> ''`, []],
  ['WITH s AS (SELECT * FROM PG_SETTINGS) SELECT name FROM s /* pg_settings */', []],
  ["SELECT 'é', a.name FROM pg_settings a JOIN pg_settings b USING (name)", []],
])('%s shows readable settings alone', async (text, values) => {
  const names = (await reader.query(text, values)).rows.map((row) => row.name);
  expect(names).toContain('work_mem');
  expect(names).toContain('server_version');
  expect(names.length).toBeGreaterThan(100);
  expect(names.filter((name) => hidden.includes(name))).toEqual([]);
});

test('an admin key sees them all', async () => {
  const names = (await admin.query('SELECT name FROM pg_settings')).rows.map((row) => row.name);
  expect(names).toEqual(expect.arrayContaining(hidden.slice(0, 3)));
});

test('what can be no sub-select is refused as before', async () => {
  for (const text of [
    'TABLE pg_settings',
    'COPY pg_settings TO STDOUT',
    'SELECT * FROM ONLY pg_settings',
  ])
    await expect(reader.query(text)).rejects.toMatchObject({ code: '42501' });
});

test('pgAdmin asks whether its session is encrypted by GSSAPI', async () => {
  const text =
    'SELECT gss_authenticated, encrypted FROM pg_catalog.pg_stat_gssapi WHERE pid = pg_backend_pid()';
  expect((await reader.query(text)).rows).toEqual([{ gss_authenticated: false, encrypted: false }]);
});

test('psql lists settings (\\dconfig)', async () => {
  const text = `SELECT s.name AS "Parameter", pg_catalog.current_setting(s.name) AS "Value"
    FROM pg_catalog.pg_settings s WHERE pg_catalog.lower(s.name) OPERATOR(pg_catalog.~) '^(work_mem|archive_command)$'`;
  expect((await reader.query(text)).rows).toEqual([{ Parameter: 'work_mem', Value: '4MB' }]);
});

test('DBeaver asks for a setting by parameter', async () => {
  const text = 'select * from pg_catalog.pg_settings where name=$1';
  const { rows } = await reader.query({
    name: 'setting',
    text,
    values: ['standard_conforming_strings'],
  });
  expect(rows).toMatchObject([{ setting: 'on' }]);
  expect((await reader.query({ name: 'setting', text, values: ['archive_command'] })).rows).toEqual(
    [],
  );
});

test('catalogues with passwords are read without them', async () => {
  await admin.query(`CREATE EXTENSION IF NOT EXISTS postgres_fdw`).catch(() => undefined);
  for (const [text, shown] of [
    ['SELECT srvname, srvoptions FROM pg_foreign_server', undefined],
    ['SELECT s.* FROM pg_catalog.pg_foreign_server s', undefined],
    ['SELECT s.to_jsonb FROM pg_foreign_server s', undefined],
    ['SELECT count(*)::int AS n FROM pg_subscription WHERE subdbid = 1', [{ n: 0 }]],
    ["SELECT subconninfo FROM pg_subscription WHERE subname = ''", []],
  ] as const) {
    const { rows } = await reader.query(text);
    expect(JSON.stringify(rows)).not.toContain('password');
    if (shown !== undefined) expect(rows).toEqual(shown);
  }
  await expect(reader.query('TABLE pg_foreign_server')).rejects.toMatchObject({ code: '42501' });
});

test('a setting that a parameter names is judged by its value (SQLAlchemy)', async () => {
  const text = 'SELECT current_setting($1::VARCHAR) AS value, $2::int AS n';
  const read = (name: string): Promise<pg.QueryResult> =>
    reader.query({ name: 'by-name', text, values: [name, 1] });
  expect((await read('default_table_access_method')).rows).toEqual([{ value: 'heap', n: 1 }]);
  await expect(read('archive_command')).rejects.toMatchObject({ code: '42501' });
  await expect(read('ARCHIVE_command')).rejects.toMatchObject({ code: '42501' });
  expect((await read('work_mem')).rows).toEqual([{ value: '4MB', n: 1 }]);
  await expect(
    reader.query('PREPARE p (text) AS SELECT current_setting($1)'),
  ).rejects.toMatchObject({ code: '42501' });
  expect(
    (await reader.query('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()')).rows,
  ).toEqual([{ ssl: null }]);
});
