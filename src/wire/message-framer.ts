import { headerBytes } from './protocol.ts';

/**
 * Cuts a byte stream into messages of the form type byte, length word, body. Memory follows the bytes that have arrived,
 * never a stated length; they are joined once a message is whole, however many chunks it came in.
 */
export class MessageFramer {
  private readonly checkHeader: (type: number, length: number) => void;
  private chunks: Buffer[] = [];
  private buffered = 0;
  /** Bytes that the message at the head needs in all, or 0 while its header is incomplete. */
  private needed = 0;

  /** @param checkHeader throws for a type or length (the length word's value) that ends the stream. */
  constructor(checkHeader: (type: number, length: number) => void) {
    this.checkHeader = checkHeader;
  }

  push(chunk: Buffer): void {
    this.chunks.push(chunk);
    this.buffered += chunk.length;
  }

  /** Bytes that wait for the rest of their message. */
  get pendingBytes(): number {
    return this.buffered;
  }

  /** All that waits, in one piece; it stays. */
  peek(): Buffer | undefined {
    return this.buffered === 0 ? undefined : this.join();
  }

  /** Gives them away. */
  takePending(): Buffer {
    const pending = Buffer.concat(this.chunks, this.buffered);
    this.chunks = [];
    this.buffered = 0;
    this.needed = 0;
    return pending;
  }

  /** The next whole message, header included, or undefined until more bytes are pushed. */
  next(): Buffer | undefined {
    if (this.needed === 0) {
      if (this.buffered < headerBytes) return undefined;
      const head = this.chunks[0]!.length >= headerBytes ? this.chunks[0]! : this.join();
      const length = head.readInt32BE(1);
      this.checkHeader(head[0]!, length);
      this.needed = length + 1;
    }
    if (this.buffered < this.needed) return undefined;
    const all = this.join();
    const message = all.subarray(0, this.needed);
    const rest = all.subarray(this.needed);
    this.chunks = rest.length === 0 ? [] : [rest];
    this.buffered = rest.length;
    this.needed = 0;
    return message;
  }

  private join(): Buffer {
    if (this.chunks.length > 1) this.chunks = [Buffer.concat(this.chunks, this.buffered)];
    return this.chunks[0]!;
  }
}
