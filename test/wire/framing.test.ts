import { describe, expect, test } from 'vitest';
import { HatiError } from '../../src/errors.ts';
import { FrontendFramer } from '../../src/wire/framing.ts';
import { parse, query, sync, terminate } from '../../src/wire/frontend-messages.ts';

const stream = Buffer.concat([
  query('SELECT 1'),
  parse({ name: 's', text: 'SELECT $1', parameterTypes: [25, 23] }),
  sync,
  query(''),
  terminate,
]);

function frames(chunks: readonly Buffer[]): string[] {
  const framer = new FrontendFramer(1_000);
  const found: string[] = [];
  for (const chunk of chunks) {
    framer.push(chunk);
    for (let next = framer.next(); next !== undefined; next = framer.next()) {
      found.push(next.raw.toString('latin1'));
    }
  }
  expect(framer.pendingBytes).toBe(0);
  return found;
}

describe('FrontendFramer', () => {
  const whole = frames([stream]);

  test('finds every message of one chunk', () => {
    expect(whole.map((frame) => frame[0])).toEqual(['Q', 'P', 'S', 'Q', 'X']);
  });

  test('finds the same messages wherever the stream is cut', () => {
    for (let cut = 0; cut <= stream.length; cut += 1) {
      expect(frames([stream.subarray(0, cut), stream.subarray(cut)]), `cut at ${cut}`).toEqual(
        whole,
      );
    }
    expect(frames([...stream].map((byte) => Buffer.of(byte)))).toEqual(whole);
  });

  describe('the data of a COPY', () => {
    const row = (text: string): Buffer => {
      const message = Buffer.from(`d    ${text}`);
      message.writeInt32BE(4 + text.length, 1);
      return message;
    };
    const rows = ['', 'a', 'two', 'three'].map(row);
    const data = Buffer.concat(rows);

    test('is joined where a chunk ends, and what follows is not copied', () => {
      const many = Buffer.concat(Array.from({ length: 4_000 }, () => data));
      const whole = Buffer.concat([many, sync]);
      // In a header, behind one, in a body, between two messages; with one chunk between that is smaller than a message.
      for (const cut of [40_000, 40_001, 40_003, 40_005, 40_007, 40_009, 40_012, 40_014])
        for (const more of [1, 2, 30_000]) {
          const chunks = [
            whole.subarray(0, cut),
            whole.subarray(cut, cut + more),
            Buffer.from(whole.subarray(cut + more)),
          ];
          const framer = new FrontendFramer(1_000);
          const found: Buffer[] = [];
          let count = 0;
          for (const chunk of chunks) {
            framer.push(chunk);
            for (let next = framer.next(); next !== undefined; next = framer.next()) {
              found.push(next.raw);
              count += next.count;
            }
          }
          expect(Buffer.concat(found).equals(whole), `cut at ${cut} and ${more} later`).toBe(true);
          expect(count).toBe(4 * 4_000 + 1);
          const copied = found
            .filter(({ buffer }) => chunks.every((chunk) => chunk.buffer !== buffer))
            .reduce((sum, { length }) => sum + length, 0);
          // A small chunk is not worth it.
          if (more === 30_000) expect(copied).toBeLessThan(40);
          expect(framer.pendingBytes).toBe(0);
        }
    });

    test('comes in one piece, as far as it is there', () => {
      for (let cut = 0; cut <= data.length; cut += 1) {
        const framer = new FrontendFramer(1_000);
        const found: { raw: Buffer; count: number }[] = [];
        for (const chunk of [data.subarray(0, cut), Buffer.concat([data.subarray(cut), sync])]) {
          framer.push(chunk);
          for (let next = framer.next(); next !== undefined; next = framer.next()) found.push(next);
        }
        expect(Buffer.concat(found.map(({ raw }) => raw))).toEqual(Buffer.concat([data, sync]));
        expect(found.reduce((sum, { count }) => sum + count, 0)).toBe(rows.length + 1);
        expect(found.length).toBeLessThanOrEqual(4);
        expect(found.at(-1)!.raw).toEqual(sync);
      }
    });

    test.each([
      ['over the limit', row('x'.repeat(1_000)), '54000'],
      ['of a negative length', Buffer.from([0x64, 0xff, 0xff, 0xff, 0xff]), '08P01'],
    ])('is given out up to a message %s', (_, bad, sqlstate) => {
      const framer = new FrontendFramer(1_000);
      framer.push(Buffer.concat([data, bad]));
      expect(framer.next()).toMatchObject({ raw: data, count: rows.length });
      expect(() => framer.next()).toThrow(expect.objectContaining({ sqlstate }) as Error);
    });
  });

  test.each([
    ['an unknown type', Buffer.from([0x79, 0, 0, 0, 4]), '08P01'],
    ['a length below its own size', Buffer.from([0x51, 0, 0, 0, 3]), '08P01'],
    ['a negative length', Buffer.from([0x51, 0xff, 0xff, 0xff, 0xff]), '08P01'],
    ['a stated length of 2 GB', Buffer.from([0x51, 0x7f, 0xff, 0xff, 0xff]), '08P01'],
    ['a length just over the limit', Buffer.from([0x51, 0, 0, 0x03, 0xe8]), '54000'],
  ])('refuses %s as soon as the header is known', (_, bytes, sqlstate) => {
    const framer = new FrontendFramer(1_000);
    framer.push(bytes);
    let caught: unknown;
    try {
      framer.next();
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(HatiError);
    expect((caught as HatiError).sqlstate).toBe(sqlstate);
  });
});
