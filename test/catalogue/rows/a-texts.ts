/** A: how a text is read, byte by byte. */
import { frontend as f } from '../../fixtures/raw-client.ts';
import { all, cannot, cannotCall, cannotSetTo, onlyUtf8, same } from '../model.ts';
import type { Row } from '../model.ts';
import { extended } from '../run-rows.ts';

const invalidUtf8 = '22021 the statement is not valid UTF-8';

/** A Query whose text has bytes that no string has: `%` stands for them. */
function bytesIn(
  text: string,
  bytes: readonly number[],
  message: (text: string) => Buffer,
): Buffer {
  const whole = message(text.replace('%', 'X'.repeat(bytes.length)));
  whole.set(bytes, whole.indexOf('X'));
  return whole;
}

const notUtf8: readonly (readonly [string, readonly number[]])[] = [
  ['a lead byte alone', [0xc3]],
  ['a continuation byte alone', [0x80]],
  ['an overlong quote', [0xc0, 0xa7]],
  ['a surrogate', [0xed, 0xa0, 0x80]],
  ['beyond U+10FFFF', [0xf4, 0x90, 0x80, 0x80]],
  ['Latin-1', [0xe9]],
];

export const texts: readonly Row[] = [
  {
    id: 'A20',
    title: 'bytes that are not UTF-8',
    cases: [
      ...notUtf8.flatMap(([name, bytes]) => [
        {
          name: `${name}, simple`,
          send: [bytesIn("select '%'", bytes, f.query)],
          sees: [invalidUtf8, 'Z I'],
        },
        {
          name: `${name}, extended`,
          send: [
            bytesIn("select '%'", bytes, (text) => f.parse('', text)),
            ...extended('').slice(1),
          ],
          sees: [invalidUtf8, 'Z I'],
        },
      ]),
      {
        name: 'a judgement is remembered by bytes, not by what they decode to',
        send: [f.query("select '\ufffd'"), bytesIn("select '%'", [0xc3], f.query)],
        sees: ['T', 'D \ufffd', 'C SELECT 1', 'Z I', invalidUtf8, 'Z I'],
      },
    ],
  },
  {
    id: 'A21',
    title: 'a client encoding that hides a quote',
    cases: [
      ...all(
        onlyUtf8('GBK'),
        "SET client_encoding = 'GBK'",
        "SET NAMES 'GBK'",
        "SELECT set_config('client_encoding', 'GBK', false)",
        "SET LOCAL client_encoding TO 'GBK'",
        "SELECT 1; SET client_encoding = 'GBK'",
      ),
      ...all(onlyUtf8('SQL_ASCII'), "SET client_encoding = 'SQL_ASCII'"),
      ...all(
        cannot('DDL'),
        "ALTER ROLE hatidata_reader SET client_encoding = 'GBK'",
        "ALTER DATABASE hatidata SET client_encoding = 'GBK'",
      ),
      { text: "SET client_encoding = 'GBK'", refused: onlyUtf8('GBK'), as: 'admin' },
      {
        text: "ALTER DATABASE hatidata SET client_encoding = 'GBK'",
        refused: onlyUtf8('GBK'),
        as: 'admin',
      },
      ...same(
        "SET client_encoding = 'UTF8'; SELECT 1",
        'RESET client_encoding; SHOW client_encoding',
      ).map((each) => ({
        ...each,
        simpleOnly: true as const,
        rows: each.text === 'RESET client_encoding; SHOW client_encoding' ? ['UTF8'] : ['1'],
      })),
      {
        name: 'the text itself',
        send: [bytesIn("select E'%' ; delete from u; -- '", [0xbf, 0x5c], f.query)],
        sees: [invalidUtf8, 'Z I'],
      },
    ],
  },
  {
    id: 'A22',
    title: 'standard_conforming_strings off',
    cases: [
      ...(['readonly', 'admin'] as const).flatMap((as) =>
        [
          ...all(
            cannotSetTo('standard_conforming_strings', 'off'),
            'SET standard_conforming_strings = off',
            'SET LOCAL standard_conforming_strings TO off',
            "SELECT set_config('standard_conforming_strings', 'off', false)",
            'RESET ALL; SET standard_conforming_strings = off',
          ),
          ...all(
            cannotSetTo('standard_conforming_strings', 'of'),
            "SET standard_conforming_strings = 'of'",
          ),
          ...all(
            cannotSetTo('standard_conforming_strings', 'f'),
            "SET standard_conforming_strings = 'f'",
          ),
        ].map((each) => ({ ...each, as })),
      ),
      ...all(cannot('DELETE'), "select 'a\\' ; delete from u; -- '"),
      { text: "select 'a\\'' ; delete from u; -- '", rows: ["a\\' ; delete from u; -- "] },
      {
        name: 'switched off inside of code: the session ends',
        as: 'admin',
        send: [f.query('DO $$ BEGIN SET standard_conforming_strings = off; END $$')],
        sees: [
          'C DO',
          'S',
          'Z I',
          /^08006 the database engine reported standard_conforming_strings = off; the session was ended/,
          'closed',
        ],
      },
    ],
  },
  {
    id: 'A23',
    title: 'where a literal or a comment ends',
    cases: [
      ...all(
        cannot('DDL'),
        "SELECT E'\\'' ; DROP TABLE u; --'",
        'SELECT $x$ $y$ $x$; DROP TABLE u; --$y$',
        "SELECT 'a'; DROP TABLE u; --'",
        '/* /* */ */ DROP TABLE u',
        "SELECT '' '' ; DROP TABLE u".replace("'' ''", "''\n''"),
        '--\nDROP TABLE u',
        "SELECT U&'\\0027' ; DROP TABLE u",
        "SELECT B'1'; DROP TABLE u -- '",
        'SELECT $$ $$; DROP TABLE u; SELECT $$ $$',
      ),
      ...[
        ["SELECT E'\\' ; DROP TABLE u; --'", ["' ; DROP TABLE u; --"]],
        ['SELECT $x$ ; DROP TABLE u; $x$', [' ; DROP TABLE u; ']],
        ['SELECT $x$ $y$ ; DROP TABLE u; $y$ $x$', [' $y$ ; DROP TABLE u; $y$ ']],
        ["SELECT 'a'\n'; DROP TABLE u; --'", ['a; DROP TABLE u; --']],
        ['/* /* */ DROP TABLE u; */ SELECT 1', ['1']],
        ["SELECT 'a''; DROP TABLE u; --'", ["a'; DROP TABLE u; --"]],
      ].map(([text, rows]) => ({ text: text as string, rows: rows as string[] })),
      ...all(
        /^42601 /,
        "SELECT 'a' '; DROP TABLE u'",
        "SELECT 'a; DROP TABLE u",
        '/* /* */ DROP TABLE u',
      ),
    ],
  },
  {
    id: 'A24',
    title: 'names in Unicode escapes',
    cases: [
      ...same(
        'SELECT U&"\\0073sn" FROM t ORDER BY 1',
        'SELECT U&"!0073sn" UESCAPE \'!\' FROM t ORDER BY 1',
        'SELECT "ssn" FROM U&"\\0074" ORDER BY 1',
      ),
      ...all(
        cannotCall('pg_sleep'),
        'SELECT U&"pg_\\0073leep"(1)',
        'SELECT U&"!0070g_sleep" UESCAPE \'!\' (1)',
        'SELECT "pg_sleep"(1)',
      ),
      ...all(cannotSetTo('work_mem', '2GB'), `SET U&"work_\\006dem" = '2GB'`),
    ],
  },
];
