import { isStale } from '../../wire/error-fields.ts';
import { Backend, headerBytes } from '../../wire/protocol.ts';

/**
 * What the answer to a batch begins with, behind the word that its statement is prepared.
 * @returns `stale`: what was prepared is not good any more; undefined: that is not known yet.
 */
export function firstWords(bytes: Buffer): 'stale' | 'other' | undefined {
  for (let at = 0; bytes.length - at >= headerBytes;) {
    const type = bytes[at]!;
    const end = at + 1 + bytes.readUInt32BE(at + 1);
    if (type === Backend.ErrorResponse) {
      if (end > bytes.length) return undefined;
      return isStale(bytes.subarray(at + headerBytes, end)) ? 'stale' : 'other';
    }
    if (type !== Backend.CloseComplete && type !== Backend.ParseComplete) return 'other';
    at = end;
  }
  return undefined;
}
