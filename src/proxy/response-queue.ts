import { Backend } from '../wire/protocol.ts';

/**
 * What the engine still owes, in order: one entry for each message sent to it that it will answer.
 *
 * It follows PostgreSQL's own rules, so that the proxy always knows which message an answer belongs to:
 * - an error in an extended batch discards everything up to the next Sync;
 * - Sync and Flush are ignored while the engine is in copy-in mode.
 * Source: https://www.postgresql.org/docs/18/protocol-flow.html
 */
export type Expected =
  | Kind
  /** The same, for who wants to know what became of it. */
  | Noted
  /** Our stand-in for a refused message or Query: its ErrorResponse is replaced by this one. */
  | Refusal;

type Kind =
  | 'parse'
  | 'bind'
  | 'describe'
  | 'execute'
  | 'close'
  | 'sync'
  | 'query'
  /** CopyDone or CopyFail, which nobody answers: where a copy, if one begins, has its end. */
  | 'copyEnd';

export interface Noted {
  readonly of: Kind;
  /** Called once, with whether the engine did it; if not, whether it failed or was never looked at. */
  readonly settle?: (done: boolean, isDiscarded: boolean) => void;
  /** What the client gets in place of the completion; nothing for a message of our own. Only for parse, close and sync. */
  readonly shows?: Buffer;
  /** A message of our own with a Sync of its own: its error is not the client's either. */
  readonly isApart?: boolean;
}

export interface Refusal {
  readonly of: 'message' | 'query';
  readonly response: Buffer;
}

/** Which entry an answer completes. RowDescription and NoData complete a Describe only. */
const completes: ReadonlyMap<number, Kind> = new Map<number, Kind>([
  [Backend.ParseComplete, 'parse'],
  [Backend.BindComplete, 'bind'],
  [Backend.CloseComplete, 'close'],
  [Backend.RowDescription, 'describe'],
  [Backend.NoData, 'describe'],
  [Backend.CommandComplete, 'execute'],
  [Backend.EmptyQueryResponse, 'execute'],
  [Backend.PortalSuspended, 'execute'],
]);

/** In place of a message that is not the client's. */
export const nothing = Buffer.alloc(0);

export class ResponseQueue {
  private entries: Expected[] = [];
  private inCopyIn = false;
  private skipping = false;
  private unsynced = false;
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

  /** Messages of an extended batch were sent, and no Sync behind them: a transaction may be under way. */
  get isUnsynced(): boolean {
    return this.unsynced;
  }

  push(expected: Expected): void {
    const kind = kindOf(expected);
    if (kind === 'sync') {
      if (this.inCopyIn) return;
      this.skipping = false;
    } else if (this.skipping) {
      settle(expected, false, true);
      return;
    }
    this.unsynced = kind !== 'sync' && kind !== 'query';
    this.entries.push(expected);
  }

  /** CopyDone or CopyFail was sent: Sync counts again. */
  copyEnded(): void {
    if (this.inCopyIn) this.inCopyIn = false;
    // The copy that it belongs to may not have begun yet; with nothing owed there is none.
    else if (this.entries.length > 0 && !this.skipping) this.entries.push('copyEnd');
  }

  /** @returns what the client gets in place of the message; undefined: the message. */
  onHeader(type: number): Buffer | undefined {
    if (type === Backend.CopyInResponse) {
      this.enterCopyIn();
      return undefined;
    }
    const completed = completes.get(type);
    const head = this.entries[0];
    if (completed === undefined || head === undefined || completed !== kindOf(head))
      return undefined;
    this.inCopyIn = false;
    settle(head, true, false);
    this.shift();
    return showsOf(head);
  }

  /** @returns what the client gets in place of the error: the refusal that it stands for; undefined: the error. */
  onError(): Buffer | undefined {
    const head = this.entries[0];
    this.inCopyIn = false;
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
    for (const entry of discarded.toReversed()) settle(entry, false, entry !== head);
    this.wake();
    return isApart(head) ? nothing : responseOf(head);
  }

  /** @returns as `onHeader`. */
  onReady(): Buffer | undefined {
    this.inCopyIn = false;
    const head = this.entries[0];
    this.shift();
    if (head === undefined) return undefined;
    settle(head, !this.queryFailed, false);
    this.queryFailed = false;
    return showsOf(head);
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

  private enterCopyIn(): void {
    const [head, ...rest] = this.entries;
    if (head === undefined) return;
    // Syncs that were sent before the end of the copy are read, and ignored, in copy-in mode.
    // Whatever is no Sync ends the copy: its own end well, all else as an error.
    const end = rest.findIndex((entry) => kindOf(entry) !== 'sync');
    const behind = end < 0 ? [] : rest.slice(rest[end] === 'copyEnd' ? end + 1 : end);
    this.inCopyIn = end < 0;
    // The batch goes on until another one comes.
    if (behind.length === 0 && end !== 0 && rest.length > 0 && !isQuery(head)) this.unsynced = true;
    this.entries = [head, ...behind];
  }

  private shift(): void {
    this.entries.shift();
    // No copy began that it would have ended.
    while (this.entries[0] === 'copyEnd') this.entries.shift();
    this.wake();
  }

  private wake(): void {
    if (this.entries.length > 0) return;
    const waiters = this.waiters;
    this.waiters = [];
    for (const waiter of waiters) waiter();
  }
}

function kindOf(expected: Expected): Kind | Refusal['of'] {
  return typeof expected === 'object' ? expected.of : expected;
}

function isQuery(expected: Expected): boolean {
  return kindOf(expected) === 'query';
}

function responseOf(expected: Expected): Buffer | undefined {
  return typeof expected === 'object' && 'response' in expected ? expected.response : undefined;
}

function settle(expected: Expected, done: boolean, isDiscarded: boolean): void {
  if (typeof expected === 'object' && 'settle' in expected) expected.settle?.(done, isDiscarded);
}

function showsOf(expected: Expected): Buffer | undefined {
  return typeof expected === 'object' && 'shows' in expected ? expected.shows : undefined;
}

function isApart(expected: Expected): boolean {
  return typeof expected === 'object' && 'isApart' in expected && (expected.isApart ?? false);
}
