/** `x.name` and what it may call; the user's own functions are in user-objects.test.ts. */
import { beforeAll, describe, expect, test } from 'vitest';
import { readonlyAuthority } from '../../src/policy/authority.ts';
import { authorize } from '../../src/policy/authorize.ts';
import { builtinFunctions } from '../../src/policy/builtin-functions.ts';
import { deniedFunctions } from '../../src/policy/denied-functions.ts';
import { emptyCatalogue } from '../../src/policy/catalogue.ts';
import { analyse } from '../../src/sql/analyse.ts';
import { loadParser } from '../../src/sql/parse.ts';
import { readonlyCannotCall, refusal } from './judge.ts';

beforeAll(loadParser);

describe('a readonly key calls no function by a column', () => {
  test.each([
    ['pg_terminate_backend', 'SELECT x.pg_terminate_backend FROM unnest(ARRAY[123]) x'],
    ['ts_stat', "SELECT x.ts_stat FROM unnest(ARRAY['select set_config(…)']) x"],
    [
      'pg_stat_get_activity',
      'SELECT x.pg_stat_get_activity::text FROM (VALUES (1)) y (p), LATERAL unnest(ARRAY[y.p]) x',
    ],
    ['nextval', "SELECT 1 FROM unnest(ARRAY['s'::regclass]) x WHERE x.nextval > 0"],
    ['pg_sleep', 'SELECT a FROM t x GROUP BY x.pg_sleep'],
    ['lo_unlink', 'SELECT s.t.lo_unlink FROM s.t'],
    ['pg_cancel_backend', 'SELECT d.s.t.pg_cancel_backend FROM s.t'],
    ['setseed', 'SELECT (t.a[1]).setseed FROM t'],
    ['setseed', 'SELECT t.a[1].setseed FROM t'],
    ['pg_advisory_lock', 'SELECT count(*) FILTER (WHERE x.pg_advisory_lock IS NULL) FROM t x'],
    ['currval', 'EXPLAIN SELECT 1 FROM t x JOIN u y ON x.currval = y.a'],
    ['lo_get', 'COPY (SELECT x.lo_get FROM t x) TO STDOUT'],
  ])('%s: %s', (name, text) => {
    expect(refusal('readonly', text)).toBe(readonlyCannotCall(name));
    expect(refusal('admin', text)).toBeUndefined();
  });

  test('and hears why', () => {
    const error = authorize(
      readonlyAuthority,
      analyse('SELECT x.pg_sleep FROM t x'),
      emptyCatalogue,
    );
    expect(error).toMatchObject({ code: 'function_not_allowed', sqlstate: '42501' });
    expect(error?.hint).toContain('x.pg_sleep would call the function pg_sleep');
  });

  test.each(['pg_ls_dir', 'pg_read_file', 'lo_import', 'pg_promote', 'pg_drop_replication_slot'])(
    'nor does an admin key: %s',
    (name) => {
      for (const scope of ['readonly', 'admin'] as const) {
        expect(refusal(scope, `SELECT x.${name} FROM unnest(ARRAY['/']) x`)).toBe(
          `Permission denied: function ${name} is not available through HatiData`,
        );
      }
    },
  );

  test('beside the control store neither', () => {
    const text = 'SELECT k.pg_sleep FROM _hatidata_keys.active_keys k';
    expect(refusal('admin', text)).toContain('pg_sleep beside _hatidata_keys.active_keys');
  });
});

describe('the names of columns', () => {
  test('that people use are not refused', () => {
    const columns =
      'id name version date text position user current_user int4 notify state status type value key count sum ' +
      'length time timestamp timestamptz interval json jsonb uuid box path point line format left right rank ' +
      'first last mode range row rows max min avg total amount price city role lo_revenue lo_orderdate p_name ' +
      'created_at updated_at description comment size level start end begin order group year month day hour ' +
      'address email phone title body data source target lock file system host port url sleep signal reset ' +
      'sequence offset limit random area center radius height width slope log notice exec query dblink';
    for (const column of columns.split(' ')) {
      expect([column, refusal('readonly', `SELECT t."${column}" FROM t`)]).toEqual([
        column,
        undefined,
      ]);
    }
  });

  test.each([
    'SELECT pg_sleep FROM t',
    'SELECT t.* FROM nextval t',
    'SELECT nextval.* FROM t AS nextval',
    'SELECT nextval.a FROM t AS nextval',
    'SELECT (t).* FROM t',
  ])('that stand alone, and those of tables, call nothing: %s', (text) => {
    expect(refusal('readonly', text)).toBeUndefined();
  });
});

test('the list is of five versions and has nothing that is allowed', () => {
  expect(deniedFunctions.size).toBeGreaterThan(100);
  // 14 alone, up to 16, from 18
  for (const name of ['pg_start_backup', 'pg_stat_get_backend_io', 'pg_stat_reset_backend_stats'])
    expect(deniedFunctions).toContain(name);
  expect([...deniedFunctions].filter((name) => builtinFunctions.has(name))).toEqual([]);
});
