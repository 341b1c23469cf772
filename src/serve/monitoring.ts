import type { Config } from '../config.ts';
import { MetricsServer, type HttpParts } from '../metrics/http-server.ts';
import { Metrics } from '../metrics/metrics.ts';
import { Readiness } from '../metrics/readiness.ts';
import { listenOn, listenReason, type Address } from '../shared/listen-on.ts';
import type { Logger } from '../shared/log.ts';
import { packageVersion } from '../shared/version.ts';

/** What a process that serves clients counts, and whether it can. */
export interface Observation {
  readonly metrics: Metrics;
  readonly readiness: Readiness;
  close(): Promise<void>;
}

export async function startObservation(
  { tracing }: Pick<Config, 'tracing'>,
  log: Logger,
): Promise<Observation> {
  const metrics = new Metrics(packageVersion());
  const close = async (): Promise<void> => {
    metrics.close();
    await metrics.sessions.tracer?.close();
  };
  try {
    if (tracing !== undefined) {
      // Here and not above: without tracing, none of its packages is loaded.
      const { openTelemetryTracer } = await import('../metrics/open-telemetry.ts');
      metrics.sessions.tracer = openTelemetryTracer({ tracing, version: metrics.version, log });
    }
    return { metrics, readiness: new Readiness(), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** What is told over HTTP, from before the start of everything else until after its end. */
export interface Monitoring {
  /** Undefined where nothing is told. */
  readonly addresses: readonly Address[] | undefined;
  close(): Promise<void>;
}

export async function startMonitoring(config: Config, parts: HttpParts): Promise<Monitoring> {
  const server = new MetricsServer(parts);
  const close = (): Promise<void> => server.close();
  try {
    return { addresses: await serveHttp(server, config, parts.log), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** In dev mode a port that can't be had is no reason not to start: a second project on the same machine is usual. */
async function serveHttp(
  server: MetricsServer,
  { metrics, devMode }: Config,
  log: Logger,
): Promise<readonly Address[] | undefined> {
  if (metrics === undefined) return undefined;
  try {
    return await listenOn(metrics, (host, port) => server.listen(host, port));
  } catch (error) {
    const fault = listenFault(error, metrics);
    if (!devMode) throw fault;
    log.warn(`${fault.message}; the proxy starts without`);
    return undefined;
  }
}

function listenFault(error: unknown, address: Address): Error {
  return new Error(
    `Metrics cannot be served: ${listenReason(error, address)}; choose another with metrics.listen or HATIDATA_METRICS_LISTEN_ADDR, or set metrics.enabled = false`,
    { cause: error },
  );
}
