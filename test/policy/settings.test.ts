import { beforeAll, describe, expect, test } from 'vitest';
import { judgeSetting } from '../../src/policy/settings.ts';
import { loadParser } from '../../src/sql/parse.ts';
import { authorities, refusal, sentBy } from './judge.ts';

beforeAll(loadParser);

/** What clients send before anybody asked them anything; both scopes must be able to work with them. */
const everybody: readonly (readonly [client: string, text: string])[] = [
  ['JDBC', 'SET extra_float_digits = 3'],
  ['JDBC', "SET application_name = 'PostgreSQL JDBC Driver'"],
  ['JDBC', 'SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY'],
  ['JDBC', 'SHOW TRANSACTION ISOLATION LEVEL'],
  ['npgsql', 'SELECT version()'],
  ['npgsql', 'DISCARD ALL'],
  [
    'npgsql',
    'CLOSE ALL; UNLISTEN *; SELECT pg_advisory_unlock_all(); DISCARD SEQUENCES; DISCARD TEMP',
  ],
  ['asyncpg', "SELECT current_setting('jit') AS cur, set_config('jit', 'off', false) AS new"],
  ['asyncpg', 'SELECT pg_advisory_unlock_all(); CLOSE ALL; UNLISTEN *; RESET ALL;'],
  ['psycopg', 'BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY'],
  ['psycopg', 'SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ'],
  ['SQLAlchemy', 'SELECT pg_catalog.version()'],
  ['SQLAlchemy', 'SELECT current_schema()'],
  ['SQLAlchemy', 'SHOW standard_conforming_strings'],
  ['Rails', "SET client_min_messages TO 'warning'"],
  ['Rails', 'SET standard_conforming_strings = on'],
  ['Rails', 'SET intervalstyle = iso_8601'],
  ['Rails', "SET SESSION timezone TO 'UTC'"],
  ['Rails', 'SHOW max_identifier_length'],
  ['Rails', 'SET search_path TO "public", extensions'],
  ['Django', "SELECT set_config('TimeZone', 'UTC', false)"],
  ['Django', "SET TIME ZONE 'Europe/Berlin'"],
  ['psql', "SET client_encoding TO 'UTF8'"],
  ['psql', "SET NAMES 'utf-8'"],
  ['node-postgres', "SET client_encoding TO 'UTF8'"],
  ['node-postgres', 'SET datestyle TO "ISO, MDY"'],
  ['BI', "SET search_path = 'public'"],
  ['MCP', "SET search_path = 'branch_x,main'"],
  [
    'PostgREST',
    `SELECT set_config('search_path', '"api", "public"', true), set_config('request.jwt.claims', '{}', true)`,
  ],
  ['Hasura', "SET my.app = 'x'"],
  ['pgbouncer clients', 'RESET ALL'],
  ['dump readers', "SELECT pg_catalog.set_config('search_path', '', false)"],
];

/** What pg_dump 15–18, pg_restore and migration tools send beside those. */
const admins: readonly (readonly [client: string, text: string])[] = [
  ['pg_dump', 'SET DATESTYLE = ISO'],
  ['pg_dump', 'SET INTERVALSTYLE = POSTGRES'],
  ['pg_dump', 'SET extra_float_digits TO 3'],
  ['pg_dump', 'SET synchronize_seqscans TO off'],
  ['pg_dump', 'SET statement_timeout = 0'],
  ['pg_dump', 'SET lock_timeout = 0'],
  ['pg_dump', 'SET idle_in_transaction_session_timeout = 0'],
  ['pg_dump', 'SET transaction_timeout = 0'],
  ['pg_dump', 'SET quote_all_identifiers = true'],
  ['pg_dump', 'SET row_security = off'],
  [
    'pg_dump',
    "SELECT set_config(name, 'view, foreign-table', false) FROM pg_settings WHERE name = 'restrict_nonsystem_relation_kind'",
  ],
  ['pg_dump', 'SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY'],
  ['pg_dump', 'LOCK TABLE public.t, ONLY public.u IN ACCESS SHARE MODE'],
  ['pg_restore', 'SET check_function_bodies = false'],
  ['pg_restore', 'SET xmloption = content'],
  ['pg_restore', 'SET client_min_messages = warning'],
  ['pg_restore', "SET default_tablespace = ''"],
  ['pg_restore', 'SET default_table_access_method = heap'],
  ['pg_restore', 'SET default_with_oids = false'],
  ['pg_restore', "SELECT pg_catalog.setval('public.s', 1, true)"],
  [
    'pg_restore',
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql SET search_path TO 'pg_catalog', 'pg_temp' AS 'SELECT 1'",
  ],
  ['pg_restore', "ALTER DATABASE d SET work_mem TO '64MB'"],
  ['JDBC', 'SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE'],
  ['migrations', "SET lock_timeout TO '5s'"],
  ['migrations', "SET maintenance_work_mem = '2GB'"],
  ['migrations', "SELECT set_config('app.tenant', $1, true)"],
];

