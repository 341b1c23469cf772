/** Which statements could not tell which agent runs them; see `src/policy/blind.ts`. */
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { Catalogue } from '../../src/policy/catalogue.ts';
import { isBlindly, leavesNothing, sessionUse } from '../../src/policy/session-use.ts';
import { analyse } from '../../src/sql/analyse.ts';
import { loadParser } from '../../src/sql/parse.ts';
import { connect, patience, temporaryProject, type Project } from '../engine/project.ts';
import { catalogueOf } from './read-catalogue.ts';

vi.setConfig({ testTimeout: patience, hookTimeout: patience });

let project: Project;
let catalogue: Catalogue;
/** Names of PostgreSQL's own functions that are not immutable. */
let changing: readonly string[];

beforeAll(async () => {
  await loadParser();
  project = await temporaryProject();
  const server = await project.start();
  const client = await connect(server, 'superuser');
  await client.query(`
    SET search_path = main;
    CREATE TABLE bare (a int, b text);
    CREATE TABLE owned (a int);
    ALTER TABLE owned ENABLE ROW LEVEL SECURITY;
    CREATE TABLE guarded (a int);
    ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
    CREATE POLICY p ON guarded USING (true);
    CREATE TABLE policed (a int);
    CREATE POLICY p ON policed USING (true);
    CREATE TABLE split (a int) PARTITION BY LIST (a);
    CREATE TABLE split_1 PARTITION OF split FOR VALUES IN (1);
    CREATE TABLE spread (a int) PARTITION BY LIST (a);
    CREATE FOREIGN DATA WRAPPER far;
    CREATE SERVER elsewhere FOREIGN DATA WRAPPER far;
    CREATE FOREIGN TABLE remote (a int) SERVER elsewhere;
    CREATE FOREIGN TABLE spread_1 PARTITION OF spread FOR VALUES IN (1) SERVER elsewhere;
    CREATE VIEW plain AS SELECT a, lower(b) AS b FROM bare;
    CREATE VIEW over_plain AS SELECT * FROM plain;
    CREATE VIEW over_owned AS SELECT a FROM owned;
    CREATE VIEW over_over_owned AS SELECT a FROM over_owned;
    CREATE VIEW over_remote AS SELECT a FROM spread;
    CREATE VIEW reads_setting AS SELECT current_setting('hatidata.agent_id') AS agent;
    CREATE VIEW asks AS SELECT hatidata.agent_id() AS agent;
    CREATE VIEW over_asks AS SELECT agent FROM asks;
    CREATE VIEW shows AS SELECT setting FROM pg_settings;
    CREATE MATERIALIZED VIEW stored AS SELECT a FROM bare;
    CREATE TABLE tables (a int);
    CREATE TABLE pg_settings (a int);
    CREATE FUNCTION lower(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1'`);
  const { rows } = await client.query<{ name: string }>(`
    SELECT proname::text AS name FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace
     GROUP BY 1 HAVING NOT bool_and(provolatile = 'i') ORDER BY proname::text COLLATE "C"`);
  changing = rows.map(({ name }) => name);
  await client.end();
  catalogue = await catalogueOf(server, project);
});
afterAll(() => project[Symbol.asyncDispose]());

const useOf = (text: string, searched: readonly string[] = ['main']): unknown => {
  const use = sessionUse(analyse(text), { catalogue, searched: new Set(searched) });
  return { isPlain: leavesNothing(use), isBlind: isBlindly(use) };
};

test.each([
  'SELECT 1',
  'SELECT $1::int',
  'SELECT * FROM bare WHERE a = $1',
  'SELECT count(*), max(b) FROM main.bare GROUP BY a HAVING count(*) > 1 ORDER BY 1 LIMIT 5',
  'WITH x AS (SELECT a FROM bare) SELECT 1 FROM bare',
  "SELECT now(), to_char(now(), 'YYYY'), gen_random_uuid(), current_user, version()",
  "SELECT upper('a') || 'b', jsonb_build_object('a', 1) -> 'a', ARRAY[1] @> ARRAY[1]",
  // Without row security its policies say nothing.
  'SELECT * FROM policed',
  'SELECT * FROM split',
  'SELECT * FROM plain',
  'SELECT * FROM over_plain',
  'SELECT * FROM stored',
])('can not tell: %s', (text) => {
  expect(useOf(text)).toEqual({ isPlain: true, isBlind: true });
});

test.each([
  'SELECT * FROM owned',
  'SELECT * FROM guarded',
  'SELECT 1 FROM bare WHERE EXISTS (SELECT FROM owned)',
  'WITH x AS (SELECT * FROM owned) SELECT a FROM bare',
  'SELECT (SELECT a FROM main.owned LIMIT 1) FROM bare',
  'SELECT * FROM remote',
  'SELECT * FROM spread',
  'SELECT * FROM over_owned',
  'SELECT * FROM over_over_owned',
  'SELECT * FROM over_remote',
  'SELECT * FROM reads_setting',
  'SELECT * FROM asks',
  'SELECT * FROM over_asks',
  'SELECT hatidata.agent_id()',
  'SELECT 1 FROM bare ORDER BY hatidata.agent_id()',
  "SELECT current_setting('hatidata.agent_id')",
  "SELECT current_setting('hatidata.' || 'agent_id')",
  'SELECT current_setting($1)',
  'SELECT * FROM pg_settings',
  'SELECT * FROM pg_catalog.pg_settings',
  'SELECT * FROM shows',
  'SELECT * FROM pg_show_all_settings()',
  'SELECT * FROM pg_stat_activity',
  'SELECT * FROM pg_prepared_statements',
  'SELECT * FROM information_schema.tables',
  'SELECT current_query()',
  'SELECT pg_backend_pid()',
  'SELECT random()',
  'SELECT a FROM bare ORDER BY random()',
  'SELECT array_shuffle(ARRAY[1, 2])',
  'SELECT * FROM bare TABLESAMPLE bernoulli (50)',
  'SELECT * FROM nowhere',
  'SELECT lower(b) FROM bare',
])('may tell: %s', (text) => {
  expect(useOf(text)).toMatchObject({ isBlind: false });
});

