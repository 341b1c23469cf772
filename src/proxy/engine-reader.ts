import type { Socket } from 'node:net';
import type { SessionMeter } from '../metrics/session-meter.ts';
import { BackendScanner, type BackendListener } from '../wire/backend-scanner.ts';
import type { EngineLink, Receiver } from '../engine/pool/link.ts';
import { giveBack } from '../wire/shared-reads.ts';
import type { EngineHold } from './engine-hold.ts';
import type { ResponseQueue } from './response-queue.ts';

export interface EngineReaderParts {
  readonly client: Socket;
  readonly owed: ResponseQueue;
  readonly meter: SessionMeter;
  readonly hold: EngineHold;
  readonly answers: Pick<BackendListener, 'onMessage'>;
  readonly ending: {
    /** What the engine says is of no use to anybody. */
    readonly isOver: boolean;
    engineGone(): void;
  };
  readonly lane:
    | {
        /** The client does not read. @returns the connection that its answer comes from */
        stall(): EngineLink | undefined;
      }
    | undefined;
  readonly rest: {
    /** Some of it has been passed on. */
    check(): void;
  };
  fail(error: unknown): void;
}

const manyBytes = 32 * 1024;

/** The engine's bytes on their way to the client, no faster than that one reads them. */
export class EngineReader implements Receiver, BackendListener {
  private readonly parts: EngineReaderParts;
  private readonly scanner: BackendScanner;
  /** Bytes. */
  received = 0;
  private waiters: (() => void)[] = [];

  constructor(parts: EngineReaderParts) {
    this.parts = parts;
    this.scanner = new BackendScanner(this);
  }

  onHeader(type: number): void {
    const { ending, owed } = this.parts;
    if (!ending.isOver) owed.onHeader(type);
  }

  onMessage(type: number, body: Buffer): Buffer | undefined {
    const { ending, answers } = this.parts;
    return ending.isOver ? undefined : answers.onMessage(type, body);
  }

  onGone(): void {
    this.parts.ending.engineGone();
  }

  /** No message has come in part. */
  get isWhole(): boolean {
    return this.scanner.isWhole;
  }

  /** The client has got no message in part. */
  get atBoundary(): boolean {
    return this.scanner.atBoundary;
  }

  /** Resolves when no message has come in part, or the session is over. */
  whole(): Promise<void> {
    if (this.isWhole) return Promise.resolve();
    return new Promise((resolve) => this.waiters.push(resolve));
  }

  /** Lets everybody go who waits. */
  abandon(): void {
    const { waiters } = this;
    this.waiters = [];
    for (const waiter of waiters) waiter();
  }

  /** Of a connection that others share. @returns what is behind the answer; undefined while that is not whole. */
  onShared(chunk: Buffer): Buffer | undefined {
    const { scanner } = this;
    scanner.stopsAtReady = true;
    try {
      this.pass(chunk);
    } catch (error) {
      this.parts.fail(error);
      throw error;
    } finally {
      scanner.stopsAtReady = false;
    }
    return scanner.rest;
  }

  onData(chunk: Buffer): void {
    try {
      this.pass(chunk);
    } catch (error) {
      this.parts.fail(error);
    }
  }

  private pass(chunk: Buffer): void {
    const { client, owed, meter, hold, ending, lane } = this.parts;
    const { bytes: counted } = meter.totals;
    this.scanner.isThorough = owed.isThorough;
    const pieces = this.scanner.push(chunk);
    const { stopsAtReady, rest } = this.scanner;
    // What is behind the answer is somebody else's.
    const length = chunk.length - (stopsAtReady ? (rest?.length ?? 0) : 0);
    this.received += length;
    counted.fromEngine += length;
    if (ending.isOver || !client.writable) return;
    const isKept = this.write(pieces) || this.scanner.keeps;
    if (!isKept) giveBack(chunk, length);
    if (client.writableNeedDrain) {
      const shared = lane?.stall();
      const engine = (shared ?? hold.current)?.upstream.socket;
      engine?.pause();
      client.once('drain', () => (shared ?? hold.current)?.upstream.socket.resume());
    }
    if (this.waiters.length > 0 && this.isWhole) this.abandon();
    this.parts.rest.check();
  }

  /**
   * In one go: a write costs more than a copy of what one read brought.
   * @returns whether the memory of the pieces is still needed
   */
  private write(pieces: readonly Buffer[]): boolean {
    const [first] = pieces;
    if (first === undefined) return false;
    const { client, meter } = this.parts;
    // What has to wait and is small must not keep all that it came with.
    const isCopy = pieces.length > 1 || (client.writableLength > 0 && first.length < manyBytes);
    const bytes = isCopy ? Buffer.concat(pieces) : first;
    meter.totals.bytes.toClients += bytes.length;
    client.write(bytes);
    return !isCopy && client.writableLength > 0;
  }
}
