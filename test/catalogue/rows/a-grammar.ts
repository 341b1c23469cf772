/** A: what a grammar makes of a text, and what it costs. */
import { all, cannot, cannotSetTo } from '../model.ts';
import type { Row, TextCase } from '../model.ts';

export const grammar: readonly Row[] = [
  {
    id: 'A25',
    title: 'look-alike white space',
    cases: [
      ...all(
        /^42601 /,
        'SELECT\u00a01',
        'DELETE\u2028FROM u',
        'DEL\u200bETE FROM u',
        '\ufeffDELETE FROM u',
        'DELETE\u3000FROM u',
        '\u00a0',
      ),
      ...all(cannot('DELETE'), 'DELETE\fFROM\vu', '\r\nDELETE\tFROM u'),
      ...all(cannotSetTo('search_path', '\u00a0pg_temp'), "SET search_path = '\u00a0pg_temp'"),
      ...all(cannotSetTo('work_mem', '\u00a02GB'), "SET work_mem = '\u00a02GB'"),
      ...all(
        /^(22023|42501) /,
        "SET default_transaction_read_only = 'on\u00a0'",
        "SET client_min_messages = '\u00a0debug5'",
      ).map((each): TextCase => ({ ...each, by: 'engine' })),
    ],
  },
  {
    id: 'A26',
    title: 'a grammar newer than the server',
    cases: [
      ...all(
        cannot('UPDATE'),
        'UPDATE u SET amount = 1 RETURNING old.amount',
        'UPDATE u SET amount = 1 RETURNING WITH (OLD AS o) o.ssn',
      ),
      ...all(
        cannot('MERGE'),
        'MERGE INTO u USING t ON t.id = u.id WHEN MATCHED THEN DELETE RETURNING merge_action(), u.*',
      ),
      ...all(cannot('DDL'), 'CREATE TABLE z (a int, b int GENERATED ALWAYS AS (a * 2) VIRTUAL)'),
      {
        text: `SELECT a FROM JSON_TABLE('{"a": [1, 2]}'::jsonb, '$.a[*]' COLUMNS (a int PATH '$'))`,
        rows: ['1', '2'],
        from: 17,
      },
      {
        name: 'JSON_TABLE, which this server does not have',
        text: `SELECT a FROM JSON_TABLE('{"a": [1, 2]}'::jsonb, '$.a[*]' COLUMNS (a int PATH '$'))`,
        refused: /^42601 /,
        until: 16,
      },
    ],
  },
  {
    id: 'A28',
    title: 'a text that overflows the stack of a parser',
    cases: [
      // Whichever gives up first: our parser, or the engine's own limit.
      ...[8_000, 64_000].map((terms): TextCase => ({
        name: `1+1+… with ${terms} terms`,
        text: () => `SELECT ${'1+'.repeat(terms)}1`,
        refused: /^54001 /,
        by: 'engine',
      })),
      {
        name: 'NOT, 64,000 times',
        text: () => `SELECT ${'not '.repeat(64_000)}true`,
        refused: /^(54001|42601) /,
        by: 'engine',
      },
      {
        name: '10,000 brackets',
        text: () => `SELECT ${'('.repeat(10_000)}1${')'.repeat(10_000)}`,
        refused: /^(54001|42601) /,
        by: 'engine',
      },
      {
        name: 'a UNION of 20,000',
        text: () => `${'SELECT 1 UNION ALL '.repeat(20_000)}SELECT 1`,
        refused: /^54001 /,
        by: 'engine',
      },
      {
        name: '3,000 sub-selects',
        text: () => `SELECT ${'(SELECT '.repeat(3_000)}1${')'.repeat(3_000)}`,
        refused: /^54001 /,
        by: 'engine',
      },
      {
        name: 'a bomb with a write in it',
        text: () => `SELECT ${'1+'.repeat(8_000)}1; DELETE FROM u`,
        refused: /^(54001|42501) /,
      },
    ],
  },
  {
    id: 'A29',
    title: 'a text that is a huge tree',
    cases: [
      {
        name: 'IN with 100,000 numbers',
        text: () => `SELECT 1 WHERE 1 IN (${Array.from({ length: 100_000 }, (_, i) => i).join()})`,
        rows: ['1'],
      },
      {
        name: '20,000 ANDs',
        text: () => `SELECT 1 WHERE true${' AND true'.repeat(20_000)}`,
        rows: ['1'],
      },
      {
        name: 'a write among them',
        text: () => `SELECT 1; DELETE FROM u WHERE ${'true AND '.repeat(2_000)}true`,
        refused: cannot('DELETE'),
      },
      {
        name: 'a text of 17 MB',
        text: () => `SELECT '${'x'.repeat(17 * 1024 * 1024)}'`,
        refused: /^54000 the statement has \d+ bytes; the limit is 16777216$/,
      },
    ],
  },
];
