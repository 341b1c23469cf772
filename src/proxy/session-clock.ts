import { HatiError } from '../errors.ts';

/** In seconds; 0 for none. */
export interface TimeLimits {
  readonly statementSeconds: number;
  readonly transactionSeconds: number;
  readonly idleInTransactionSeconds: number;
  readonly idleSessionSeconds: number;
  readonly sessionSeconds: number;
}

/** What a session is doing, as the clock needs to know it. */
export interface Doing {
  /** `waiting`: for us, or for an engine connection, which have limits of their own. */
  readonly phase: 'atWork' | 'idle' | 'idleInTransaction' | 'waiting';
  /** Another number as soon as the client has said something, or something of it is done. */
  readonly progress: number;
  /** The number of the transaction that is open; undefined for none. */
  readonly transaction: number | undefined;
}

export type Verdict =
  | { readonly act: 'cancel' | 'end' | 'endAtRest'; readonly error: HatiError }
  | undefined;

/** A statement that goes on for so long after it was cancelled ends with its session. */
const cancelPatienceMs = 5_000;

/**
 * How long a session has been doing what it does. It is looked at now and then, and nothing is noted in between, so that a
 * statement costs nothing: a limit is acted on late, by one look at the most, and never early.
 */
export class SessionClock {
  private readonly limits: TimeLimits;
  private begunAt: number | undefined;
  private doing: Doing = { phase: 'waiting', progress: -1, transaction: undefined };
  private since = 0;
  private transactionSince = 0;
  private isCancelled = false;
  private isOld = false;

  constructor(limits: TimeLimits) {
    this.limits = limits;
  }

  /** @param now of a clock in milliseconds. */
  look(doing: Doing, now: number): Verdict {
    this.begunAt ??= now;
    const before = this.doing;
    if (doing.phase !== before.phase || doing.progress !== before.progress) {
      this.since = now;
      this.isCancelled = false;
    }
    if (doing.transaction !== before.transaction) this.transactionSince = now;
    this.doing = doing;
    return this.ofTransaction(now) ?? this.ofPhase(now) ?? this.ofAge(now);
  }

  private ofTransaction(now: number): Verdict {
    const seconds = this.limits.transactionSeconds;
    const isOver =
      this.doing.transaction !== undefined && over(now - this.transactionSince, seconds);
    return isOver ? end('transaction_too_long', seconds) : undefined;
  }

  private ofPhase(now: number): Verdict {
    const { statementSeconds, idleInTransactionSeconds, idleSessionSeconds } = this.limits;
    const elapsed = now - this.since;
    switch (this.doing.phase) {
      case 'atWork':
        return over(elapsed, statementSeconds) ? this.statement(elapsed) : undefined;
      case 'idleInTransaction':
        return over(elapsed, idleInTransactionSeconds)
          ? end('idle_in_transaction', idleInTransactionSeconds)
          : undefined;
      case 'idle':
        return over(elapsed, idleSessionSeconds)
          ? end('idle_session', idleSessionSeconds)
          : undefined;
      case 'waiting':
        return undefined;
    }
  }

  private statement(elapsed: number): Verdict {
    const { statementSeconds: seconds } = this.limits;
    const error = new HatiError('statement_too_slow', { params: { seconds } });
    if (!this.isCancelled) {
      this.isCancelled = true;
      return { act: 'cancel', error };
    }
    // PL/pgSQL can catch the cancel, and nobody reads answers that a client leaves lying.
    return elapsed > seconds * 1_000 + cancelPatienceMs ? { act: 'end', error } : undefined;
  }

  private ofAge(now: number): Verdict {
    const seconds = this.limits.sessionSeconds;
    if (this.isOld || !over(now - this.begunAt!, seconds)) return undefined;
    this.isOld = true;
    return { act: 'endAtRest', error: new HatiError('session_too_old', { params: { seconds } }) };
  }
}

function over(elapsedMs: number, seconds: number): boolean {
  return seconds > 0 && elapsedMs > seconds * 1_000;
}

function end(
  code: 'transaction_too_long' | 'idle_in_transaction' | 'idle_session',
  seconds: number,
): Verdict {
  return { act: 'end', error: new HatiError(code, { params: { seconds } }) };
}

/** Looks at all sessions now and then: one timer for all of them. */
export class Rounds {
  private readonly timer: NodeJS.Timeout | undefined;
  private now = 0;
  private lookedAt = performance.now();

  /** @param look at each session. */
  constructor(limits: TimeLimits, look: (now: number) => void) {
    const everyMs = intervalMs(limits);
    if (everyMs === undefined) return;
    this.timer = setInterval(() => {
      const at = performance.now();
      // Time in which this process did not run is nobody's: what was said in it has not been read yet.
      this.now += Math.min(at - this.lookedAt, 2 * everyMs);
      this.lookedAt = at;
      look(this.now);
    }, everyMs).unref();
  }

  stop(): void {
    clearInterval(this.timer);
  }
}

/** A quarter of the shortest limit, and a second at the most. */
function intervalMs(limits: TimeLimits): number | undefined {
  const seconds = [
    limits.statementSeconds,
    limits.transactionSeconds,
    limits.idleInTransactionSeconds,
    limits.idleSessionSeconds,
    limits.sessionSeconds,
  ].filter((each) => each > 0);
  return seconds.length === 0 ? undefined : Math.min(1_000, Math.min(...seconds) * 250);
}
