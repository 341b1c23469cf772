import { setTimeout as delay } from 'node:timers/promises';
import type { NotReady } from '../metrics/readiness.ts';
import type { BoundSocket } from '../serve/bound-socket.ts';
import type { WorkerOrder } from '../serve/worker.ts';
import type { Logger } from '../shared/log.ts';
import { WorkerProcess } from './worker-process.ts';

export interface GenerationOptions {
  readonly number: number;
  /** The file that a worker process runs. */
  readonly entry: string;
  /** Processes that serve clients of the proxy. */
  readonly size: number;
  /** One more serves the control plane. */
  readonly hasControlPlane: boolean;
  readonly log: Logger;
  /** Told of each process that has ended, before anybody takes its place. */
  readonly onEnded: (worker: WorkerProcess) => Promise<void>;
  readonly onReplaced: () => void;
}

/** What all workers of a generation are told alike. */
export interface GenerationOrder extends Omit<WorkerOrder, 'place' | 'serves'> {
  readonly sockets: readonly BoundSocket[];
  /** Of the control plane. */
  readonly apiSockets: readonly BoundSocket[];
}

const firstPauseMs = 100;
const longestPauseMs = 10_000;
/** One that lived so long has not failed at its start. */
const soundMs = 60_000;
/** A worker that is slower counts as one that does not answer. */
const answerMs = 4_500;

/**
 * Workers that began together, with one configuration. States: starting → serving → leaving → over.
 * While it serves, a worker that ends is replaced, a little later each time; before, it is the end of the whole generation.
 */
export class Generation {
  readonly number: number;
  /** Settles when no process of it is left. */
  readonly over: Promise<void>;
  private readonly options: GenerationOptions;
  private readonly leaving = new AbortController();
  /** By their place. One that has ended stays until there is another. */
  private readonly workers: WorkerProcess[];
  private readonly ends = new Set<Promise<void>>();
  private readonly onOver: () => void;
  private order!: GenerationOrder;

  constructor(options: GenerationOptions) {
    this.options = options;
    this.number = options.number;
    const { promise, resolve } = Promise.withResolvers<void>();
    [this.over, this.onOver] = [promise, resolve];
    // At once, so that they load their code while others get ready what they need.
    const count = options.size + (options.hasControlPlane ? 1 : 0);
    this.workers = Array.from({ length: count }, (_, index) => this.fork(index));
  }

  get size(): number {
    return this.options.size;
  }

  /** Processes that are there, the ones that start included. */
  get alive(): readonly WorkerProcess[] {
    return this.workers.filter((worker) => worker.isAlive);
  }

  /** Those of them that serve clients of the proxy. */
  get proxyCount(): number {
    return this.alive.filter(({ serves }) => serves === 'proxy').length;
  }

  /** Rejects with the reason of the first worker that could not start; whoever called then stops the rest. */
  async start(order: GenerationOrder): Promise<void> {
    this.order = order;
    // Its port is taken.
    if (order.apiSockets.length === 0)
      for (const idle of this.workers.splice(this.size)) void idle.stop(0);
    await this.workers[0]!.call('prepare', this.orderOf(0));
    await Promise.all(
      this.workers.map((worker, index) => worker.call('start', this.orderOf(index))),
    );
  }

  /** All are ready: from here on they accept clients, and are replaced when they end. */
  async serve(): Promise<void> {
    await Promise.all(this.workers.map((worker, index) => this.listen(worker, index)));
    for (const [index, worker] of this.workers.entries()) void this.keep(index, worker);
  }

  /** What keeps it from being ready; empty when all is well. Never rejects. */
  missing(): Promise<readonly NotReady[]> {
    return this.ask((worker) => worker.call('missing'));
  }

  /** Workers that are not there or don't answer. Never rejects. */
  dead(): Promise<readonly NotReady[]> {
    return this.ask((worker) => worker.call('sessions').then(() => []));
  }

  async sessionCount(): Promise<number> {
    const counts = await Promise.all(
      this.alive.map((worker) => worker.call('sessions').catch(() => 0)),
    );
    return counts.reduce((sum, count) => sum + count, 0);
  }

