import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { builtinFunctions } from '../../src/policy/builtin-functions.ts';
import { functionFamilies } from '../../src/policy/function-families.ts';
import { loadParser } from '../../src/sql/parse.ts';
import { refusal, sentBy } from './judge.ts';

beforeAll(loadParser);

/** Section D of the catalogue, by family. */
const refused: readonly (readonly [string, string])[] = [
  [
    'D01',
    'pg_read_file pg_read_binary_file pg_ls_dir pg_ls_waldir pg_ls_logdir pg_ls_tmpdir pg_ls_archive_statusdir',
  ],
  [
    'D01',
    'pg_stat_file pg_current_logfile pg_file_write pg_file_unlink pg_file_rename lo_import lo_export',
  ],
  [
    'D02',
    'query_to_xml query_to_xmlschema query_to_xml_and_xmlschema table_to_xml table_to_xmlschema schema_to_xml',
  ],
  [
    'D02',
    'database_to_xml cursor_to_xml ts_stat ts_rewrite crosstab crosstab_hash connectby xpath_table cron.schedule',
  ],
  [
    'D03',
    'dblink dblink_exec dblink_connect dblink_connect_u dblink_send_query dblink_get_connections',
  ],
  [
    'D04',
    'pg_terminate_backend pg_cancel_backend pg_log_backend_memory_contexts pg_reload_conf pg_rotate_logfile',
  ],
  ['D05', 'pg_advisory_lock pg_advisory_lock_shared pg_advisory_xact_lock pg_try_advisory_lock'],
  ['D05', 'pg_try_advisory_xact_lock_shared pg_promote'],
  ['D06', 'pg_notify'],
  ['D07', 'nextval setval currval lastval'],
  [
    'D08',
    'lo_create lo_creat lo_unlink lo_from_bytea lo_put lowrite lo_truncate lo_open lo_get loread',
  ],
  [
    'D09',
    'pg_restore_relation_stats pg_restore_attribute_stats pg_clear_relation_stats pg_clear_attribute_stats',
  ],
  ['D10', 'pg_stat_reset pg_stat_statements_reset pg_stat_reset_shared pg_stat_reset_slru'],
  [
    'D11',
    'pg_logical_emit_message pg_switch_wal pg_create_restore_point pg_create_physical_replication_slot',
  ],
  [
    'D11',
    'pg_create_logical_replication_slot pg_drop_replication_slot pg_logical_slot_get_changes',
  ],
  [
    'D11',
    'pg_logical_slot_peek_changes pg_replication_slot_advance pg_backup_start pg_backup_stop pg_wal_replay_pause',
  ],
  ['D12', 'txid_current pg_current_xact_id txid_status pg_xact_status'],
  ['D13', 'pg_sleep pg_sleep_for pg_sleep_until'],
  [
    'D14',
    'pg_import_system_collations brin_summarize_new_values brin_desummarize_range gin_clean_pending_list',
  ],
  [
    'D14',
    'pg_prewarm pg_extension_config_dump heap_force_kill pg_truncate_visibility_map pgstattuple',
  ],
  ['D15', 'get_raw_page heap_page_items pg_buffercache_pages pgrowlocks pg_get_wal_records_info'],
  ['D18', 'pg_stat_get_activity pg_stat_get_backend_activity'],
  [
    'D20',
    'f_sd public.lower my_schema.now pg_temp.f setseed pg_export_snapshot binary_upgrade_set_next_pg_type_oid',
  ],
  [
    'D21',
    'aws_lambda.invoke aws_s3.query_export_to_s3 http_get net.http_post plpython3_call_handler st_fromgdalraster',
  ],
];

describe('a readonly key calls none of', () => {
  const names = refused.flatMap(([id, list]) =>
    list.split(' ').map((name): [string, string] => [id, name]),
  );

  test.each(names)('%s %s', (_id, name) => {
    for (const text of [
      `SELECT ${name}()`,
      `SELECT * FROM ${name}('x', $1)`,
      `SELECT 1 FROM t WHERE ${name}(a) IS NULL`,
      `EXPLAIN SELECT ${name}(1)`,
    ]) {
      expect(refusal('readonly', text)).toMatch(/^Permission denied: .*\bfunction /);
    }
  });

  test.each([
    ['SELECT 1 OPERATOR(public.+) 2'],
    ['SELECT 1 === 2'],
    ['SELECT * FROM t ORDER BY a USING OPERATOR(public.<)'],
    ['SELECT * FROM t TABLESAMPLE my_method (1)'],
    ['SELECT ((SELECT 0.01::float8)).pg_sleep'],
  ])('%s', (text) => {
    expect(refusal('readonly', text)).toMatch(/^Permission denied/);
  });
});

