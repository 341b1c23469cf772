import type { EngineStatement } from '../../engine/pool/engine-statement.ts';
import type { EngineLink } from '../../engine/pool/link.ts';
import { HatiError } from '../../errors.ts';
import { isRepeatable } from '../../policy/repeatable.ts';
import { isBlindly } from '../../policy/session-use.ts';
import type { ClassifiedText } from '../../sql/statement.ts';
import type { FrontendFramer, FrontendMessage } from '../../wire/framing.ts';
import { Frontend } from '../../wire/protocol.ts';
import { isWholeBatch } from '../../wire/whole-batch.ts';
import type { ClientStatement } from '../client-statements.ts';
import { nothing } from '../expected.ts';
import type { InForce } from '../session-state.ts';
import { noteSlowStandIn } from '../stand-in-statements.ts';
import type { FastLaneParts } from './fast-lane-parts.ts';
import { firstWords } from './first-words.ts';
import type { LaneKind, LaneKinds } from './kinds.ts';
import type { LaneLink } from './lane-link.ts';
import type { Lanes, Seeker } from './lanes.ts';
import { isShort, noteHeldUp, notePace } from './pace.ts';
import type { Rider } from './rider.ts';

/** What a connection is needed for. */
export interface Wanted {
  readonly text: ClassifiedText;
  /** Where it was prepared before: under which settings, and as what, where it has a name. */
  readonly under?: InForce;
  readonly named?: ClientStatement | undefined;
}

let sessions = 0;

/** Rides of a statement that came to nothing; then it gets a connection of its own. */
const mostRides = 3;

/**
 * The session's side of the fast lane: a statement that is all here, changes nothing and was short before needs no connection of its
 * own. It is judged and made ready like any other; only where its bytes go is different, and the next message of the client waits
 * until it is answered. Where it is withdrawn, the client's messages are taken again from the start.
 */
export class FastLane implements Rider, Seeker {
  private readonly lanes: Lanes;
  private readonly parts: FastLaneParts;
  /** Messages of the statement that is being taken or rides; all of it was here when the first one was taken. */
  private batch: FrontendMessage[] | undefined;
  private isComplete = false;
  private text: ClassifiedText | undefined;
  private place: LaneLink | undefined;
  private isRiding = false;
  private hasStandIn = false;
  /** Of the answer to one that has a stand-in, until it is known that this is still good. */
  private beginning: Buffer | undefined;
  private rides = 0;
  /** Whatever it seems to be. */
  private isAgentNeeded = false;
  /** Where it has a connection of its own: since when. */
  private begun: number | undefined;
  private received = 0;
  private kinds: LaneKinds | undefined;
  /** It may ride, but there was no place. */
  private sought: Wanted | undefined;
  private readonly number: number;

  constructor(lanes: Lanes, parts: FastLaneParts) {
    this.lanes = lanes;
    this.parts = parts;
    this.number = sessions += 1;
  }

  /** Before a message is taken. @param pending what the client has sent */
  look(pending: Pick<FrontendFramer, 'peek'>): void {
    if (this.batch !== undefined || !this.parts.rest.isFree()) return;
    const bytes = pending.peek();
    if (bytes === undefined || !isWholeBatch(bytes)) return;
    this.batch = [];
    this.text = undefined;
    this.begun = undefined;
    this.rides = 0;
    this.isAgentNeeded = false;
  }

  /** The message is taken. */
  taking(message: FrontendMessage): void {
    if (this.batch === undefined || this.isComplete) return;
    this.batch.push(message);
    this.isComplete = message.type === Frontend.Query || message.type === Frontend.Sync;
  }

  /**
   * The statement needs a connection, and the session has none.
   * @returns whether it has a place in a lane.
   */
  enter(wanted: Wanted): boolean {
    const { lanes, parts } = this;
    const { messages, hold, state } = parts;
    const { text, under, named } = wanted;
    this.sought = undefined;
    if (this.batch === undefined || this.place !== undefined || this.isRiding) return false;
    // It has to be prepared as it was, which takes more than its Parse.
    if (under !== undefined && under !== state.inForce) return false;
    const use = messages.useOf(text);
    if (!isRepeatable(text, use)) return false;
    this.text = text;
    this.received = this.parts.engine.received;
    if (!isShort(text) || this.rides >= mostRides) return false;
    const kind = this.kindOf(isBlindly(use) && !this.isAgentNeeded);
    const place = lanes.place(kind, this.number);
    const isReady = place !== undefined && (named === undefined || isKnown(place.link, named));
    if (!isReady) {
      if (named !== undefined) place?.learn(named.engine);
      this.sought = wanted;
      lanes.seek(kind, this);
      return false;
    }
    this.place = place;
    hold.share(place.link);
    return true;
  }

  mayBoard(): boolean {
    const { request } = this.parts;
    const { sought } = this;
    if (sought === undefined || !request.isWaiting) return false;
    // Nobody hears of that: whoever waits looks first whether it has a place.
    if (this.enter(sought)) request.giveUp(new HatiError('query_canceled'));
    return this.sought !== undefined;
  }

