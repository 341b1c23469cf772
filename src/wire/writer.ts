/** Builds one protocol message: type byte, length word, body. */
export class MessageWriter {
  private readonly parts: Buffer[] = [];
  private length = 0;

  add(part: Buffer): this {
    this.parts.push(part);
    this.length += part.length;
    return this;
  }

  byte(value: number): this {
    return this.add(Buffer.of(value));
  }

  int16(value: number): this {
    const part = Buffer.allocUnsafe(2);
    part.writeInt16BE(value);
    return this.add(part);
  }

  int32(value: number): this {
    const part = Buffer.allocUnsafe(4);
    part.writeInt32BE(value);
    return this.add(part);
  }

  /** A string without its terminator. */
  text(value: string): this {
    return this.add(Buffer.from(value, 'utf8'));
  }

  /** A string with the terminating NUL. */
  cstring(value: string): this {
    return this.text(value).byte(0);
  }

  finish(type: number): Buffer {
    const header = Buffer.allocUnsafe(5);
    header[0] = type;
    header.writeInt32BE(this.length + 4, 1);
    return Buffer.concat([header, ...this.parts], this.length + 5);
  }
}
