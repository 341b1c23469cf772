import { HatiError } from '../errors.ts';
import { errorResponse, readyForQuery } from '../wire/backend-messages.ts';
import { flush, refusedMessage, refusedQuery } from '../wire/frontend-messages.ts';
import type { SessionMeter } from '../metrics/session-meter.ts';
import type { TransactionStatus } from '../wire/protocol.ts';
import type { EngineLink } from '../engine/pool/link.ts';
import type { EngineHold } from './engine-hold.ts';
import type { FastLane, Wanted } from './lane/fast-lane.ts';
import type { Expected, Noted, Refusal } from './expected.ts';
import type { ResponseQueue } from './response-queue.ts';
import type { SessionLog } from './session-log.ts';

/** What the session lets its messages do. The session alone holds the sockets. */
export interface Outlets {
  toEngine(bytes: Buffer): void;
  /** Sends what has been gathered so far. */
  flushToEngine(): void;
  toClient(bytes: Buffer): void;
  /** As of the last ReadyForQuery. */
  status(): TransactionStatus;
  isOver(): boolean;
  /** The client has cancelled what is being taken, before any of it was sent to the engine. */
  isCancelled(): boolean;
  /** The client said Terminate. */
  goodbye(): void;
}

export interface TurnsParts {
  readonly outlets: Outlets;
  readonly owed: ResponseQueue;
  readonly hold: EngineHold;
  readonly log: SessionLog;
  readonly meter: SessionMeter;
  readonly lane: FastLane | undefined;
}

/**
 * Who speaks when: every answer of ours comes where PostgreSQL's would.
 *
 * While an engine connection is held, a message that we refuse is replaced by one that the engine is sure to refuse, and the
 * engine's error by ours (`refusedMessage`, `refusedQuery`): so the order of answers, the abort of the transaction and the
 * skip to Sync are PostgreSQL's own. Without one, nothing is in flight and no transaction is open: then we answer at
 * once, and discard ourselves what follows an error up to Sync.
 */
export class Turns {
  private readonly parts: TurnsParts;
  /** Without a connection: until Sync, nothing is answered any more. */
  private discarding = false;
  /** The last Bind of it, unless a Query came behind. */
  private unnamedPortal: UnnamedPortal | undefined;

  constructor(parts: TurnsParts) {
    this.parts = parts;
  }

  /** What comes is neither judged nor answered, because it is discarded up to Sync. */
  get isSkipping(): boolean {
    return this.discarding || this.parts.owed.isSkipping;
  }

  /**
   * Goes on with a connection; where none can be had, `fail` answers that.
   * @param what it is needed for, where that may go through a fast lane
   */
  withEngine(
    act: (link: EngineLink) => Promise<void> | undefined,
    fail: (response: Buffer) => void,
    what?: Wanted,
  ): Promise<void> | undefined {
    const { hold, outlets, log, lane } = this.parts;
    if (lane !== undefined && what !== undefined && hold.isNone) lane.enter(what);
    const ready = hold.ready();
    if (ready === undefined && !outlets.isCancelled()) return act(hold.link!);
    const goOn = (): Promise<void> | undefined => {
      if (hold.link === undefined || outlets.isOver()) return undefined;
      if (!outlets.isCancelled()) return act(hold.link);
      fail(log.response(new HatiError('query_canceled')));
      return undefined;
    };
    if (ready === undefined) return goOn();
    return ready.then(goOn, (error: unknown) => {
      if (outlets.isOver()) return undefined;
      // Instead of the connection that it waited for, it has got a place in a lane.
      if (hold.isSharing) return goOn();
      fail(log.response(error));
      return undefined;
    });
  }

  private get isAtRest(): boolean {
    const { owed, outlets } = this.parts;
    return owed.isEmpty && !owed.isUnsynced && outlets.status() === 'idle';
  }

  forward(raw: Buffer, expected: Exclude<Expected, Refusal>): void {
    this.parts.owed.push(expected);
    this.parts.outlets.toEngine(raw);
  }

  /** A Query is on its way; it makes an unnamed portal of its own. */
  querySent(): void {
    this.unnamedPortal = undefined;
  }

