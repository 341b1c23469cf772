/** Bytes in, judgement out: the cache, the encodings, the positions, and a parser that must not be broken. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { HatiError } from '../../src/errors.ts';
import { isSmall } from '../../src/sql/complexity.ts';
import { StatementReader } from '../../src/sql/reader.ts';
import type { ClassifiedText } from '../../src/sql/statement.ts';

const reader = new StatementReader({
  cacheBytes: 4 * 1024 * 1024,
  statementBytes: 1024 * 1024,
  workers: 2,
  deadlineMs: 60_000,
});

beforeAll(() => reader.start());
afterAll(() => reader.close());

async function failure(text: string | Buffer, from = reader): Promise<HatiError> {
  try {
    await from.read(Buffer.from(text));
  } catch (error) {
    expect(error).toBeInstanceOf(HatiError);
    return error as HatiError;
  }
  throw new Error('was not refused');
}

const read = async (text: string): Promise<ClassifiedText> => reader.read(Buffer.from(text));

/** As long as told, made of one repeated piece. */
function repeated(before: string, piece: string, after: string, bytes: number): string {
  return (
    before + piece.repeat(Math.floor((bytes - before.length - after.length) / piece.length)) + after
  );
}

describe('small texts', () => {
  test('are read at once, and the same bytes are read once', () => {
    const first = reader.read(Buffer.from('SELECT 1 FROM t'));
    expect(first).not.toBeInstanceOf(Promise);
    expect(reader.read(Buffer.from('SELECT 1 FROM t'))).toBe(first);
    expect(reader.read(Buffer.from('SELECT 1 FROM t '))).not.toBe(first);
  });

  test('the cache is keyed by bytes, not by what they decode to', async () => {
    expect((await read('SELECT 1 AS "é"')).statements).toHaveLength(1);
    expect((await failure(Buffer.from('SELECT 1 AS "é"', 'latin1'))).code).toBe('invalid_utf8');
  });

  test.each([
    ['a lone continuation byte', [0x80]],
    ['a cut sequence', [0xc3]],
    ['an overlong form', [0xc0, 0xaf]],
    ['a surrogate', [0xed, 0xa0, 0x80]],
    ['past U+10FFFF', [0xf4, 0x90, 0x80, 0x80]],
    ['GBK that hides a quote', [0xbf, 0x5c]],
  ])('%s is refused', async (_what, bytes) => {
    const text = Buffer.concat([Buffer.from("SELECT '"), Buffer.from(bytes), Buffer.from("'")]);
    expect(await failure(text)).toMatchObject({ code: 'invalid_utf8', sqlstate: '22021' });
  });

  test('NUL is refused', async () => {
    expect(await failure('SELECT 1\0; DROP TABLE t')).toMatchObject({ sqlstate: '08P01' });
  });

  test.each(['\uFEFFSELECT 1', 'SELECT\u00a01', '\u2028SELECT 1'])(
    '%j is no white space to PostgreSQL',
    async (text) => {
      const answer = await read(text).catch((error: unknown) => error);
      if (answer instanceof HatiError) expect(answer.code).toBe('syntax_error');
      // SELECT<NBSP>1 is one identifier there: never a SELECT of something else.
      else expect(answer).toBeUndefined();
    },
  );

  test.each([
    ['selec 1', 1, 'syntax error at or near "selec"'],
    ["SELECT 'é😀', 1 FROM FROM t", 21, 'syntax error at or near "FROM"'],
    ['SELECT (', 9, 'syntax error at end of input'],
    ["SELECT 'x", 8, 'unterminated quoted string at or near "\'x"'],
  ])('%s: position %i', async (text, position, message) => {
    expect(await failure(text)).toMatchObject({
      code: 'syntax_error',
      sqlstate: '42601',
      position,
      message,
    });
  });

  test('past the limit of bytes they are not read', async () => {
    const error = await failure(Buffer.alloc(1024 * 1024 + 1, ' '));
    expect(error).toMatchObject({ code: 'statement_too_long', sqlstate: '54000' });
  });
});

