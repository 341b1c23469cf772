/** The two table functions of ours, expanded and run by a real PostgreSQL. */
import type { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { readonlyAuthority } from '../../src/policy/authority.ts';
import { authorize } from '../../src/policy/authorize.ts';
import { emptyCatalogue } from '../../src/policy/catalogue.ts';
import { analyse } from '../../src/sql/analyse.ts';
import { loadParser } from '../../src/sql/parse.ts';
import { connect, patience, temporaryProject, type Project } from '../engine/project.ts';

vi.setConfig({ testTimeout: patience, hookTimeout: patience });

let project: Project;
let writer: Client;
let reader: Client;

beforeAll(async () => {
  await loadParser();
  project = await temporaryProject();
  const server = await project.start();
  writer = await connect(server, 'writer');
  await writer.query(`
    CREATE TABLE notes (id int PRIMARY KEY, body text, t text, emb float8[]);
    INSERT INTO notes VALUES
      (1, 'a red apple and an apple pie', 'x', '{1, 0}'),
      (2, 'green apples', 'x', '{0.6, 0.8}'),
      (3, 'it''s a pear \\ with a slash', 'x', '{-1, 0}'),
      (4, 'no vector', 'x', NULL),
      (5, 'another length', 'x', '{1, 2, 3}');
    CREATE TABLE "Odd ""name" (id int, body text, "em'b" real[]);
    INSERT INTO "Odd ""name" VALUES (7, 'apple', '{1, 1}');
  `);
  reader = await connect(server, 'reader');
});

afterAll(async () => {
  await reader.end();
  await writer.end();
  await project[Symbol.asyncDispose]();
});

async function rows(text: string): Promise<unknown[]> {
  const classified = analyse(text);
  expect(authorize(readonlyAuthority, classified, emptyCatalogue)).toBeUndefined();
  expect(classified.rewritten).toBeDefined();
  const result = await reader.query<unknown[]>({ text: classified.rewritten!, rowMode: 'array' });
  return result.rows.map((row) => row[0]);
}

describe('rows', () => {
  test.each([
    ["SELECT id FROM hatidata_context('notes', 'apple', 5)", [1, 2]],
    ["SELECT id FROM hatidata_context('notes', 'apple', 1)", [1]],
    ["SELECT hatidata_context.id FROM hatidata_context('main.notes', 'pie', 5)", [1]],
    ["SELECT n.id FROM hatidata_context('NOTES', 'pear', 5) AS n WHERE 'é' = 'é'", [3]],
    ["SELECT id FROM hatidata_context('notes', 'it''s a \\ slash', 5)", [3]],
    ["SELECT id FROM HATIDATA_CONTEXT('Odd \"name', 'apple', 5) x", [7]],
    ['SELECT id FROM hatidata_context(\'"Odd ""name"\', \'apple\', 5) x', [7]],
    ["WITH c AS (SELECT * FROM hatidata_context('notes', 'pear', 5)) SELECT id FROM c", [3]],
    [
      "SELECT a.id FROM notes a JOIN LATERAL hatidata_context('notes', 'pie', 2) b ON b.id = a.id",
      [1],
    ],
    ["SELECT id FROM hatidata_rag_context('notes', 'emb', [1, 0], 2)", [1, 2]],
    ["SELECT id FROM hatidata_rag_context('notes', 'emb', [-1.0, -0e0], 9) r", [3, 2, 1]],
    [
      "SELECT round(similarity::numeric, 2)::text FROM hatidata_rag_context('notes', 'emb', ARRAY[1, 0], 2) r",
      ['1.00', '0.60'],
    ],
    ["SELECT id FROM hatidata_rag_context('notes', 'emb', [1, 2, 3], 9)", [5]],
    ["SELECT id FROM hatidata_rag_context('Odd \"name', 'em''b', [1, 1], 9)", [7]],
    [
      "SELECT x.id FROM hatidata_rag_context('notes', 'emb', [1, 0], 1) x, hatidata_context('notes', 'pear', 1) y",
      [1],
    ],
  ])('%s', async (text, expected) => {
    expect(await rows(text)).toEqual(expected);
  });
});

describe('cannot be used to reach more', () => {
  test.each([
    ["SELECT * FROM hatidata_context('pg_authid', 'x', 5)", 'relation_not_allowed'],
    ["SELECT * FROM hatidata_context('pg_catalog.pg_shadow', 'x', 5)", 'relation_not_allowed'],
    [
      "WITH d AS (DELETE FROM notes RETURNING 1) SELECT * FROM hatidata_context('notes', 'x', 5)",
      'readonly_scope',
    ],
    ["INSERT INTO notes SELECT * FROM hatidata_context('notes', 'x', 5)", 'readonly_scope'],
  ])('%s', (text, code) => {
    expect(authorize(readonlyAuthority, analyse(text), emptyCatalogue)?.code).toBe(code);
  });

  test.each([
    `notes" AS x; DROP TABLE notes; --`,
    `notes'); DROP TABLE notes; --`,
    `notes\\'; DROP TABLE notes; --`,
    `"notes"."x"."y"`,
    `notes WHERE true`,
    `$$ DROP $$`,
  ])('the table %s is one name', async (table) => {
    const { statements, rewritten } = analyse(
      `SELECT * FROM hatidata_context('${table.replaceAll("'", "''")}', '${table.replaceAll("'", "''")}', 5)`,
    );
    expect(statements).toHaveLength(1);
    expect(statements[0]?.acts).toEqual([{ class: 'read', verb: 'SELECT' }]);
    expect(statements[0]?.relations).toHaveLength(1);
    expect(statements[0]?.relations[0]?.name).toBe(table);
    await expect(reader.query(rewritten!)).rejects.toMatchObject({ code: '42P01' });
  });
});

describe('is refused with its form', () => {
  test.each([
    "SELECT hatidata_context('notes', 'x', 5)",
    "SELECT * FROM hatidata_context('notes', 'x')",
    "SELECT * FROM hatidata_context('notes', $1, 5)",
    "SELECT * FROM hatidata_context('notes', 'a' || 'b', 5)",
    "SELECT * FROM hatidata_context('notes', 'x', 0)",
    "SELECT * FROM hatidata_context('notes', 'x', 1001)",
    "SELECT * FROM hatidata_context('', 'x', 5)",
    "SELECT * FROM hatidata_context('notes', 'x', 5) WITH ORDINALITY",
    "SELECT * FROM ROWS FROM (hatidata_context('notes', 'x', 5))",
    "SELECT * FROM hatidata_rag_context('notes', 'emb', [], 5)",
    "SELECT * FROM hatidata_rag_context('notes', 'emb', ['x'], 5)",
    "SELECT * FROM hatidata_rag_context('notes', 'emb', [f()], 5)",
    "SELECT * FROM hatidata_rag_context('notes', 'emb', [1e999], 5)",
    "SELECT hatidata_rag_context('notes', 'emb', [1], 5)",
  ])('%s', (text) => {
    expect(() => analyse(text)).toThrow(expect.objectContaining({ code: 'argument_invalid' }));
  });

  test.each([
    "SELECT 'hatidata_context(1)'",
    '-- hatidata_rag_context(',
    'SELECT 1 AS hatidata_context',
  ])('not %s', (text) => expect(analyse(text).rewritten).toBeUndefined());

  test.each([
    "SELECT * FROM hatidata_rag_context('t', 'c', [1], 5) FROM",
    'SELECT hatidata_rag_context( FROM',
  ])('a syntax error stays one: %s', (text) =>
    expect(() => analyse(text)).toThrow(expect.objectContaining({ code: 'syntax_error' })),
  );
});
