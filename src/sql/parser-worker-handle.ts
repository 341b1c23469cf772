import { Worker } from 'node:worker_threads';
import type { WorkerReply } from './worker-protocol.ts';

/** How one text ended: the worker's reply, or why there was none. */
export type WorkerOutcome =
  | WorkerReply
  | { readonly kind: 'timeout' }
  | { readonly kind: 'exited' };

// Sources run as .ts with type stripping, the published package as .js.
const extension = import.meta.url.slice(import.meta.url.lastIndexOf('.'));
const workerUrl = new URL(`./parse-worker${extension}`, import.meta.url);

/** One worker thread, used for one text at a time. Owned by the pool; after anything but a normal reply it is dead. */
export class ParserWorker {
  readonly #worker: Worker;
  readonly ready: Promise<void>;
  #alive = true;
  #settle: ((outcome: WorkerOutcome) => void) | undefined;

  constructor() {
    this.#worker = new Worker(workerUrl, {
      name: 'hatidata-parser',
      resourceLimits: { maxOldGenerationSizeMb: 512 },
    });
    this.ready = new Promise((resolve, reject) => {
      this.#worker.on('message', (reply: WorkerReply) =>
        reply.kind === 'ready' ? resolve() : this.#end(reply),
      );
      this.#worker.on('error', (error: Error) => {
        reject(error);
        this.#alive = false;
        this.#end({ kind: 'exited' });
      });
      this.#worker.on('exit', () => {
        reject(new Error('the parser thread ended before it was ready'));
        this.#alive = false;
        this.#end({ kind: 'exited' });
      });
    });
    // Idle workers must not keep the process alive; a text in hand does, through its deadline's timer. Whoever waits
    // for `ready` sees its rejection; a pool that is being closed does not wait.
    this.ready.then(
      () => this.#worker.unref(),
      () => undefined,
    );
  }

  get isAlive(): boolean {
    return this.#alive;
  }

  async run(text: string, deadlineMs: number): Promise<WorkerOutcome> {
    await this.ready;
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#end({ kind: 'timeout' }), deadlineMs);
      this.#settle = (outcome) => {
        clearTimeout(timer);
        this.#settle = undefined;
        resolve(outcome);
      };
      this.#worker.postMessage(text);
    });
  }

  async stop(): Promise<void> {
    await this.#worker.terminate();
  }

  #end(outcome: WorkerOutcome): void {
    this.#settle?.(outcome);
  }
}
