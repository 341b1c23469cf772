import { Frontend, headerBytes } from './protocol.ts';

/** Bytes; whoever sends more at once has something larger in mind. */
const longest = 16 * 1024;

const parse = 1;
const bind = 2;
const describe = 3;
const execute = 4;

/**
 * @param bytes what a client has sent and nobody has taken yet.
 * @returns whether that is one statement and nothing else, all of it here: a Query, or Bind and Execute up to their Sync,
 * perhaps with a Parse before and a Describe between them, by the unnamed portal and for all rows.
 */
export function isWholeBatch(bytes: Buffer): boolean {
  if (bytes.length > longest) return false;
  let done = 0;
  for (let at = 0; bytes.length - at >= headerBytes;) {
    const type = bytes[at]!;
    const body = at + headerBytes;
    const end = at + 1 + bytes.readUInt32BE(at + 1);
    const isLast = end === bytes.length;
    if (end > bytes.length || end < body) return false;
    switch (type) {
      case Frontend.Query:
        return done === 0 && isLast;
      case Frontend.Sync:
        return done === execute && isLast && end === body;
      case Frontend.Parse:
        if (done !== 0 || bytes[body] !== 0) return false;
        done = parse;
        break;
      case Frontend.Bind:
        if (done >= bind || bytes[body] !== 0) return false;
        done = bind;
        break;
      case Frontend.Describe:
        if (done !== bind || bytes[body] !== portal || bytes[body + 1] !== 0) return false;
        done = describe;
        break;
      case Frontend.Execute:
        if ((done !== bind && done !== describe) || end - body !== 5) return false;
        if (bytes[body] !== 0 || bytes.readInt32BE(body + 1) !== 0) return false;
        done = execute;
        break;
      default:
        return false;
    }
    at = end;
  }
  return false;
}

const portal = 'P'.charCodeAt(0);
