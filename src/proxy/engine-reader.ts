import type { Socket } from 'node:net';
import type { SessionMeter } from '../metrics/session-meter.ts';
import { BackendScanner } from '../wire/backend-scanner.ts';
import type { EngineHold } from './engine-hold.ts';
import type { ResponseQueue } from './response-queue.ts';

export interface EngineReaderParts {
  readonly client: Socket;
  readonly owed: ResponseQueue;
  readonly meter: SessionMeter;
  readonly hold: EngineHold;
  /** @returns what goes to the client in place of the message; undefined for the message. */
  readonly onMessage: (type: number, body: Buffer) => Buffer | undefined;
  /** What the engine says is of no use to anybody. */
  readonly isOver: () => boolean;
  /** Some of it has been passed on. */
  readonly onPassed: () => void;
  readonly onError: (error: unknown) => void;
}

/** The engine's bytes on their way to the client, no faster than that one reads them. */
export class EngineReader {
  private readonly parts: EngineReaderParts;
  private readonly scanner: BackendScanner;
  private waiters: (() => void)[] = [];

  constructor(parts: EngineReaderParts) {
    this.parts = parts;
    this.scanner = new BackendScanner({
      onHeader: (type) => void parts.owed.onHeader(type),
      onMessage: parts.onMessage,
    });
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

  onData(chunk: Buffer): void {
    const { client, owed, meter, hold, isOver, onPassed, onError } = this.parts;
    const { bytes: counted } = meter.totals;
    counted.fromEngine += chunk.length;
    let pieces: Buffer[];
    try {
      this.scanner.isThorough = owed.isThorough;
      pieces = this.scanner.push(chunk);
    } catch (error) {
      onError(error);
      return;
    }
    if (isOver() || !client.writable) return;
    let flowing = true;
    for (const piece of pieces) {
      counted.toClients += piece.length;
      flowing = client.write(piece);
    }
    if (!flowing) {
      const engine = hold.current?.upstream.socket;
      engine?.pause();
      client.once('drain', () => hold.current?.upstream.socket.resume());
    }
    if (this.waiters.length > 0 && this.isWhole) this.abandon();
    onPassed();
  }
}
