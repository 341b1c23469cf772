import { Registry } from 'prom-client';
import type { ErrorCode } from '../errors.ts';
import { definitions } from './definitions.ts';
import { EventLoopDelay } from './event-loop.ts';
import { JudgementMeter } from './judgement-meter.ts';
import { Latencies, verificationBounds } from './latencies.ts';
import { processMetrics } from './process.ts';
import { forRegistry, type ReadMetric } from './read-metric.ts';
import { errorCodes, SessionTotals } from './session-meter.ts';
import type { Sources } from './sources.ts';
import { Tally } from './tally.ts';

/**
 * Everything that is counted in one proxy. Made once in `serve.ts` and handed down: parts report into its fields, or
 * keep counts of their own that `sources` reads.
 */
export class Metrics {
  readonly version: string;
  readonly sessions = new SessionTotals();
  readonly judgements = new JudgementMeter();
  readonly connectionsRefused = new Tally<ErrorCode>(errorCodes());
  readonly logins = new Tally(['accepted', 'local', 'refused'] as const);
  readonly verifications = new Latencies(verificationBounds);
  readonly eventLoop = new EventLoopDelay();
  /** Filled as the parts come up. */
  readonly sources: Partial<Sources> = {};
  readonly all: readonly ReadMetric[];
  private readonly registry = new Registry();

  constructor(version: string) {
    this.version = version;
    this.all = [...definitions(this), ...processMetrics()];
    for (const metric of this.all) this.registry.registerMetric(forRegistry(metric));
  }

  get contentType(): string {
    return this.registry.contentType;
  }

  /** In Prometheus' text format. */
  text(): Promise<string> {
    return this.registry.metrics();
  }

  close(): void {
    this.eventLoop.close();
  }
}
