/** What has been started, in order, to be stopped in the reverse one. */
export class Started {
  readonly stopped: Promise<void>;
  private readonly stops: (() => Promise<void>)[] = [];
  private resolveStopped!: () => void;
  private stopping: Promise<void> | undefined;

  constructor() {
    this.stopped = new Promise((resolve) => {
      this.resolveStopped = resolve;
    });
  }

  add(stop: () => Promise<void>): void {
    this.stops.push(stop);
  }

  get isStopping(): boolean {
    return this.stopping !== undefined;
  }

  stop(): Promise<void> {
    this.stopping ??= this.stopAll();
    return this.stopping;
  }

  private async stopAll(): Promise<void> {
    try {
      for (const stop of this.stops.toReversed()) await stop();
    } finally {
      this.resolveStopped();
    }
  }
}
