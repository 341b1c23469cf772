import type { Socket } from 'node:net';
import type { SessionMeter } from '../metrics/session-meter.ts';
import type { TransactionStatus } from '../wire/protocol.ts';
import type { EngineWriter } from './engine-writer.ts';
import type { SessionEnd } from './session-end.ts';
import type { Outlets } from './turns.ts';

export interface SessionOutletsParts {
  readonly client: Socket;
  readonly meter: SessionMeter;
  readonly writer: EngineWriter;
  readonly ending: SessionEnd;
  readonly answers: { readonly status: TransactionStatus };
  readonly reader: { readonly isCancelled: boolean };
}

/** The way out for what becomes of a client's messages. */
export class SessionOutlets implements Outlets {
  private readonly parts: SessionOutletsParts;

  constructor(parts: SessionOutletsParts) {
    this.parts = parts;
  }

  toEngine(bytes: Buffer): void {
    this.parts.writer.write(bytes);
  }

  flushToEngine(): void {
    this.parts.writer.send();
  }

  toClient(bytes: Buffer): void {
    const { client, meter } = this.parts;
    meter.totals.bytes.toClients += bytes.length;
    client.write(bytes);
  }

  status(): TransactionStatus {
    return this.parts.answers.status;
  }

  isOver(): boolean {
    return !this.parts.ending.isRelaying;
  }

  isCancelled(): boolean {
    return this.parts.reader.isCancelled;
  }

  goodbye(): void {
    this.parts.ending.leave();
  }
}
