import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HatiError } from '../../src/errors.ts';
import { decodeProxyHeader, proxyHeaderLength } from '../../src/wire/proxy-header.ts';
import { crc32c, headerFor, localHeader, tlv } from '../fixtures/load-balancer.ts';

/** As it is read: bytes come in chunks, and what is behind the header stays. */
function read(chunks: readonly Buffer[]): { address: string | undefined; rest: Buffer } | string {
  let data: Buffer = Buffer.alloc(0);
  try {
    for (const chunk of chunks) {
      data = Buffer.concat([data, chunk]);
      const length = proxyHeaderLength(data);
      if (length !== undefined && data.length >= length) {
        const rest = Buffer.concat([
          data.subarray(length),
          ...chunks.slice(chunks.indexOf(chunk) + 1),
        ]);
        return { address: decodeProxyHeader(data.subarray(0, length)), rest };
      }
    }
  } catch (error) {
    if (!(error instanceof HatiError) || error.code !== 'proxy_header_refused') throw error;
    return String(error.cause);
  }
  return 'incomplete';
}

const none = Buffer.alloc(0);
const startup = Buffer.from('what the client sends');

describe('addresses', () => {
  test.each([
    ['192.0.2.7', '192.0.2.7'],
    ['255.255.255.255', '255.255.255.255'],
    ['2001:db8::7', '2001:db8::7'],
    ['::1', '::1'],
    ['2001:0db8:0000:0000:0001:0000:0000:0001', '2001:db8::1:0:0:1'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
  ])('%s is %s', (source, address) => {
    expect(read([headerFor(source)])).toEqual({ address, rest: none });
  });

  test('LOCAL has none, whatever stands there', () => {
    const odd = { versionAndCommand: 0x20, familyAndTransport: 0x99, addresses: startup };
    for (const header of [localHeader, headerFor('192.0.2.7', odd)])
      expect(read([header, startup])).toEqual({ address: undefined, rest: startup });
  });

  test('wherever the stream is cut, and with what follows', () => {
    for (const source of ['192.0.2.7', '2001:db8::7']) {
      const header = headerFor(source, { tlvs: tlv(0x02, Buffer.from('db')), checksum: 'right' });
      const stream = Buffer.concat([header, startup]);
      const whole = { address: source, rest: startup };
      for (let cut = 0; cut <= stream.length; cut += 1)
        expect(read([stream.subarray(0, cut), stream.subarray(cut)]), `${cut}`).toEqual(whole);
      expect(read([...stream].map((byte) => Buffer.of(byte)))).toEqual(whole);
      for (let end = 0; end < header.length; end += 1)
        expect(read([header.subarray(0, end)])).toBe('incomplete');
    }
  });
});

describe('TLVs', () => {
  test('are skipped, up to the largest header', () => {
    const most = 4_096 - 12 - 3;
    const header = (bytes: number) =>
      headerFor('192.0.2.7', { tlvs: tlv(0x20, Buffer.alloc(bytes, 0xff)) });
    expect(read([header(most)])).toEqual({ address: '192.0.2.7', rest: none });
    expect(read([header(most + 1).subarray(0, 16)])).toBe('it has 4097 bytes, and may have 4096');
  });

  test.each([
    ['half a head', Buffer.from([0x04, 0x00])],
    ['a value that is longer than the rest', Buffer.from([0x04, 0x00, 0x02, 0x00])],
  ])('%s is refused', (_, tlvs) => {
    expect(read([headerFor('192.0.2.7', { tlvs })])).toBe('a TLV goes beyond its end');
  });

  test('a checksum is verified', () => {
    // Of RFC 3720, appendix B.4.
    expect(crc32c(Buffer.alloc(32)).toString(16)).toBe('8a9136aa');
    expect(crc32c(Buffer.from('123456789')).toString(16)).toBe('e3069283');
    const tlvs = tlv(0x05, Buffer.from('connection 1'));
    expect(read([headerFor('192.0.2.7', { tlvs, checksum: 'right' })])).toEqual({
      address: '192.0.2.7',
      rest: none,
    });
    const wrong = headerFor('192.0.2.7', { tlvs, checksum: 'wrong' });
    expect(read([wrong])).toBe('its checksum is wrong');
    const changed = headerFor('192.0.2.7', { tlvs, checksum: 'right' });
    changed[16] = 10;
    expect(read([changed])).toBe('its checksum is wrong');
    const two = { tlvs: tlv(0x03, Buffer.alloc(4)), checksum: 'right' } as const;
    expect(read([headerFor('192.0.2.7', two)])).toBe('its checksum is malformed');
    expect(read([headerFor('192.0.2.7', { tlvs: tlv(0x03, none) })])).toBe(
      'its checksum is malformed',
    );
  });
});

describe('refused', () => {
  const v4 = (wish: object): Buffer => headerFor('192.0.2.7', wish);
  const notTcp = (kind: string): string =>
    `it is of a connection of the kind ${kind}, not of TCP over IPv4 or IPv6`;

  test.each<[string, Buffer, string]>([
    ['a startup packet', Buffer.from([0, 0, 0, 8]), 'there is none'],
    ['a TLS handshake', Buffer.from([0x16, 3, 1]), 'there is none'],
    ['version 1', Buffer.from('PROXY TCP4 192.0.2.7'), 'it is of version 1, the text'],
    ['a broken signature', Buffer.from('\r\n\r\n\0\r\nQUIT\r', 'latin1'), 'there is none'],
    ['version 3', v4({ versionAndCommand: 0x31 }), 'its version is 3, not 2'],
    ['command 2', v4({ versionAndCommand: 0x22 }), 'its command is 2, neither LOCAL nor PROXY'],
    ['an unknown connection', v4({ familyAndTransport: 0 }), notTcp('UNSPEC UNSPEC')],
    ['UDP', v4({ familyAndTransport: 0x12 }), notTcp('IPv4 DGRAM')],
    ['UDP over IPv6', v4({ familyAndTransport: 0x22 }), notTcp('IPv6 DGRAM')],
    ['a unix socket', v4({ familyAndTransport: 0x31 }), notTcp('UNIX STREAM')],
    ['kinds that do not exist', v4({ familyAndTransport: 0x43 }), notTcp('4 3')],
    ['half an address', v4({ addresses: Buffer.alloc(11) }), 'it is too short for its addresses'],
    [
      'IPv6 in the room of IPv4',
      v4({ familyAndTransport: 0x21 }),
      'it is too short for its addresses',
    ],
  ])('%s', (_, data, reason) => {
    expect(read([data])).toBe(reason);
  });
});

test('whatever comes is an address, or refused with a reason', () => {
  const head = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');
  const bytes = fc.uint8Array({ maxLength: 80 }).map((array) => Buffer.from(array));
  const plausible = fc
    .tuple(fc.constantFrom(0x20, 0x21), fc.constantFrom(0x11, 0x21, 0x31), bytes)
    .map(([command, family, rest]) =>
      Buffer.concat([head, Buffer.from([command, family, 0, rest.length]), rest]),
    );
  const broken = bytes.map((rest) => Buffer.concat([head, rest]));
  fc.assert(
    fc.property(fc.oneof(bytes, broken, plausible), (data) => {
      const found = read([data]);
      if (typeof found === 'string') expect(found).not.toBe('');
      else expect(found.address ?? '::').toMatch(/^[\d.]+$|^[\da-f:]+$/);
    }),
    { numRuns: 2_000 },
  );
});
