/** What holds for every text, tried with many. */
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { HatiError } from '../../src/errors.ts';
import { readonlyAuthority } from '../../src/policy/authority.ts';
import { authorize } from '../../src/policy/authorize.ts';
import { emptyCatalogue } from '../../src/policy/catalogue.ts';
import { analyse } from '../../src/sql/analyse.ts';
import { loadParser, parse } from '../../src/sql/parse.ts';
import { quoteIdentifier, quoteLiteral } from '../../src/sql/quote.ts';

beforeAll(loadParser);

/** Well-formed text without NUL, heavy on what matters to a lexer. */
const text = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        ...[
          "'",
          '"',
          '\\',
          '$',
          '$$',
          '--',
          '/*',
          '*/',
          ';',
          '(',
          ')',
          '[',
          ']',
          'E',
          'U&',
          '::',
          ',',
          '\n',
        ],
      ),
      fc.constantFrom(
        ...[
          'SELECT ',
          ' FROM ',
          ' WITH ',
          ' AS ',
          'DELETE ',
          ' INTO ',
          'hatidata_rag_context',
          'SET ',
          '1',
          'a',
        ],
      ),
      fc.string({ unit: 'grapheme', maxLength: 3 }),
    ),
    { maxLength: 20 },
  )
  .map((parts) => parts.join('').replaceAll('\0', ''));

test('whatever is sent, the answer is a judgement or one of our errors', () => {
  fc.assert(
    fc.property(text, (sent) => {
      try {
        for (const statement of analyse(sent).statements) expect(statement.acts).not.toEqual([]);
      } catch (error) {
        expect(error).toBeInstanceOf(HatiError);
      }
    }),
    { numRuns: 3000 },
  );
});

describe('quoting survives the grammar', () => {
  test('of strings', () => {
    fc.assert(
      fc.property(text, (value) => {
        const [statement, ...more] = parse(`SELECT ${quoteLiteral(value)}`);
        expect(more).toEqual([]);
        const expected = value === '' ? {} : { sval: value };
        expect(statement?.stmt).toMatchObject({
          SelectStmt: { targetList: [{ ResTarget: { val: { A_Const: { sval: expected } } } }] },
        });
      }),
      { numRuns: 1000 },
    );
  });

  test('of names', () => {
    // PostgreSQL cuts names at 63 bytes.
    const name = text.filter((value) => value !== '' && Buffer.byteLength(value) < 64);
    fc.assert(
      fc.property(name, (value) => {
        const { statements } = analyse(`SELECT * FROM ${quoteIdentifier(value)}`);
        expect(
          statements.map((statement) => statement.relations.map((relation) => relation.name)),
        ).toEqual([[value]]);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('what a readonly key may not do is found however deep it lies', () => {
  const forbidden = fc.constantFrom(
    'WITH d AS (DELETE FROM u RETURNING 1) TABLE d',
    'SELECT 1 INTO z',
    'SELECT 1 FROM t FOR UPDATE',
    'SELECT pg_sleep(1)',
    "SELECT ('/'::text).pg_ls_dir",
    'SELECT my.f()',
    'SELECT 1 OPERATOR(my.+) 1',
    "SELECT set_config('role', 'x', false)",
    'SELECT * FROM pg_authid',
    "SELECT rotate_api_key('a')",
    'TABLE _hatidata_keys.active_keys',
  );
  const wrappers: readonly ((inner: string) => string)[] = [
    (inner) => `SELECT (${inner})`,
    (inner) => `SELECT * FROM (${inner}) a`,
    (inner) => `WITH c AS (${inner}) TABLE c`,
    (inner) => `WITH RECURSIVE c AS MATERIALIZED (SELECT 1 UNION ALL (${inner})) SELECT 1`,
    (inner) => `(${inner}) UNION ALL SELECT 1`,
    (inner) => `SELECT 1 EXCEPT (${inner})`,
    (inner) => `SELECT 1 FROM t WHERE EXISTS (${inner})`,
    (inner) => `SELECT 1 IN (${inner})`,
    (inner) => `SELECT ARRAY(${inner})`,
    (inner) => `SELECT 1 LIMIT (${inner})`,
    (inner) => `SELECT lower((${inner})::text) ORDER BY 1`,
    (inner) =>
      `SELECT count(*) FILTER (WHERE (${inner}) IS NULL) OVER (ORDER BY (${inner})) FROM t`,
    (inner) => `SELECT * FROM t JOIN LATERAL (${inner}) a ON true`,
    (inner) => `SELECT CASE WHEN true THEN (${inner}) END GROUP BY ROLLUP ((${inner}))`,
    (inner) => `SELECT (ARRAY[1])[(${inner})]`,
    (inner) => `VALUES (1, (${inner}))`,
    (inner) => `SELECT JSON_ARRAY(${inner})`,
  ];
  const outermost: readonly ((inner: string) => string)[] = [
    (inner) => inner,
    (inner) => `EXPLAIN ${inner}`,
    (inner) => `EXPLAIN (ANALYZE off, COSTS) ${inner}`,
    (inner) => `PREPARE p AS ${inner}`,
    (inner) => `DECLARE c CURSOR FOR ${inner}`,
    (inner) => `COPY (${inner}) TO STDOUT`,
    (inner) => `SELECT 1; ${inner}`,
    (inner) => `BEGIN; ${inner}; COMMIT`,
  ];

  const wrapped = fc.tuple(
    forbidden,
    fc.array(fc.constantFrom(...wrappers), { maxLength: 4 }),
    fc.constantFrom(...outermost),
  );

  test('in any wrapping', () => {
    fc.assert(
      fc.property(wrapped, ([core, layers, outer]) => {
        const sent = outer(layers.reduce<string>((inner, wrap) => wrap(inner), core));
        expect(authorize(readonlyAuthority, analyse(sent), emptyCatalogue)?.sqlstate).toBe('42501');
      }),
      { numRuns: 2000 },
    );
  });

  test('and the wrappings themselves are allowed', () => {
    fc.assert(
      fc.property(wrapped, ([_core, layers, outer]) => {
        const sent = outer(layers.reduce<string>((inner, wrap) => wrap(inner), 'SELECT 1'));
        expect(authorize(readonlyAuthority, analyse(sent), emptyCatalogue)).toBeUndefined();
      }),
      { numRuns: 500 },
    );
  });
});
