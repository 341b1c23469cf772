import type { EngineStatement } from '../../engine/pool/engine-statement.ts';
import type { EngineLink } from '../../engine/pool/link.ts';
import { BackendScanner } from '../../wire/backend-scanner.ts';
import { errorField } from '../../wire/error-fields.ts';
import { Backend, headerBytes } from '../../wire/protocol.ts';
import type { LaneCounts, LaneEnd } from './counts.ts';
import { description } from './description.ts';
import type { Rider } from './rider.ts';

interface Seat {
  readonly rider: Rider;
  hasBegun: boolean;
}

export interface LaneLinkParts {
  readonly link: EngineLink;
  /** Its session has no agent. */
  readonly isBlind: boolean;
  readonly counts: LaneCounts;
  /** There is room again, or what a statement gives here is known now. */
  readonly onRoom: () => void;
  /** The one that held up the others is answered. @param ms that it took */
  readonly onHeldUp: (ms: number) => void;
  /** Takes no more riders. */
  readonly onClosed: (reason: LaneEnd) => void;
  /** Nothing is on it any more, and nothing will be. */
  readonly onEmpty: () => void;
}

const fewLooks = 3;

/** Riders on a connection at once. */
const longestLine = 512;

/**
 * One engine connection on which statements of different sessions follow each other without waiting for their answers. Each is
 * complete and ends in one ReadyForQuery, so an error of one is nobody else's. The engine answers in order: the first in line
 * gets what comes.
 *
 * Nobody waits for long: where the first one turns out slow, or its client does not read, or it is cancelled, all behind it are
 * withdrawn and go elsewhere; what the engine answers to them here is dropped. The connection takes no more of them until it has
 * answered all, and then goes back to the pool, unless it was only a moment.
 */
export class LaneLink {
  readonly link: EngineLink;
  /** By `performance.now()`: since when the first one is at work, or nobody is there. */
  since = performance.now();
  /** How often it was looked at since. */
  private looks = 0;
  readonly openedAt = performance.now();
  isOpen = true;
  /** The first one takes long, or the answers to those that went elsewhere are still to come. */
  isHeldUp = false;
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
      this.isOpen &&
      !this.isHeldUp &&
      this.line.length < longestLine &&
      socket.writable &&
      !socket.writableNeedDrain
    );
  }

  /**
   * For how long the first one is at work, in milliseconds. Asked now and then; our own work may have taken the time, so it is 0
   * until all that has come was read some times since.
   */
  look(now: number): number {
    this.looks += 1;
    return this.line.length > 0 && this.looks > fewLooks ? now - this.since : 0;
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
      if (this.isOpen) this.parts.onRoom();
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

  /** All behind the first one go elsewhere, and nobody comes until it is answered: it may be a moment of the machine's. */
  holdUp(): void {
    this.isHeldUp = true;
    const [first, ...waiting] = this.line;
    if (waiting.every((seat) => seat === undefined)) return;
    this.flush();
    // What they were to prepare here may be there or not.
    this.link.statements.doubt();
    this.line = [first, ...waiting.map(() => undefined)];
    for (const seat of waiting) if (seat !== undefined) this.withdraw(seat);
  }

  /** It takes no more, and all behind the first one go elsewhere. */
  close(reason: LaneEnd): void {
    this.retire(reason);
    if (reason === 'slow') this.line[0]?.rider.heldUp();
    this.holdUp();
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
      this.looks = 0;
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
    if (first !== undefined && this.parts.isBlind && !first.hasBegun && isRefusal(data)) {
      this.line[0] = undefined;
      first.rider.needsAgent();
      this.withdraw(first);
      return data;
    }
    if (first !== undefined) first.hasBegun = true;
    const rest = first === undefined ? this.drop(data) : first.rider.receive(data);
    if (rest === undefined) return undefined;
    const seat = this.line.shift();
    const now = performance.now();
    const ms = now - this.since;
    this.since = now;
    this.looks = 0;
    if (this.isStalled) {
      this.isStalled = false;
      this.link.upstream.socket.resume();
    }
    if (this.isHeldUp) this.wentOn(seat, ms);
    // Which may send the next one at once.
    seat?.rider.answered(ms);
    this.endIfEmpty();
    return rest;
  }

  private wentOn(seat: Seat | undefined, ms: number): void {
    if (seat !== undefined) this.parts.onHeldUp(ms);
    if (this.line.length > 0) return;
    this.isHeldUp = false;
    if (this.isOpen) this.parts.onRoom();
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

/** Nothing but 42501 answers it: a row policy, perhaps, of which the engine knows sooner than we do. */
function isRefusal(data: Buffer): boolean {
  let at = 0;
  while (data[at] === Backend.ParseComplete || data[at] === Backend.CloseComplete)
    at += headerBytes;
  if (data[at] !== Backend.ErrorResponse || data.length < at + headerBytes) return false;
  return errorField(data.subarray(at + headerBytes), 'C') === '42501';
}