describe('client set-up', () => {
  test.each(everybody)('%s: %s', (_client, text) => {
    expect(refusal('readonly', text)).toBeUndefined();
    expect(refusal('admin', text)).toBeUndefined();
  });

  test.each(admins)('admin, %s: %s', (_client, text) => {
    expect(refusal('admin', text)).toBeUndefined();
  });
});

describe('nobody sets', () => {
  test.each([
    'SET client_encoding = LATIN1', // A21
    "SET NAMES 'GBK'",
    "SELECT set_config('client_encoding', 'SQL_ASCII', false)",
    "SELECT set_config('Client_Encoding', $1, false)",
    'SET standard_conforming_strings = off', // A22
    "SELECT pg_catalog.set_config('standard_conforming_strings', 'off', false)",
    'ALTER DATABASE d SET standard_conforming_strings = off',
    'SET session_replication_role = replica', // C14
    "SELECT set_config('session_replication_role', 'replica', true)",
    "SELECT set_config('role', 'postgres', false)", // C08
    "SELECT set_config('session_authorization', 'postgres', false)",
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql SET role = postgres AS 'SELECT 1'",
    "SELECT set_config('default_' || 'transaction_read_only', 'off', false)", // C03
    'SELECT set_config($1, $2, false)',
    "SELECT set_config(setting_name => 'role', new_value => 'x', is_local => false)",
    "SELECT set_config(VARIADIC ARRAY['role', 'x', 'f'])",
    "SELECT set_config(name, 'x', false) FROM pg_settings",
    "SELECT set_config(name, 'x', false) FROM pg_settings WHERE name = 'role'",
    ...[
      // Any other shape than pg_dump's: each of these may see another name than the constant.
      "with pg_settings as (select current_setting('x.y') as name from generate_series(1,2)) select * from (select set_config(name,'off', set_config('x.y','default_transaction_read_only',false) is null) from pg_settings where name='x.z') q",
      "WITH pg_settings AS (SELECT 'x' AS name) SELECT set_config(name, 'off', false) FROM pg_settings WHERE name = 'work_mem'",
      "SELECT * FROM (SELECT set_config(name, 'off', false) FROM pg_settings WHERE name = 'work_mem') q",
      "SELECT set_config(name, 'off', false) FROM pg_settings WHERE name = 'work_mem' UNION SELECT 'x'",
      "SELECT 1 WHERE (SELECT set_config(name, 'off', false) FROM pg_settings WHERE name = 'work_mem') = ''",
      "SELECT set_config(name, 'off', set_config('a.b', 'c', false) IS NULL) FROM pg_settings WHERE name = 'work_mem'",
      "SELECT set_config(name, current_setting('a.b'), false) FROM pg_settings WHERE name = 'role'",
      "SELECT set_config(name, 'off', $1) FROM pg_settings WHERE name = 'work_mem'",
      "SELECT set_config(name, 'off', false) FROM pg_settings WHERE name = 'x.y'",
      "SELECT set_config(name, 'off', false) FROM pg_settings p WHERE name = 'work_mem'",
      "SELECT set_config(name, 'off', false) FROM pg_settings WHERE name = 'work_mem' ORDER BY 1",
      "SELECT set_config(name, 'off', false) FROM pg_settings WHERE name = 'work_mem' GROUP BY name",
      "SELECT set_config(name, 'off', false), 1 FROM pg_settings WHERE name = 'work_mem'",
      "SELECT set_config(name, 'off', false) FILTER (WHERE true) FROM pg_settings WHERE name = 'work_mem'",
      "SELECT set_config(name, 'off', false) FROM pg_settings WHERE name OPERATOR(public.=) 'work_mem'",
      "SELECT set_config(name, 'off', false) FROM pg_settings WHERE name = 'work' || '_mem'",
      "SELECT set_config(pg_settings.name, 'off', false) FROM pg_settings WHERE name = 'work_mem'",
      "EXPLAIN ANALYZE SELECT set_config(name, 'off', false) FROM pg_settings WHERE name = 'work_mem'",
    ],
    "SELECT set_config('role', 'none', false)",
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql SET role = none AS 'SELECT 1'",
    "SELECT set_config(name, 'x', false) FROM pg_settings WHERE name = 'work_mem' OR true",
    "SELECT set_config(name, 'x', false) FROM pg_temp.pg_settings WHERE name = 'work_mem'",
    "UPDATE pg_settings SET setting = 'off' WHERE name = 'row_security'", // C07
    "SELECT set_config('hatidata.agent_id', 'other', false)", // F12
    "ALTER DATABASE d SET hatidata.agent_id = 'other'",
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql SET hatidata.agent_id = 'x' AS 'SELECT 1'",
    "ALTER FUNCTION f() SET hatidata_scope = 'admin'",
    "SET local_preload_libraries = 'x'",
    'SET allow_system_table_mods = on',
    "WITH x AS (SELECT set_config('role', 'a', false)) SELECT * FROM x", // B29
    "SELECT 1 LIMIT (SELECT set_config('role', 'a', false)::int)",
  ])('%s', (text) => {
    expect(refusal('readonly', text)).toMatch(/^Permission denied|^client_encoding must be UTF8/);
    expect(refusal('admin', text)).toMatch(/^Permission denied|^client_encoding must be UTF8/);
  });
});

