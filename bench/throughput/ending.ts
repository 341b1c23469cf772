/** Whatever was started is ended: in reverse order when the bench is through or failed, by force if this process ends otherwise. */
export class Ending {
  readonly #ends: (() => unknown)[] = [];
  readonly #pids = new Map<number, NodeJS.Signals>();

  constructor() {
    process.once('exit', () => this.#kill());
  }

  add(end: () => unknown): void {
    this.#ends.push(end);
  }

  /** A process that must not outlive this one. */
  own(pid: number, signal: NodeJS.Signals): void {
    this.#pids.set(pid, signal);
  }

  async end(): Promise<void> {
    for (let last = this.#ends.pop(); last !== undefined; last = this.#ends.pop()) {
      try {
        await last();
      } catch (error) {
        console.error(error);
        process.exitCode = 1;
      }
    }
    this.#pids.clear();
  }

  #kill(): void {
    for (const [pid, signal] of this.#pids) {
      try {
        process.kill(pid, signal);
      } catch {
        // It has ended.
      }
    }
  }
}
