import type { Socket } from 'node:net';
import type { SessionMeter } from '../metrics/session-meter.ts';
import { FrontendFramer, type FrontendMessage } from '../wire/framing.ts';
import type { EngineHold } from './engine-hold.ts';
import type { EngineWriter } from './engine-writer.ts';
import type { SessionEnd } from './session-end.ts';
import { drained } from './sockets.ts';

export interface ClientReaderParts {
  readonly client: Socket;
  readonly messageBytes: number;
  readonly hold: EngineHold;
  readonly writer: EngineWriter;
  readonly ending: SessionEnd;
  readonly meter: SessionMeter;
  /** @returns what must be over before the next message is taken. */
  readonly take: (message: FrontendMessage) => Promise<void> | undefined;
  /** @returns what must be over before any message is taken. */
  readonly before: () => Promise<void> | undefined;
  /** All that came has been taken. */
  readonly onTaken: () => void;
  /** A message that had to wait is dealt with, and so is what came behind it. */
  readonly onWaited: () => void;
  readonly onError: (error: unknown) => void;
}

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

  constructor(parts: ClientReaderParts) {
    this.parts = parts;
    this.framer = new FrontendFramer(() => parts.messageBytes);
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
    if (!this.busy) this.takeMessages();
  }

  private takeMessages(): void {
    const { client, hold, writer, ending, onTaken, onError } = this.parts;
    writer.gather();
    try {
      const waiting = this.takeUntilOneWaits();
      if (waiting !== undefined) this.waitFor(waiting);
    } catch (error) {
      onError(error);
    } finally {
      writer.flush();
    }
    if (this.busy || !ending.isRelaying) return;
    onTaken();
    const engine = hold.link?.upstream.socket;
    if (engine?.writableNeedDrain === true) {
      client.pause();
      engine.once('drain', () => {
        if (!this.busy) client.resume();
      });
    }
  }

  private takeUntilOneWaits(): Promise<void> | undefined {
    const { client, ending, meter, before, take } = this.parts;
    while (ending.isRelaying) {
      // A client that does not read its answers gets no more of them made.
      if (client.writableNeedDrain) return drained(client);
      const first = before();
      if (first !== undefined) return first;
      const message = this.framer.next();
      if (message === undefined) return undefined;
      this.taken += 1;
      meter.received(message.type);
      const waiting = take(message);
      if (waiting !== undefined) return waiting;
    }
    return undefined;
  }

  private waitFor(waiting: Promise<void>): void {
    const { client, hold, onWaited, onError } = this.parts;
    this.busy = true;
    client.pause();
    waiting.then(() => {
      this.busy = false;
      this.isCancelled = false;
      this.takeMessages();
      onWaited();
      if (!this.busy && hold.link?.upstream.socket.writableNeedDrain !== true) client.resume();
    }, onError);
  }
}
