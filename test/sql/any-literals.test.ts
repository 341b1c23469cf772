/** What is known of a text is taken for others of its form only where it would be the same if they were read themselves. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { savedCases } from '../../scripts/fuzz/case-file.ts';
import { hostileExpressions } from '../../scripts/fuzz/hostile-expressions.ts';
import { hostileStatements } from '../../scripts/fuzz/hostile-sql.ts';
import { tryOtherLiterals } from '../../scripts/fuzz/other-literals.ts';
import { mutatedStatement, StatementPool } from '../../scripts/fuzz/mutate-statement.ts';
import { Random } from '../../scripts/fuzz/random.ts';
import { ownStatements } from '../../scripts/fuzz/statement-fuzz.ts';
import { loadParser } from '../../src/sql/parse.ts';
import { StatementReader } from '../../src/sql/reader.ts';
import { sections } from '../catalogue/sections.ts';
import { readToolQueries } from '../tools/fixtures.ts';

const reader = new StatementReader({
  cacheBytes: 4 * 1024 * 1024,
  statementBytes: 1024 * 1024,
  workers: 1,
  deadlineMs: 60_000,
});

beforeAll(async () => {
  await loadParser();
  await reader.start();
});
afterAll(() => reader.close());

describe('whatever literals are put in, what is shared is the same', () => {
  const catalogue = Object.values(sections).flatMap((rows) =>
    rows.flatMap(({ cases }) =>
      cases.flatMap((one) => ('text' in one && typeof one.text === 'string' ? [one.text] : [])),
    ),
  );
  const psql = readFileSync(
    new URL('../policy/fixtures/psql-queries.sql', import.meta.url),
    'utf8',
  );
  const mutated = (): string[] => {
    const pool = new StatementPool(ownStatements(), catalogue);
    return Array.from({ length: 1_500 }, (_none, n) => mutatedStatement(pool, Random.ofCase(1, n)));
  };

  test.each([
    ['of our own', () => ownStatements(), 80],
    ['of the bypass catalogue', () => catalogue, 100],
    ['of psql', () => psql.split(/^-- .*$/m).filter((text) => text.trim() !== ''), 0],
    ['of tools', () => readToolQueries().map((query) => query.text), 0],
    ['made by the fuzzer', mutated, 150],
    [
      'found by the fuzzer',
      () => savedCases().flatMap((one) => (one.kind === 'statement' ? [one.text] : [])),
      1,
    ],
    [
      'made of hostile expressions',
      () => [
        ...hostileStatements,
        ...hostileExpressions.flatMap((each) => [
          `SELECT ${each}`,
          `SELECT 1, 'a' FROM t WHERE ${each} = 'x' LIMIT 5`,
        ]),
      ],
      10,
    ],
  ])('in texts %s', (_whose, texts, least) => {
    const random = new Random(1);
    const tried = texts().map((each) => ({ text: each, ...tryOtherLiterals(each, random, 12) }));
    expect(tried.filter(({ fault }) => fault !== undefined)).toEqual([]);
    expect(tried).not.toEqual([]);
    expect(tried.filter(({ isShared }) => isShared).length).toBeGreaterThanOrEqual(least);
  });
});

/** Whether the second is known once the first was read. */
async function isShared(one: string, other: string): Promise<boolean> {
  const first = await reader.read(Buffer.from(one));
  return first === (await reader.read(Buffer.from(other)));
}

