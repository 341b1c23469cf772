/** The parts of `npm run fuzz`: what makes the cases, and what says that one has failed. */
import { beforeAll, describe, expect, test } from 'vitest';
import { loadedFrames, savedFrames } from '../../scripts/fuzz/case-file.ts';
import { minimised } from '../../scripts/fuzz/minimise.ts';
import { chunked, mutatedFrames } from '../../scripts/fuzz/mutate-frames.ts';
import { mutatedStatement, StatementPool } from '../../scripts/fuzz/mutate-statement.ts';
import { faultIn, streamOf } from '../../scripts/fuzz/protocol-model.ts';
import { Random } from '../../scripts/fuzz/random.ts';
import { recorded } from '../../scripts/fuzz/recorded.ts';
import { ownStatements } from '../../scripts/fuzz/statement-fuzz.ts';
import { cut, textOf } from '../../scripts/fuzz/tokens.ts';
import { loadParser } from '../../src/sql/parse.ts';
import { frontend, type Received } from '../fixtures/raw-client.ts';

beforeAll(loadParser);

test('numbers are decided by seed and case, and differ between them', () => {
  const three = (seed: number, number: number): number[] => {
    const random = Random.ofCase(seed, number);
    return [random.below(1000), random.below(1000), random.below(1000)];
  };
  expect(three(1, 7)).toEqual(three(1, 7));
  expect(three(1, 7)).not.toEqual(three(1, 8));
  expect(three(1, 7)).not.toEqual(three(2, 7));
});

describe('statements', () => {
  test('our own selection is of the grammar, every one', () => {
    const own = ownStatements();
    expect(own.length).toBeGreaterThan(200);
    expect(own.filter((text) => cut(text) === undefined)).toEqual([]);
  });

  test('are cut into expressions, relations and sub-selects', () => {
    const found = cut("SELECT upper(t.b), 'x' FROM public.t WHERE a IN (SELECT é FROM u)");
    const pieces = found?.sites.map(({ kind, start, end }) => [
      kind,
      textOf(found.tokens.slice(start, end)),
    ]);
    expect(pieces).toEqual(
      expect.arrayContaining([
        ['expression', 'upper ( t . b )'],
        ['expression', 't . b'],
        ['expression', "'x'"],
        ['expression', 'é'],
        ['relation', 'public . t'],
        ['relation', 'u'],
        ['subselect', '( SELECT é FROM u )'],
      ]),
    );
  });

  test('a text without grammar has no pieces', () => {
    expect(cut('SELECT FROM FROM')).toBeUndefined();
    expect(cut("SELECT 'open")).toBeUndefined();
  });

  test('made anew they are the same for a seed, new, and mostly of the grammar', () => {
    const own = ownStatements();
    const pool = new StatementPool(own);
    const make = (): string[] =>
      Array.from({ length: 400 }, (_none, number) =>
        mutatedStatement(pool, Random.ofCase(3, number)),
      );
    const made = make();
    expect(make()).toEqual(made);
    expect(new Set(made).size).toBeGreaterThan(350);
    expect(made.filter((text) => cut(text) !== undefined).length).toBeGreaterThan(250);
    expect(made.filter((text) => /\btrap/.test(text)).length).toBeGreaterThan(40);
  });
});

test('what fails is made short', async () => {
  const needed = (parts: readonly number[]): Promise<boolean> =>
    Promise.resolve(parts.includes(3) && parts.includes(17));
  const parts = Array.from({ length: 40 }, (_none, index) => index);
  expect(await minimised(parts, needed)).toEqual([3, 17]);
});

