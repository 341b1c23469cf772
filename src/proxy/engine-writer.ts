import type { EngineHold } from './engine-hold.ts';

/** Bytes that are copied to leave in one write. */
const largestGathered = 16 * 1024;

export interface EngineWriterParts {
  readonly hold: Pick<EngineHold, 'link' | 'current'>;
  /** Bytes of all sessions. */
  readonly counted: { toEngine: number };
}

/** What goes to the engine: small messages leave together, since a write costs more than all that is done for them here. */
export class EngineWriter {
  private readonly parts: EngineWriterParts;
  private isGathering = false;
  private outgoing: Buffer[] = [];
  private bytes = 0;

  constructor(parts: EngineWriterParts) {
    this.parts = parts;
  }

  /** Until `flush`, what is written may wait for more. */
  gather(): void {
    this.isGathering = true;
  }

  write(bytes: Buffer): void {
    this.parts.counted.toEngine += bytes.length;
    if (bytes.length > largestGathered) {
      this.send();
      this.parts.hold.link?.upstream.socket.write(bytes);
      return;
    }
    this.outgoing.push(bytes);
    this.bytes += bytes.length;
    if (this.bytes > largestGathered) this.send();
    else if (!this.isGathering && this.outgoing.length === 1) process.nextTick(() => this.send());
  }

  /** Sends what there is, and gathers no more. */
  flush(): void {
    this.isGathering = false;
    this.send();
  }

  /** Sends what there is. */
  send(): void {
    const { outgoing } = this;
    const [first] = outgoing;
    if (first === undefined) return;
    this.outgoing = [];
    this.bytes = 0;
    this.parts.hold.current?.upstream.socket.write(
      outgoing.length === 1 ? first : Buffer.concat(outgoing),
    );
  }
}