  /** After a message was taken. @returns whether a statement rides now: nothing more is to be taken until it is answered. */
  leave(): boolean {
    if (!this.isComplete) return false;
    const { hold, writer, owed } = this.parts;
    const { place } = this;
    this.isComplete = false;
    this.sought = undefined;
    if (place === undefined) {
      this.batch = undefined;
      // From here on: that it had to wait for a connection says nothing of it.
      if (this.text !== undefined) this.begun = performance.now();
      return false;
    }
    const bytes = writer.take();
    hold.unshare();
    // It was cancelled on its way here, and that is answered.
    if (owed.isEmpty) {
      this.over();
      return false;
    }
    this.isRiding = true;
    this.rides += 1;
    place.submit(this, bytes);
    return true;
  }

  /** A statement is made ready for a connection that others use as well. */
  get isSharing(): boolean {
    return this.parts.hold.isSharing;
  }

  /** It runs as one that was prepared before (`stand-in-statements.ts`). */
  standsIn(): void {
    this.hasStandIn = true;
    this.beginning = nothing;
  }

  /** The engine owes nothing any more; on a connection of its own, too. */
  rested(): void {
    const { text, begun } = this;
    if (text === undefined || begun === undefined || this.batch !== undefined) return;
    this.begun = undefined;
    this.text = undefined;
    const bytes = this.parts.engine.received - this.received;
    // Where it was refused, nothing was learnt.
    if (bytes > 0) notePace(text, performance.now() - begun, bytes);
  }

  /** @returns `waiting` where nothing of its answer will come; undefined where it is in no lane. */
  cancel(): 'waiting' | Promise<void> | undefined {
    const { place } = this;
    if (place === undefined || !this.isRiding) return undefined;
    if (place.giveUp(this) === 'waiting') {
      this.parts.owed.withdraw();
      this.over();
      return 'waiting';
    }
    return place.link.cancel();
  }

  /** Where its statement is. */
  get link(): EngineLink | undefined {
    return this.isRiding ? this.place?.link : undefined;
  }

  /** The session is ended in the middle of an answer. @returns the connection, which is nobody else's from now on */
  seize(): EngineLink | undefined {
    const { link } = this;
    this.place?.giveUp(this);
    return link;
  }

  /** The session has ended. */
  abandon(): void {
    const { place } = this;
    // All of the answer may have come just now.
    if (place === undefined || !this.isRiding || this.parts.owed.isEmpty) return;
    if (place.giveUp(this) === 'waiting') this.over();
    else place.link.cancel().catch(() => undefined);
  }

  /** Its client does not read. @returns what to read on from later. */
  stall(): EngineLink | undefined {
    if (!this.isRiding) return undefined;
    this.place?.stall();
    return this.place?.link;
  }

  receive(chunk: Buffer): Buffer | undefined {
    const { engine } = this.parts;
    if (this.beginning === undefined) return engine.onShared(chunk);
    const { beginning } = this;
    const bytes = beginning.length === 0 ? chunk : Buffer.concat([beginning, chunk]);
    const found = firstWords(bytes);
    this.beginning = found === undefined ? bytes : undefined;
    switch (found) {
      case 'stale':
        // Without the stand-in there would have been no error.
        this.parts.pipeline.definitions.noticed();
        return this.place?.runAgain(this, bytes);
      case 'other':
        return engine.onShared(bytes);
      case undefined:
        return undefined;
    }
  }

  answered(ms: number): void {
    const { text } = this;
    if (text !== undefined) {
      notePace(text, ms, this.parts.engine.received - this.received);
      if (this.hasStandIn && !isShort(text)) noteSlowStandIn(text);
    }
    this.over();
    this.parts.reader.release();
  }

  heldUp(): void {
    const { text } = this;
    if (text === undefined) return;
    noteHeldUp(text);
    if (this.hasStandIn) noteSlowStandIn(text);
  }

  needsAgent(): void {
    this.isAgentNeeded = true;
  }

  withdrawn(): void {
    const { owed, reader } = this.parts;
    const messages = this.batch ?? [];
    this.place = undefined;
    this.isRiding = false;
    this.isComplete = false;
    this.hasStandIn = false;
    this.beginning = undefined;
    this.batch = [];
    owed.withdraw();
    reader.takeAgain(messages);
  }

  lost(): void {
    this.over();
    this.parts.ending.engineGone();
  }

  private over(): void {
    this.place = undefined;
    this.isRiding = false;
    this.isComplete = false;
    this.hasStandIn = false;
    this.beginning = undefined;
    this.batch = undefined;
    this.text = undefined;
  }

  private kindOf(isBlind: boolean): LaneKind {
    const { state, partition } = this.parts;
    state.restart();
    if (this.kinds?.own.settings !== state.settings)
      this.kinds = this.lanes.kindsOf(partition, state.settings);
    return isBlind ? this.kinds.shared : this.kinds.own;
  }
}

/** It gives on this connection what the client was told, if it was; nothing need be asked for that. */
function isKnown({ statements }: EngineLink, { shape, engine }: ClientStatement): boolean {
  if (shape === undefined) return true;
  return statements.state(engine, none) === 'present' && statements.shapes.get(engine) === shape;
}

const none: ReadonlySet<EngineStatement> = new Set();