describe('frames', () => {
  const all = Object.values(recorded).flat();

  test('in other chunks they are the same bytes', () => {
    const bytes = Buffer.concat(all);
    for (let number = 0; number < 50; number += 1) {
      const chunks = chunked(bytes, Random.ofCase(5, number));
      expect(Buffer.concat(chunks).equals(bytes)).toBe(true);
      expect(chunks.every((chunk) => chunk.length > 0)).toBe(true);
    }
  });

  test('tampered with they are the same for a seed, and others than before', () => {
    const [first] = Object.values(recorded);
    const make = (number: number): string =>
      Buffer.concat(mutatedFrames(first!, all, Random.ofCase(5, number))).toString('latin1');
    const original = Buffer.concat(first!).toString('latin1');
    const made = Array.from({ length: 200 }, (_none, number) => make(number));
    expect(made).toEqual(made.map((_text, number) => make(number)));
    expect(made.filter((text) => text !== original).length).toBeGreaterThan(180);
  });

  test('survive being saved, with another key in place of theirs', () => {
    const [key, other] = ['hd_ro_0123456789', 'hd_ro_abcdefghij'];
    const frames = [frontend.startup({ user: 'a' }), frontend.password(key)];
    const chunks = chunked(Buffer.concat(frames), Random.ofCase(6, 1));
    const saved = savedFrames({ kind: 'greeting', frames, chunks }, 'reason', key);
    expect(JSON.stringify(saved)).not.toContain(key);
    if (saved.kind === 'statement') throw new Error('not frames');
    const loaded = loadedFrames(saved, other);
    expect(loaded.frames).toEqual([frames[0], frontend.password(other)]);
    expect(Buffer.concat(loaded.chunks)).toEqual(Buffer.concat(loaded.frames));
    expect(loaded.chunks.map(({ length }) => length)).toEqual(chunks.map(({ length }) => length));
  });
});

describe('the model of the protocol', () => {
  const { query, parse, bind, execute, sync } = frontend;
  const answer = (types: string): Received[] =>
    Array.from(types, (type) => ({
      type: type === '!' ? 'E' : type,
      body: Buffer.from(type === '!' ? 'VFATAL\0C08P01\0\0' : 'VERROR\0C42501\0\0'),
    }));
  const extended = [parse('', 'SELECT 1'), bind('', ''), execute(''), sync()];

  test.each([
    [[query('SELECT 1')], 'TDCZ'],
    [[query('SELECT 1; SELECT 2')], 'TDCTDCZ'],
    [[query('x'), query('y')], 'EZNTCZ'],
    [[query('')], 'IZ'],
    [extended, '12DCZ'],
    [extended, 'EZ'],
    [extended, '1EZ'],
    [[parse('', 'x'), query('y'), ...extended], 'EZ'],
    [[query('COPY t TO STDOUT')], 'HddcCZ'],
    [[frontend.functionCall(1), sync()], 'EZZ'],
    [[frontend.flush(), frontend.copyDone(), sync()], 'Z'],
  ])('accepts %j answered by %s', (frames, types) => {
    expect(faultIn(frames, answer(types), false)).toBeUndefined();
  });

  test.each([
    [[query('SELECT 1')], 'TDC', 'Q is not answered'],
    [[query('SELECT 1')], 'TDCZZ', 'Z answers nothing'],
    [[query('SELECT 1')], '1Z', 'Q is answered by 1'],
    [extended, '12DCZZ', 'Z answers nothing'],
    [extended, 'E2DCZ', 'S is answered by 2'],
    [extended, '2Z', 'P is answered by 2'],
    [extended, '12DC', 'S is not answered'],
    [[query('x')], 'E!Z', 'the session goes on after a FATAL error'],
  ])('refuses %j answered by %s', (frames, types, fault) => {
    expect(faultIn(frames, answer(types), false)).toBe(fault);
  });

  test('a session that has ended owes no more, and says nothing after its last words', () => {
    expect(faultIn(extended, answer('12!'), true)).toBeUndefined();
    expect(faultIn(extended, answer('12!Z'), true)).toBe('something follows a FATAL error');
    expect(faultIn(extended, answer('21'), true)).toBe('P is answered by 2');
  });

  test('cuts a stream where a server must', () => {
    const two = Buffer.concat([query('SELECT 1'), sync()]);
    expect(streamOf(two, 1000)).toEqual({ frames: [query('SELECT 1'), sync()], isSound: true });
    expect(streamOf(two.subarray(0, -1), 1000).isSound).toBe(false);
    expect(streamOf(two, 10)).toEqual({ frames: [], isSound: false });
    expect(streamOf(Buffer.concat([sync(), Buffer.from('z\0\0\0\x04')]), 1000).isSound).toBe(false);
    expect(streamOf(Buffer.concat([frontend.terminate(), sync()]), 1000)).toEqual({
      frames: [frontend.terminate()],
      isSound: false,
    });
  });
});