describe('shared', () => {
  test.each([
    ['SELECT abalance FROM pgbench_accounts WHERE aid = %;', ['1', '4711', '999999999']],
    ['UPDATE a SET b = b + % WHERE c = $1', ['1', '2']],
    ['INSERT INTO a (b) VALUES (%) RETURNING c', ["''", "'pg_temp'", "'_hatidata_keys'"]],
    ['DELETE FROM a WHERE b < %', ['1.5', '2.50']],
    ['WITH a AS (SELECT %) SELECT * FROM a', ["'search_path'", "'role'", "'/* '"]],
    ["SELECT date_trunc(%, a), to_char(a, 'x'), nextval(%)", ["'day'", "'month'"]],
    ['SELECT lower(%)', ["'hatidata_context'", "'create_api_key'", "'pg_sleep(1)'"]],
    ['SELECT query_to_xml(%, true, true, %)', ["'SELECT 1'", "'DELETE FROM t'"]],
    ['SELECT %::regclass, %::public.risky, risky %', ["'a'", "'pg_authid'"]],
    ['SELECT a::numeric(%, 2), a::varchar(%), a[%]', ['1', '10']],
    ['SELECT interval % day, (%)::text', ["'1'", "'2'"]],
    ['SELECT a FROM b ORDER BY % LIMIT % OFFSET %', ['1', '2']],
    ['SELECT a FROM b FETCH FIRST % ROWS ONLY', ['1', '2']],
    ['SELECT a FROM b TABLESAMPLE system (%)', ['1', '2']],
    ['SELECT 1 OPERATOR(pg_catalog.+) %', ['1', '2']],
    ['SELECT % AS "é"', ["'é'", "'ü'"]],
  ])('%s', async (text, [one, ...others]) => {
    for (const other of others)
      expect(
        await isShared(
          text.replaceAll('%', () => one!),
          text.replaceAll('%', () => other),
        ),
      ).toBe(true);
  });
});

describe('not shared', () => {
  test.each([
    ['SELECT current_setting(%)', ["'work_mem'", "'config_file'"]],
    ["SELECT set_config(%, 'a', false)", ["'my.own'", "'role'"]],
    ["SELECT set_config('search_path', %, false)", ["'a'", "'pg_temp'"]],
    ['SET work_mem = %', ["'1MB'", "'2MB'"]],
    ['SET statement_timeout = %', ['0', '1000']],
    ['SELECT * FROM pg_settings WHERE name = %', ["'work_mem'", "'config_file'"]],
    ['SELECT * FROM pg_catalog.pg_settings WHERE name = %', ["'work_mem'", "'config_file'"]],
    ['SELECT * FROM pg_show_all_settings() WHERE name = %', ["'work_mem'", "'config_file'"]],
    ['SELECT * FROM pg_class WHERE relname = %', ["'a'", "'b'"]],
    ['SELECT * FROM information_schema.tables WHERE table_name = %', ["'a'", "'b'"]],
    ['SELECT * FROM _hatidata_keys.active_keys WHERE agent = %', ["'a'", "'b'"]],
    ["SELECT create_api_key(%, 'readonly')", ["'a'", "'b'"]],
    ["SELECT pg_input_is_valid('1', %)", ["'int4'", "'public.risky'"]],
    ["SELECT pg_input_error_info('1', %)", ["'int4'", "'public.risky'"]],
    ["SELECT * FROM hatidata_context('t', 'words', %)", ['1', '2']],
    ["SELECT * FROM hatidata_rag_context('t', 'c', ARRAY[%], 1)", ['1', '2']],
    ['SELECT 1::float(%)', ['24', '25']],
    ['SELECT pg_advisory_lock(%)', ['1', '2']],
    ['SELECT 1; SELECT %', ['1', '2']],
    ['BEGIN; SELECT %; COMMIT', ['1', '2']],
    ['SELECT a FROM b WHERE c = % FOR UPDATE', ['1', '2']],
    ['SELECT % INTO a', ['1', '2']],
    ['CREATE TABLE a AS SELECT %', ['1', '2']],
    ['EXPLAIN SELECT %', ['1', '2']],
    ['PREPARE a AS SELECT %', ['1', '2']],
    ['COPY (SELECT %) TO STDOUT', ['1', '2']],
    ['NOTIFY a, %', ["'a'", "'b'"]],
    ['FETCH % FROM a', ['1', '2']],
    ['SELECT %', ['1', "'1'", '1.0', '1e0', '1_0', '0x1', '12345678901', "E'1'", '$$1$$']],
  ])('%s', async (text, values) => {
    for (const [at, one] of values.entries())
      for (const other of values.slice(at + 1))
        expect(
          await isShared(
            text.replaceAll('%', () => one),
            text.replaceAll('%', () => other),
          ),
        ).toBe(false);
  });
});

test('counted as known', async () => {
  const { hits, misses } = reader.cacheCounts;
  await isShared('SELECT counted FROM a WHERE b = 1', 'SELECT counted FROM a WHERE b = 2');
  expect(reader.cacheCounts).toMatchObject({ hits: hits + 1, misses: misses + 1 });
});