  /** Its workers accept nobody any more and end with their last session, or so much later. */
  retire(patience: { readonly sessionsMs: number; readonly transactionsMs: number }): void {
    this.leave();
    for (const worker of this.alive) worker.call('retire', patience).catch(() => undefined);
  }

  /** May be called again with less patience. */
  async stop(patienceMs: number): Promise<void> {
    this.leave();
    await Promise.all(this.alive.map((worker) => worker.stop(patienceMs)));
    await this.over;
  }

  private leave(): void {
    this.leaving.abort();
    this.checkOver();
  }

  private checkOver(): void {
    if (this.leaving.signal.aborted && this.ends.size === 0) this.onOver();
  }

  private orderOf(index: number): WorkerOrder {
    const { sockets: _, apiSockets: __, ...order } = this.order;
    const serves = this.serves(index);
    const place =
      serves === 'proxy' ? { index, count: this.size } : { index: 0, count: this.size + 1 };
    return { ...order, serves, place };
  }

  /** The last one is the control plane's. */
  private serves(index: number): WorkerOrder['serves'] {
    return index === this.size ? 'controlPlane' : 'proxy';
  }

  private fork(index: number): WorkerProcess {
    const worker = new WorkerProcess(this.options.entry, this.serves(index));
    const end = worker.ended
      .then(() => this.options.onEnded(worker))
      .finally(() => {
        this.ends.delete(end);
        this.checkOver();
      });
    this.ends.add(end);
    return worker;
  }

  private async listen(worker: WorkerProcess, index: number): Promise<void> {
    const { sockets, apiSockets } = this.order;
    for (const { handle } of this.serves(index) === 'proxy' ? sockets : apiSockets) {
      if (!this.leaving.signal.aborted) await worker.listen(handle);
    }
  }

  /** Sees to it that there is a worker at this place; ends when the generation leaves. Never rejects. */
  private async keep(index: number, first: WorkerProcess): Promise<void> {
    const { log } = this.options;
    let pauseMs = firstPauseMs;
    for (let worker = first; ;) {
      const begun = Date.now();
      const end = await worker.ended;
      if (this.leaving.signal.aborted) return;
      log.error({ worker: worker.pid, ...end }, 'a worker ended unexpectedly and is replaced');
      if (Date.now() - begun > soundMs) pauseMs = firstPauseMs;
      await delay(pauseMs, undefined, { signal: this.leaving.signal }).catch(() => undefined);
      pauseMs = Math.min(pauseMs * 2, longestPauseMs);
      if (this.leaving.signal.aborted) return;
      worker = await this.replace(index);
    }
  }

  private async replace(index: number): Promise<WorkerProcess> {
    const { log } = this.options;
    const worker = this.fork(index);
    this.workers[index] = worker;
    this.options.onReplaced();
    try {
      await worker.call('start', this.orderOf(index));
      await this.listen(worker, index);
      log.info({ worker: worker.pid }, 'a new worker serves in its place');
    } catch (error) {
      log.error({ err: error, worker: worker.pid }, 'a new worker could not be started');
      if (worker.isAlive) void worker.stop(0);
    }
    return worker;
  }

  private nameOf(index: number): string {
    return this.serves(index) === 'proxy' ? `worker ${index + 1}` : 'control plane';
  }

  private async ask(
    question: (worker: WorkerProcess) => Promise<readonly NotReady[]>,
  ): Promise<readonly NotReady[]> {
    const answers = await Promise.all(
      this.workers.map((worker, index) => answerOf(worker, this.nameOf(index), question)),
    );
    // What all of them share is said once.
    const byText = new Map(answers.flat().map((each) => [`${each.part}: ${each.reason}`, each]));
    return [...byText.values()];
  }
}

async function answerOf(
  worker: WorkerProcess,
  part: string,
  question: (worker: WorkerProcess) => Promise<readonly NotReady[]>,
): Promise<readonly NotReady[]> {
  if (!worker.isAlive) return [{ part, reason: 'it is being replaced' }];
  const patience = new AbortController();
  const slow = delay(answerMs, undefined, { ref: false, signal: patience.signal }).then(
    () => [{ part, reason: 'no answer in time' }],
    () => [],
  );
  try {
    return await Promise.race([question(worker), slow]);
  } catch {
    return [{ part, reason: 'it could not be asked' }];
  } finally {
    patience.abort();
  }
}
