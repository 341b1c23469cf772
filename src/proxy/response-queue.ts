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
  | Settled
  /** Our stand-in for a refused message or Query: its ErrorResponse is replaced by this one. */
  | Refusal;

type Kind = 'parse' | 'bind' | 'describe' | 'execute' | 'close' | 'sync' | 'query';

export interface Settled {
  readonly of: 'parse' | 'bind' | 'close';
  /** Called once, with whether the engine did it. */
  readonly settle: (done: boolean) => void;
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
      settle(expected, false);
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
    const completed = completes.get(type);
    const head = this.entries[0];
    if (completed !== undefined && head !== undefined && completed === kindOf(head)) {
      this.inCopyIn = false;
      settle(head, true);
      this.shift();
    }
  }

  /** @returns the refusal that stands for this error, if it is the answer to one. */
  onError(): Buffer | undefined {
    const head = this.entries[0];
    this.inCopyIn = false;
    if (head === undefined || head === 'sync') return undefined;
    // ReadyForQuery follows by itself.
    if (isQuery(head)) return responseOf(head);
    const sync = this.entries.indexOf('sync');
    this.skipping = sync < 0;
    for (const discarded of sync < 0 ? this.entries : this.entries.slice(0, sync))
      settle(discarded, false);
    this.entries = sync < 0 ? [] : this.entries.slice(sync);
    this.wake();
    return responseOf(head);
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

function kindOf(expected: Expected): Kind | Refusal['of'] {
  return typeof expected === 'object' ? expected.of : expected;
}

function isQuery(expected: Expected): boolean {
  return kindOf(expected) === 'query';
}

function responseOf(expected: Expected): Buffer | undefined {
  return typeof expected === 'object' && 'response' in expected ? expected.response : undefined;
}

function settle(expected: Expected, done: boolean): void {
  if (typeof expected === 'object' && 'settle' in expected) expected.settle(done);
}