describe('what is parsed on the event loop cannot overflow its stack', () => {
  const shapes: readonly (readonly [string, string, string])[] = [
    ['SELECT 1', '+1', ''],
    ['SELECT ', '-+', '1'],
    ['SELECT ', '- ', '1'],
    ['SELECT ', 'NOT ', 'true'],
    ['SELECT 1', '::a', ''],
    ['SELECT (a)', '.a', ''],
    ['SELECT a', ' COLLATE a', ''],
    ['SELECT 1', ' UNION SELECT 1', ''],
    ['TABLE a', ' UNION ALL TABLE a', ''],
    ['SELECT FROM a', ' NATURAL JOIN a', ''],
    ['SELECT 1', '||1', ''],
    ['SELECT a', ' AT TIME ZONE a', ''],
    ['SELECT 1', ' AND 1', ''],
    ['SELECT 1', ' IS NULL', ''],
  ];
  const nested: readonly (readonly [string, string])[] = [
    ['(', ')'],
    ['ARRAY[', ']'],
    ['a[', ']'],
    ['f(', ')'],
    ['(SELECT ', ')'],
    ['EXISTS(SELECT ', ')'],
    ['CASE WHEN ', ' THEN 1 END'],
    ['ROW(', ')'],
    ['1 IN (', ')'],
    ['a OR (b AND ', ')'],
    ['JSON(', ')'],
  ];
  const texts = [
    ...shapes.map(([before, piece, after]) => repeated(before, piece, after, 2048)),
    ...nested.map(([open, close]) => {
      const depth = Math.floor((2048 - 8) / (open.length + close.length));
      return `SELECT ${open.repeat(depth)}1${close.repeat(depth)}`;
    }),
  ];

  test.each(texts.map((text) => [text.slice(0, 30), text] as const))(
    '%s…',
    async (_start, text) => {
      expect(text.length).toBeLessThanOrEqual(2048);
      const answer = reader.read(Buffer.from(text));
      expect(answer instanceof Promise).toBe(!isSmall(Buffer.from(text)));
      expect((await answer).statements).toHaveLength(1);
      expect(reader.read(Buffer.from('SELECT 1'))).not.toBeInstanceOf(Promise);
    },
  );
});

describe('large texts', () => {
  test('are read by a worker, with the same result', async () => {
    const filler = `/* ${'x'.repeat(4000)} */`;
    const small = await read('WITH d AS (DELETE FROM t RETURNING *) SELECT f(d.*) FROM d, u');
    const answer = reader.read(
      Buffer.from(`WITH d AS (DELETE FROM t RETURNING *) SELECT f(d.*) FROM d, u ${filler}`),
    );
    expect(answer).toBeInstanceOf(Promise);
    const large = await answer;
    expect(large.statements[0]).toMatchObject({
      acts: small.statements[0]!.acts,
      relations: small.statements[0]!.relations,
      functions: small.statements[0]!.functions,
    });
  });

  test('are remembered too', async () => {
    const text = Buffer.from(`SELECT ${'1, '.repeat(2000)} 1`);
    const first = await reader.read(text);
    expect(reader.read(text)).toBe(first);
  });

  test('have syntax errors with a position', async () => {
    expect(await failure(`SELECT ${'é,'.repeat(3000)} FROM FROM`)).toMatchObject({
      code: 'syntax_error',
      position: 6009,
    });
  });

  test('of many values are no problem', async () => {
    const { statements } = await read(`SELECT 1 IN (${'0, '.repeat(100_000)} 0)`);
    expect(statements[0]?.acts).toEqual([{ class: 'read', verb: 'SELECT' }]);
  });
});

