/**
 * Which answers a stream of messages must get from a PostgreSQL that only reads: each in its turn, one ReadyForQuery for
 * each Query, FunctionCall and Sync, nothing between an error of the extended protocol and its Sync.
 * https://www.postgresql.org/docs/18/protocol-flow.html
 */
import { errorField } from '../../src/wire/error-fields.ts';
import type { Received } from '../../test/fixtures/raw-client.ts';

export interface Stream {
  /** Whole messages, in order, up to the first thing that is none. */
  readonly frames: readonly Buffer[];
  /** Nothing is left over, and nothing in it ends the session. */
  readonly isSound: boolean;
}

const types = 'QPBDECSHFdcfpX';

/** Cuts at the lengths that the messages state, as a server must. */
export function streamOf(bytes: Buffer, mostBytes: number): Stream {
  const frames: Buffer[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (bytes.length - at < 5) return { frames, isSound: false };
    const length = bytes.readInt32BE(at + 1);
    const isLegal = length >= 4 && length + 1 <= mostBytes;
    if (!isLegal || !types.includes(String.fromCharCode(bytes[at]!)))
      return { frames, isSound: false };
    if (at + 1 + length > bytes.length) return { frames, isSound: false };
    const frame = bytes.subarray(at, at + 1 + length);
    frames.push(frame);
    if (typeOf(frame) === 'X') return { frames, isSound: false };
    at += frame.length;
  }
  return { frames, isSound: true };
}

/** What is wrong with the answers; `isOver`: the connection has ended, so some may be missing at the end. */
export function faultIn(
  frames: readonly Buffer[],
  received: readonly Received[],
  isOver: boolean,
): string | undefined {
  const fatal = received.findIndex((message) => isFatal(message));
  if (fatal >= 0 && !isOver) return 'the session goes on after a FATAL error';
  if (fatal >= 0 && fatal < received.length - 1) return 'something follows a FATAL error';
  const answers = new Answers(fatal < 0 ? received : received.slice(0, fatal));
  const mayEnd = isOver ? undefined : 'is not answered';
  let isSkipping = false;
  for (const frame of frames) {
    const type = typeOf(frame);
    if (isSkipping && type !== 'S') continue;
    const expected = type === 'H' && frame.length > 5 ? malformed : expectations[type];
    if (expected === undefined) continue;
    const outcome = expected(answers);
    if (outcome === 'missing') return mayEnd && `${type} ${mayEnd}`;
    if (typeof outcome === 'object') return `${type} is answered by ${outcome.wrong}`;
    isSkipping = outcome === 'error' && type !== 'Q' && type !== 'F';
  }
  const extra = answers.next();
  return extra && `${extra.type} answers nothing`;
}

type Outcome = 'done' | 'error' | 'missing' | { readonly wrong: string };

class Answers {
  readonly #messages: readonly Received[];
  #at = 0;

  constructor(received: readonly Received[]) {
    // Notices, settings and notifications come at any time.
    this.#messages = received.filter(({ type }) => !['N', 'S', 'A'].includes(type));
  }

  next(): Received | undefined {
    this.#at += 1;
    return this.#messages[this.#at - 1];
  }
}

/** One of these types ends the answer; those of `before` may come first. */
function ends(final: string, before = ''): (answers: Answers) => Outcome {
  return (answers) => {
    for (;;) {
      const message = answers.next();
      if (message === undefined) return 'missing';
      if (final.includes(message.type)) return 'done';
      if (message.type === 'E' && !before.includes('E')) return 'error';
      if (!before.includes(message.type)) return { wrong: message.type };
    }
  };
}

/** A Flush has no body; one that has is the one message without an answer that gets an error. */
const malformed = ends('');

const expectations: Readonly<Record<string, (answers: Answers) => Outcome>> = {
  Q: ends('Z', 'TDCEIHdc'),
  F: ends('Z', 'VE'),
  S: ends('Z', 'E'),
  P: ends('1'),
  B: ends('2'),
  C: ends('3'),
  D: ends('Tn', 't'),
  E: ends('CIs', 'DHdc'),
};

export function isFatal({ type, body }: Received): boolean {
  return type === 'E' && errorField(body, 'V') === 'FATAL';
}

/** Answers in a form that is the same however the bytes came: values may differ, their shape may not. */
export function transcript(received: readonly Received[], withValues: boolean): readonly string[] {
  return received
    .filter(({ type }) => !['N', 'S', 'A'].includes(type))
    .map(({ type, body }) => {
      if (type === 'E') return `${errorField(body, 'V')} ${errorField(body, 'C')}`;
      if (type === 'Z') return `Z ${body.toString('latin1')}`;
      return withValues ? `${type} ${body.toString('latin1')}` : type;
    });
}

function typeOf(frame: Buffer): string {
  return String.fromCharCode(frame[0]!);
}
