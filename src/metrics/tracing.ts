import type { ErrorCode } from '../errors.ts';
import { redactSecrets } from '../shared/redact.ts';
import type { Action } from './judgement-meter.ts';

/** What a session is asked for its traces. */
export interface SessionAbout {
  readonly agent: string;
  /** As the client says it now; never proof of anything. */
  requestId(): string | undefined;
}

/** Where finished statements go. */
export interface Tracer {
  /** Never throws and never blocks. */
  record(trace: StatementTrace): void;
  /** Sends what is left, within its limit of time. */
  close(): Promise<void>;
}

export interface TracedStep {
  readonly name: string;
  readonly begun: number;
  readonly ended: number;
}

/** A batch may hold thousands of texts; those behind this many steps are not told one by one. */
const mostSteps = 120;
/** UTF-16 units. */
const longestRequestId = 200;

/** One statement on its way: what one ReadyForQuery answers. Times are those of `performance.now()`. It holds no SQL. */
export class StatementTrace {
  readonly kind: 'query' | 'batch';
  readonly begun: number;
  readonly agent: string;
  readonly requestId: string | undefined;
  readonly steps: TracedStep[] = [];
  readonly classes = new Set<string>();
  decision: Action | undefined;
  /** When the first of its texts went on to the engine. */
  forwarded: number | undefined;
  /** Of the first error that we told the client. */
  code: ErrorCode | undefined;
  ended = 0;

  constructor(kind: StatementTrace['kind'], begun: number, about: SessionAbout) {
    this.kind = kind;
    this.begun = begun;
    this.agent = about.agent;
    const said = about.requestId()?.slice(0, longestRequestId);
    this.requestId = said === undefined ? undefined : redactSecrets(said).toWellFormed();
  }

  step(name: string, begun: number, ended: number): void {
    if (this.steps.length < mostSteps) this.steps.push({ name, begun, ended });
  }

  judged(statementClass: string, decision: Action): void {
    this.classes.add(statementClass);
    this.decision = decision;
    if (decision === 'forward') this.forwarded ??= performance.now();
  }
}

/** The statements of one session that have not been answered, oldest first. `SessionMeter` says when. */
export class SessionTraces {
  private readonly tracer: Tracer;
  private readonly about: SessionAbout;
  private underWay: StatementTrace[] = [];
  private batch: StatementTrace | undefined;
  /** Of the message that was taken last. */
  current: StatementTrace | undefined;

  constructor(tracer: Tracer, about: SessionAbout) {
    this.tracer = tracer;
    this.about = about;
  }

  query(now: number): void {
    this.current = new StatementTrace('query', now, this.about);
    this.underWay.push(this.current);
  }

  batchBegan(now: number): void {
    this.batch = new StatementTrace('batch', now, this.about);
    this.current = this.batch;
  }

  sync(now: number): void {
    this.current = this.batch ?? new StatementTrace('batch', now, this.about);
    this.batch = undefined;
    this.underWay.push(this.current);
  }

  ready(isQuiet: boolean): void {
    this.end(this.underWay.shift());
    if (isQuiet) this.underWay = [];
  }

  /** The session is over: what was under way ends with it. */
  close(): void {
    for (const trace of [...this.underWay, this.batch]) this.end(trace);
    this.underWay = [];
    this.batch = undefined;
  }

  private end(trace: StatementTrace | undefined): void {
    if (trace === undefined) return;
    trace.ended = performance.now();
    this.tracer.record(trace);
  }
}
