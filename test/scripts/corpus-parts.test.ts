/** The parts of `npm run test:corpus` that decide: what a text's form says, what PostgreSQL's state says, and the two together. */
import { gzipSync } from 'node:zlib';
import { beforeAll, describe, expect, test } from 'vitest';
import { compare, type Compared, type Finding } from '../../scripts/corpus/comparison.ts';
import { corpusOf } from '../../scripts/corpus/corpus-file.ts';
import { effectsIn, guards } from '../../scripts/corpus/effects.ts';
import { judge } from '../../scripts/corpus/oracle.ts';
import { Report } from '../../scripts/corpus/report.ts';
import { shapeOf, type Shape } from '../../scripts/corpus/shape.ts';
import { loadParser, parse } from '../../src/sql/parse.ts';

beforeAll(loadParser);

const shape = (text: string): Shape => shapeOf(parse(text));

describe('a corpus file', () => {
  const corpus = [{ file: 'a.sql', statements: ['SELECT 1'] }];

  test('is read plain and gzipped', () => {
    const plain = Buffer.from(JSON.stringify(corpus));
    expect(corpusOf(plain)).toEqual(corpus);
    expect(corpusOf(gzipSync(plain))).toEqual(corpus);
  });

  test.each(['{}', '[1]', '[{"file": "a"}]', '[{"file": "a", "statements": [1]}]'])(
    'is not %s',
    (text) => {
      expect(() => corpusOf(Buffer.from(text))).toThrow(/corpus/);
    },
  );
});

describe('the form of a text', () => {
  test.each([
    'SELECT 1',
    'TABLE t',
    'VALUES (1)',
    'WITH x AS (SELECT 1) SELECT * FROM x',
    'EXPLAIN ANALYZE SELECT 1',
    'SHOW work_mem',
    'COPY t TO STDOUT',
    'COPY (SELECT 1) TO STDOUT',
    'PREPARE p AS SELECT 1',
    'DECLARE c CURSOR FOR SELECT 1',
  ])('is a read: %s', (text) => {
    expect(shape(text).reads).toBe(true);
  });

  test.each([
    '',
    'INSERT INTO t VALUES (1)',
    'WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x',
    'SELECT * FROM (SELECT * FROM t FOR UPDATE) q',
    'SELECT 1 INTO x',
    'SELECT 1 INTO x UNION SELECT 2',
    'EXPLAIN DELETE FROM t',
    'EXPLAIN CREATE TABLE x AS SELECT 1',
    "COPY t TO '/tmp/x'",
    "COPY t TO PROGRAM 'cat'",
    'COPY t FROM STDIN',
    'PREPARE p AS DELETE FROM t',
    'SELECT 1; DELETE FROM t',
    'SET work_mem = 1',
  ])('is none: %s', (text) => {
    expect(shape(text).reads).toBe(false);
  });

  test.each([
    ['SET work_mem = 1', true],
    ['DISCARD ALL', true],
    ['DEALLOCATE x', true],
    ['SET LOCAL work_mem = 1', false],
    ['SET TRANSACTION ISOLATION LEVEL SERIALIZABLE', false],
    ['SELECT 1', false],
  ])('%s belongs to the session: %s', (text, expected) => {
    expect(shape(text).session).toBe(expected);
  });

  test('names what it prepares, what outlives it, and what nobody sees', () => {
    expect(shape('PREPARE "a b" AS SELECT 1').prepares).toBe('a b');
    expect(shape("PREPARE TRANSACTION 'x'").twoPhase).toBe(true);
    expect(shape('BEGIN').twoPhase).toBe(false);
    expect(shape('NOTIFY x').unseen).toEqual(['NotifyStmt']);
    expect(shape("SELECT 1 WHERE (SELECT pg_catalog.pg_notify('a', 'b')) IS NULL").unseen).toEqual([
      'pg_notify',
    ]);
  });

  test('is found however deep the tree', () => {
    const deep = `SELECT ${'('.repeat(900)}SELECT pg_notify('a', 'b')${')'.repeat(900)}`;
    expect(shape(deep).unseen).toEqual(['pg_notify']);
  });
});

describe('what PostgreSQL shows after a statement', () => {
  const quiet = {
    xid: null,
    readOnly: 'on',
    users: ['r', 'r'],
    timeout: '2s',
    guards: Object.values(guards),
    listening: 0,
    locks: [
      ['virtualxid', 'ExclusiveLock'],
      ['relation', 'AccessShareLock'],
    ],
  };
  const effects = (change: object): readonly string[] =>
    effectsIn(JSON.stringify({ ...quiet, ...change }), { user: 'r', mode: 'READ ONLY' });

  test('is nothing after a read', () => {
    expect(effects({})).toEqual([]);
    expect(effects({ locks: null })).toEqual([]);
  });

  test.each([
    [{ xid: '700' }, 'a transaction id was assigned'],
    [{ readOnly: 'off' }, 'transaction_read_only is off'],
    [{ users: ['r', 'boss'] }, 'the role was changed'],
    [{ timeout: '0' }, 'statement_timeout is 0'],
    [{ timeout: '2h' }, 'statement_timeout is 2h'],
    [
      { guards: ['off', ...Object.values(guards).slice(1)] },
      'default_transaction_read_only is off',
    ],
    [{ listening: 1 }, 'listens to a channel'],
    [{ locks: [['advisory', 'ShareLock']] }, 'an advisory lock was taken'],
    [{ locks: [['relation', 'RowShareLock']] }, 'RowShareLock on a relation'],
  ])('%j is an effect', (change, expected) => {
    expect(effects(change)).toEqual([expected]);
  });

  test('a transaction that was opened READ WRITE is not made so by the statement', () => {
    const json = JSON.stringify({ ...quiet, readOnly: 'off' });
    expect(effectsIn(json, { user: 'r', mode: 'READ WRITE' })).toEqual([]);
  });
});

