import { describe, expect, test } from 'vitest';
import { HatiError } from '../../src/errors.ts';
import { errorField, isFatal } from '../../src/wire/error-fields.ts';
import { formatStartupOption, parseStartupOptions } from '../../src/wire/startup-options.ts';
import { decodeStartupPacket, startupPacketLength } from '../../src/wire/startup-packet.ts';
import { errorResponse } from '../../src/wire/backend-messages.ts';

function packet(code: number, body: string): Buffer {
  const bytes = Buffer.concat([Buffer.alloc(8), Buffer.from(body, 'latin1')]);
  bytes.writeInt32BE(bytes.length, 0);
  bytes.writeInt32BE(code, 4);
  return bytes;
}

describe('startup packets', () => {
  test('reads parameters, empty values among them', () => {
    const read = decodeStartupPacket(packet(196608, 'user\0bob\0options\0\0\0'));
    expect(read).toEqual({
      kind: 'startup',
      minor: 0,
      parameters: new Map([
        ['user', 'bob'],
        ['options', ''],
      ]),
    });
  });

  test.each([
    ['no terminator', packet(196608, 'user\0bob\0')],
    ['a name without a value', packet(196608, 'user\0')],
    ['bytes behind the end', packet(196608, 'user\0bob\0\0more\0')],
    ['nothing at all', packet(196608, '')],
    ['protocol 2', packet(131072, 'user\0bob\0\0')],
  ])('refuses %s', (_, bytes) => {
    expect(() => decodeStartupPacket(bytes)).toThrow(HatiError);
  });

  test.each([0, 7, 10_001, -1, 0x7fffffff])('refuses a stated length of %d', (length) => {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32BE(length);
    expect(() => startupPacketLength(bytes)).toThrow('invalid length');
  });
});

describe('startup options', () => {
  test.each<[string, [string, string][]]>([
    ['', []],
    ['-c a=1', [['a', '1']]],
    [
      '-ca=1 --b-c=2',
      [
        ['a', '1'],
        ['b_c', '2'],
      ],
    ],
    ['  -c  a=x\\ y\\\\z ', [['a', 'x y\\z']]],
    ['-c A.B=', [['a.b', '']]],
  ])('reads %j', (options, expected) => {
    expect(parseStartupOptions(options)).toEqual(expected);
  });

  test.each(['-d 5', '-c', 'a=1', '-c =1', '-i'])('refuses %j', (options) => {
    expect(() => parseStartupOptions(options)).toThrow(HatiError);
  });

  test.each(['', 'plain', 'two words', 'back\\slash', "tab\there 'quoted'"])(
    'a formatted option reads back: %j',
    (value) => {
      expect(parseStartupOptions(formatStartupOption('x.y', value))).toEqual([['x.y', value]]);
    },
  );
});

describe('error fields', () => {
  const body = (severity: 'ERROR' | 'FATAL') =>
    errorResponse(
      new HatiError('syntax_error', { params: { message: 'x VFATAL' } }),
      severity,
    ).subarray(5);

  test('severity is read from its own field, not from the text', () => {
    expect(isFatal(body('ERROR'))).toBe(false);
    expect(isFatal(body('FATAL'))).toBe(true);
    expect(errorField(body('ERROR'), 'M')).toBe('x VFATAL');
    expect(errorField(body('ERROR'), 'D')).toBeUndefined();
  });
});
