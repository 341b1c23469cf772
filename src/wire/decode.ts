import { HatiError } from '../errors.ts';
import type { ParseMessage } from './frontend-messages.ts';
import { headerBytes } from './protocol.ts';

/** Reads the client's messages, headers included. Every count is checked against the bytes that are left. */

function malformed(message: string): HatiError {
  return new HatiError('protocol_violation', {
    params: { reason: `malformed ${message} message` },
  });
}

class MessageReader {
  private readonly raw: Buffer;
  private readonly message: string;
  private at = headerBytes;

  constructor(raw: Buffer, message: string) {
    this.raw = raw;
    this.message = message;
  }

  cstringBytes(): Buffer {
    const end = this.raw.indexOf(0, this.at);
    if (end < 0) throw malformed(this.message);
    const value = this.raw.subarray(this.at, end);
    this.at = end + 1;
    return value;
  }

  cstring(): string {
    // Most names are empty.
    if (this.raw[this.at] === 0) {
      this.at += 1;
      return '';
    }
    return this.cstringBytes().toString('utf8');
  }

  byte(): number {
    return this.raw[this.skip(1)]!;
  }

  int16(): number {
    return this.raw.readInt16BE(this.skip(2));
  }

  /** A 16-bit count: PostgreSQL reads it without a sign, so that 65,535 parameters are legal. */
  count(): number {
    return this.raw.readUInt16BE(this.skip(2));
  }

  int32(): number {
    return this.raw.readInt32BE(this.skip(4));
  }

  take(length: number): Buffer {
    const from = this.skip(length);
    return this.raw.subarray(from, from + length);
  }

  /** @returns where they begin. */
  private skip(length: number): number {
    const from = this.at;
    if (length < 0 || from + length > this.raw.length) throw malformed(this.message);
    this.at += length;
    return from;
  }

  end(): void {
    if (this.at !== this.raw.length) throw malformed(this.message);
  }
}

/** The statement text of a Query, as the bytes that were sent. */
export function decodeQuery(raw: Buffer): Buffer {
  const reader = new MessageReader(raw, 'Query');
  const text = reader.cstringBytes();
  reader.end();
  return text;
}

export interface DecodedParse extends Omit<ParseMessage, 'text'> {
  readonly textBytes: Buffer;
}

export function decodeParse(raw: Buffer): DecodedParse {
  const reader = new MessageReader(raw, 'Parse');
  const name = reader.cstring();
  const textBytes = reader.cstringBytes();
  const parameterTypes: number[] = [];
  for (let left = reader.count(); left > 0; left -= 1) parameterTypes.push(reader.int32());
  reader.end();
  return { name, textBytes, parameterTypes };
}

export interface BindNames {
  readonly portal: string;
  readonly statement: string;
}

export function decodeBindNames(raw: Buffer): BindNames {
  const reader = new MessageReader(raw, 'Bind');
  return { portal: reader.cstring(), statement: reader.cstring() };
}

export interface DecodedBind extends BindNames {
  readonly parameterFormats: readonly number[];
  readonly parameters: readonly (Buffer | null)[];
  readonly resultFormats: readonly number[];
}

export function decodeBind(raw: Buffer): DecodedBind {
  const reader = new MessageReader(raw, 'Bind');
  const portal = reader.cstring();
  const statement = reader.cstring();
  const parameterFormats = readInt16s(reader);
  const parameters: (Buffer | null)[] = [];
  for (let left = reader.count(); left > 0; left -= 1) {
    const length = reader.int32();
    parameters.push(length === -1 ? null : reader.take(length));
  }
  const resultFormats = readInt16s(reader);
  reader.end();
  return { portal, statement, parameterFormats, parameters, resultFormats };
}

function readInt16s(reader: MessageReader): number[] {
  const values: number[] = [];
  for (let left = reader.count(); left > 0; left -= 1) values.push(reader.int16());
  return values;
}

/** What Describe and Close name: a prepared statement or a portal. */
export interface ObjectName {
  readonly kind: 'statement' | 'portal';
  readonly name: string;
}

export function decodeObjectName(raw: Buffer, message: 'Describe' | 'Close'): ObjectName {
  const reader = new MessageReader(raw, message);
  const kind = reader.byte();
  const name = reader.cstring();
  reader.end();
  if (kind === 0x53) return { kind: 'statement', name };
  if (kind === 0x50) return { kind: 'portal', name };
  throw malformed(message);
}

export interface DecodedExecute {
  readonly portal: string;
  /** Rows to return at the most; 0 means all. */
  readonly maxRows: number;
}

export function decodeExecute(raw: Buffer): DecodedExecute {
  const reader = new MessageReader(raw, 'Execute');
  const portal = reader.cstring();
  const maxRows = Math.max(0, reader.int32());
  reader.end();
  return { portal, maxRows };
}

/** The OID of the function. Its arguments are the engine's to read. */
export function decodeFunctionCall(raw: Buffer): number {
  return new MessageReader(raw, 'FunctionCall').int32();
}

/** The password of a PasswordMessage. */
export function decodePassword(raw: Buffer): string {
  const reader = new MessageReader(raw, 'Password');
  const password = reader.cstring();
  reader.end();
  return password;
}
