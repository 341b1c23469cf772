/** The names of the legacy engine, and that they stay out of dumps and listings. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Client } from 'pg';
import type { EmbeddedServer } from '../../src/engine/embedded/server.ts';
import { connect, patience, run, temporaryProject, type Project } from './project.ts';

vi.setConfig({ testTimeout: patience, hookTimeout: patience });

let project: Project;
let server: EmbeddedServer;
let writer: Client;

beforeAll(async () => {
  project = await temporaryProject();
  server = await project.start();
  writer = await connect(server, 'writer');
});

afterAll(async () => {
  await writer.end();
  await project[Symbol.asyncDispose]();
});

const moment = "timestamptz '2024-03-05 14:07:09.012345+02'";

describe('strftime', () => {
  test.each([
    ['%Y-%m-%dT%H:%M:%SZ', '2024-03-05T12:07:09Z'],
    ['%y %-m %-d %I %p %-H %-I %-M %-S', '24 3 5 12 PM 12 12 7 9'],
    ['%f %g %n', '012345 012 012345000'],
    ['%j %-j %U %W %V %G %u %w', '065 65 09 10 10 2024 2 2'],
    ['%B %b %A %a', 'March Mar Tuesday Tue'],
    ['%z %Z %%', '+00 UTC %'],
    ['%F %T %R %D %s', '2024-03-05 12:07:09 12:07 03/05/24 1709640429'],
    ['%c | %x | %X', '2024-03-05 12:07:09 | 2024-03-05 | 12:07:09'],
    ['', ''],
    ['no specifier', 'no specifier'],
    ['100%', '100%'],
    ['%Q%', '%Q%'],
    ['%%Y', '%Y'],
    ['line\nbreak %Y', 'line\nbreak 2024'],
    ['日本 %Y', '日本 2024'],
  ])('%j gives %j', async (format, expected) => {
    const { rows } = await writer.query(`SELECT strftime(${moment}, $1) AS text`, [format]);
    expect(rows).toEqual([{ text: expected }]);
  });

  test.each([
    ['1970-01-01 00:00:00', '%I %p %H', '12 AM 00'],
    ['2023-01-01 00:00:00', '%U %W %j %a', '01 00 001 Sun'],
    ['2024-12-31 23:59:59', '%U %W %V %G %j', '52 53 01 2025 366'],
    ['2021-01-03 12:00:00', '%U %W %V %G', '01 00 53 2020'],
  ])('%s in %s gives %s', async (timestamp, format, expected) => {
    const { rows } = await writer.query('SELECT strftime($1::timestamp, $2) AS text', [
      timestamp,
      format,
    ]);
    expect(rows).toEqual([{ text: expected }]);
  });

  test('the session’s time zone and search_path change nothing', async () => {
    const client = await connect(server, 'writer');
    await client.query("SET timezone = 'Asia/Tokyo'; SET search_path = ''");
    const { rows } = await client.query(
      `SELECT strftime(${moment}, '%H:%M') AS a, strftime(date '2024-03-05', '%F %T') AS b, strftime(NULL::date, '%F') AS c`,
    );
    expect(rows).toEqual([{ a: '12:07', b: '2024-03-05 00:00:00', c: null }]);
    await client.end();
  });
});

test('the public SDK’s tables can be made', async () => {
  await writer.query(`
    CREATE TABLE memory (
      id text PRIMARY KEY,
      weight DOUBLE DEFAULT 0.5,
      exact DOUBLE PRECISION,
      created_at TEXT DEFAULT (strftime(now(), '%Y-%m-%dT%H:%M:%SZ'))
    )`);
  const { rows, fields } = await writer.query<{ weight: number; created_at: string; two: number }>(
    "INSERT INTO memory (id) VALUES ('a') RETURNING weight, created_at, 2::double AS two",
  );
  expect(rows).toMatchObject([{ weight: 0.5, two: 2 }]);
  expect(rows[0]?.created_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  const float8 = 701;
  expect(fields.map((field) => field.dataTypeID)).toEqual([float8, 25, float8]);
});

describe('pg_dump and psql', () => {
  // What pg_dump 18 takes from pg_catalog (getFuncs, getTypes, getProcLangs in pg_dump.c): objects whose privileges
  // differ from pg_init_privs, and functions of casts and transforms that are no built-ins.
  test.each([
    [
      'functions',
      `SELECT p.oid::regprocedure FROM pg_proc p
       LEFT JOIN pg_init_privs i ON i.objoid = p.oid AND i.classoid = 'pg_proc'::regclass AND i.objsubid = 0
       WHERE pronamespace = 'pg_catalog'::regnamespace AND
         (p.proacl IS DISTINCT FROM i.initprivs
          OR EXISTS (SELECT FROM pg_cast WHERE oid >= 16384 AND castfunc = p.oid)
          OR EXISTS (SELECT FROM pg_transform WHERE oid >= 16384 AND p.oid IN (trffromsql, trftosql)))`,
    ],
    [
      'types',
      `SELECT t.oid::regtype FROM pg_type t
       LEFT JOIN pg_init_privs i ON i.objoid = t.oid AND i.classoid = 'pg_type'::regclass AND i.objsubid = 0
       WHERE typnamespace = 'pg_catalog'::regnamespace AND t.typacl IS DISTINCT FROM i.initprivs`,
    ],
    [
      'languages',
      `SELECT lanname FROM pg_language l
       LEFT JOIN pg_init_privs i ON i.objoid = l.oid AND i.classoid = 'pg_language'::regclass AND i.objsubid = 0
       WHERE l.lanacl IS DISTINCT FROM i.initprivs`,
    ],
  ])('no %s of pg_catalog would be dumped', async (_kind, sql) => {
    expect(await run(server, 'superuser', sql)).toEqual([]);
  });

  test('privileges of built-ins were really changed, and only so far', async () => {
    const [[changed]] = (await run(
      server,
      'superuser',
      `SELECT count(*)::int FROM pg_proc WHERE oid < 16384 AND proacl::text LIKE '%hatidata_writer=X%'`,
    )) as [[number]];
    expect(changed).toBeGreaterThan(60);
    expect(changed).toBeLessThan(130);
  });
});
