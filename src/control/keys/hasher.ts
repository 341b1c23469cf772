import { availableParallelism } from 'node:os';
import argon2 from 'argon2';
import { HatiError } from '../../errors.ts';

/** OWASP's second recommendation for Argon2id: 19 MiB, two passes, one lane. */
const parameters = {
  type: argon2.argon2id,
  memoryCost: 19_456,
  timeCost: 2,
  parallelism: 1,
} as const;

/**
 * Argon2 in libuv's threads, with bounded concurrency that is shared out in turn between sources: a flood of wrong
 * keys from one address lengthens only that address's own queue.
 */
export class KeyHasher {
  private readonly waiting = new Map<string, (() => void)[]>();
  private waitingTotal = 0;
  private running = 0;
  private decoy: string | undefined;
  private readonly onVerified: (seconds: number) => void;
  private readonly concurrency: number;

  /**
   * @param onVerified told how long each verification took, without the wait for its turn
   * @param processes that share this machine's cores
   */
  constructor(onVerified: (seconds: number) => void = () => undefined, processes = 1) {
    this.onVerified = onVerified;
    this.concurrency = Math.max(1, Math.floor(concurrency / processes));
  }

  /** Attempts that wait for their turn. */
  get waitingCount(): number {
    return this.waitingTotal;
  }

  /** The hash that unknown secrets are compared with, so that they cost what wrong ones cost. */
  async start(): Promise<void> {
    this.decoy = await argon2.hash('no key has this hash', parameters);
  }

  hash(secret: string): Promise<string> {
    return argon2.hash(secret, parameters);
  }

  /** @param hash undefined where no key was found; the work is done all the same. */
  async verify(hash: string | undefined, secret: string, source: string): Promise<boolean> {
    await this.enter(source);
    const begun = performance.now();
    try {
      const matches = await argon2.verify(hash ?? this.decoy!, secret);
      this.onVerified((performance.now() - begun) / 1_000);
      return matches && hash !== undefined;
    } finally {
      this.leave();
    }
  }

  private enter(source: string): Promise<void> {
    if (this.running < this.concurrency) {
      this.running += 1;
      return Promise.resolve();
    }
    const queue = this.waiting.get(source) ?? [];
    if (queue.length >= longestQueue || this.waitingTotal >= longestQueue * 16) {
      return Promise.reject(new HatiError('too_many_logins'));
    }
    return new Promise((resolve) => {
      queue.push(resolve);
      this.waiting.set(source, queue);
      this.waitingTotal += 1;
    });
  }

  /** Hands the place to the next source in turn: a Map keeps insertion order, so a served source goes to the end. */
  private leave(): void {
    const next = this.waiting.entries().next();
    if (next.done === true) {
      this.running -= 1;
      return;
    }
    const [source, queue] = next.value;
    const resume = queue.shift()!;
    this.waitingTotal -= 1;
    this.waiting.delete(source);
    if (queue.length > 0) this.waiting.set(source, queue);
    resume();
  }
}

/** Half of the cores: the others are for who has a remembered key. libuv has four threads by default. */
const concurrency = Math.min(2, Math.max(1, Math.floor(availableParallelism() / 2)));
/** Attempts that one source may have waiting. */
const longestQueue = 128;