test('a name that may be one of the information schema', () => {
  expect(useOf('SELECT * FROM tables')).toMatchObject({ isBlind: true });
  expect(useOf('SELECT * FROM tables', ['information_schema', 'main'])).toMatchObject({
    isBlind: false,
  });
});

test('every other built-in that is not immutable was looked at', () => {
  const blind = changing.filter(
    (name) => (useOf(`SELECT "${name}"(1)`) as { isBlind: boolean }).isBlind,
  );
  expect(blind).toEqual(reviewed);
});

/** They depend on their arguments, on tables of the system, the role, the clock, or settings that were set; not on the agent. */
const reviewed = `
aclexplode aclitemin aclitemout age anyarray_out anyarray_send anycompatiblearray_out anycompatiblearray_send
anycompatiblemultirange_in anycompatiblemultirange_out anycompatiblerange_in anycompatiblerange_out
anyenum_out anymultirange_in anymultirange_out anyrange_in anyrange_out anytextcat array_out array_send
array_to_json array_to_string bpcharsend brin_bloom_summary_send brin_minmax_multi_summary_send cash_in
cash_out clock_timestamp col_description concat concat_ws convert convert_from convert_to cstring_send
current_database current_schema current_schemas current_user date date_add date_cmp_timestamptz
date_eq_timestamptz date_ge_timestamptz date_gt_timestamptz date_in date_le_timestamptz date_lt_timestamptz
date_ne_timestamptz date_out date_part date_subtract date_trunc enum_first enum_in enum_last enum_out
enum_range enum_send extract format format_type gen_random_uuid generate_series get_current_ts_config
getdatabaseencoding getpgusername has_any_column_privilege has_column_privilege has_database_privilege
has_foreign_data_wrapper_privilege has_function_privilege has_language_privilege has_largeobject_privilege
has_parameter_privilege has_schema_privilege has_sequence_privilege has_server_privilege has_table_privilege
has_tablespace_privilege has_type_privilege in_range inet_server_addr inet_server_port interval_in
interval_out interval_pl_timestamptz json_agg json_agg_strict json_build_array json_build_object
json_object_agg json_object_agg_strict json_object_agg_unique json_object_agg_unique_strict
json_populate_record json_populate_recordset json_to_record json_to_recordset json_to_tsvector jsonb_agg
jsonb_agg_strict jsonb_build_array jsonb_build_object jsonb_path_exists_tz jsonb_path_match_tz
jsonb_path_query_array_tz jsonb_path_query_first_tz jsonb_path_query_tz jsonb_populate_record
jsonb_populate_record_valid jsonb_populate_recordset jsonb_to_record jsonb_to_recordset jsonb_to_tsvector
length make_timestamptz money multirange_out multirange_send mxid_age namesend now numeric obj_description
oidvectortypes overlaps phraseto_tsquery plainto_tsquery quote_literal quote_nullable range_out range_send
record_out record_send regclass regclassin regclassout regcollationin regcollationout regconfigin regconfigout
regdictionaryin regdictionaryout regnamespacein regnamespaceout regoperatorin regoperatorout regoperin
regoperout regprocedurein regprocedureout regprocin regprocout regrolein regroleout regtypein regtypeout
row_to_json session_user shobj_description statement_timestamp system_user textanycat textsend time time_in
timeofday timestamp timestamp_cmp_timestamptz timestamp_eq_timestamptz timestamp_ge_timestamptz
timestamp_gt_timestamptz timestamp_in timestamp_le_timestamptz timestamp_lt_timestamptz
timestamp_ne_timestamptz timestamp_out timestamptz timestamptz_cmp_date timestamptz_cmp_timestamp
timestamptz_eq_date timestamptz_eq_timestamp timestamptz_ge_date timestamptz_ge_timestamp timestamptz_gt_date
timestamptz_gt_timestamp timestamptz_in timestamptz_le_date timestamptz_le_timestamp timestamptz_lt_date
timestamptz_lt_timestamp timestamptz_mi_interval timestamptz_ne_date timestamptz_ne_timestamp timestamptz_out
timestamptz_pl_interval timetz timetz_in timezone to_char to_date to_json to_jsonb to_number to_regclass
to_regcollation to_regnamespace to_regoper to_regoperator to_regproc to_regprocedure to_regrole to_regtype
to_regtypemod to_timestamp to_tsquery to_tsvector transaction_timestamp ts_debug ts_headline ts_match_tq
ts_match_tt ts_parse ts_token_type txid_current_if_assigned txid_current_snapshot uuidv4 uuidv7 varcharsend
version websearch_to_tsquery xml xml_in xml_is_well_formed xml_send
`
  .trim()
  .split(/\s+/);
