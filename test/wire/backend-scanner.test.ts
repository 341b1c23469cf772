import { describe, expect, test } from 'vitest';
import { HatiError } from '../../src/errors.ts';
import {
  commandComplete,
  errorResponse,
  parameterStatus,
  readyForQuery,
  textDataRow,
  textRowDescription,
} from '../../src/wire/backend-messages.ts';
import { BackendScanner } from '../../src/wire/backend-scanner.ts';
import { Backend } from '../../src/wire/protocol.ts';

const messages = [
  textRowDescription(['a']),
  textDataRow(['x'.repeat(100)]),
  textDataRow([null]),
  commandComplete('SELECT 2'),
  errorResponse(new HatiError('shutting_down')),
  parameterStatus('TimeZone', 'UTC'),
  readyForQuery('failed'),
];
const stream = Buffer.concat(messages);

function scan(chunks: readonly Buffer[], replaceErrors?: Buffer): { out: Buffer; seen: string } {
  let seen = '';
  const scanner = new BackendScanner({
    onHeader: (type) => {
      seen += String.fromCharCode(type);
    },
    onMessage: (type, body) => {
      seen += `${String.fromCharCode(type)}${body.length}`;
      return type === Backend.ErrorResponse ? replaceErrors : undefined;
    },
  });
  const out = Buffer.concat(chunks.flatMap((chunk) => scanner.push(chunk)));
  expect(scanner.atBoundary).toBe(true);
  expect(scanner.takeHeld()).toHaveLength(0);
  return { out, seen };
}

describe('BackendScanner', () => {
  const { seen } = scan([stream]);

  test('passes every byte on, wherever the stream is cut', () => {
    for (let cut = 0; cut <= stream.length; cut += 1) {
      const result = scan([stream.subarray(0, cut), stream.subarray(cut)]);
      expect(result.out.equals(stream), `cut at ${cut}`).toBe(true);
      expect(result.seen).toBe(seen);
    }
    expect(scan([...stream].map((byte) => Buffer.of(byte))).out.equals(stream)).toBe(true);
  });

  test('replaces one message and nothing else, wherever the stream is cut', () => {
    const replacement = Buffer.from('replaced');
    const expected = Buffer.concat(messages.map((each, at) => (at === 4 ? replacement : each)));
    for (let cut = 0; cut <= stream.length; cut += 1) {
      const { out } = scan([stream.subarray(0, cut), stream.subarray(cut)], replacement);
      expect(out.equals(expected), `cut at ${cut}`).toBe(true);
    }
  });

  test('refuses a length that cannot be', () => {
    const scanner = new BackendScanner({ onHeader: () => undefined, onMessage: () => undefined });
    expect(() => scanner.push(Buffer.from([0x54, 0, 0, 0, 2]))).toThrow('length 2');
  });
});
