import type { HatiError } from '../../errors.ts';

const firstPauseMs = 50;
const longestPauseMs = 1_000;

/**
 * While an engine can't be reached, only now and then somebody tries; everybody else hears at once what the last one heard.
 * So an engine that comes back is not met by all who wait for it.
 */
export class Outage {
  private error: HatiError | undefined;
  private pauseMs = firstPauseMs;
  private nextTry = 0;

  get isOn(): boolean {
    return this.error !== undefined;
  }

  /** What stands in the way; undefined for who may try again, and then for nobody else for a while. */
  current(): HatiError | undefined {
    if (this.error === undefined) return undefined;
    const now = Date.now();
    if (now < this.nextTry) return this.error;
    // Whoever asks next waits for what this one finds out.
    this.nextTry = now + this.pauseMs;
    return undefined;
  }

  began(error: HatiError): void {
    if (this.error !== undefined) this.pauseMs = Math.min(longestPauseMs, this.pauseMs * 2);
    this.error = error;
    this.nextTry = Date.now() + this.pauseMs;
  }

  isOver(): void {
    this.error = undefined;
    this.pauseMs = firstPauseMs;
  }
}
