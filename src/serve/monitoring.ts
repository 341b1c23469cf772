import type { Config } from '../config.ts';
import { MetricsServer } from '../metrics/http-server.ts';
import { Metrics } from '../metrics/metrics.ts';
import { Readiness } from '../metrics/readiness.ts';
import { listenOn, type Address } from '../shared/listen-on.ts';
import type { Logger } from '../shared/log.ts';
import { packageVersion } from '../shared/version.ts';

/** What can be seen of a proxy from outside, from before its start until after its end. */
export interface Monitoring {
  readonly metrics: Metrics;
  readonly readiness: Readiness;
  /** Where both are served; undefined where they are not. */
  readonly addresses: readonly Address[] | undefined;
  close(): Promise<void>;
}

/** Comes first, so that it can tell that the proxy is starting. */
export async function startMonitoring(config: Config, log: Logger): Promise<Monitoring> {
  const metrics = new Metrics(packageVersion());
  const readiness = new Readiness();
  const server = new MetricsServer({ metrics, readiness, log });
  const close = async (): Promise<void> => {
    metrics.close();
    await metrics.sessions.tracer?.close();
    await server.close();
  };
  try {
    if (config.tracing !== undefined) {
      // Here and not above: without tracing, none of its packages is loaded.
      const { openTelemetryTracer } = await import('../metrics/open-telemetry.ts');
      const { tracing } = config;
      metrics.sessions.tracer = openTelemetryTracer({ tracing, version: metrics.version, log });
    }
    return { metrics, readiness, addresses: await serveHttp(server, config, log), close };
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

function listenFault(error: unknown, { host, port }: Address): Error {
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
  const reason =
    code === 'EADDRINUSE'
      ? `port ${port} is in use`
      : code === 'EACCES'
        ? `this user may not listen on port ${port}`
        : code === 'EADDRNOTAVAIL'
          ? `"${host}" is not an address of this machine`
          : `${host}:${port} cannot be listened on (${code})`;
  return new Error(
    `Metrics cannot be served: ${reason}; choose another with metrics.listen or HATIDATA_METRICS_LISTEN_ADDR, or set metrics.enabled = false`,
    { cause: error },
  );
}
