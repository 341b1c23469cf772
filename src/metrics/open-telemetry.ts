/**
 * Statements as OpenTelemetry traces, sent as OTLP over HTTP. Loaded only where tracing is on: nothing else of the
 * proxy imports this file or the packages behind it.
 */
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace, type Context } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  BatchSpanProcessor,
  TraceIdRatioBasedSampler,
  TracerProvider,
  type SpanExporter,
} from '@opentelemetry/sdk-trace';
import type { Config } from '../config.ts';
import type { Logger } from '../shared/log.ts';
import type { StatementTrace, Tracer } from './tracing.ts';

export interface TracerOptions {
  readonly tracing: NonNullable<Config['tracing']>;
  readonly version: string;
  readonly log: Logger;
}

/** Spans that wait to be sent; more are dropped, so that a collector that is away costs no memory. */
const longestQueue = 8_192;
const sendEveryMs = 1_000;
const timeoutMs = 3_000;
const quietMs = 60_000;

export function openTelemetryTracer({ tracing, version, log }: TracerOptions): Tracer {
  const exporter = new OTLPTraceExporter({
    url: tracesUrl(tracing.endpoint),
    timeoutMillis: timeoutMs,
  });
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ 'service.name': 'hatidata', 'service.version': version }),
    // Not by what a client's trace says: it would decide how much is sent.
    sampler: new TraceIdRatioBasedSampler(tracing.samplePercent / 100),
    spanProcessors: [
      new BatchSpanProcessor({
        exporter: warning(exporter, log),
        maxQueueSize: longestQueue,
        scheduledDelayMillis: sendEveryMs,
        exportTimeoutMillis: timeoutMs,
      }),
    ],
  });
  const tracer = provider.getTracer('hatidata', version);

  const record = (statement: StatementTrace): void => {
    // Once for all spans of a trace, so that they fit into each other; the SDK would take the clocks for each.
    const sinceEpoch = Date.now() - performance.now();
    const at = (time: number): number => sinceEpoch + time;
    const { kind, begun, ended, steps, code, decision, forwarded } = statement;
    const span = tracer.startSpan(
      `postgresql ${kind}`,
      { kind: SpanKind.SERVER, startTime: at(begun), attributes: attributesOf(statement) },
      parentOf(statement),
    );
    const context = trace.setSpan(ROOT_CONTEXT, span);
    for (const step of steps) {
      const name = step.name.replace(/Step$/, '');
      tracer.startSpan(name, { startTime: at(step.begun) }, context).end(at(step.ended));
    }
    // A batch without a text runs what was prepared before.
    const executed =
      forwarded ?? (decision === undefined && code === undefined ? begun : undefined);
    if (executed !== undefined)
      tracer
        .startSpan('execute', { kind: SpanKind.CLIENT, startTime: at(executed) }, context)
        .end(at(ended));
    if (code !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: code });
    span.end(at(ended));
  };

  return {
    record,
    close: async () => {
      const { promise: late, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, timeoutMs);
      await Promise.race([provider.shutdown().catch(() => undefined), late]);
      clearTimeout(timer);
    },
  };
}

function attributesOf({ agent, requestId, classes, decision, code }: StatementTrace) {
  return {
    'db.system.name': 'postgresql',
    'hatidata.agent_id': agent,
    ...(requestId === undefined ? {} : { 'hatidata.request_id': requestId }),
    ...(classes.size === 0 ? {} : { 'hatidata.statement_classes': [...classes] }),
    ...(decision === undefined ? {} : { 'hatidata.decision': decision }),
    ...(code === undefined ? {} : { 'error.type': code }),
  };
}

/** A request id in the form of a W3C traceparent makes the statement a part of the agent's own trace. */
function parentOf({ requestId }: StatementTrace): Context {
  const [, traceId, spanId] =
    /^00-(?!0{32})([\da-f]{32})-(?!0{16})([\da-f]{16})-[\da-f]{2}$/.exec(requestId ?? '') ?? [];
  if (traceId === undefined || spanId === undefined) return ROOT_CONTEXT;
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags: 1, isRemote: true });
}

/** `http://collector:4318` means the path that OTLP names; any other path is taken as it is. */
function tracesUrl(endpoint: string): string {
  const url = new URL(endpoint);
  if (url.pathname === '/') url.pathname = '/v1/traces';
  return url.href;
}

/** The SDK is silent about a collector that can't be reached. */
function warning(exporter: SpanExporter, log: Logger): SpanExporter {
  let saidAt = -Infinity;
  return {
    export: (spans, done) =>
      exporter.export(spans, (result) => {
        if (result.error !== undefined && performance.now() - saidAt > quietMs) {
          saidAt = performance.now();
          log.warn({ reason: result.error.message }, 'traces could not be sent');
        }
        done(result);
      }),
    shutdown: () => exporter.shutdown(),
  };
}
