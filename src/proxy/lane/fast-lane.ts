import type { EngineStatement } from '../../engine/pool/engine-statement.ts';
import type { EngineLink } from '../../engine/pool/link.ts';
import type { Partition } from '../../engine/pool/pool.ts';
import { isRepeatable } from '../../policy/repeatable.ts';
import type { SessionUse } from '../../policy/session-use.ts';
import type { DefinitionCount } from '../../ports.ts';
import type { ClassifiedText } from '../../sql/statement.ts';
import type { FrontendFramer, FrontendMessage } from '../../wire/framing.ts';
import { Frontend } from '../../wire/protocol.ts';
import { isWholeBatch } from '../../wire/whole-batch.ts';
import type { ClientStatement } from '../client-statements.ts';
import type { EngineHold } from '../engine-hold.ts';
import type { EngineReader } from '../engine-reader.ts';
import type { EngineWriter } from '../engine-writer.ts';
import { nothing, type ResponseQueue } from '../response-queue.ts';
import type { InForce, SessionState } from '../session-state.ts';
import { noteSlowStandIn } from '../stand-in-statements.ts';
import type { LaneLink } from './lane-link.ts';
import type { LaneKind, Lanes } from './lanes.ts';
import { firstWords } from './first-words.ts';
import { isShort, noteHeldUp, notePace } from './pace.ts';
import type { Rider } from './rider.ts';

/** What a connection is needed for. */
export interface Wanted {
  readonly text: ClassifiedText;
  /** Where it was prepared before: under which settings, and as what, where it has a name. */
  readonly under?: InForce;
  readonly named?: ClientStatement | undefined;
}

export interface FastLaneParts {
  readonly partition: Partition;
  readonly state: SessionState;
  readonly hold: EngineHold;
  readonly owed: ResponseQueue;
  readonly writer: EngineWriter;
  readonly engine: EngineReader;
  readonly messages: { useOf(text: ClassifiedText): SessionUse };
  readonly reader: {
    /** The client's messages may be taken again. */
    release(): void;
    /** These have to be taken once more, before all others. */
    takeAgain(messages: readonly FrontendMessage[]): void;
  };
  readonly ending: { engineGone(): void };
  readonly rest: {
    /** Nothing ties the session to a connection, and nothing is owed to it. */
    isFree(): boolean;
  };
  readonly pipeline: {
    /** Told where a definition that a plan was made of has changed. */
    readonly definitions: Pick<DefinitionCount, 'noticed'>;
  };
}

/** Rides of a statement that came to nothing; then it gets a connection of its own. */
const mostRides = 3;

/**
 * The session's side of the fast lane: a statement that is all here, changes nothing and was short before needs no connection of its
 * own. It is judged and made ready like any other; only where its bytes go is different, and the next message of the client waits
 * until it is answered. Where it is withdrawn, the client's messages are taken again from the start.
 */
export class FastLane implements Rider {
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
  /** Where it has a connection of its own: since when. */
  private begun: number | undefined;
  private received = 0;
  private kind: LaneKind | undefined;

  constructor(lanes: Lanes, parts: FastLaneParts) {
    this.lanes = lanes;
    this.parts = parts;
  }

  /** Before a message is taken. @param pending what the client has sent */
  look(pending: Pick<FrontendFramer, 'peek'>): void {
    if (this.batch !== undefined || !this.parts.hold.isNone || !this.parts.rest.isFree()) return;
    const bytes = pending.peek();
    if (bytes === undefined || !isWholeBatch(bytes)) return;
    this.batch = [];
    this.rides = 0;
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
  enter({ text, under, named }: Wanted): boolean {
    const { messages, hold, state } = this.parts;
    if (this.batch === undefined || this.place !== undefined || this.isRiding) return false;
    // It has to be prepared as it was, which takes more than its Parse.
    if (under !== undefined && under !== state.inForce) return false;
    if (!isRepeatable(text, messages.useOf(text))) return false;
    this.text = text;
    this.begun = performance.now();
    this.received = this.parts.engine.received;
    if (!isShort(text) || this.rides >= mostRides) return false;
    const place = this.lanes.place(this.kindOf());
    if (place === undefined) return false;
    if (named !== undefined && !isKnown(place.link, named)) {
      place.learn(named.engine);
      return false;
    }
    this.place = place;
    hold.share(place.link);
    return true;
  }

  /** After a message was taken. @returns whether a statement rides now: nothing more is to be taken until it is answered. */
  leave(): boolean {
    if (!this.isComplete) return false;
    const { hold, writer } = this.parts;
    const { place } = this;
    this.isComplete = false;
    if (place === undefined) {
      this.batch = undefined;
      return false;
    }
    const bytes = writer.take();
    hold.unshare();
    this.isRiding = true;
    this.rides += 1;
    this.begun = undefined;
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
    const bytes = Buffer.concat([this.beginning, chunk]);
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

  private kindOf(): LaneKind {
    const { state, partition } = this.parts;
    state.restart();
    const { settings } = state;
    if (this.kind?.settings !== settings) {
      const sorted = [...settings].toSorted(([one], [other]) => (one < other ? -1 : 1));
      this.kind = { key: JSON.stringify([partition.key, sorted]), partition, settings };
    }
    return this.kind;
  }
}

/** It gives on this connection what the client was told, if it was; nothing need be asked for that. */
function isKnown({ statements }: EngineLink, { shape, engine }: ClientStatement): boolean {
  if (shape === undefined) return true;
  return statements.state(engine, none) === 'present' && statements.shapes.get(engine) === shape;
}

const none: ReadonlySet<EngineStatement> = new Set();
