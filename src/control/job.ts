import type { Logger } from '../shared/log.ts';

export interface JobParts {
  /** For the log. */
  readonly name: string;
  readonly everyMs: number;
  /** May reject: it is tried again in time. */
  readonly work: () => Promise<void>;
  readonly log: Logger;
}

/** Something that is done again and again, and at once when there is a reason to; never twice at the same time. */
export class Job {
  private readonly parts: JobParts;
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;
  /** Asked for while it ran. */
  private isAsked = false;
  private isStopped = false;
  /** The last time it was done, it failed. */
  private isFailing = false;

  constructor(parts: JobParts) {
    this.parts = parts;
  }

  start(): void {
    this.timer = setInterval(() => this.wake(), this.parts.everyMs).unref();
    this.wake();
  }

  wake(): void {
    if (this.isStopped) return;
    this.isAsked = true;
    this.running ??= this.run();
  }

  /** Resolves when it does not run any more. */
  async stop(): Promise<void> {
    this.isStopped = true;
    clearInterval(this.timer);
    await this.running;
  }

  private async run(): Promise<void> {
    const { name, work, log } = this.parts;
    try {
      while (this.isAsked && !this.isStopped) {
        this.isAsked = false;
        await work();
        if (this.isFailing) log.info({ job: name }, 'a job that had failed is done again');
        this.isFailing = false;
      }
    } catch (error) {
      // While the store is away, once is enough.
      const level = this.isFailing ? 'debug' : 'warn';
      log[level]({ err: error, job: name }, 'a job failed and is tried again');
      this.isFailing = true;
    } finally {
      this.running = undefined;
    }
  }
}
