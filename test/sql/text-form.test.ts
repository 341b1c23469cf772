/** The form of a text: what it must not have one for, and that PostgreSQL's scanner sees the same literals. */
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { formByScanner } from '../../scripts/fuzz/other-literals.ts';
import { loadParser, scan } from '../../src/sql/parse.ts';
import { exactKeyOf, formOf } from '../../src/sql/text-form.ts';

beforeAll(loadParser);

const form = (text: string): string | undefined => formOf(Buffer.from(text));

describe('texts have the same form when they differ in plain literals alone', () => {
  test.each([
    ['SELECT 1', 'SELECT 999999999'],
    ['SELECT 1;', 'SELECT 007;'],
    ['SELECT 1.5', 'SELECT 00.999999999'],
    ["SELECT 'a'", "SELECT ''"],
    ["SELECT 'a'", "SELECT '-- /* \" $1 $$ ; 1\n2'"],
    ["SELECT 'a'", "SELECT 'é😀'"],
    ['SELECT -1, a[1:2], $1', 'SELECT -2, a[3:4], $1'],
    ['SELECT "a""1" FROM t1 WHERE a=1', 'SELECT "a""1" FROM t1 WHERE a=2'],
    [`SELECT 1 "é" FROM "it's" ü1`, `SELECT 2 "é" FROM "it's" ü1`],
    ["SELECT interval '1 day', 'a'::text", "SELECT interval '2 s', 'b'::text"],
    ["SELECT 'a'\n, 'b'", "SELECT 'b'\n, 'a'"],
    ['SELECT 1 /2 *3 - 4', 'SELECT 4 /3 *2 - 1'],
  ])('%j, %j', (one, other) => {
    expect(form(one)).toBe(form(other));
    expect(form(one)).toBe(formByScanner(Buffer.from(one)));
  });
});

describe('anything else sets them apart', () => {
  test.each([
    ['SELECT 1', "SELECT '1'"],
    ['SELECT 1', 'SELECT 1.0'],
    ['SELECT 1', 'SELECT -1'],
    ['SELECT 1', 'SELECT  1'],
    ['SELECT 1', 'SELECT 1;'],
    ['SELECT 1', 'SELECT 1, 1'],
    ['SELECT $1, 1', 'SELECT $2, 1'],
    ['SELECT a1, 1', 'SELECT a2, 1'],
    ['SELECT "1", 1', 'SELECT "2", 1'],
    ['SELECT a$1, 1', 'SELECT a$2, 1'],
    ['SELECT NULL, 1', 'SELECT true, 1'],
  ])('%j, %j', (one, other) => {
    expect(form(one)).toBeTypeOf('string');
    expect(form(one)).not.toBe(form(other));
  });
});

describe('what can be read in two ways has none', () => {
  test.each([
    ...['SELECT 1 -- a', 'SELECT 1 /* a */', 'SELECT 1 /* a /* b */ c */', 'SELECT 1 --', '/**/ 1'],
    ...["SELECT 'a\\'", "SELECT '\\' || 'a'", "SELECT 'a''b'", "SELECT ''''", "SELECT 'a", '"a'],
    ...["SELECT 'a'\n'b'", "SELECT 'a' 'b'", "SELECT 'a' \f\v\r\n 'b'", "SELECT ''''''"],
    ...["SELECT E'a'", "SELECT e'a'", "SELECT N'a'", "SELECT B'1'", "SELECT X'1F'", "SELECT _'a'"],
    ...[
      "SELECT U&'a'",
      `SELECT U&"a"`,
      "SELECT u&'a' UESCAPE '!'",
      "SELECT 1 &'a'",
      `SELECT 1&"a"`,
    ],
    ...["SELECT é'a'", "SELECT a1'a'", "SELECT a$'a'"],
    ...['SELECT $$a$$', 'SELECT $a$1$a$', 'SELECT $', 'SELECT $1a', 'SELECT $1$'],
    ...['SELECT 1e5', 'SELECT 1E-5', 'SELECT 1.', 'SELECT .5', 'SELECT 1..2', 'SELECT 1.5.2'],
    ...['SELECT a.1', 'SELECT 1.a', 'SELECT 1a', 'SELECT 1_000', 'SELECT 1é', 'SELECT 1$1'],
    ...['SELECT 0x1F', 'SELECT 0o17', 'SELECT 0b1', "SELECT 1'a'", 'SELECT 1.5e3', 'SELECT 1.5a'],
    ...['SELECT 1234567890', 'SELECT 2147483648', 'SELECT 1.1234567890', 'SELECT 1234567890.1'],
    ...['SELECT \\d', 'SELECT 1\u0000', "SELECT '\u0000'", 'SELECT \u0001', "SELECT '\u0003'"],
    ...['SELECT "a\u0002"', 'SELECT 1\u001b', 'SELECT "a\\b"', `SELECT 1 ${' '.repeat(65_536)}`],
  ])('%j', (text) => {
    // Not for want of a literal.
    expect(form('SELECT 7;')).toBeTypeOf('string');
    expect(form(`SELECT 7; ${text}`)).toBeUndefined();
  });

  test.each([
    ["'", [0x80], "'"],
    ["'", [0xc3], "'"],
    ["'", [0xc0, 0xaf], "'"],
    ["'", [0xed, 0xa0, 0x80], "'"],
    ["'", [0xbf, 0x5c], "'"],
    ['"', [0xc3], '"'],
    ['', [0xc3], ' '],
    ['a', [0xff], '1'],
  ])('bytes that are no UTF-8: %j %j', (before, bytes, behind) => {
    const text = Buffer.concat([
      Buffer.from(`SELECT 1, ${before}`),
      Buffer.from(bytes),
      Buffer.from(behind),
    ]);
    expect(formOf(text)).toBeUndefined();
  });
});

test('a text without literals has none', () => {
  for (const text of ['', 'SELECT a', 'SELECT $1, a1, "1", a.b', 'BEGIN;'])
    expect(form(text)).toBeUndefined();
});

test('no text passes for a form', () => {
  const known = form('SELECT 1')!;
  for (const text of [known, known.slice(1), '~SELECT \u0001', 'SELECT 1'])
    expect(exactKeyOf(Buffer.from(text, 'latin1'))).not.toBe(known);
});

/** Heavy on what literals, and what is none, are made of. */
const text = fc
  .array(
    fc.oneof(
      fc.constantFrom(...Array.from(`'"$.\\-/*&+eExXuUbBnN_0159 \n\t;,()[]:a`)),
      fc.constantFrom(
        "'",
        ' ',
        '1',
        "'a'",
        '1.5',
        ' a ',
        '$1',
        '--',
        '/*',
        '*/',
        'U&',
        '"b"',
        '$$',
      ),
      fc.string({ unit: 'grapheme', maxLength: 2 }),
    ),
    { maxLength: 14 },
  )
  .map((parts) => parts.join('').replaceAll('\0', ''));

test('where there is a form, PostgreSQL sees the same literals', () => {
  let seen = 0;
  fc.assert(
    fc.property(text, (sent) => {
      const found = formOf(Buffer.from(sent));
      // What it can't take apart is never remembered.
      if (found === undefined || scan(sent).length === 0) return;
      seen += 1;
      expect(found).toBe(formByScanner(Buffer.from(sent)));
    }),
    { numRuns: 30_000 },
  );
  expect(seen).toBeGreaterThan(2_000);
});
