import { connect, type Socket } from 'node:net';
import type { Received } from '../../test/fixtures/raw-client.ts';

/** Bytes of a body that are kept; nobody looks at more. */
const keptBytes = 4096;

/** A socket to the proxy that sends what it is told and keeps what comes back, with a deadline for everything. */
export class FrameClient {
  readonly received: Received[] = [];
  /** All that came, before it is cut into messages; ends where the first message begins when `asMessages` was called. */
  raw: Buffer = Buffer.alloc(0);
  isOver = false;
  readonly #socket: Socket;
  #isCutting = false;
  #wake: () => void = () => undefined;

  constructor(port: number) {
    this.#socket = connect({ host: '127.0.0.1', port, noDelay: true });
    this.#socket.on('data', (chunk: Buffer) => {
      this.raw = this.raw.length === 0 ? chunk : Buffer.concat([this.raw, chunk]);
      if (this.#isCutting) this.#cut();
      this.#wake();
    });
    this.#socket.on('error', () => undefined);
    this.#socket.on('close', () => {
      this.isOver = true;
      this.#wake();
    });
  }

  /** From here on what comes is messages; before, it may be single bytes. */
  asMessages(): void {
    this.#isCutting = true;
    this.#cut();
  }

  /** Each chunk arrives by itself, as far as this machine's TCP lets it. */
  async send(chunks: readonly Buffer[]): Promise<void> {
    for (const [index, chunk] of chunks.entries()) {
      if (index > 0) await new Promise((resolve) => setImmediate(resolve));
      if (this.isOver || !this.#socket.writable) return;
      this.#socket.write(chunk);
    }
  }

  endInput(): void {
    this.#socket.end();
  }

  close(): void {
    this.#socket.destroy();
  }

  /** Whether it came true in time. */
  async until(condition: () => boolean, ms: number): Promise<boolean> {
    const end = Date.now() + ms;
    while (!condition()) {
      const left = end - Date.now();
      if (left <= 0) return false;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return true;
  }

  #cut(): void {
    while (this.raw.length >= 5) {
      const size = this.raw.readInt32BE(1) + 1;
      if (this.raw.length < size) return;
      const type = String.fromCharCode(this.raw[0]!);
      this.received.push({
        type,
        body: Buffer.from(this.raw.subarray(5, Math.min(size, 5 + keptBytes))),
      });
      this.raw = this.raw.subarray(size);
    }
  }
}
