/** Reads the numbers of one /metrics answer, and what happened between two of them. */

/** In Prometheus' text format: `name{label="value"} 1`. */
const line = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/;

export class MetricsSample {
  /** Seconds, by a clock that only goes forward. */
  readonly at: number;
  private readonly values = new Map<string, { labels: string; value: number }[]>();

  constructor(text: string, at: number) {
    this.at = at;
    for (const each of text.split('\n')) {
      const [, name, labels = '', value] = line.exec(each) ?? [];
      if (name === undefined) continue;
      const known = this.values.get(name);
      const entry = { labels, value: Number(value) };
      if (known === undefined) this.values.set(name, [entry]);
      else known.push(entry);
    }
  }

  /** Of all samples of that name whose labels contain `part`, such as `state="idle"`. */
  sum(name: string, part = ''): number {
    return (this.values.get(name) ?? [])
      .filter(({ labels }) => labels.includes(part))
      .reduce((total, { value }) => total + value, 0);
  }

  /** Cumulative counts of a histogram without labels, by the upper ends of its buckets, rising. */
  buckets(name: string): (readonly [bound: number, count: number])[] {
    return (this.values.get(`${name}_bucket`) ?? []).map(({ labels, value }) => {
      const bound = /le="([^"]+)"/.exec(labels)?.[1];
      return [bound === '+Inf' ? Infinity : Number(bound), value] as const;
    });
  }
}

/** What happened from one sample to a later one of the same process. */
export class Interval {
  private readonly from: MetricsSample;
  private readonly to: MetricsSample;

  constructor(from: MetricsSample, to: MetricsSample) {
    this.from = from;
    this.to = to;
  }

  growth(name: string, part = ''): number {
    return this.to.sum(name, part) - this.from.sum(name, part);
  }

  perSecond(name: string, part = ''): number {
    return this.growth(name, part) / (this.to.at - this.from.at);
  }

  /** @returns undefined where nothing happened. */
  share(name: string, part: string): number | undefined {
    const all = this.growth(name);
    return all > 0 ? this.growth(name, part) / all : undefined;
  }

  /**
   * The value that this share of what was observed stays below, in the histogram's unit; inside of a bucket, as if all
   * values were spread evenly. Undefined where nothing was observed, Infinity beyond the last bound.
   */
  quantile(name: string, share: number): number | undefined {
    const before = this.from.buckets(name);
    const counts = this.to
      .buckets(name)
      .map(([bound, count], index) => [bound, count - (before[index]?.[1] ?? 0)] as const);
    const total = counts.at(-1)?.[1] ?? 0;
    if (total <= 0) return undefined;
    const rank = share * total;
    let [lower, below] = [0, 0];
    for (const [bound, count] of counts) {
      if (count >= rank) {
        if (bound === Infinity) return Infinity;
        return lower + ((bound - lower) * (rank - below)) / Math.max(count - below, 1e-9);
      }
      [lower, below] = [bound, count];
    }
    return Infinity;
  }
}
