/**
 * The header by which a load balancer says for whom it has connected: PROXY protocol, version 2, the binary one.
 * Source: https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt, section 2.2
 *
 *     signature (12) · version and command (1) · family and transport (1) · length of what follows (2)
 *     source address · destination address · source port · destination port · TLVs: type (1), length (2), value
 */
import { HatiError } from '../errors.ts';
import { readAddress } from '../shared/networks.ts';

const signature = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
const fixedBytes = 16;
/** Of what follows the fixed part. Addresses are 36 at the most; certificates of clients come in TLVs, and have room. */
const largestRest = 4_096;

/** Length of the header at the head of `data`, or undefined while that is not known. Throws for what is no header of ours to read. */
export function proxyHeaderLength(data: Buffer): number | undefined {
  const seen = Math.min(data.length, signature.length);
  if (data.compare(signature, 0, seen, 0, seen) !== 0) throw refused(missing(data));
  const version = data[signature.length];
  if (version !== undefined && version >>> 4 !== 2)
    throw refused(`its version is ${version >>> 4}, not 2`);
  if (data.length < fixedBytes) return undefined;
  const rest = data.readUInt16BE(14);
  if (rest > largestRest) throw refused(`it has ${rest} bytes, and may have ${largestRest}`);
  return fixedBytes + rest;
}

/**
 * @param header one whole header
 * @returns the address of the client; undefined where the load balancer speaks for itself (LOCAL), as it does to see whether we are well
 */
export function decodeProxyHeader(header: Buffer): string | undefined {
  const command = header[12]! & 0x0f;
  // What else it has is nobody's business then, says the protocol.
  if (command === 0) return undefined;
  if (command !== 1) throw refused(`its command is ${command}, neither LOCAL nor PROXY`);
  const family = header[13]!;
  const addressBytes = addressSizes.get(family);
  if (addressBytes === undefined) throw refused(nameOf(family));
  const tlvs = fixedBytes + 2 * (addressBytes + 2);
  if (header.length < tlvs) throw refused('it is too short for its addresses');
  checkSum(header, tlvs);
  return addressIn(header.subarray(fixedBytes, fixedBytes + addressBytes));
}

/** What there is over TCP. */
const addressSizes: ReadonlyMap<number, 4 | 16> = new Map([
  [0x11, 4],
  [0x21, 16],
]);

const families = ['UNSPEC', 'IPv4', 'IPv6', 'UNIX'];
const transports = ['UNSPEC', 'STREAM', 'DGRAM'];

function nameOf(family: number): string {
  const name = families[family >>> 4] ?? family >>> 4;
  const transport = transports[family & 0x0f] ?? family & 0x0f;
  return `it is of a connection of the kind ${name} ${transport}, not of TCP over IPv4 or IPv6`;
}

function addressIn(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join('.');
  const groups = Array.from({ length: 8 }, (_, at) => bytes.readUInt16BE(2 * at).toString(16));
  return readAddress(groups.join(':'))!;
}

/** TLV of a checksum over the whole header, itself taken as zeros. Others are not looked into. */
const checksumType = 0x03;

function checkSum(header: Buffer, from: number): void {
  let place: number | undefined;
  for (let at = from; at < header.length;) {
    const value = at + 3;
    const end = value <= header.length ? value + header.readUInt16BE(at + 1) : Infinity;
    if (end > header.length) throw refused('a TLV goes beyond its end');
    if (header[at] === checksumType) {
      if (end - value !== 4 || place !== undefined) throw refused('its checksum is malformed');
      place = value;
    }
    at = end;
  }
  if (place === undefined) return;
  const zeroed = Buffer.from(header).fill(0, place, place + 4);
  if (header.readUInt32BE(place) !== crc32c(zeroed)) throw refused('its checksum is wrong');
}

/** RFC 9260, appendix A: the polynomial of Castagnoli. Bit by bit, as headers are short. */
function crc32c(bytes: Buffer): number {
  let sum = 0xffffffff;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit += 1) sum = (sum >>> 1) ^ (sum & 1 ? 0x82f63b78 : 0);
  }
  return ~sum >>> 0;
}

const textVersion = Buffer.from('PROXY');

function missing(data: Buffer): string {
  const seen = Math.min(data.length, textVersion.length);
  return data.compare(textVersion, 0, seen, 0, seen) === 0
    ? 'it is of version 1, the text'
    : 'there is none';
}

function refused(reason: string): HatiError {
  return new HatiError('proxy_header_refused', { params: { reason }, cause: reason });
}