describe('not even an admin key calls', () => {
  test.each([
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT pg_catalog.lo_export(1, '/tmp/x')",
    "SELECT ('/'::text).pg_ls_dir",
    'SELECT pg_reload_conf()',
    "SELECT pg_logical_slot_peek_changes('s', NULL, NULL)",
  ])('%s', (text) => {
    expect(refusal('admin', text)).toMatch(
      /^Permission denied: function \w+ is not available through HatiData$/,
    );
  });

  test.each([
    'SELECT nextval($1)',
    'SELECT pg_sleep(1)',
    'SELECT my.f()',
    "SELECT pg_notify('a', 'b')",
    'SELECT lo_create(0)',
  ])('but may: %s', (text) => expect(refusal('admin', text)).toBeUndefined());
});

describe('the generated list', () => {
  test('is that of a whole server', () => {
    expect(builtinFunctions.size).toBeGreaterThan(1500);
    for (const name of [
      'lower',
      'count',
      'now',
      'row_number',
      'jsonb_agg',
      'uuid',
      'pg_table_size',
      'strftime',
    ]) {
      expect(builtinFunctions).toContain(name);
    }
  });

  test.each(functionFamilies.map((family) => [family.reason, family.names] as const))(
    'has nothing that %s',
    (_reason, names) => {
      expect([...builtinFunctions].filter((name) => names.test(name))).toEqual([]);
    },
  );

  test.each([
    'nextval',
    'pg_sleep',
    'query_to_xml',
    'pg_ls_dir',
    'lo_get',
    'pg_stat_file',
    'dblink',
    'ts_stat',
  ])('has no %s', (name) => expect(builtinFunctions.has(name)).toBe(false));
});

describe('relations that a readonly key does not read', () => {
  test.each([
    ...['pg_authid', 'pg_catalog.pg_shadow', 'pg_user_mapping'],
    ...[
      'information_schema.user_mapping_options',
      'pg_hba_file_rules',
      'pg_file_settings',
      'pg_ident_file_mappings',
    ],
    ...[
      'pg_largeobject',
      'pg_statistic',
      'pg_statistic_ext_data',
      'pg_stat_activity',
      'public.pg_stat_statements',
    ],
    ...['pg_toast.pg_toast_1234'],
  ])('%s', (relation) => {
    const message = `Permission denied: readonly scope cannot read ${relation}`;
    expect(refusal('readonly', `SELECT * FROM ${relation}`)).toBe(message);
    expect(refusal('readonly', `SELECT (SELECT count(*) FROM t JOIN ${relation} x ON true)`)).toBe(
      message,
    );
    expect(refusal('readonly', `COPY ${relation} TO STDOUT`)).toBe(message);
    expect(refusal('readonly', `WITH a AS (TABLE ${relation}) TABLE a`)).toBe(message);
    expect(refusal('admin', `SELECT * FROM ${relation}`)).toBeUndefined();
  });

  test('a CTE of that name does not hide one', () => {
    const text = 'SELECT * FROM (WITH pg_authid AS (SELECT 1) TABLE pg_authid) a, pg_authid';
    expect(refusal('readonly', text)).toBe(
      'Permission denied: readonly scope cannot read pg_authid',
    );
    expect(refusal('readonly', 'WITH pg_authid AS (SELECT 1) TABLE pg_authid')).toBeUndefined();
  });
});

describe("psql's own queries pass for a readonly key", () => {
  // What `psql -E` printed for each command, psql 15 against PostgreSQL 18.
  const fixture = readFileSync(new URL('./fixtures/psql-queries.sql', import.meta.url), 'utf8');
  const queries: [string, string][] = [];
  for (const block of fixture.split(/^--/m)) {
    const end = block.indexOf('\n');
    const command = block.slice(0, end).trim() || queries.at(-1)?.[0] || '';
    if (block.slice(end).trim() !== '') queries.push([command, block.slice(end)]);
  }

  test('all of them were read', () => {
    expect(queries.length).toBeGreaterThan(100);
    expect(new Set(queries.map(([command]) => command)).size).toBeGreaterThan(40);
  });

  test.each(queries)('%s', (_command, query) => {
    expect(refusal('readonly', sentBy(query))).toBeUndefined();
  });
});