describe('parser bombs', () => {
  test('sixty of 16 KB change nothing for others', async () => {
    const bomb = Buffer.from(repeated('SELECT 1', '+1', '', 16 * 1024));
    const answers: unknown[] = [];
    for (let round = 0; round < 60; round++) {
      // Different bytes each time, so that no cache answers.
      const text = Buffer.concat([bomb, Buffer.from(` AS bomb_${round}`)]);
      answers.push(await Promise.resolve(reader.read(text)).catch((error: unknown) => error));
    }
    for (const answer of answers) {
      if (answer instanceof Error) expect(answer).toMatchObject({ code: 'statement_too_complex' });
      else expect(answer).toMatchObject({ statements: [{ node: 'SelectStmt' }] });
    }
    expect((await read('SELECT 2')).statements).toHaveLength(1);
    expect((await read(`SELECT ${'2, '.repeat(2000)} 2`)).statements).toHaveLength(1);
  });

  test('those that break the parser are refused, one by one, while others are served', async () => {
    const bomb = repeated('SELECT 1', '+1', '', 400_000);
    const bombs = Array.from({ length: 6 }, (_none, round) => failure(`${bomb} AS bomb_${round}`));
    const large = read(`SELECT ${'3, '.repeat(2000)} 3`);
    expect((await read('SELECT 3')).statements).toHaveLength(1);
    expect((await large).statements).toHaveLength(1);
    for (const error of await Promise.all(bombs)) {
      expect(error).toMatchObject({ code: 'statement_too_complex', sqlstate: '54001' });
    }
    expect((await read(`SELECT ${'4, '.repeat(2000)} 4`)).statements).toHaveLength(1);
  });
});

describe('a reader of its own', () => {
  const options = {
    cacheBytes: 64 * 1024,
    statementBytes: 1024 * 1024,
    workers: 1,
    deadlineMs: 60_000,
  };

  test('gives up on a text that takes too long, and goes on', async () => {
    const impatient = new StatementReader({ ...options, deadlineMs: 1 });
    await impatient.start();
    // A cubic text: it takes the parser far longer than the deadline.
    const error = await failure(repeated('SELECT ', '-+', '1', 8000), impatient);
    expect(error).toMatchObject({ code: 'statement_too_complex' });
    expect(impatient.read(Buffer.from('SELECT 1'))).not.toBeInstanceOf(Promise);
    await impatient.close();
  });

  test('lets the large texts of several sources take turns', async () => {
    const fair = new StatementReader(options);
    await fair.start();
    const order: string[] = [];
    const send = async (source: string, name: string): Promise<void> => {
      await fair.read(Buffer.from(`SELECT ${'1, '.repeat(3000)} '${name}'`), source);
      order.push(name);
    };
    await Promise.all([
      ...['a1', 'a2', 'a3', 'a4', 'a5'].map((name) => send('a', name)),
      send('b', 'b1'),
    ]);
    // The one worker has a1 at once; then a and b are served in turn.
    expect(order).toEqual(['a1', 'a2', 'b1', 'a3', 'a4', 'a5']);
    await fair.close();
  });

  test('keeps its cache within its bytes', async () => {
    const small = new StatementReader(options);
    await small.start();
    const first = small.read(Buffer.from('SELECT a0'));
    for (let number = 1; number < 500; number++) await small.read(Buffer.from(`SELECT a${number}`));
    expect(small.read(Buffer.from('SELECT a0'))).not.toBe(first);
    await small.close();
  });

  test('refuses what waits when it is closed, and leaves no thread', async () => {
    const closing = new StatementReader(options);
    await closing.start();
    const waiting = [1, 2, 3].map((number) =>
      failure(`SELECT ${'1, '.repeat(3000)} ${number}`, closing),
    );
    await closing.close();
    const codes = (await Promise.all(waiting)).map((error) => error.code);
    expect(codes.slice(1)).toEqual(['parser_unavailable', 'parser_unavailable']);
    await reader.close();
    expect(
      process.getActiveResourcesInfo().filter((resource) => resource === 'MessagePort'),
    ).toEqual([]);
  });
});
