import type { Socket } from 'node:net';
import type { SessionMeter } from '../metrics/session-meter.ts';
import { FrontendFramer, type FrontendMessage } from '../wire/framing.ts';
import type { EngineHold } from './engine-hold.ts';
import type { EngineWriter } from './engine-writer.ts';
import type { FastLane } from './lane/fast-lane.ts';
import type { SessionEnd } from './session-end.ts';
import { drained } from './sockets.ts';

export interface ClientReaderParts {
  readonly client: Socket;
  readonly limits: { readonly messageBytes: number };
  readonly hold: EngineHold;
  readonly writer: EngineWriter;
  readonly ending: SessionEnd;
  readonly meter: SessionMeter;
  readonly messages: {
    /** @returns what must be over before the next message is taken. */
    take(message: FrontendMessage): Promise<void> | undefined;
  };
  readonly rest: {
    /** @returns what must be over before any message is taken. */
    settled(): Promise<void> | undefined;
    /** A message that had to wait is dealt with, and so is what came behind it. */
    check(): void;
  };
  /** All that came has been taken. */
  onTaken(): void;
  fail(error: unknown): void;
  /** Undefined where it is switched off. */
  readonly lane: FastLane | undefined;
}

/** Bytes that a client may send while its statement is in a fast lane. */
const mostHeld = 64 * 1024;

/**
 * A client's messages, strictly in order: while one of them waits (for a worker, for the control store, for an engine
 * connection, for the engine to have answered all before it), the client is not read.
 */
export class ClientReader {
  /** Of messages. */
  taken = 0;
  /** What is being dealt with shall not be sent to the engine any more. */
  isCancelled = false;
  private readonly parts: ClientReaderParts;
  private readonly framer: FrontendFramer;
  private busy = false;
  /** A statement is in a fast lane, and what comes behind it waits. */
  private isHeld = false;
  /** Messages that have to be taken again, before all others. */
  private again: FrontendMessage[] = [];

  constructor(parts: ClientReaderParts) {
    this.parts = parts;
    this.framer = new FrontendFramer(parts.limits.messageBytes);
  }

  /** A message is being dealt with and the ones behind it wait. */
  get isBusy(): boolean {
    return this.busy;
  }

  onData(chunk: Buffer): void {
    const { ending, meter } = this.parts;
    if (!ending.isRelaying) return;
    meter.totals.bytes.fromClients += chunk.length;
    this.framer.push(chunk);
    if (this.isHeld) {
      if (this.framer.pendingBytes > mostHeld) this.parts.client.pause();
    } else if (!this.busy) this.takeMessages();
  }

  /** The statement in the fast lane is answered. */
  release(): void {
    this.isHeld = false;
    if (this.busy) return;
    if (this.framer.pendingBytes > 0) this.takeMessages();
    if (!this.busy) this.parts.client.resume();
  }

  /** The statement in the fast lane has to be sent again. */
  takeAgain(messages: readonly FrontendMessage[]): void {
    this.again = [...messages];
    this.isHeld = false;
    if (!this.busy) this.takeMessages();
  }

  private takeMessages(): void {
    const { client, hold, writer, ending } = this.parts;
    writer.gather();
    try {
      const waiting = this.takeUntilOneWaits();
      if (waiting !== undefined) this.waitFor(waiting);
    } catch (error) {
      this.parts.fail(error);
    } finally {
      writer.flush();
    }
    if (this.busy || !ending.isRelaying) return;
    this.parts.onTaken();
    const engine = hold.link?.upstream.socket;
    if (engine?.writableNeedDrain === true) {
      client.pause();
      engine.once('drain', () => {
        if (!this.busy) client.resume();
      });
    }
  }

  private takeUntilOneWaits(): Promise<void> | undefined {
    const { client, ending, hold, messages, lane } = this.parts;
    while (ending.isRelaying) {
      if (lane?.leave() === true) {
        this.isHeld = true;
        return undefined;
      }
      // A client that does not read its answers gets no more of them made.
      if (client.writableNeedDrain && !hold.isSharing) return drained(client);
      const first = hold.isSharing ? undefined : this.parts.rest.settled();
      if (first !== undefined) return first;
      const message = this.again.length > 0 ? this.again.shift() : this.nextNew();
      if (message === undefined) return undefined;
      lane?.taking(message);
      const waiting = messages.take(message);
      if (waiting === undefined) continue;
      // Nobody could be served behind it.
      if (hold.isSharing) throw new Error('a statement for a fast lane has to wait');
      return waiting;
    }
    return undefined;
  }

  private nextNew(): FrontendMessage | undefined {
    const { lane, meter } = this.parts;
    lane?.look(this.framer);
    const message = this.framer.next();
    if (message === undefined) return undefined;
    this.taken += 1;
    meter.received(message.type, message.count);
    return message;
  }

  private waitFor(waiting: Promise<void>): void {
    const { client, hold } = this.parts;
    this.busy = true;
    client.pause();
    waiting.then(
      () => {
        this.busy = false;
        this.isCancelled = false;
        this.takeMessages();
        this.parts.rest.check();
        if (!this.busy && hold.link?.upstream.socket.writableNeedDrain !== true) client.resume();
      },
      (error: unknown) => this.parts.fail(error),
    );
  }
}
