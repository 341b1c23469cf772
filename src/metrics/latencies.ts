/**
 * How long something took, counted in buckets. Several times cheaper than a histogram of prom-client, which it becomes
 * only when somebody asks: one comparison a bucket and two additions.
 */
export class Latencies {
  /** Upper ends of the buckets in seconds, rising; what is longer than all of them is counted behind the last. */
  readonly bounds: readonly number[];
  /** One more than there are bounds. */
  readonly counts: Float64Array;
  /** Seconds in all. */
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  observe(seconds: number): void {
    const { bounds } = this;
    let bucket = 0;
    while (bucket < bounds.length && seconds > bounds[bucket]!) bucket += 1;
    this.counts[bucket]! += 1;
    this.sum += seconds;
  }
}

export const statementBounds = [
  50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 0.1, 0.25, 0.5, 1, 2.5, 5,
  10, 30, 60, 300,
] as const;

export const stepBounds = [
  500e-9, 1e-6, 2.5e-6, 5e-6, 10e-6, 25e-6, 50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 5e-3, 25e-3, 0.1,
  0.5, 2.5, 10,
] as const;

export const verificationBounds = [5e-3, 10e-3, 25e-3, 50e-3, 0.1, 0.25, 0.5, 1, 2.5, 5] as const;

/** For an engine connection. */
export const waitBounds = [
  1e-3, 5e-3, 10e-3, 25e-3, 50e-3, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
] as const;

export const delayBounds = [1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 0.1, 0.25, 0.5, 1, 5] as const;