describe('readonly does not set, admin does', () => {
  test.each([
    'SET default_transaction_read_only = off', // C01
    "SELECT set_config('default_transaction_read_only', 'off', false)", // C02
    'BEGIN; SET LOCAL transaction_read_only = off', // C05
    "SELECT set_config('transaction_read_only', 'off', true)", // C06
    "SELECT set_config('transaction_read_only', 'of', true)",
    'SET search_path = pg_temp, public', // C09
    "SELECT set_config('search_path', 'evil, pg_catalog', false)",
    'SET search_path = evil, "pg_catalog"',
    "SET SCHEMA 'pg_temp'",
    'SET statement_timeout = 0', // C15
    "SELECT set_config('statement_timeout', '0', false)",
    "SET statement_timeout = '2d'",
    'SET LOCAL statement_timeout = 3600001',
    "SET idle_session_timeout = '25h'",
    "SET restrict_nonsystem_relation_kind = ''",
    'SET restrict_nonsystem_relation_kind = view, "foreign-table", x',
    "SELECT set_config(name, '', false) FROM pg_settings WHERE name = 'restrict_nonsystem_relation_kind'",
    "SELECT set_config(name, 'view', false) FROM pg_settings WHERE name = 'default_transaction_read_only'",
    "SELECT set_config(name, '0', false) FROM pg_settings WHERE name = 'statement_timeout'",
    'SET statement_timeout = 1e9',
    "SET work_mem = '2GB'",
    'SET work_mem = 2000000',
    "SET temp_file_limit = '1TB'",
    'SET client_min_messages = debug5', // C19
    "SET log_statement = 'none'",
    'SET debug_print_plan = on',
    "SET log_min_duration_statement = '0'",
    'SET default_tablespace = x',
    "SELECT set_config('work_mem', (SELECT ssn FROM t), false)", // E18
    "SELECT set_config('application_name', (SELECT ssn FROM t), false)", // E26
    "SELECT set_config('my.v', $1, false)", // E28
    'SET something_new = 1',
  ])('%s', (text) => {
    expect(refusal('readonly', text)).toMatch(/^Permission denied: setting /);
    expect(refusal('admin', text)).toBeUndefined();
  });

  test.each([
    'SET default_transaction_read_only = on',
    'SET transaction_read_only TO true',
    'RESET default_transaction_read_only',
    'SET default_transaction_read_only TO DEFAULT',
    "SET statement_timeout = '30s'",
    'SET statement_timeout = 1000',
    "SET LOCAL work_mem = '64MB'",
    'SET enable_seqscan = off',
    'SET search_path = pg_catalog',
    'SET search_path = pg_catalog, public',
    "SELECT set_config('search_path', 'pg_catalog, public', false)",
    'SET lock_timeout = 0',
    'SET row_security = off', // C13
    'SET restrict_nonsystem_relation_kind TO view, "foreign-table"',
    'RESET restrict_nonsystem_relation_kind',
    "SELECT set_config(name, 'view, foreign-table', false) FROM pg_settings WHERE name = 'restrict_nonsystem_relation_kind'",
  ])('but may: %s', (text) => {
    expect(refusal('readonly', text)).toBeUndefined();
  });
});