  /** A Bind of the unnamed portal. */
  bindUnnamed(raw: Buffer, settle?: (done: boolean) => void): void {
    const portal: UnnamedPortal = { isBound: false, isInBatch: true };
    this.unnamedPortal = portal;
    this.forward(raw, {
      of: 'bind',
      settle: (done) => {
        portal.isBound = done;
        if (!done && this.unnamedPortal === portal) this.unnamedPortal = undefined;
        settle?.(done);
      },
    });
  }

  /**
   * What is for the unnamed portal goes on only where the client has bound it since the last Query. A Query has made one of its
   * own; where it failed in a transaction, PostgreSQL 18.4 still has that, with memory that is gone, and whoever executes it
   * brings all of PostgreSQL down.
   */
  forwardUnnamed(raw: Buffer, expected: Exclude<Expected, Refusal>): Promise<void> | undefined {
    const portal = this.unnamedPortal;
    // An error may have kept the Bind of an earlier batch from happening.
    if (portal !== undefined && !portal.isBound && !portal.isInBatch)
      return this.caughtUp().then((goesOn) =>
        goesOn ? this.forwardUnnamed(raw, expected) : undefined,
      );
    if (portal === undefined && !this.isSkipping)
      return this.refuse(new HatiError('portal_unknown', { params: { name: '' } }));
    this.forward(raw, expected);
    return undefined;
  }

  /** @param settle as of `refuse` */
  refuseQuery(error: HatiError, settle?: Noted['settle']): undefined {
    this.parts.log.refused(error);
    this.failQuery(errorResponse(error), settle);
  }

  failQuery(response: Buffer, settle?: Noted['settle']): void {
    const { owed, outlets, hold } = this.parts;
    if (this.isAtRest || hold.link === undefined) {
      outlets.toClient(Buffer.concat([response, readyForQuery('idle')]));
      this.parts.meter.ready('idle', true);
      return;
    }
    this.querySent();
    // Like every Query it ends the unnamed statement, whoever's that is.
    hold.link.statements.unnamed = undefined;
    owed.push({ of: 'query', response, settle });
    outlets.toEngine(refusedQuery);
  }

  /**
   * Refuses one message of an extended batch.
   * @param settle told when it turns out that an error before it has it discarded
   */
  refuse(error: HatiError, settle?: Noted['settle']): undefined {
    this.parts.log.refused(error);
    this.fail(errorResponse(error), settle);
  }

  fail(response: Buffer, settle?: Noted['settle']): void {
    const { owed, outlets, hold } = this.parts;
    if (hold.link === undefined) {
      outlets.toClient(response);
      this.discarding = true;
      return;
    }
    owed.push({ of: 'message', response, settle });
    outlets.toEngine(refusedMessage);
  }

  /** Answers one message of an extended batch ourselves, in its turn. */
  async answer(
    produce: () => Buffer | Promise<Buffer>,
    when: 'unlessFailed' | 'always' = 'unlessFailed',
  ): Promise<void> {
    if (!(await this.caughtUp())) return;
    try {
      if (when === 'unlessFailed') this.checkNotFailed();
      this.parts.outlets.toClient(await produce());
    } catch (error) {
      this.fail(this.parts.log.response(error));
    }
  }

  /** Without a connection there is nobody but us to answer it. */
  sync(raw: Buffer, expected: Exclude<Expected, Refusal>): void {
    const { hold, outlets } = this.parts;
    // What was answered without a connection ends without one, though there may be one again.
    if (this.unnamedPortal !== undefined) this.unnamedPortal.isInBatch = false;
    const isOurs = this.discarding || hold.link === undefined;
    this.discarding = false;
    if (!isOurs) this.forward(raw, expected);
    else {
      outlets.toClient(readyForQuery('idle'));
      this.parts.meter.ready('idle', true);
    }
  }

  /**
   * Waits until the engine has answered all that it was sent.
   * @returns false when it will discard what comes until the next Sync, or the session is over.
   */
  async caughtUp(): Promise<boolean> {
    const { owed, outlets } = this.parts;
    if (!owed.isEmpty) {
      outlets.toEngine(flush);
      outlets.flushToEngine();
      await owed.drained();
    }
    return !this.isSkipping && !outlets.isOver();
  }

  checkNotFailed(): void {
    if (this.parts.outlets.status() === 'failed') throw new HatiError('transaction_aborted');
  }
}

interface UnnamedPortal {
  /** The engine has said so. */
  isBound: boolean;
  /** No Sync came behind it: were it refused, so would be what uses it. */
  isInBatch: boolean;
}
