/**
 * What supervisor and worker say to each other over the channel of child_process.fork: the supervisor calls, the worker
 * answers. JSON, because after an upgrade the two may run different versions of HatiData and of Node.
 */
import type { NotReady } from '../metrics/readiness.ts';
import type { Samples } from '../metrics/sum.ts';
import type { WorkerOrder } from '../serve/worker.ts';

/** Goes up when the meaning of a call changes: a worker refuses calls of another one. */
export const protocolVersion = 1;

export interface Calls {
  /** One worker of those that begin together gets the databases ready. */
  prepare(order: WorkerOrder): Promise<void>;
  /** Resolves when it could serve. */
  start(order: WorkerOrder): Promise<void>;
  /** A bound socket comes along with the call. Resolves when it accepts on it. */
  listen(): Promise<void>;
  metrics(): Promise<Samples>;
  missing(): Promise<readonly NotReady[]>;
  /** How many sessions it has. */
  sessions(): Promise<number>;
  /** It accepts nobody any more and ends when its last session has. Those that are left after so long get what `stop` gives. */
  retire(patience: { readonly sessionsMs: number; readonly transactionsMs: number }): Promise<void>;
  /** It ends when all have gone: idle clients at once, others when their transaction is over or the time has passed. */
  stop(patienceMs: number): Promise<void>;
}

export type CallName = keyof Calls;

export interface Call {
  readonly protocol: number;
  readonly id: number;
  readonly name: CallName;
  readonly argument?: unknown;
}

export type FromWorker = Answer | LastWords;

export interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly fault?: Fault;
}

/** What it had counted when it ended. */
export interface LastWords {
  readonly last: Samples;
}

/** An error, as far as it survives the way. */
interface Fault {
  readonly message: string;
  readonly stack?: string | undefined;
  readonly code?: unknown;
  readonly syscall?: unknown;
  readonly cause?: Fault | undefined;
}

export function faultOf(error: unknown): Fault {
  if (!(error instanceof Error)) return { message: String(error) };
  const { stack, cause } = error;
  const { code, syscall } = error as { code?: unknown; syscall?: unknown };
  return {
    message: wholeMessage(error),
    stack,
    code,
    syscall,
    ...(cause === undefined ? {} : { cause: faultOf(cause) }),
  };
}

/** With what an error keeps outside of its message. */
function wholeMessage(error: Error): string {
  if (error instanceof AggregateError)
    return error.errors.map((each) => faultOf(each).message).join('; ');
  const { message } = error;
  return 'hint' in error && typeof error.hint === 'string'
    ? `${message}\n  ${error.hint}`
    : message;
}

export function errorOf({ message, stack, code, syscall, cause }: Fault): Error {
  const error = new Error(message, cause === undefined ? {} : { cause: errorOf(cause) });
  if (stack !== undefined) error.stack = stack;
  return Object.assign(error, { ...(code === undefined ? {} : { code, syscall }) });
}
