import { setTimeout as delay } from 'node:timers/promises';

export interface NotReady {
  readonly part: string;
  /** Words of our own: what an engine or a system says may name its hosts and roles. */
  readonly reason: string;
}

/** @returns what is wrong, in our own words; undefined when nothing is. */
export type ReadinessCheck = () => string | undefined | Promise<string | undefined>;

/** A check that takes longer counts as failed. */
const patienceMs = 4_000;

/** Whether a client that connects now will be served. */
export class Readiness {
  /** Only while `serving` are the checks asked. */
  phase: 'starting' | 'serving' | 'stopping' = 'starting';
  private readonly checks = new Map<string, ReadinessCheck>();

  add(part: string, check: ReadinessCheck): void {
    this.checks.set(part, check);
  }

  /** Empty when all is well. Never rejects. */
  async missing(): Promise<readonly NotReady[]> {
    if (this.phase !== 'serving') return [{ part: 'proxy', reason: `it is ${this.phase}` }];
    const results = await Promise.all(
      [...this.checks].map(async ([part, check]) => ({ part, reason: await outcomeOf(check) })),
    );
    return results.filter((result): result is NotReady => result.reason !== undefined);
  }
}

async function outcomeOf(check: ReadinessCheck): Promise<string | undefined> {
  const patience = new AbortController();
  const slow = delay(patienceMs, 'no answer in time', { ref: false, signal: patience.signal });
  try {
    return await Promise.race([Promise.resolve().then(check), slow]);
  } catch {
    return 'it could not be asked';
  } finally {
    slow.catch(() => undefined);
    patience.abort();
  }
}
