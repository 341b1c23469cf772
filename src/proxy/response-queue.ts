import { Backend } from '../wire/protocol.ts';
import {
  isApart,
  isQuery,
  kindOf,
  needsBodies,
  nothing,
  responseOf,
  settle,
  showsOf,
  type Expected,
  type Kind,
} from './expected.ts';

/** Which entry an answer completes. RowDescription and NoData complete a Describe only. */
const completes: (Kind | undefined)[] = Array.from({ length: 256 });
completes[Backend.ParseComplete] = 'parse';
completes[Backend.BindComplete] = 'bind';
completes[Backend.CloseComplete] = 'close';
completes[Backend.RowDescription] = completes[Backend.NoData] = 'describe';
completes[Backend.CommandComplete] = completes[Backend.EmptyQueryResponse] = 'execute';
completes[Backend.PortalSuspended] = 'execute';

/**
 * What the engine still owes, in order: one entry for each message sent to it that it will answer.
 *
 * It follows PostgreSQL's own rules, so that the proxy always knows which message an answer belongs to:
 * - an error in an extended batch discards everything up to the next Sync;
 * - Sync is ignored while the engine is in copy-in mode, so none is sent while it may be (`copy-in.ts`).
 * Source: https://www.postgresql.org/docs/18/protocol-flow.html
 */
export class ResponseQueue {
  private entries: Expected[] = [];
  private copying = false;
  /** Of the Query at the head, where somebody wants them. */
  private tags: string[] = [];
  private copyWaiters: (() => void)[] = [];
  private skipping = false;
  private unsynced = false;
  private executed = false;
  /** Syncs and Queries that were sent. */
  private sent = 0;
  private done = 0;
  /** The number of the Query behind which nothing was sent since. */
  private lastQuery: number | undefined;
  /** Entries for which the scanner has to keep more messages whole. */
  private thorough = 0;
  /** Another number after each ReadyForQuery, and whenever nothing is owed. */
  progress = 0;
  /** An error was among the answers to the Query at the head. */
  private queryFailed = false;
  private waiters: (() => void)[] = [];

  /** Nothing is owed: the next byte of the engine would be one that nobody asked for. */
  get isEmpty(): boolean {
    return this.entries.length === 0;
  }

  /** The engine discards what it gets until the next Sync. */
  get isSkipping(): boolean {
    return this.skipping;
  }

  /** The number of the batch that is being sent: a Sync or a Query ends one. */
  get batch(): number {
    return this.sent;
  }

  /** How many batches are answered. */
  get answered(): number {
    return this.done;
  }

  /** Answers are looked at, or kept from the client, that otherwise just flow. */
  get isThorough(): boolean {
    return this.thorough > 0;
  }

  /**
   * Messages of an extended batch were sent, and no Sync behind them: a transaction may be under way. A Query among them ends
   * it only once it is answered; behind an error it would be skipped like the rest.
   */
  get isUnsynced(): boolean {
    return this.unsynced;
  }

  /** The same, and among them what runs a statement. */
  get hasExecuted(): boolean {
    return this.executed;
  }

  push(expected: Expected): void {
    const kind = kindOf(expected);
    if (kind === 'sync') {
      this.skipping = false;
    } else if (this.skipping) {
      settle(expected, false, { isDiscarded: true, tags: [] });
      return;
    }
    if (kind === 'query') this.lastQuery = this.sent;
    else {
      this.lastQuery = undefined;
      this.unsynced = kind !== 'sync';
      this.executed = this.unsynced && (this.executed || kind === 'execute');
    }
    if (kind === 'sync' || kind === 'query') this.sent += 1;
    if (needsBodies(expected)) this.thorough += 1;
    this.entries.push(expected);
  }

  /** Resolves when the engine asks for the data of a copy, or owes nothing any more: whichever it is, it is known then. */
  copyKnown(): Promise<void> {
    if (this.isEmpty || this.copying) return Promise.resolve();
    return new Promise((resolve) => this.copyWaiters.push(resolve));
  }

  /** The engine reads the data of a copy, as far as is known here. */
  get isCopyingIn(): boolean {
    return this.copying;
  }

  /** What comes next from the engine answers a Query. */
  get isQuery(): boolean {
    return this.entries[0] !== undefined && isQuery(this.entries[0]);
  }

  /** CopyDone or CopyFail is on its way. */
  copyEnded(): void {
    this.copying = false;
  }

