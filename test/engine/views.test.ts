/** What the catalogue reads of views while others hold them, change them and drop them. */
import type { Client } from 'pg';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { relationsSql, type RelationRow } from '../../src/engine/catalogue/queries.ts';
import { ViewReader } from '../../src/engine/catalogue/views.ts';
import { analyse } from '../../src/sql/analyse.ts';
import { loadParser } from '../../src/sql/parse.ts';
import { connect, patience, temporaryProject, type Project } from './project.ts';

vi.setConfig({ testTimeout: patience, hookTimeout: patience });

let project: Project;
let reading: Client;
let other: Client;

beforeAll(async () => {
  await loadParser();
  project = await temporaryProject();
  const server = await project.start();
  reading = await connect(server, 'superuser');
  other = await connect(server, 'superuser');
});
afterAll(async () => {
  await Promise.all([reading.end(), other.end()]);
  await project[Symbol.asyncDispose]();
});
beforeEach(async () => {
  await other.query(`
    DROP SCHEMA IF EXISTS v CASCADE;
    CREATE SCHEMA v;
    CREATE TABLE v.held (id int);
    CREATE VIEW v.of_held AS SELECT id FROM v.held;
    CREATE VIEW v.alone AS SELECT 1 AS one`);
});

/** Each view by its name: whether it could be read, with `between` behind the snapshot. */
async function readBehind(
  reader: ViewReader,
  between: () => Promise<unknown>,
): Promise<Record<string, boolean>> {
  await reading.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
  try {
    const { rows } = await reading.query<RelationRow>(relationsSql, [[]]);
    await between();
    const views = await reader.read(reading, rows);
    const named = rows.filter(({ schema, oid }) => schema === 'v' && views.has(oid));
    return Object.fromEntries(
      named.map(({ name, oid }) => [name, views.get(oid) !== 'unreadable']),
    );
  } finally {
    await reading.query('ROLLBACK');
  }
}
const nothing = () => Promise.resolve();

test('one that was dropped is no hindrance to the others', async () => {
  const reader = new ViewReader(analyse);
  const drop = () => other.query('DROP VIEW v.of_held');
  expect(await readBehind(reader, drop)).toEqual({ of_held: false, alone: true });
  expect(await readBehind(reader, nothing)).toEqual({ alone: true });
});

test('nor is one that somebody holds, and it is read once he lets go', async () => {
  const reader = new ViewReader(analyse);
  await other.query('BEGIN');
  const hold = () => other.query('LOCK TABLE v.held IN ACCESS EXCLUSIVE MODE');
  expect(await readBehind(reader, hold)).toEqual({ of_held: false, alone: true });
  await other.query('ROLLBACK');
  expect(await readBehind(reader, nothing)).toEqual({ of_held: true, alone: true });
});