describe('a time limit of none is the longest one', () => {
  test.each([
    ['SET statement_timeout = 0', "SET statement_timeout = '1h'"],
    ["set session STATEMENT_TIMEOUT to '0'", "set session STATEMENT_TIMEOUT to '1h'"],
    // No session begins with these.
    ["SET LOCAL transaction_timeout = '0 ms'", 'SET LOCAL transaction_timeout = DEFAULT'],
    ['SET idle_session_timeout = 0.0;', 'SET idle_session_timeout = DEFAULT;'],
    [
      "/* é */ SET idle_in_transaction_session_timeout = 0; SELECT '0'",
      "/* é */ SET idle_in_transaction_session_timeout = '1h'; SELECT '0'",
    ],
    ['SET U&"statement_time\\006fut" = 0', `SET U&"statement_time\\006fut" = '1h'`],
  ])('%s', (text, sent) => {
    expect(sentBy(text)).toBe(sent);
    expect(refusal('readonly', sent)).toBeUndefined();
  });

  // Spelt in another way, or no statement of its own.
  test.each([
    "SET statement_timeout = E'0'",
    'SET statement_timeout = -0',
    "SELECT set_config('statement_timeout', '0', false)",
    "ALTER ROLE x SET statement_timeout = '0'",
    'SET work_mem = 0',
    'SET statement_timeout = 10',
    'SET statement_timeout TO DEFAULT',
    'SET statement_timeout = 0, 0',
  ])('%s stays as it is', (text) => expect(sentBy(text)).toBe(text));

  // Two literals are one string.
  test.each(["SET statement_timeout = '0'\n'0'", "SET statement_timeout = '0'\n'5h'"])(
    '%j',
    (text) => expect(refusal('readonly', sentBy(text))).toContain('statement_timeout'),
  );
});

describe('startup parameters go by the same table', () => {
  const judge = (scope: 'readonly' | 'admin', name: string, value: string): string | undefined =>
    judgeSetting(authorities[scope], {
      operation: 'set',
      name,
      values: [value],
      local: false,
      target: 'session',
    })?.code;

  test.each([
    ['readonly', 'search_path', 'evil', undefined],
    ['readonly', 'search_path', 'pg_temp', 'setting_value_not_allowed'], // A31
    ['readonly', 'row_security', 'off', undefined],
    ['readonly', 'statement_timeout', '0', 'setting_value_not_allowed'], // A30
    ['readonly', 'restrict_nonsystem_relation_kind', 'view', undefined],
    ['readonly', 'default_transaction_read_only', 'off', 'setting_value_not_allowed'],
    ['admin', 'role', 'hi', 'setting_not_allowed'],
    ['admin', 'session_replication_role', 'replica', 'setting_not_allowed'],
    ['admin', 'client_encoding', 'GBK', 'client_encoding_fixed'],
    ['readonly', 'client_encoding', 'UTF8', undefined],
    ['readonly', 'client_encoding', "'utf-8'", undefined],
    ['admin', 'client_encoding', 'UTF8\u00e9', 'client_encoding_fixed'],
    ['readonly', 'datestyle', 'ISO', undefined],
    ['readonly', 'timezone', 'UTC', undefined],
    ['admin', 'geqo', 'off', undefined],
  ] as const)('%s %s=%s', (scope, name, value, code) => {
    expect(judge(scope, name, value)).toBe(code);
  });
});

