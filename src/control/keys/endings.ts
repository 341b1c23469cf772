import type { SecretId } from '../../ports.ts';
import type { Clock } from '../../shared/clock.ts';

/** Longer waits are taken in parts, as timers of Node end at 24 days, and clocks are set. */
const longestWaitMs = 60_000;
const most = 100_000;

/** Secrets whose end is known beforehand, and a timer for the first of them. */
export class Endings {
  private readonly clock: Clock;
  private readonly onEnd: (secret: SecretId) => void;
  /** Unix milliseconds. */
  private readonly ends = new Map<SecretId, number>();
  private first = Infinity;
  private timer: NodeJS.Timeout | undefined;

  constructor(clock: Clock, onEnd: (secret: SecretId) => void) {
    this.clock = clock;
    this.onEnd = onEnd;
  }

  note(secret: SecretId, at: Date): void {
    const time = at.getTime();
    // Who is not seen again is asked for in the store.
    if (this.ends.size >= most) this.ends.delete(this.ends.keys().next().value!);
    this.ends.set(secret, time);
    if (time < this.first) this.wait(time);
  }

  forget(secret: SecretId): void {
    this.ends.delete(secret);
  }

  /** Ends what is due. */
  check(): void {
    const now = this.clock().getTime();
    if (now < this.first) return;
    let next = Infinity;
    const due: SecretId[] = [];
    for (const [secret, time] of this.ends) {
      if (time <= now) due.push(secret);
      else next = Math.min(next, time);
    }
    for (const secret of due) this.ends.delete(secret);
    this.wait(next);
    for (const secret of due) this.onEnd(secret);
  }

  private wait(first: number): void {
    clearTimeout(this.timer);
    this.first = first;
    if (first === Infinity) return;
    const left = Math.max(0, first - this.clock().getTime());
    this.timer = setTimeout(() => this.look(), Math.min(left, longestWaitMs)).unref();
  }

  private look(): void {
    this.check();
    if (this.first !== Infinity) this.wait(this.first);
  }
}
