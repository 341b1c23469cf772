import { HatiError } from '../errors.ts';
import { MessageFramer, type HeaderCheck } from './message-framer.ts';
import { Frontend } from './protocol.ts';

/** One message of a client, whole, header included; of CopyData as many as came in one piece. */
export interface FrontendMessage {
  readonly type: number;
  readonly raw: Buffer;
  /** Messages in it. */
  readonly count: number;
}

const knownTypes: ReadonlySet<number> = new Set(Object.values(Frontend));

/**
 * Cuts a client's byte stream into messages. A type that does not exist, or a stated length over the limit, ends the
 * stream at once, because what follows can't be skipped safely.
 */
export class FrontendFramer implements HeaderCheck {
  private readonly framer: MessageFramer;
  private readonly limit: number;

  /** @param limit largest message in bytes */
  constructor(limit: number) {
    this.limit = limit;
    this.framer = new MessageFramer(this);
  }

  checkHeader(type: number, length: number): void {
    checkHeader(type, length, this.limit);
  }

  push(chunk: Buffer): void {
    this.framer.push(chunk);
  }

  /** All that waits; it stays. */
  peek(): Buffer | undefined {
    return this.framer.peek();
  }

  /** Bytes that wait for the rest of their message. */
  get pendingBytes(): number {
    return this.framer.pendingBytes;
  }

  /** The next whole message, or undefined until more bytes are pushed. Throws a protocol error that ends the session. */
  next(): FrontendMessage | undefined {
    const raw = this.framer.next(Frontend.CopyData);
    return raw === undefined ? undefined : { type: raw[0]!, raw, count: this.framer.run };
  }
}

/** PostgreSQL allocates no more at once (memutils.h, MaxAllocSize), so no message is longer. */
const longestLength = 0x3fff_ffff;

function checkHeader(type: number, length: number, limit: number): void {
  if (!knownTypes.has(type)) {
    throw new HatiError('protocol_violation', {
      params: { reason: `unknown message type ${type}` },
    });
  }
  if (length < 4 || length > longestLength) {
    throw new HatiError('protocol_violation', { params: { reason: `message length ${length}` } });
  }
  if (length + 1 > limit) {
    throw new HatiError('message_too_long', { params: { bytes: length, limit } });
  }
}
