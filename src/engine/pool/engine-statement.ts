import { randomBytes } from 'node:crypto';
import { parse } from '../../wire/frontend-messages.ts';

/**
 * A statement as engines get it prepared: under a name of ours, because two clients may give one name to different texts. Clients
 * that prepare the same text under the same settings share it, on whichever connection they are.
 */
export interface EngineStatement {
  readonly name: string;
  /** The Parse message. */
  readonly parse: Buffer;
  readonly parameterTypes: readonly number[];
  readonly text: string;
  /** Rough memory that it takes here and in the engine. */
  readonly bytes: number;
}

/** Not to be guessed, so that no client's own PREPARE stands in the way. */
const prefix = `hd_${randomBytes(6).toString('hex')}_`;
let lastNumber = 0;

export interface StatementSource {
  readonly text: string;
  readonly parameterTypes: readonly number[];
}

export function newEngineStatement({ text, parameterTypes }: StatementSource): EngineStatement {
  lastNumber += 1;
  const name = `${prefix}${lastNumber}`;
  const message = inOwnMemory(parse({ name, text, parameterTypes }));
  return { name, parse: message, parameterTypes, text, bytes: message.length * 3 + 1_000 };
}

/** It is kept for long, and as a part of memory that Buffers share it would keep all of that: 64 KiB for each. */
function inOwnMemory(bytes: Buffer): Buffer {
  const own = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(own);
  return own;
}

/** Names that only we may give. */
export function isEngineName(name: string): boolean {
  return name.startsWith(prefix);
}

const prefixBytes = Buffer.from(prefix);
const names = new RegExp(`${prefix}\\d+`, 'g');

/** An error that may name a statement as the engine knows it, in the client's words. */
export function inWordsOfClient(error: Buffer, nameOf: (engineName: string) => string): Buffer {
  if (!error.includes(prefixBytes)) return error;
  return Buffer.from(
    error.toString('latin1').replace(names, (name) => toLatin1(nameOf(name))),
    'latin1',
  );
}

/** The bytes of its UTF-8, one character each. */
function toLatin1(text: string): string {
  return Buffer.from(text).toString('latin1');
}
