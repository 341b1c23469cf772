import { Latencies, stepBounds } from './latencies.ts';
import type { StatementTrace } from './tracing.ts';

/** One statement in this many has its steps timed. A prime, so that it does not keep step with a client's own rhythm. */
export const samplingInterval = 17;

export const actions = ['forward', 'refuse', 'answer'] as const;
export type Action = (typeof actions)[number];

/** What the pipeline reports. The names of steps and classes come from our own code, never from a client. */
export class JudgementMeter {
  /** By the names of the steps' functions. */
  readonly steps = new Map<string, Latencies>();
  /** Statements by what they do, and by what became of them, in the order of `actions`. */
  readonly judged = new Map<string, [forward: number, refuse: number, answer: number]>();
  private turn = 0;

  /** A stopwatch for the steps of this text, if it is traced or its turn. */
  stopwatch(trace: StatementTrace | undefined): Stopwatch | undefined {
    this.turn += 1;
    if (this.turn >= samplingInterval) {
      this.turn = 0;
      return new Stopwatch(this.steps, trace);
    }
    return trace === undefined ? undefined : new Stopwatch(undefined, trace);
  }

  count(statementClass: string, action: Action): void {
    let counts = this.judged.get(statementClass);
    if (counts === undefined) this.judged.set(statementClass, (counts = [0, 0, 0]));
    counts[action === 'forward' ? 0 : action === 'refuse' ? 1 : 2] += 1;
  }
}

/** Times one step after the other; a step that waits is timed with its wait. */
export class Stopwatch {
  private readonly steps: Map<string, Latencies> | undefined;
  private readonly trace: StatementTrace | undefined;
  private last = performance.now();

  constructor(steps: Map<string, Latencies> | undefined, trace: StatementTrace | undefined) {
    this.steps = steps;
    this.trace = trace;
  }

  lap(step: string): void {
    const now = performance.now();
    this.trace?.step(step, this.last, now);
    if (this.steps !== undefined) observe(this.steps, step, (now - this.last) / 1_000);
    this.last = now;
  }
}

function observe(steps: Map<string, Latencies>, step: string, seconds: number): void {
  let latencies = steps.get(step);
  if (latencies === undefined) steps.set(step, (latencies = new Latencies(stepBounds)));
  latencies.observe(seconds);
}
