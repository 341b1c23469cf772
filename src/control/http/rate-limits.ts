import { tiers, type Tier } from '../../api/tiers.ts';

export interface Allowance {
  readonly limit: number;
  readonly remaining: number;
  /** Unix seconds: when all of it is there again. */
  readonly resetAt: number;
  /** Whole seconds until one request is let through; 0 where this one is. */
  readonly retryAfter: number;
}

interface Bucket {
  tokens: number;
  filledAt: number;
}

const mostBuckets = 50_000;

/**
 * A token bucket for each caller: `burst` requests at once, and `perMinute` over time. Each process counts for itself, in memory bounded
 * by forgetting whoever has been quiet longest, whose bucket is full as a rule.
 */
export class RateLimits {
  private readonly buckets = new Map<string, Bucket>();
  private readonly now: () => number;

  /** @param now milliseconds */
  constructor(now: () => number) {
    this.now = now;
  }

  take(caller: string, tier: Tier): Allowance {
    const { perMinute, burst } = tiers[tier];
    const perMs = perMinute / 60_000;
    const now = this.now();
    const bucket = this.buckets.get(caller) ?? { tokens: burst, filledAt: now };
    this.buckets.delete(caller);
    this.buckets.set(caller, bucket);
    if (this.buckets.size > mostBuckets) this.buckets.delete(this.buckets.keys().next().value!);
    bucket.tokens = Math.min(burst, bucket.tokens + (now - bucket.filledAt) * perMs);
    bucket.filledAt = now;
    const isLetThrough = bucket.tokens >= 1;
    if (isLetThrough) bucket.tokens -= 1;
    return {
      limit: perMinute,
      remaining: Math.floor(bucket.tokens),
      resetAt: Math.ceil((now + (burst - bucket.tokens) / perMs) / 1_000),
      retryAfter: isLetThrough ? 0 : Math.ceil((1 - bucket.tokens) / perMs / 1_000),
    };
  }
}
