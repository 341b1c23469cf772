import type { ErrorCode } from '../errors.ts';
import { errorRegistry } from '../errors.ts';
import { Latencies, statementBounds } from './latencies.ts';
import { Tally } from './tally.ts';
import { SessionTraces, type SessionAbout, type Tracer } from './tracing.ts';

/**
 * What sessions report. These calls lie on the way of every statement, so they only add to plain numbers; names and
 * labels come when somebody asks (`definitions.ts`).
 */

export const sessionStates = ['idle', 'active', 'in_transaction', 'failed_transaction'] as const;
export type SessionState = (typeof sessionStates)[number];

/** Of all sessions together, the ended ones included. */
export class SessionTotals {
  readonly live = new Set<SessionMeter>();
  opened = 0;
  readonly bytes = { fromClients: 0, toClients: 0, fromEngine: 0, toEngine: 0 };
  /** By the message's type byte. */
  readonly messages = new Float64Array(256);
  readonly statements = new Latencies(statementBounds);
  readonly refusals = new Tally<ErrorCode>(errorCodes());
  /** Sessions that were ended by us, and why. */
  readonly ends = new Tally<ErrorCode>(errorCodes());
  /** Set where statements are traced. */
  tracer: Tracer | undefined;

  open(about: SessionAbout): SessionMeter {
    const { tracer } = this;
    const traces = tracer === undefined ? undefined : new SessionTraces(tracer, about);
    const meter = new SessionMeter(this, traces);
    this.live.add(meter);
    this.opened += 1;
    return meter;
  }
}

const query = 0x51;
const functionCall = 0x46;
const sync = 0x53;
/** CopyData, CopyDone, CopyFail, Terminate: they ask for no answer of their own. */
const silent: ReadonlySet<number> = new Set([0x64, 0x63, 0x66, 0x58]);

/**
 * One session. A statement is what one ReadyForQuery answers: a Query, or a batch from its first message to its Sync.
 * Its time runs from the moment that we take the first message up to the engine's ReadyForQuery, or ours.
 */
export class SessionMeter {
  readonly totals: SessionTotals;
  readonly traces: SessionTraces | undefined;
  /** When the statements began that have not been answered, oldest first. */
  private begun: number[] = [];
  /** When the batch began whose Sync has not come; 0 for none. */
  private batchBegun = 0;
  private transaction: 'idle' | 'inTransaction' | 'failed' = 'idle';
  /** When it was answered last, or began. */
  private answered = performance.now();

  constructor(totals: SessionTotals, traces: SessionTraces | undefined) {
    this.totals = totals;
    this.traces = traces;
  }

  get state(): SessionState {
    if (this.begun.length > 0 || this.batchBegun !== 0) return 'active';
    if (this.transaction === 'idle') return 'idle';
    return this.transaction === 'failed' ? 'failed_transaction' : 'in_transaction';
  }

  /** Since when it is in that state, by `performance.now()`. */
  get since(): number {
    return this.begun[0] ?? (this.batchBegun === 0 ? this.answered : this.batchBegun);
  }

  /** @param type the byte that names the kind of message */
  received(type: number, count = 1): void {
    this.totals.messages[type & 0xff]! += count;
    if (type === query || type === functionCall) {
      const now = performance.now();
      this.begun.push(now);
      this.traces?.query(now);
    } else if (type === sync) {
      const begun = this.batchBegun === 0 ? performance.now() : this.batchBegun;
      this.begun.push(begun);
      this.batchBegun = 0;
      this.traces?.sync(begun);
    } else if (this.batchBegun === 0 && !silent.has(type)) {
      this.batchBegun = performance.now();
      this.traces?.batchBegan(this.batchBegun);
    }
  }

  /**
   * A ReadyForQuery.
   * @param isQuiet the engine owes nothing more. A Sync that it ignored (in copy-in mode) has no answer of its own, so
   *   nothing may be waited for then.
   */
  ready(transaction: 'idle' | 'inTransaction' | 'failed', isQuiet: boolean): void {
    this.transaction = transaction;
    const begun = this.begun.shift();
    if (begun !== undefined) {
      this.answered = performance.now();
      this.totals.statements.observe((this.answered - begun) / 1_000);
    }
    if (isQuiet && this.begun.length > 0) this.begun = [];
    this.traces?.ready(isQuiet);
  }

  refused(code: ErrorCode): void {
    this.totals.refusals.add(code);
    this.noteError(code);
  }

  /** The session is ended by us. */
  ended(code: ErrorCode): void {
    this.totals.ends.add(code);
    this.noteError(code);
  }

  close(): void {
    this.totals.live.delete(this);
    this.traces?.close();
  }

  private noteError(code: ErrorCode): void {
    const trace = this.traces?.current;
    if (trace !== undefined) trace.code ??= code;
  }
}

export function errorCodes(): readonly ErrorCode[] {
  return Object.keys(errorRegistry) as ErrorCode[];
}
