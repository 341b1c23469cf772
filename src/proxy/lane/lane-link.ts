import type { EngineStatement } from '../../engine/pool/engine-statement.ts';
import type { EngineLink } from '../../engine/pool/link.ts';
import { BackendScanner } from '../../wire/backend-scanner.ts';
import { Backend } from '../../wire/protocol.ts';
import type { LaneCounts, LaneEnd } from './counts.ts';
import { description } from './description.ts';
import type { Rider } from './rider.ts';

interface Seat {
  readonly rider: Rider;
  hasBegun: boolean;
}

export interface LaneLinkParts {
  readonly link: EngineLink;
  readonly counts: LaneCounts;
  /** Takes no more riders. */
  readonly onClosed: (reason: LaneEnd) => void;
  /** Nothing is on it any more, and nothing will be. */
  readonly onEmpty: () => void;
}

/** Riders on a connection at once. */
const longestLine = 512;

/**
 * One engine connection on which statements of different sessions follow each other without waiting for their answers. Each is
 * complete and ends in one ReadyForQuery, so an error of one is nobody else's. The engine answers in order: the first in line
 * gets what comes.
 *
 * Nobody waits for long: where the first one turns out slow, or its client does not read, or it is cancelled, all behind it are
 * withdrawn and go elsewhere; what the engine answers to them here is dropped. The connection takes no more of them then, and
 * goes back to the pool when it has answered all.
 */
export class LaneLink {
  readonly link: EngineLink;
  /** By `performance.now()`: since when the first one is at work, or nobody is there. */
  since = performance.now();
  readonly openedAt = performance.now();
  isOpen = true;
  private readonly parts: LaneLinkParts;
  /** Undefined for one that was withdrawn: its answer is nobody's. */
  private line: (Seat | undefined)[] = [];
  private outgoing: Buffer[] = [];
  private isFlushing = false;
  private isStalled = false;
  private readonly learning = new Set<EngineStatement>();
  private readonly dropped: BackendScanner;

  constructor(parts: LaneLinkParts) {
    this.parts = parts;
    this.link = parts.link;
    this.dropped = new BackendScanner({
      onHeader: () => undefined,
      onMessage: (type, body) => {
        if (type === Backend.ParameterStatus) this.link.noteParameter(body);
        return undefined;
      },
    });
    this.dropped.stopsAtReady = true;
  }

  get length(): number {
    return this.line.length;
  }

  get hasRoom(): boolean {
    const { socket } = this.link.upstream;
    return (
      this.isOpen && this.line.length < longestLine && socket.writable && !socket.writableNeedDrain
    );
  }

  /** @param bytes complete: one ReadyForQuery answers them. */
  submit(rider: Rider, bytes: Buffer): void {
    this.parts.counts.statements += 1;
    this.send({ rider, hasBegun: false }, bytes);
  }

  /** Finds out what the statement gives here, for the next one who wants to run it. */
  learn(statement: EngineStatement): void {
    if (this.learning.has(statement) || !this.hasRoom) return;
    this.learning.add(statement);
    const { rider, bytes } = description(this.link, statement, () => {
      this.learning.delete(statement);
    });
    this.send({ rider, hasBegun: false }, bytes);
  }

  /** Its answer is not wanted any more. @returns whether nothing of it had come, so that it can be told so by itself. */
  giveUp(rider: Rider): 'waiting' | 'atWork' {
    const at = this.line.findIndex((seat) => seat?.rider === rider);
    if (at > 0) {
      this.line[at] = undefined;
      return 'waiting';
    }
    this.close('cancelled');
    return 'atWork';
  }

  /**
   * What the first one was told is not for its client: it is run once more.
   * @param bytes of its answer so far @returns as `Rider.receive`
   */
  runAgain(rider: Rider, bytes: Buffer): Buffer | undefined {
    this.line[0] = undefined;
    this.link.statements.doubt();
    this.parts.counts.reissued += 1;
    rider.withdrawn();
    return this.drop(bytes);
  }

  /** The first one's client does not read. */
  stall(): void {
    this.isStalled = true;
    this.close('stalled');
  }

  /** It takes no more; who is here is served. */
  retire(reason: LaneEnd): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.parts.onClosed(reason);
    this.endIfEmpty();
  }

  /** It takes no more, and all behind the first one go elsewhere. */
  close(reason: LaneEnd): void {
    this.retire(reason);
    const [first, ...waiting] = this.line;
    if (waiting.every((seat) => seat === undefined)) return;
    this.flush();
    // What they were to prepare here may be there or not.
    this.link.statements.doubt();
    this.line = [first, ...waiting.map(() => undefined)];
    if (reason === 'slow') first?.rider.heldUp();
    for (const seat of waiting) if (seat !== undefined) this.withdraw(seat);
  }

  onData(chunk: Buffer): void {
    let data: Buffer | undefined = chunk;
    try {
      while (data !== undefined && data.length > 0) data = this.pass(data);
    } catch {
      // Whose the rest is can't be known any more.
      this.link.destroy();
      this.onGone();
    }
  }

  onGone(): void {
    const { line } = this;
    this.line = [];
    this.retire('lost');
    const [first, ...waiting] = line;
    first?.rider.lost();
    for (const seat of waiting) if (seat !== undefined) this.withdraw(seat);
    this.parts.onEmpty();
  }

  private send(seat: Seat, bytes: Buffer): void {
    const { socket } = this.link.upstream;
    this.line.push(seat);
    if (this.line.length === 1) {
      this.since = performance.now();
      socket.write(bytes);
      return;
    }
    this.outgoing.push(bytes);
    if (this.isFlushing) return;
    this.isFlushing = true;
    // Behind all clients whose messages have come meanwhile: theirs leave in the same write.
    setImmediate(() => this.flush());
  }

  private flush(): void {
    const { outgoing } = this;
    this.isFlushing = false;
    if (outgoing.length === 0) return;
    this.outgoing = [];
    this.link.upstream.socket.write(outgoing.length === 1 ? outgoing[0]! : Buffer.concat(outgoing));
  }

  /** @returns what is behind the answer to the first in line, or undefined while that is not whole. */
  private pass(data: Buffer): Buffer | undefined {
    if (this.line.length === 0) throw new Error('the engine answers what nobody asked');
    const [first] = this.line;
    if (first !== undefined) first.hasBegun = true;
    const rest = first === undefined ? this.drop(data) : first.rider.receive(data);
    if (rest === undefined) return undefined;
    const seat = this.line.shift();
    const now = performance.now();
    const ms = now - this.since;
    this.since = now;
    if (this.isStalled) {
      this.isStalled = false;
      this.link.upstream.socket.resume();
    }
    // Which may send the next one at once.
    seat?.rider.answered(ms);
    this.endIfEmpty();
    return rest;
  }

  private drop(data: Buffer): Buffer | undefined {
    this.dropped.push(data);
    return this.dropped.rest;
  }

  private withdraw({ rider }: Seat): void {
    this.parts.counts.reissued += 1;
    rider.withdrawn();
  }

  private endIfEmpty(): void {
    if (!this.isOpen && this.line.length === 0) this.parts.onEmpty();
  }
}
