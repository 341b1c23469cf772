import { HatiError } from '../errors.ts';
import { FairQueue } from './fair-queue.ts';
import { ParserWorker, type WorkerOutcome } from './parser-worker-handle.ts';
import type { ClassifiedText } from './statement.ts';
import { revive } from './worker-protocol.ts';

export interface PoolOptions {
  readonly workers: number;
  /** For one text, from the moment a worker has it; also the longest wait for a worker. */
  readonly deadlineMs: number;
  /** Texts that wait for a worker may hold this much in all. */
  readonly queueBytes: number;
}

interface Job {
  readonly source: string;
  readonly text: string;
  readonly resolve: (text: ClassifiedText) => void;
  readonly reject: (error: HatiError) => void;
  readonly patience: NodeJS.Timeout;
}

/**
 * Worker threads that read the texts which must not hold up the event loop. A worker whose parser broke, or that did
 * not answer in time, is ended and replaced; only its own text is refused. Sources take turns.
 */
export class ParserPool {
  readonly #options: PoolOptions;
  readonly #idle: ParserWorker[] = [];
  readonly #all = new Set<ParserWorker>();
  readonly #ending = new Set<Promise<void>>();
  readonly #queue: FairQueue<Job>;
  #closed = false;
  #replaced = 0;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#queue = new FairQueue(options.queueBytes);
  }

  /** Texts that no worker has taken yet. */
  get waiting(): number {
    return this.#queue.count;
  }

  /** Workers that were ended and made anew. */
  get replaced(): number {
    return this.#replaced;
  }

  async start(): Promise<void> {
    for (let count = 0; count < this.#options.workers; count++) this.#addWorker();
    await Promise.all([...this.#all].map((worker) => worker.ready));
  }

  read(text: string, source = ''): Promise<ClassifiedText> {
    return new Promise((resolve, reject) => {
      if (this.#closed || !this.#queue.hasRoomFor({ source, text })) {
        reject(new HatiError('parser_unavailable'));
        return;
      }
      const patience = setTimeout(() => {
        this.#queue.delete(job);
        reject(new HatiError('parser_unavailable'));
      }, this.#options.deadlineMs);
      const job: Job = { source, text, resolve, reject, patience };
      this.#queue.add(job);
      this.#next();
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (let job = this.#queue.shift(); job; job = this.#queue.shift()) {
      clearTimeout(job.patience);
      job.reject(new HatiError('parser_unavailable'));
    }
    for (const worker of this.#all) this.#discard(worker);
    await Promise.all(this.#ending);
  }

  #addWorker(): void {
    const worker = new ParserWorker();
    this.#all.add(worker);
    this.#idle.push(worker);
  }

  #next(): void {
    const worker = this.#queue.isEmpty ? undefined : this.#livingWorker();
    const job = worker && this.#queue.shift();
    if (!worker || !job) return;
    clearTimeout(job.patience);
    void this.#run(worker, job);
  }

  /** Never rejects: every way it can end is an outcome. */
  async #run(worker: ParserWorker, job: Job): Promise<void> {
    const outcome = await worker
      .run(job.text, this.#options.deadlineMs)
      .catch((): WorkerOutcome => ({ kind: 'exited' }));
    if (isHealthy(outcome) && job.text.length < keepableLength) this.#idle.push(worker);
    else this.#replace(worker);
    settle(job, outcome);
    this.#next();
  }

  /** A thread that died while it was idle (out of memory, most likely) is replaced without harm to any text. */
  #livingWorker(): ParserWorker | undefined {
    const worker = this.#idle.shift();
    if (!worker || worker.isAlive) return worker;
    this.#replace(worker);
    return this.#idle.shift();
  }

  #replace(worker: ParserWorker): void {
    this.#replaced += 1;
    this.#discard(worker);
    if (!this.#closed) this.#addWorker();
  }

  #discard(worker: ParserWorker): void {
    this.#all.delete(worker);
    const ended = worker.stop().finally(() => this.#ending.delete(ended));
    this.#ending.add(ended);
  }
}

/** The memory of a WebAssembly instance never shrinks, so a worker that had a huge text is not kept. */
const keepableLength = 1024 * 1024;

function isHealthy({ kind }: WorkerOutcome): boolean {
  return kind === 'classified' || kind === 'refused' || kind === 'tooComplex';
}

function settle(job: Job, outcome: WorkerOutcome): void {
  switch (outcome.kind) {
    case 'classified':
      job.resolve(outcome.value);
      return;
    case 'refused':
      job.reject(revive(outcome));
      return;
    case 'tooComplex':
      job.reject(tooComplex(outcome.reason));
      return;
    case 'timeout':
      job.reject(tooComplex('reading it took too long'));
      return;
    default:
      job.reject(tooComplex('the parser ran out of stack or memory'));
  }
}

export function tooComplex(reason: string): HatiError {
  return new HatiError('statement_too_complex', { params: { reason } });
}
