import { Backend, headerBytes } from './protocol.ts';

/**
 * Follows the engine's byte stream at message boundaries without decoding rows.
 *
 * Chunks are handed on as they arrived. Only the few message types whose content decides something are kept until
 * they are whole; of all others the header is looked at and the body is counted down.
 */
export interface BackendListener {
  /** A message whose body is not needed begins. Not called for DataRow and CopyData. */
  onHeader(type: number): void;
  /**
   * A message of an inspected type is whole.
   * @returns what the client shall get in its place; `undefined` passes it on as it is.
   */
  onMessage(type: number, body: Buffer): Buffer | undefined;
}

const nothing = Buffer.alloc(0);

/** By the type's byte: how closely a message is looked at. Most of them at their header only. */
const looks = new Uint8Array(256);
const notAtAll = 1;
const always = 2;
/** It is kept whole only where somebody waits for it. */
const onDemand = 3;

for (const type of [Backend.DataRow, Backend.CopyData]) looks[type] = notAtAll;
for (const type of [
  Backend.CloseComplete,
  Backend.ErrorResponse,
  Backend.ParameterStatus,
  Backend.ParseComplete,
  Backend.ReadyForQuery,
])
  looks[type] = always;
for (const type of [
  Backend.BindComplete,
  Backend.CommandComplete,
  Backend.NoData,
  Backend.ParameterDescription,
  Backend.RowDescription,
])
  looks[type] = onDemand;

/** An error of the engine larger than this ends the session: nothing honest is that long. */
const largestInspectedMessage = 64 * 1024 * 1024;

export class BackendScanner {
  /** Also messages are kept whole that describe a result, or complete a step. */
  isThorough = false;
  /** What comes behind ReadyForQuery is somebody else's. */
  stopsAtReady = false;
  /** Behind the ReadyForQuery where the last `push` stopped. */
  rest: Buffer | undefined;
  /** Parts of what was pushed last may be needed later: here, or by who got messages of it. */
  keeps = false;
  private readonly listener: BackendListener;
  /** Bytes of a passed-on body that are still to come. */
  private remaining = 0;
  /** The start of a header or inspected message that is not whole yet, in the chunks it came in. */
  private held: Buffer[] = [];
  private heldBytes = 0;
  /** Bytes that what is held needs to become whole; 0 while that is not known. */
  private neededBytes = 0;

  constructor(listener: BackendListener) {
    this.listener = listener;
  }

  /** True where the stream stands between two messages: only there may a message of our own be put in. */
  get atBoundary(): boolean {
    return this.remaining === 0;
  }

  /** Nothing of a message has come whose rest has not. */
  get isWhole(): boolean {
    return this.remaining === 0 && this.heldBytes === 0;
  }

  /** Gives away the bytes of a message that is not whole yet. */
  takeHeld(): Buffer {
    const held = Buffer.concat(this.held, this.heldBytes);
    this.held = [];
    this.heldBytes = 0;
    this.neededBytes = 0;
    return held;
  }

  /** @returns the pieces to write to the client, in order. Throws on a length that can't be. */
  push(chunk: Buffer): Buffer[] {
    this.rest = undefined;
    this.keeps = false;
    if (this.heldBytes + chunk.length < this.neededBytes) {
      this.hold(chunk);
      return [];
    }
    const data = this.heldBytes === 0 ? chunk : Buffer.concat([this.takeHeld(), chunk]);
    const out: Buffer[] = [];
    let from = 0;
    let at = Math.min(this.remaining, data.length);
    this.remaining -= at;
    while (at < data.length) {
      if (data.length - at < headerBytes) break;
      const type = data[at]!;
      const size = data.readInt32BE(at + 1) + 1;
      if (size < headerBytes) throw new Error(`the engine sent a message of length ${size - 1}`);
      const look = looks[type]!;
      if (look === always || (look === onDemand && this.isThorough)) {
        if (size > largestInspectedMessage) throw new Error('the engine sent an oversized message');
        if (data.length - at < size) {
          this.neededBytes = size;
          break;
        }
        const body = data.subarray(at + headerBytes, at + size);
        if (body.length > 1) this.keeps = true;
        const replacement = this.listener.onMessage(type, body);
        if (replacement !== undefined) {
          if (at > from) out.push(data.subarray(from, at));
          if (replacement.length > 0) out.push(replacement);
          from = at + size;
        }
        at += size;
        if (this.stopsAtReady && type === Backend.ReadyForQuery) {
          this.rest = at === data.length ? nothing : data.subarray(at);
          break;
        }
      } else {
        if (look !== notAtAll) this.listener.onHeader(type);
        const available = Math.min(size, data.length - at);
        this.remaining = size - available;
        at += available;
      }
    }
    // Somebody else's, or the beginning of a message.
    if (at < data.length && this.rest === undefined) this.hold(data.subarray(at));
    if (at > from) out.push(from === 0 && at === data.length ? data : data.subarray(from, at));
    return out;
  }

  private hold(chunk: Buffer): void {
    this.keeps = true;
    this.held.push(chunk);
    this.heldBytes += chunk.length;
  }
}
