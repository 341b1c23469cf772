import type { SessionMeter } from '../metrics/session-meter.ts';
import type { EngineHold } from './engine-hold.ts';

/** Bytes that are copied to leave in one write. */
const largestGathered = 16 * 1024;

export interface EngineWriterParts {
  readonly hold: Pick<EngineHold, 'link' | 'current' | 'isSharing'>;
  readonly meter: Pick<SessionMeter, 'totals'>;
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
    this.parts.meter.totals.bytes.toEngine += bytes.length;
    if (this.parts.hold.isSharing) {
      this.outgoing.push(bytes);
      return;
    }
    if (bytes.length > largestGathered) {
      const socket = this.parts.hold.link?.upstream.socket;
      // What there is leaves in the same write.
      socket?.cork();
      this.send();
      socket?.write(bytes);
      socket?.uncork();
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

  /** Sends what there is; what is for a fast lane waits until `take`. */
  send(): void {
    if (this.outgoing.length === 0 || this.parts.hold.isSharing) return;
    const bytes = this.take();
    this.parts.hold.current?.upstream.socket.write(bytes);
  }

  /** @returns what waits, which is not sent from here then. */
  take(): Buffer {
    const { outgoing } = this;
    this.outgoing = [];
    this.bytes = 0;
    return outgoing.length === 1 ? outgoing[0]! : Buffer.concat(outgoing);
  }
}
