import { delayBounds, Latencies } from './latencies.ts';

const intervalMs = 100;

/**
 * How late a timer fires: what every client waits for when the event loop is busy. Counted since the start, unlike Node's own
 * monitor, which has to be emptied by who reads it and so tells each of two readers a part.
 */
export class EventLoopDelay {
  readonly latencies = new Latencies(delayBounds);
  private readonly timer: NodeJS.Timeout;
  private due: number;

  constructor() {
    this.due = performance.now() + intervalMs;
    this.timer = setInterval(() => this.tick(), intervalMs).unref();
  }

  close(): void {
    clearInterval(this.timer);
  }

  private tick(): void {
    const now = performance.now();
    this.latencies.observe(Math.max(0, now - this.due) / 1_000);
    this.due = now + intervalMs;
  }
}