  /**
   * @param body where `isThorough`
   * @returns what the client gets in place of the message; undefined: the message.
   */
  onHeader(type: number, body?: Buffer): Buffer | undefined {
    if (type === Backend.CopyInResponse) {
      this.copying = true;
      this.wakeCopy();
      return undefined;
    }
    const completed = completes[type];
    const head = this.entries[0];
    const tag = type === Backend.CommandComplete && body !== undefined ? tagOf(body) : undefined;
    if (tag !== undefined && this.isQuery) this.tags.push(tag);
    if (completed === undefined || head === undefined || completed !== kindOf(head))
      // The first half of what a Describe of a statement brings.
      return type === Backend.ParameterDescription ? head && showsOf(head) : undefined;
    this.copying = false;
    if (typeof head === 'object') {
      const tags = tag === undefined ? none : [tag];
      settle(head, true, { isDiscarded: false, tags, description: body });
    }
    this.shift();
    return showsOf(head);
  }

  /** @returns what the client gets in place of the error: the refusal that it stands for; undefined: the error. */
  onError(): Buffer | undefined {
    const head = this.entries[0];
    this.copying = false;
    this.wakeCopy();
    if (head === undefined || kindOf(head) === 'sync') return undefined;
    // ReadyForQuery follows by itself.
    if (isQuery(head)) {
      this.queryFailed = true;
      return responseOf(head);
    }
    const sync = this.entries.findIndex((entry) => kindOf(entry) === 'sync');
    this.skipping = sync < 0;
    const discarded = sync < 0 ? this.entries : this.entries.slice(0, sync);
    this.entries = sync < 0 ? [] : this.entries.slice(sync);
    // Last first, as each undoes what it did when it was sent.
    for (const entry of discarded.toReversed()) {
      if (needsBodies(entry)) this.thorough -= 1;
      if (isQuery(entry)) this.done += 1;
      settle(entry, false, { isDiscarded: entry !== head, tags: [] });
    }
    this.wake();
    return isApart(head) ? nothing : responseOf(head);
  }

  /** @returns as `onHeader`. */
  onReady(): Buffer | undefined {
    this.copying = false;
    const head = this.entries[0];
    const kind = head === undefined ? undefined : kindOf(head);
    // Whose it is can't be known, and what comes behind would go to the wrong one.
    if (head === undefined || (kind !== 'sync' && kind !== 'query'))
      throw new Error('the engine is ready for a query where none was due');
    if (kind === 'query' && this.lastQuery === this.done) {
      this.unsynced = false;
      this.executed = false;
    }
    this.done += 1;
    this.progress += 1;
    this.shift();
    const { tags, queryFailed } = this;
    if (tags.length > 0) this.tags = [];
    this.queryFailed = false;
    if (typeof head === 'object') settle(head, !queryFailed, { isDiscarded: false, tags });
    return showsOf(head);
  }

  /** Nothing of what is owed was answered, and the engine's answers are nobody's: as if it had not been sent. */
  withdraw(): void {
    const withdrawn = this.entries;
    this.entries = [];
    this.skipping = false;
    this.unsynced = false;
    this.executed = false;
    this.thorough = 0;
    this.lastQuery = undefined;
    this.done = this.sent;
    // Last first, as in `onError`.
    for (const entry of withdrawn.toReversed())
      settle(entry, false, { isDiscarded: true, tags: [] });
    this.wake();
  }

  /** Resolves as soon as nothing is owed. */
  drained(): Promise<void> {
    if (this.isEmpty) return Promise.resolve();
    return new Promise((resolve) => this.waiters.push(resolve));
  }

  /** Lets everybody go who waits: the connection has ended. */
  abandon(): void {
    this.entries = [];
    this.wake();
  }

  private shift(): void {
    const head = this.entries.shift();
    if (head !== undefined && needsBodies(head)) this.thorough -= 1;
    if (this.isEmpty) this.progress += 1;
    this.wake();
  }

  private wakeCopy(): void {
    if (this.copyWaiters.length === 0) return;
    const waiters = this.copyWaiters;
    this.copyWaiters = [];
    for (const waiter of waiters) waiter();
  }

  private wake(): void {
    if (this.entries.length > 0) return;
    this.wakeCopy();
    if (this.waiters.length === 0) return;
    const { waiters } = this;
    this.waiters = [];
    for (const waiter of waiters) waiter();
  }
}

const none: readonly string[] = [];

/** The body of a CommandComplete. */
function tagOf(body: Buffer): string {
  return body.toString('latin1', 0, body.length - 1);
}
