import { HatiError } from '../errors.ts';
import { Frontend, headerBytes } from './protocol.ts';

/** One message of a client, whole. `raw` is what may be passed on; `body` is the part after the header. */
export interface FrontendMessage {
  readonly type: number;
  readonly raw: Buffer;
  readonly body: Buffer;
}

const knownTypes: ReadonlySet<number> = new Set(Object.values(Frontend));

/**
 * Cuts a client's byte stream into messages.
 *
 * Memory follows the bytes that have arrived, never the length that a client states. A stated length over the limit
 * ends the stream at once, because what follows can't be skipped safely.
 */
export class FrontendFramer {
  private readonly limit: () => number;
  private chunks: Buffer[] = [];
  private buffered = 0;
  /** Bytes that the message at the head needs in all, or 0 while its header is incomplete. */
  private needed = 0;

  /** @param limit largest message in bytes; a function because it is small until the client is authenticated. */
  constructor(limit: () => number) {
    this.limit = limit;
  }

  push(chunk: Buffer): void {
    this.chunks.push(chunk);
    this.buffered += chunk.length;
  }

  /** Bytes that wait for the rest of their message. */
  get pendingBytes(): number {
    return this.buffered;
  }

  /** The next whole message, or undefined until more bytes are pushed. Throws a protocol error that ends the session. */
  next(): FrontendMessage | undefined {
    if (this.needed === 0) {
      if (this.buffered < headerBytes) return undefined;
      this.needed = this.readHeader();
    }
    if (this.buffered < this.needed) return undefined;
    const all = this.join();
    const raw = all.subarray(0, this.needed);
    const rest = all.subarray(this.needed);
    this.chunks = rest.length === 0 ? [] : [rest];
    this.buffered = rest.length;
    this.needed = 0;
    return { type: raw[0]!, raw, body: raw.subarray(headerBytes) };
  }

  private readHeader(): number {
    const head = this.chunks[0]!.length >= headerBytes ? this.chunks[0]! : this.join();
    const type = head[0]!;
    if (!knownTypes.has(type)) {
      throw new HatiError('protocol_violation', {
        params: { reason: `unknown message type ${type}` },
      });
    }
    const length = head.readInt32BE(1);
    if (length < 4) {
      throw new HatiError('protocol_violation', { params: { reason: `message length ${length}` } });
    }
    if (length + 1 > this.limit()) {
      throw new HatiError('message_too_long', { params: { bytes: length, limit: this.limit() } });
    }
    return length + 1;
  }

  private join(): Buffer {
    if (this.chunks.length > 1) this.chunks = [Buffer.concat(this.chunks, this.buffered)];
    return this.chunks[0]!;
  }
}
