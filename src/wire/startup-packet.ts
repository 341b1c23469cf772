import { HatiError } from '../errors.ts';

/**
 * The first packet of a connection has no type byte.
 * Source: https://www.postgresql.org/docs/18/protocol-message-formats.html (StartupMessage, SSLRequest …)
 */
export type StartupPacket =
  | { readonly kind: 'sslRequest' }
  | { readonly kind: 'gssRequest' }
  | { readonly kind: 'cancel'; readonly processId: number; readonly secret: Buffer }
  | StartupMessage;

export interface StartupMessage {
  readonly kind: 'startup';
  readonly minor: number;
  readonly parameters: ReadonlyMap<string, string>;
}

/** MAX_STARTUP_PACKET_LENGTH of PostgreSQL. */
export const largestStartupPacket = 10_000;

const cancelCode = 80877102;
const sslCode = 80877103;
const gssCode = 80877104;

/** Length of the packet at the head of `data`, or undefined while even that is not known. */
export function startupPacketLength(data: Buffer): number | undefined {
  if (data.length < 4) return undefined;
  const length = data.readInt32BE(0);
  if (length < 8 || length > largestStartupPacket) {
    throw violation(`invalid length of startup packet: ${length}`);
  }
  return length;
}

/** @param packet one whole packet, its length word included. */
export function decodeStartupPacket(packet: Buffer): StartupPacket {
  const code = packet.readInt32BE(4);
  if (code === sslCode) return { kind: 'sslRequest' };
  if (code === gssCode) return { kind: 'gssRequest' };
  if (code === cancelCode) {
    if (packet.length < 16) throw violation('invalid length of cancel request');
    return { kind: 'cancel', processId: packet.readInt32BE(8), secret: packet.subarray(12) };
  }
  const major = code >>> 16;
  if (major !== 3) {
    throw new HatiError('feature_not_supported', {
      params: { feature: `protocol version ${major}` },
    });
  }
  return { kind: 'startup', minor: code & 0xffff, parameters: readParameters(packet.subarray(8)) };
}

function readParameters(body: Buffer): Map<string, string> {
  const strings = body.toString('utf8').split('\0');
  // Name, value, name, value …, then an empty name, then what follows the last NUL.
  const end = strings.indexOf('', 0);
  const parameters = new Map<string, string>();
  for (let at = 0; at < strings.length; at += 2) {
    const name = strings[at]!;
    if (name === '') {
      if (at !== strings.length - 2) throw violation('bytes after the end of the startup packet');
      return parameters;
    }
    const value = strings[at + 1];
    if (value === undefined) break;
    parameters.set(name, value);
  }
  throw violation(end < 0 ? 'startup packet without terminator' : 'malformed startup packet');
}

function violation(reason: string): HatiError {
  return new HatiError('protocol_violation', { params: { reason } });
}