describe('reading', () => {
  test.each([
    'SHOW server_version',
    'SHOW search_path',
    'SHOW "TimeZone"',
    'SHOW transaction_read_only',
    "SELECT current_setting('server_version_num')::int",
    "SELECT current_setting('app.tenant', true)",
    "SELECT setting FROM pg_catalog.pg_settings WHERE name = 'max_index_keys'",
    "SELECT setting FROM pg_settings s WHERE s.name IN ('work_mem', 'shared_buffers') AND vartype = 'integer'",
    "SELECT set_config('bytea_output', 'hex', false) FROM pg_show_all_settings() WHERE name = 'bytea_output'",
  ])('a readonly key may: %s', (text) => expect(refusal('readonly', text)).toBeUndefined());

  test.each([
    'SHOW ALL',
    'SHOW archive_command',
    'SHOW restore_command',
    'SHOW ssl_key_file',
    'SHOW shared_preload_libraries',
    'SHOW jit_provider',
    "SELECT current_setting('primary_conninfo')",
    "SELECT current_setting('archive_' || 'command')",
    'SELECT * FROM pg_settings',
    'TABLE pg_settings',
    'COPY pg_settings TO STDOUT',
    "SELECT setting FROM pg_settings WHERE name = 'work_mem' OR true",
    "SELECT current_setting(s.name) FROM (SELECT * FROM pg_settings WHERE name = 'work_mem') s (x, name)",
    'SELECT current_setting(s.name) FROM pg_settings s',
    "SELECT setting FROM pg_settings WHERE name IN ('work_mem', 'archive_command')",
    "SELECT b.setting FROM pg_settings a, pg_settings b WHERE a.name = 'work_mem'",
    "SELECT (SELECT string_agg(setting, '') FROM pg_settings) FROM pg_settings WHERE name = 'work_mem'",
    'SELECT * FROM pg_show_all_settings()',
    "SELECT ('archive_command'::text).current_setting",
    "SELECT n FROM pg_settings AS s (n, setting, unit, category, name) WHERE name = 'a.b'",
    "SELECT s.* FROM (SELECT 'work_mem'::text AS name) x, LATERAL (SELECT setting FROM pg_settings p WHERE x.name = 'work_mem') s",
  ])('a readonly key may not: %s', (text) => {
    expect(refusal('readonly', text)).toMatch(/readonly scope cannot read setting/);
    expect(refusal('admin', text)).toBeUndefined();
  });

  test.each(['plpgsql.variable_conflict', 'auto_explain.log_min_duration', 'pgaudit.log'])(
    'SET %s is the module’s, not the application’s',
    (name) => expect(refusal('readonly', `SET ${name} = 'x'`)).toContain(name),
  );
  test.each(['pg_trgm.similarity_threshold = 0.2', 'hnsw.ef_search = 100', "app.tenant = 'x'"])(
    'SET %s is allowed',
    (text) => expect(refusal('readonly', `SET ${text}`)).toBeUndefined(),
  );
  test('but not without end', () =>
    expect(refusal('readonly', 'SET hnsw.ef_search = 100000')).toContain('hnsw.ef_search'));
});

describe('options of foreign servers', () => {
  test.each([
    'SELECT srvname, oid FROM pg_foreign_server',
    'SELECT srvname, usename FROM pg_catalog.pg_user_mappings',
    'SELECT * FROM (SELECT fdwname, NULL::text AS fdwoptions FROM pg_foreign_data_wrapper) f WHERE f.fdwname = $1',
  ])('a readonly key may: %s', (text) => expect(refusal('readonly', text)).toBeUndefined());

  test.each([
    'SELECT srvoptions FROM pg_foreign_server',
    'SELECT s.srvoptions FROM pg_foreign_server s',
    'SELECT * FROM pg_foreign_server',
    'SELECT s FROM pg_foreign_server s',
    'SELECT to_json(pg_foreign_server) FROM pg_foreign_server',
    'SELECT g FROM pg_foreign_server AS s (a, b, c, d, e, f, g, h)',
    'SELECT s.to_jsonb FROM pg_foreign_server s',
    'SELECT srvname AS to_jsonb, pg_foreign_server FROM pg_foreign_server',
    'SELECT oid FROM pg_foreign_server GROUP BY oid, srvoptions',
    'TABLE pg_foreign_server',
    'COPY pg_foreign_server TO STDOUT',
    'SELECT * FROM information_schema.foreign_server_options',
    'SELECT umoptions FROM pg_user_mappings',
    'SELECT to_json(m) FROM pg_user_mappings m',
    'COPY pg_user_mappings TO STDOUT',
    'LOCK pg_user_mappings IN ACCESS SHARE MODE',
    'SELECT subconninfo FROM pg_subscription',
    'TABLE pg_subscription',
    'SELECT fdwoptions FROM pg_foreign_data_wrapper',
  ])('a readonly key may not: %s', (text) =>
    expect(refusal('readonly', text)).toContain('readonly scope cannot read'),
  );

  // pg_dump's own; nothing lets it leave them out.
  test.each([
    "SELECT tableoid, oid, srvname, srvacl, array_to_string(ARRAY(SELECT option_name FROM pg_options_to_table(srvoptions)), E',\\n    ') AS srvoptions FROM pg_foreign_server",
    "SELECT usename, array_to_string(ARRAY(SELECT quote_ident(option_name) || ' ' || quote_literal(option_value) FROM pg_options_to_table(umoptions) ORDER BY option_name), E',\\n    ') AS umoptions FROM pg_user_mappings WHERE srvid = '16588' ORDER BY usename",
    'SELECT count(*) FROM pg_subscription WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())',
  ])('without them passes: %s', (text) => {
    expect(sentBy(text)).toMatch(/NULL::pg_catalog\.text(\[\])? AS \w+ FROM pg_catalog\./);
    expect(refusal('readonly', sentBy(text))).toBeUndefined();
  });
});
