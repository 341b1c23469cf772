import type { HatiError } from '../errors.ts';
import type { TransactionStatus } from '../wire/protocol.ts';
import type { EngineHold } from './engine-hold.ts';
import type { EngineReader } from './engine-reader.ts';
import type { ResponseQueue } from './response-queue.ts';
import type { SessionState } from './session-state.ts';

export interface SessionRestParts {
  readonly owed: ResponseQueue;
  readonly state: SessionState;
  readonly hold: EngineHold;
  readonly engine: EngineReader;
  readonly answers: { readonly status: TransactionStatus };
  readonly reader: { readonly isBusy: boolean };
  readonly ending: { readonly isRelaying: boolean };
  readonly lane: { rested(): void } | undefined;
  end(error: HatiError): Promise<void>;
}

/** When a session is between two transactions, and what happens then: it ends, or its connection goes back. */
export class SessionRest {
  private readonly parts: SessionRestParts;
  /** What the client is told then. */
  private farewell: HatiError | undefined;

  constructor(parts: SessionRestParts) {
    this.parts = parts;
  }

  /** Nothing is owed to the session, and nothing ties it to a connection. */
  isFree(): boolean {
    return this.isNow && this.parts.state.pinned.size === 0;
  }

  /** Something is over. */
  check(): void {
    const { reader, lane, hold } = this.parts;
    // A message that is being dealt with may still need the connection.
    if (reader.isBusy || !this.isNow) return;
    lane?.rested();
    if (!this.leaveIfAsked()) hold.atRest();
  }

  /** The session shall end now, or as soon as it is at rest. */
  leave(error: HatiError): void {
    this.farewell = error;
    this.leaveIfAsked();
  }

  /**
   * Between two transactions the engine is asked what the client has set: behind the next statement it could be something
   * else. In the middle of a message, which nobody asked for, it can't be asked.
   * @returns what has to be over before anything is sent
   */
  settled(): Promise<void> | undefined {
    const { engine, state, hold } = this.parts;
    if (engine.isWhole || !this.isIdle || state.unread.length === 0) return undefined;
    return engine.whole().then(() => {
      if (this.isNow) hold.atRest();
    });
  }

  /** @returns whether the session was waiting for this moment to end. */
  private leaveIfAsked(): boolean {
    if (this.farewell === undefined || !this.isNow || this.parts.reader.isBusy) return false;
    void this.parts.end(this.farewell);
    return true;
  }

  /** The engine owes nothing, and no transaction is open. */
  private get isIdle(): boolean {
    const { owed, answers, ending } = this.parts;
    return (
      owed.isEmpty &&
      answers.status === 'idle' &&
      !owed.isUnsynced &&
      !owed.isSkipping &&
      ending.isRelaying
    );
  }

  /** The same, and the rest of a message that nobody asked for would not come to whoever is next. */
  private get isNow(): boolean {
    return this.isIdle && this.parts.engine.isWhole;
  }
}
