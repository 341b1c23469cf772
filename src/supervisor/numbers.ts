import { processMetrics } from '../metrics/process.ts';
import type { NotReady } from '../metrics/readiness.ts';
import { countsOf, samplesOf, sumAsText, sumOf, type Samples } from '../metrics/sum.ts';
import { supervisionMetrics, type SupervisionCounts } from '../metrics/supervision.ts';
import type { Generation } from './generation.ts';

export interface NumbersParts {
  /** All whose processes are there. */
  readonly generations: () => readonly Generation[];
  /** The one that accepts clients. */
  readonly current: () => Generation | undefined;
  readonly isStopping: () => boolean;
}

/** A worker that is slower tells what it told before. */
const patienceMs = 3_000;

/**
 * What all processes of a proxy tell as one. Counts of workers that have ended stay in the sums: a counter that went back
 * would look like a new start to whoever reads it.
 */
export class Numbers {
  readonly contentType = 'text/plain; version=0.0.4; charset=utf-8';
  renewed = 0;
  refused = 0;
  replaced = 0;
  private readonly parts: NumbersParts;
  private readonly own = [...supervisionMetrics(() => this.counts()), ...processMetrics()];
  private past: Promise<Samples> = Promise.resolve([]);

  constructor(parts: NumbersParts) {
    this.parts = parts;
  }

  /** In Prometheus' text format. */
  async text(): Promise<string> {
    const workers = this.parts.generations().flatMap(({ alive }) => alive);
    await Promise.race([
      Promise.all(workers.map((worker) => worker.readSamples().catch(() => undefined))),
      new Promise((resolve) => setTimeout(resolve, patienceMs).unref()),
    ]);
    const own = await samplesOf(this.own);
    const past = await this.wholePast();
    // Those that have ended meanwhile are in the past by now.
    const living = workers.filter(({ isAlive }) => isAlive).map(({ samples }) => samples);
    return sumAsText([own, past, ...living]);
  }

  /** Of a worker that has ended. */
  async keep(samples: Samples): Promise<void> {
    this.past = this.past.then((past) => sumOf([past, countsOf(samples)]));
    await this.past;
  }

  private async wholePast(): Promise<Samples> {
    for (;;) {
      const { past } = this;
      const samples = await past;
      if (past === this.past) return samples;
    }
  }

  missing(): Promise<readonly NotReady[]> {
    return this.whileServing((current) => current.missing()) ?? this.notServing();
  }

  dead(): Promise<readonly NotReady[]> {
    return this.whileServing((current) => current.dead()) ?? Promise.resolve([]);
  }

  private whileServing(
    ask: (current: Generation) => Promise<readonly NotReady[]>,
  ): Promise<readonly NotReady[]> | undefined {
    const current = this.parts.current();
    return current === undefined || this.parts.isStopping() ? undefined : ask(current);
  }

  private notServing(): Promise<readonly NotReady[]> {
    const phase = this.parts.isStopping() ? 'stopping' : 'starting';
    return Promise.resolve([{ part: 'proxy', reason: `it is ${phase}` }]);
  }

  private counts(): SupervisionCounts {
    const current = this.parts.current();
    const generations = this.parts.generations();
    const count = (of: readonly Generation[]): number =>
      of.reduce((sum, { proxyCount }) => sum + proxyCount, 0);
    const isOlder = ({ number }: Generation): boolean => number < (current?.number ?? 0);
    return {
      generation: current?.number ?? 0,
      serving: current?.proxyCount ?? 0,
      retiring: count(generations.filter(isOlder)),
      starting: count(generations.filter((each) => each !== current && !isOlder(each))),
      replaced: this.replaced,
      renewed: this.renewed,
      refused: this.refused,
    };
  }
}
