import { fork, type ChildProcess, type SendHandle } from 'node:child_process';
import type { Samples } from '../metrics/sum.ts';
import type { SocketHandle } from '../serve/bound-socket.ts';
import type { WorkerOrder } from '../serve/worker.ts';
import {
  errorOf,
  protocolVersion,
  type Call,
  type CallName,
  type Calls,
  type FromWorker,
} from './calls.ts';

/** How a worker process ended. */
export interface WorkerEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** Beyond what clients were given. */
const killAfterMs = 10_000;

/**
 * Of each half of the space for young objects, which many logins, or many statements at once, make grow, and nothing makes
 * shrink. On a machine with much memory V8 would go up to 64 MiB.
 */
const mostYoungMib = 16;

const flags = [
  `--max-semi-space-size=${mostYoungMib}`,
  // What sockets read is outside of V8's heap and soon gone; V8 would collect all of its garbage after each 64 MiB of it, which a
  // large result brings ten times a second.
  '--external-memory-accounted-in-global-limit',
];

/** The supervisor's end of one worker. What it is told travels over a channel that nobody else can read. */
export class WorkerProcess {
  readonly ended: Promise<WorkerEnd>;
  /** What it told last of its metrics. */
  samples: Samples = [];
  readonly serves: WorkerOrder['serves'];
  private readonly child: ChildProcess;
  private readonly waiting = new Map<number, Waiting>();
  private nextId = 1;
  private hasEnded = false;
  private kill: NodeJS.Timeout | undefined;

  /**
   * @param entry the file that the process runs: whatever is on disk now
   * @param serves also said on its command line, for whoever looks at the system's list of processes
   */
  constructor(entry: string, serves: WorkerOrder['serves']) {
    this.serves = serves;
    this.child = fork(entry, [serves], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      execArgv: [...process.execArgv, ...flags],
    });
    this.child.on('message', (message) => this.hear(message as FromWorker));
    this.ended = new Promise((resolve) => {
      // What it said before its end is heard first: its channel closes after its last message.
      this.child.once('close', (code, signal) => this.over(resolve, { code, signal }));
      this.child.on('error', () => {
        // Node could not be started at all; there will be no other event.
        if (this.child.pid === undefined) this.over(resolve, { code: null, signal: null });
      });
    });
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  get isAlive(): boolean {
    return !this.hasEnded;
  }

  /** Rejects with the worker's error, or when it ends before it has answered. */
  call<Name extends CallName>(
    name: Name,
    ...[argument]: Parameters<Calls[Name]>
  ): ReturnType<Calls[Name]> {
    return this.send(name, argument) as ReturnType<Calls[Name]>;
  }

  listen(socket: SocketHandle): Promise<void> {
    return this.send('listen', undefined, socket) as Promise<void>;
  }

  async readSamples(): Promise<Samples> {
    this.samples = await this.call('metrics');
    return this.samples;
  }

  /** May be called again with less patience. Resolves when the process has ended, by force if need be. */
  async stop(patienceMs: number): Promise<void> {
    if (this.hasEnded) return;
    clearTimeout(this.kill);
    this.kill = setTimeout(() => this.child.kill('SIGKILL'), patienceMs + killAfterMs);
    this.call('stop', patienceMs).catch(() => undefined);
    await this.ended;
  }

  private send(name: CallName, argument?: unknown, handle?: SocketHandle): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.hasEnded || !this.child.connected) {
        reject(new Error('the worker has ended'));
        return;
      }
      const id = this.nextId;
      this.nextId += 1;
      this.waiting.set(id, { resolve, reject });
      const call: Call = { protocol: protocolVersion, id, name, argument };
      // Node sends a socket that nobody listens on as well; its types know the other ones only.
      this.child.send(call, handle as unknown as SendHandle, (error) => {
        if (error !== null && this.waiting.delete(id)) reject(error);
      });
    });
  }

  private hear(message: FromWorker): void {
    if ('last' in message) {
      this.samples = message.last;
      return;
    }
    const waiting = this.waiting.get(message.id);
    this.waiting.delete(message.id);
    if (message.fault === undefined) waiting?.resolve(message.value);
    else waiting?.reject(errorOf(message.fault));
  }

  private over(resolve: (end: WorkerEnd) => void, end: WorkerEnd): void {
    this.hasEnded = true;
    clearTimeout(this.kill);
    const reason = end.signal ?? `exit code ${end.code}`;
    for (const { reject } of this.waiting.values())
      reject(new Error(`worker process ${this.pid} ended (${reason})`));
    this.waiting.clear();
    resolve(end);
  }
}
