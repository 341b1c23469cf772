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
  | 'parse'
  | 'bind'
  | 'describe'
  | 'execute'
  | 'close'
  | 'sync'
  | 'query'
  /** Our stand-in for a refused message or Query: its ErrorResponse is replaced by this one. */
  | Refusal;

export interface Refusal {
  readonly of: 'message' | 'query';
  readonly response: Buffer;
}

/** Which entry an answer completes. RowDescription and NoData complete a Describe only. */
const completes: ReadonlyMap<number, Expected> = new Map<number, Expected>([
  [Backend.ParseComplete, 'parse'],
  [Backend.BindComplete, 'bind'],
  [Backend.CloseComplete, 'close'],
  [Backend.RowDescription, 'describe'],
  [Backend.NoData, 'describe'],
  [Backend.CommandComplete, 'execute'],
  [Backend.EmptyQueryResponse, 'execute'],
  [Backend.PortalSuspended, 'execute'],
]);

export class ResponseQueue {
  private entries: Expected[] = [];
  private inCopyIn = false;
  private skipping = false;
  private unsynced = false;
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
    if (expected === 'sync') {
      if (this.inCopyIn) return;
      this.skipping = false;
    } else if (this.skipping) {
      return;
    }
    this.unsynced = expected !== 'sync' && !isQuery(expected);
    this.entries.push(expected);
  }

  /** CopyDone or CopyFail was sent: Sync counts again. */
  copyInEnded(): void {
    this.inCopyIn = false;
  }

  onHeader(type: number): void {
    if (type === Backend.CopyInResponse) {
      this.enterCopyIn();
      return;
    }
    if (completes.get(type) !== undefined && completes.get(type) === this.entries[0]) {
      this.inCopyIn = false;
      this.shift();
    }
  }

  /** @returns the refusal that stands for this error, if it is the answer to one. */
  onError(): Buffer | undefined {
    const head = this.entries[0];
    this.inCopyIn = false;
    if (head === undefined || head === 'sync') return undefined;
    // ReadyForQuery follows by itself.
    if (isQuery(head)) return typeof head === 'object' ? head.response : undefined;
    const sync = this.entries.indexOf('sync');
    this.skipping = sync < 0;
    this.entries = sync < 0 ? [] : this.entries.slice(sync);
    this.wake();
    return typeof head === 'object' ? head.response : undefined;
  }

  onReady(): void {
    this.inCopyIn = false;
    this.shift();
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
    this.inCopyIn = true;
    // Syncs that were sent before the client could know of the copy are read, and ignored, in copy-in mode.
    const [head, ...rest] = this.entries;
    if (head !== undefined) this.entries = [head, ...rest.filter((entry) => entry !== 'sync')];
  }

  private shift(): void {
    this.entries.shift();
    this.wake();
  }

  private wake(): void {
    if (this.entries.length > 0) return;
    const waiters = this.waiters;
    this.waiters = [];
    for (const waiter of waiters) waiter();
  }
}

function isQuery(expected: Expected): boolean {
  return expected === 'query' || (typeof expected === 'object' && expected.of === 'query');
}
