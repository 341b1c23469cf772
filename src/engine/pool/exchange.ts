import { MessageFramer, type HeaderCheck } from '../../wire/message-framer.ts';
import { Backend, headerBytes } from '../../wire/protocol.ts';

/** What an exchange of our own brought back. */
export interface Exchanged {
  /** Of all results, in text. */
  readonly rows: readonly (readonly (string | null)[])[];
  /** The body of the first ErrorResponse. */
  readonly error: Buffer | undefined;
}

const largestAnswer = 1024 * 1024;

const answerCheck: HeaderCheck = {
  checkHeader: (type, length) => {
    if (length < 4 || length > largestAnswer)
      throw new Error(`the engine sent a message ${type} of ${length} bytes`);
  },
};

/** For what an engine says to us alone, which is never large. */
export function answerFramer(): MessageFramer {
  return new MessageFramer(answerCheck);
}

/** Gathers the answer to messages of our own. */
export class Collector {
  private readonly framer = answerFramer();
  private readonly rows: (readonly (string | null)[])[] = [];
  private readonly onParameter: (body: Buffer) => void;
  private error: Buffer | undefined;

  constructor(onParameter: (body: Buffer) => void) {
    this.onParameter = onParameter;
  }

  get hasMore(): boolean {
    return this.framer.pendingBytes > 0;
  }

  takeRest(): Buffer {
    return this.framer.takePending();
  }

  /** @returns all of it once ReadyForQuery is there. */
  push(chunk: Buffer): Exchanged | undefined {
    this.framer.push(chunk);
    for (let raw = this.framer.next(); raw !== undefined; raw = this.framer.next()) {
      const body = raw.subarray(headerBytes);
      switch (raw[0]) {
        case Backend.DataRow:
          this.rows.push(textRow(body));
          break;
        case Backend.ErrorResponse:
          this.error ??= Buffer.from(body);
          break;
        case Backend.ParameterStatus:
          this.onParameter(body);
          break;
        case Backend.ReadyForQuery:
          return { rows: this.rows, error: this.error };
        default:
          break;
      }
    }
    return undefined;
  }
}

function textRow(body: Buffer): readonly (string | null)[] {
  let at = 2;
  return Array.from({ length: body.readUInt16BE(0) }, () => {
    const length = body.readInt32BE(at);
    at += 4;
    if (length < 0) return null;
    at += length;
    return body.toString('utf8', at - length, at);
  });
}
