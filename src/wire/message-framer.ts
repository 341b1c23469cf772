import { headerBytes } from './protocol.ts';

export interface HeaderCheck {
  /** Throws for a type or length (the length word's value) that ends the stream. */
  checkHeader(type: number, length: number): void;
}

/** Behind a message that came in pieces: not copied to be in one piece with it. Of a stream, that would be all of its bytes. */
const muchBytes = 16 * 1024;

/**
 * Cuts a byte stream into messages of the form type byte, length word, body. Memory follows the bytes that have arrived,
 * never a stated length; they are joined once a message is whole, however many chunks it came in.
 */
export class MessageFramer {
  private readonly check: HeaderCheck;
  private chunks: Buffer[] = [];
  /** Bytes of the first chunk that have been given out. */
  private at = 0;
  private buffered = 0;
  /** Messages in what was given out last. */
  run = 0;
  /** Bytes that the message at the head needs in all, or 0 while its header is incomplete. */
  private needed = 0;

  constructor(check: HeaderCheck) {
    this.check = check;
  }

  push(chunk: Buffer): void {
    if (chunk.length === 0) return;
    this.chunks.push(chunk);
    this.buffered += chunk.length;
  }

  /** Bytes that wait for the rest of their message. */
  get pendingBytes(): number {
    return this.buffered;
  }

  /** All that waits, in one piece; it stays. */
  peek(): Buffer | undefined {
    if (this.buffered === 0) return undefined;
    const first = this.atLeast(this.buffered);
    return this.at === 0 ? first : first.subarray(this.at);
  }

  /** Gives them away. */
  takePending(): Buffer {
    const pending = this.peek() ?? Buffer.alloc(0);
    this.chunks = [];
    this.at = 0;
    this.buffered = 0;
    this.needed = 0;
    return pending;
  }

  /**
   * The next whole message, header included, or undefined until more bytes are pushed.
   * @param together of this type, those that follow each other in one chunk are given out as one; `run` says how many they are.
   */
  next(together?: number): Buffer | undefined {
    if (this.needed === 0) {
      if (this.buffered < headerBytes) return undefined;
      const head = this.atLeast(headerBytes);
      const length = head.readInt32BE(this.at + 1);
      this.check.checkHeader(head[this.at]!, length);
      this.needed = length + 1;
    }
    if (this.buffered < this.needed) return undefined;
    const first = this.atLeast(this.needed);
    this.run = 1;
    const ofOne = this.at + this.needed;
    const end = first[this.at] === together ? this.endOfRun(first, ofOne) : ofOne;
    const message = this.at === 0 && end === first.length ? first : first.subarray(this.at, end);
    this.buffered -= end - this.at;
    this.at = end;
    this.needed = 0;
    if (end === first.length) {
      this.chunks.shift();
      this.at = 0;
    }
    return message;
  }

  private endOfRun(chunk: Buffer, from: number): number {
    let at = from;
    while (chunk.length - at >= headerBytes && chunk[at] === chunk[this.at]) {
      const length = chunk.readInt32BE(at + 1);
      if (at + length + 1 > chunk.length || !this.isFine(chunk[at]!, length)) break;
      at += length + 1;
      this.run += 1;
    }
    return at;
  }

  /** One that is not is the next one's to tell. */
  private isFine(type: number, length: number): boolean {
    try {
      this.check.checkHeader(type, length);
      return true;
    } catch {
      return false;
    }
  }

  /** @returns the first chunk, which holds so many bytes from `at` on. */
  private atLeast(bytes: number): Buffer {
    const [first, second] = this.chunks;
    if (first !== undefined && first.length - this.at >= bytes) return first;
    const isMuchBehind =
      second !== undefined && first!.length + second.length - this.at - bytes >= muchBytes;
    const joined = isMuchBehind
      ? this.cutAcross(first!, second, bytes)
      : Buffer.concat(this.chunks).subarray(this.at);
    if (!isMuchBehind) this.chunks = [joined];
    this.at = 0;
    return joined;
  }

  /** Puts what lies across the first two chunks before the rest of the second one. */
  private cutAcross(first: Buffer, second: Buffer, bytes: number): Buffer {
    const joined = Buffer.allocUnsafe(bytes);
    const there = first.copy(joined, 0, this.at);
    second.copy(joined, there);
    this.chunks.splice(0, 2, joined, second.subarray(bytes - there));
    return joined;
  }
}
