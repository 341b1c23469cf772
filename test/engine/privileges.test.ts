/** The second lock: what the reader cannot do even when the first one (the classifier) and READ ONLY are both off. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Client, Notification } from 'pg';
import type { EmbeddedServer } from '../../src/engine/embedded/server.ts';
import { connect, patience, run, temporaryProject, type Project } from './project.ts';

vi.setConfig({ testTimeout: patience, hookTimeout: patience });

let project: Project;
let server: EmbeddedServer;
let reader: Client;
let writer: Client;

beforeAll(async () => {
  project = await temporaryProject();
  server = await project.start();
  writer = await connect(server, 'writer');
  await writer.query(`
    CREATE TABLE products (id serial PRIMARY KEY, name text);
    INSERT INTO products (name) VALUES ('lamp'), ('chair');
    CREATE VIEW names AS SELECT name FROM products;
    CREATE SCHEMA team;
    CREATE TABLE team.secrets AS SELECT 1 AS id;
    CREATE PROCEDURE add_one() LANGUAGE sql AS 'INSERT INTO products (name) VALUES (''x'')';
  `);
  reader = await connect(server, 'reader');
  await reader.query('SET default_transaction_read_only = off');
});

afterAll(async () => {
  await reader.end();
  await writer.end();
  await project[Symbol.asyncDispose]();
});

describe('the reader, with read-only switched off', () => {
  test.each([
    "INSERT INTO products (name) VALUES ('x')",
    "UPDATE products SET name = 'x'",
    'DELETE FROM products',
    'MERGE INTO products p USING names n ON p.name = n.name WHEN MATCHED THEN DELETE',
    'WITH gone AS (DELETE FROM products RETURNING *) SELECT * FROM gone',
    'TRUNCATE products',
    'SELECT * FROM products FOR UPDATE',
    'SELECT * INTO copy FROM products',
    'CREATE TABLE mine (id int)',
    'CREATE TABLE public.mine (id int)',
    'CREATE TABLE team.mine (id int)',
    'CREATE TEMP TABLE mine (id int)',
    'CREATE TEMP TABLE mine AS SELECT * FROM products',
    'SELECT * INTO TEMP mine FROM products',
    'CREATE SCHEMA mine',
    'CREATE VIEW mine AS SELECT 1',
    "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    'CREATE EXTENSION hstore',
    'CREATE DATABASE mine',
    'CREATE ROLE mine',
    'ALTER TABLE products ADD COLUMN mine int',
    'DROP TABLE products',
    'DROP SCHEMA main CASCADE',
    'SELECT 1; LOCK TABLE products IN ACCESS EXCLUSIVE MODE',
    'CLUSTER products USING products_pkey',
    'REINDEX TABLE products',
    'DO $$ BEGIN PERFORM 1; END $$',
    'CALL add_one()',
    "SELECT nextval('products_id_seq')",
    "SELECT setval('products_id_seq', 99)",
    'SET ROLE hatidata_writer',
    'SET ROLE pg_read_all_data',
    'SET SESSION AUTHORIZATION hatidata_writer',
    'SET session_replication_role = replica',
    'GRANT hatidata_writer TO hatidata_reader',
    "COPY products TO PROGRAM 'id'",
    "COPY products TO '/tmp/products'",
    'COPY products FROM STDIN',
    'ALTER SYSTEM SET fsync = off',
    'CHECKPOINT',
    "LOAD 'dblink'",
    'SELECT pg_terminate_backend(1)',
    'SELECT pg_cancel_backend(1)',
    'SELECT pg_reload_conf()',
    'SELECT pg_log_backend_memory_contexts(1)',
    'SELECT pg_advisory_lock(1)',
    'SELECT pg_advisory_xact_lock_shared(1)',
    'SELECT pg_try_advisory_lock(1, 2)',
    "SELECT pg_notify('channel', 'x')",
    'SELECT lo_create(0)',
    'SELECT lo_creat(-1)',
    "SELECT lo_from_bytea(0, 'x')",
    'SELECT lo_unlink(1)',
    "SELECT lo_put(1, 0, 'x')",
    'SELECT lo_open(1, 131072)',
    "SELECT lo_import('/etc/passwd')",
    "SELECT lowrite(1, 'x')",
    "SELECT pg_clear_relation_stats('main', 'products')",
    "SELECT pg_restore_relation_stats('schemaname', 'main', 'relname', 'products', 'relpages', 9)",
    "SELECT pg_restore_attribute_stats('schemaname', 'main')",
    'SELECT pg_stat_reset()',
    "SELECT pg_logical_emit_message(false, 'x', 'y')",
    "SELECT pg_create_logical_replication_slot('x', 'test_decoding')",
    'SELECT pg_switch_wal()',
    'SELECT pg_export_snapshot()',
    'SELECT pg_current_xact_id()',
    'SELECT txid_current()',
    "SELECT query_to_xml('select 1', true, true, '')",
    "SELECT table_to_xml('products', true, true, '')",
    "SELECT schema_to_xml('main', true, true, '')",
    "SELECT database_to_xml(true, true, '')",
    "SELECT cursor_to_xml('c', 1, true, true, '')",
    "SELECT * FROM ts_stat('select ''''::tsvector')",
    "SELECT ts_rewrite('a'::tsquery, 'select ''a''::tsquery, ''b''::tsquery')",
    "SELECT brin_summarize_new_values('products')",
    "SELECT gin_clean_pending_list('products_pkey')",
    "SELECT pg_import_system_collations('main')",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT pg_ls_dir('/')",
    'SELECT * FROM pg_authid',
    'SELECT * FROM pg_shadow',
    'SELECT * FROM pg_user_mapping',
    'DROP FUNCTION pg_catalog.strftime(timestamp, text)',
  ])('cannot %s', async (sql) => {
    await expect(reader.query(sql)).rejects.toMatchObject({ code: '42501' });
  });

  test.each([
    ['SELECT name FROM products ORDER BY id', [['lamp'], ['chair']]],
    ['SELECT name FROM main.names ORDER BY 1', [['chair'], ['lamp']]],
    ['SELECT id FROM team.secrets', [[1]]],
    ["SELECT to_regclass('products')::text, current_schema()", [['products', 'main']]],
    ["SELECT count(*)::int FROM information_schema.tables WHERE table_schema = 'main'", [[2]]],
    ["SELECT set_config('application_name', 'x', false)", [['x']]],
    ['SELECT pg_advisory_unlock_all()', [['']]],
    ["SELECT pg_relation_size('products') > 0, pg_is_in_recovery()", [[true, false]]],
  ])('can %s', async (text, expected) => {
    const { rows } = await reader.query<unknown[]>({ text, rowMode: 'array' });
    expect(rows).toEqual(expected);
  });

  test('cannot pass on what it may read', async () => {
    // PostgreSQL answers with a warning, and does nothing.
    await reader.query('GRANT SELECT ON products TO PUBLIC');
    const toPublic = await run(
      server,
      'superuser',
      "SELECT privilege_type FROM pg_class, aclexplode(relacl) WHERE pg_class.oid = 'products'::regclass AND grantee = 0",
    );
    expect(toPublic).toEqual([]);
  });

  test('can read every catalogue and view that the writer can, but for the sessions of others', async () => {
    const relations = await run(
      server,
      'superuser',
      `SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
       WHERE nspname IN ('pg_catalog', 'information_schema') AND relkind IN ('r', 'v') ORDER BY 1`,
    );
    expect(relations.length).toBeGreaterThan(150);
    const closed: string[] = [];
    for (const [name] of relations) {
      const sql = `SELECT * FROM ${String(name)} LIMIT 0`;
      const works = await writer.query(sql).then(
        () => true,
        () => false,
      );
      if (works) await reader.query(sql).catch(() => closed.push(String(name)));
    }
    // They show what other sessions run.
    expect(closed).toEqual([
      'pg_stat_activity',
      'pg_stat_gssapi',
      'pg_stat_replication',
      'pg_stat_ssl',
    ]);
  });
});

test('the reader starts out read-only', async () => {
  expect(await run(server, 'reader', 'SHOW transaction_read_only')).toEqual([['on']]);
});

describe('the writer', () => {
  test.each([
    "INSERT INTO products (name) VALUES ('desk') RETURNING id",
    'CREATE TABLE public.scratch (id int)',
    'CREATE SCHEMA another',
    'CREATE TEMP TABLE scratch (id int)',
    'CREATE EXTENSION hstore',
    "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 1; END'",
    'DO $$ BEGIN PERFORM 1; END $$',
    'SELECT pg_advisory_xact_lock(1)',
    "SELECT pg_notify('channel', 'x')",
    'SELECT lo_unlink(lo_create(0))',
    "SELECT query_to_xml('select 1', true, true, '')",
    "SELECT pg_clear_relation_stats('main', 'products')",
  ])('can %s', async (sql) => {
    await expect(writer.query(sql)).resolves.toBeDefined();
  });

  test.each([
    'ALTER SYSTEM SET fsync = off',
    "COPY products TO PROGRAM 'id'",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT lo_import('/etc/passwd')",
    'SELECT * FROM pg_authid',
    'CREATE ROLE mine',
    'CREATE DATABASE mine',
    'SET ROLE hatidata_superuser',
    'CREATE EXTENSION dblink',
    'CREATE OR REPLACE FUNCTION pg_catalog.strftime(timestamp, text) RETURNS text RETURN 1',
    'DROP DOMAIN pg_catalog.double',
  ])('cannot %s', async (sql) => {
    await expect(writer.query(sql)).rejects.toMatchObject({ code: '42501' });
  });
});

describe('databases', () => {
  test.each([
    ['reader', 'hatidata_control'],
    ['writer', 'hatidata_control'],
    ['control', 'hatidata'],
    ['writer', 'postgres'],
    ['reader', 'template1'],
  ] as const)('the %s cannot connect to %s', async (role, database) => {
    const elsewhere = { ...server, connection: () => ({ ...server.connection(role), database }) };
    await expect(run(elsewhere, role, 'SELECT 1')).rejects.toMatchObject({ code: '42501' });
  });

  test('the control role owns its database, and hears notifications', async () => {
    const control = await connect(server, 'control');
    try {
      await control.query('CREATE TABLE keys (id int)');
      await control.query('CREATE TEMP TABLE scratch (id int)');
      await control.query('LISTEN keys');
      const heard = new Promise<string | undefined>((resolve) => {
        control.once('notification', (message: Notification) => resolve(message.payload));
      });
      await control.query("SELECT pg_notify('keys', 'revoked')");
      expect(await heard).toBe('revoked');
    } finally {
      await control.end();
    }
  });

  test('no role that logs in for clients is more than an ordinary one', async () => {
    const roles = await run(
      server,
      'superuser',
      `SELECT rolname FROM pg_roles WHERE rolcanlogin AND rolname <> 'hatidata_superuser'
         AND NOT (rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls) ORDER BY 1`,
    );
    expect(roles.flat()).toEqual([
      'hatidata_control',
      'hatidata_reader',
      'hatidata_system',
      'hatidata_writer',
    ]);
  });
});