describe('an attempt', () => {
  const failed = (sqlstate: string) => ({ kind: 'failed', sqlstate, message: '' }) as const;

  test.each([
    ['SELECT 1', { kind: 'ran', effects: [] }, 'harmless'],
    ['SELECT 1', { kind: 'ran', effects: ['x'] }, 'writes'],
    ['LISTEN x', { kind: 'ran', effects: [] }, 'writes'],
    ['SELECT 1', { kind: 'lost' }, 'writes'],
    ['DELETE FROM t', failed('25006'), 'writes'],
    ['CLUSTER t', failed('42501'), 'writes'],
    ['SELECT * FROM pg_authid', failed('42501'), 'unreadable'],
    ['SELECT * FROM nowhere', failed('42P01'), 'fails'],
  ] as const)('of %s that %j says: %s', (text, attempt, kind) => {
    expect(judge(attempt, shape(text)).kind).toBe(kind);
  });
});

describe('verdict and answer together', () => {
  const allowed = { kind: 'allowed', text: undefined } as const;
  const refused = { kind: 'refused', code: 'relation_not_allowed', reason: '' } as const;
  const byFunction = { kind: 'refused', code: 'function_not_allowed', reason: '' } as const;
  const unread = { kind: 'notUnderstood', code: 'syntax_error', reason: '' } as const;
  const harmless = { kind: 'harmless' } as const;
  const writes = { kind: 'writes', reason: '' } as const;
  const fails = { kind: 'fails', sqlstate: '42601' } as const;
  const read = (): Shape => shape('SELECT 1');

  const rows: readonly [Omit<Compared, 'shape' | 'isGrammatical'>, boolean, Finding | undefined][] =
    [
      [{ verdict: allowed, answer: harmless }, true, undefined],
      [{ verdict: allowed, answer: writes }, false, 'allowedWrite'],
      [{ verdict: allowed, answer: fails }, false, undefined],
      [{ verdict: allowed, answer: { kind: 'unreadable' } }, false, undefined],
      [{ verdict: refused, answer: harmless }, true, 'refusedRead'],
      [{ verdict: byFunction, answer: harmless }, true, 'refusedByFunctionRule'],
      [{ verdict: refused, answer: writes }, false, undefined],
      [{ verdict: unread, answer: harmless }, true, 'notUnderstood'],
    ];
  test.each(rows)('%j', (parts, isPlainRead, finding) => {
    expect(compare({ ...parts, shape: read(), isGrammatical: true })).toEqual({
      isPlainRead,
      finding,
    });
  });

  test('what is no SQL at all was rightly not understood', () => {
    const parts = { verdict: unread, answer: fails, shape: undefined, isGrammatical: false };
    expect(compare(parts)).toEqual({ isPlainRead: false, finding: undefined });
  });

  test('a harmless statement that is no read may be refused', () => {
    const parts = { verdict: refused, answer: harmless, isGrammatical: true };
    expect(compare({ ...parts, shape: shape('VACUUM') }).finding).toBeUndefined();
  });
});

describe('the report', () => {
  const one = {
    ...{ file: 'a.sql', number: 7, statement: 'SELECT\n 1', isPlainRead: true },
    verdict: { kind: 'refused', code: 'relation_not_allowed', reason: 'no' },
    answer: { kind: 'harmless' },
  } as const;

  test('does not pass when it looked at nothing', () => {
    expect(new Report().hasPassed()).toBe(false);
  });

  test('ends with its figures, after each family and, when asked, each case', () => {
    const report = new Report();
    for (let reads = 0; reads < 199; reads += 1) report.add({ ...one, finding: undefined });
    report.add({ ...one, finding: 'refusedRead' });
    expect(report.hasPassed()).toBe(true);
    const lines = report.lines({ each: true });
    expect(lines).toContain('     1  relation_not_allowed: no');
    expect(lines).toContain('          a.sql:7  SELECT 1');
    expect(report.lines({ each: false })).not.toContain('          a.sql:7  SELECT 1');
    expect(JSON.parse(lines.at(-1) ?? '')).toEqual({
      ...{ statements: 200, allowed_writes: 0, refused_reads: 1 },
      ...{ refused_by_function_rule: 0, plain_reads: 200, not_understood: 0 },
    });
    report.add({ ...one, finding: 'notUnderstood' });
    expect(report.hasPassed()).toBe(false);
  });

  test('does not pass with an allowed write', () => {
    const report = new Report();
    report.add({ ...one, finding: 'allowedWrite', isPlainRead: false });
    expect(report.hasPassed()).toBe(false);
  });
});
