/**
 * Functions of the user's by the names of PostgreSQL's own: which of them a call can mean, by the number of its arguments.
 * Each text is first run by a real PostgreSQL, to see whether it runs the user's.
 */
import type { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { CatalogueWatcher } from '../../src/engine/catalogue/watcher.ts';
import { readonlyAuthority } from '../../src/policy/authority.ts';
import { authorize } from '../../src/policy/authorize.ts';
import type { Catalogue } from '../../src/policy/catalogue.ts';
import { analyse } from '../../src/sql/analyse.ts';
import { loadParser } from '../../src/sql/parse.ts';
import { connect, patience, temporaryProject, type Project } from '../engine/project.ts';

vi.setConfig({ testTimeout: patience, hookTimeout: patience });

let project: Project;
let client: Client;
let catalogue: Catalogue;

/** Whatever calls one of them leaves a row behind. */
const objects = `
  CREATE SCHEMA h;
  CREATE TABLE h.witness (mark text);
  CREATE FUNCTION h.mark(text) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER AS
    $$ BEGIN INSERT INTO h.witness VALUES ($1); RETURN 1; END $$;
  CREATE FUNCTION h.count() RETURNS bigint LANGUAGE sql AS $$ SELECT h.mark('count') $$;
  CREATE FUNCTION h.now(int DEFAULT 1) RETURNS bigint LANGUAGE sql AS $$ SELECT h.mark('now') $$;
  CREATE FUNCTION h.pi(VARIADIC int[] DEFAULT '{}') RETURNS bigint LANGUAGE sql AS $$ SELECT h.mark('pi') $$;
  CREATE FUNCTION h.upper() RETURNS bigint LANGUAGE sql AS $$ SELECT h.mark('upper') $$;
  CREATE FUNCTION h.lower(varchar, int DEFAULT 1) RETURNS bigint LANGUAGE sql AS $$ SELECT h.mark('lower') $$;
  CREATE FUNCTION h.abs(VARIADIC smallint[]) RETURNS bigint LANGUAGE sql AS $$ SELECT h.mark('abs') $$;
  CREATE FUNCTION h.length(varchar, int, int) RETURNS bigint LANGUAGE sql AS $$ SELECT h.mark('length') $$;
  CREATE FUNCTION h.left(varchar, smallint) RETURNS bigint LANGUAGE sql AS $$ SELECT h.mark('left') $$;
  CREATE FUNCTION h.add(bigint, varchar) RETURNS bigint LANGUAGE sql AS $$ SELECT 1::bigint $$;
  CREATE FUNCTION h.done(bigint, float8) RETURNS bigint LANGUAGE sql AS $$ SELECT h.mark('percentile_cont') $$;
  CREATE AGGREGATE h.percentile_cont(float8 ORDER BY varchar) (SFUNC = h.add, STYPE = bigint, FINALFUNC = h.done);`;

beforeAll(async () => {
  await loadParser();
  project = await temporaryProject();
  const server = await project.start();
  client = await connect(server, 'superuser');
  await client.query(objects);
  await client.query('SET search_path = h');
  const watcher = new CatalogueWatcher({
    epoch: () => 0,
    config: { ...server.connection('superuser'), ssl: false },
    read: analyse,
    log: project.log,
  });
  await watcher.start();
  catalogue = watcher.current();
  await watcher.stop();
});

afterAll(async () => {
  await client.end();
  await project[Symbol.asyncDispose]();
});

async function marks(text: string): Promise<readonly string[]> {
  await client.query('TRUNCATE h.witness');
  await client.query(text);
  return (await client.query<{ mark: string }>('SELECT mark FROM h.witness')).rows.map(
    ({ mark }) => mark,
  );
}

function refusal(text: string, searched: readonly string[] | undefined): string | undefined {
  const path = searched && new Set(searched);
  return authorize(readonlyAuthority, analyse(text), catalogue, path)?.message;
}

describe('PostgreSQL’s own is run', () => {
  test.each([
    'SELECT count(1)',
    'SELECT count(DISTINCT x ORDER BY x) FROM (VALUES (1)) v (x)',
    'SELECT count(x) FILTER (WHERE true) OVER () FROM (VALUES (1)) v (x)',
    "SELECT upper('a'::varchar)",
    "SELECT length('a'::varchar), length('a'::varchar::text)",
    "SELECT x.length FROM (SELECT 'a'::text AS length) x",
  ])('whatever the search path: %s', async (text) => {
    expect(await marks(text)).toEqual([]);
    expect(refusal(text, ['h'])).toBeUndefined();
    expect(refusal(text, ['h', 'pg_catalog'])).toBeUndefined();
    expect(refusal(text, undefined)).toBeUndefined();
  });

  test.each([
    'SELECT count(*) FROM (VALUES (1)) v',
    'SELECT count(*) FILTER (WHERE true) OVER (PARTITION BY x) FROM (VALUES (1)) v (x)',
    'SELECT now()',
    'SELECT pi()',
    'SELECT * FROM now()',
  ])('first in the search path: %s', async (text) => {
    expect(await marks(text)).toEqual([]);
    expect(refusal(text, ['h'])).toBeUndefined();
    // Where pg_catalog has a place of its own in the path, it may not be the first.
    expect(refusal(text, ['h', 'pg_catalog'])).toMatch(/cannot call function/);
    expect(refusal(text, undefined)).toMatch(/cannot call function/);
  });
});

describe('the user’s is run, and refused', () => {
  test.each([
    ['now', 'SELECT now(1)'],
    ['pi', 'SELECT pi(1)'],
    ['pi', 'SELECT pi(1, 2, 3)'],
    ['pi', "SELECT pi(VARIADIC '{1}')"],
    ['lower', "SELECT lower('A'::varchar)"],
    ['lower', "SELECT lower('A'::varchar, 2)"],
    ['abs', 'SELECT abs(1::smallint, 2::smallint)'],
    ['abs', 'SELECT abs(VARIADIC ARRAY[1::smallint])'],
    ['length', "SELECT length('a'::varchar, 1, 2)"],
    ['left', "SELECT left('a'::varchar, 1::smallint)"],
    ['count', 'SELECT h.count()'],
    // What stands behind ORDER BY is an argument as well.
    [
      'percentile_cont',
      "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY x) FROM (VALUES ('a'::varchar)) v (x)",
    ],
  ])('%s: %s', async (name, text) => {
    expect(await marks(text)).toEqual([name]);
    expect(refusal(text, ['h'])).toMatch(/cannot call function/);
  });

  test('what takes none as well, where the path puts pg_catalog last', async () => {
    await client.query('SET search_path = h, pg_catalog');
    expect(await marks('SELECT now(), pi()')).toEqual(['now', 'pi']);
    await client.query('SET search_path = h');
  });
});
