/** A whole proxy in this process: what outlives workers, and one worker. */
import type { Config } from './config.ts';
import { readCertificate } from './config/certificate.ts';
import type { Step } from './proxy/pipeline.ts';
import { startControlPlane } from './serve/control-plane.ts';
import { layFoundation } from './serve/foundation.ts';
import { startMonitoring, startObservation } from './serve/monitoring.ts';
import { prepareDatabases } from './serve/prepare.ts';
import { Started } from './serve/started.ts';
import { startWorker, type WorkerOrder } from './serve/worker.ts';
import type { Clock } from './shared/clock.ts';
import type { Address } from './shared/listen-on.ts';
import type { Logger } from './shared/log.ts';

export interface RunningProxy {
  readonly addresses: readonly Address[];
  /** Where the control plane is served; none where it is not. */
  readonly apiAddresses: readonly Address[];
  /** Where /metrics, /health and /ready are served; undefined where they are not. */
  readonly metricsAddresses: readonly Address[] | undefined;
  /** Where the embedded server keeps its data; undefined when everything is elsewhere. */
  readonly dataDirectory: string | undefined;
  /**
   * Resolves when nothing of it is left. May be called again with less patience.
   * @param patienceMs how long clients may go on with their transactions; 0 unless given.
   */
  stop(patienceMs?: number): Promise<void>;
  /** Settles when the proxy ended, whoever asked for it. */
  readonly stopped: Promise<void>;
}

export interface ServeOptions {
  readonly log: Logger;
  readonly onProgress?: (message: string) => void;
  /** A test's. */
  readonly clock?: Clock;
  /** The assembly of a test that takes the first lock out; the product has one pipeline. */
  readonly steps?: readonly Step[];
}

/** For programs that have a proxy as a part of theirs, tests above all. `hati start` has a supervisor in its place. */
export async function serve(config: Config, options: ServeOptions): Promise<RunningProxy> {
  const { log, steps, clock } = options;
  const started = new Started();
  let patience = 0;
  try {
    const observation = await startObservation(config, log);
    started.add(() => observation.close());
    const { metrics, readiness } = observation;
    const monitoring = await startMonitoring(config, { metrics, readiness, log });
    started.add(() => monitoring.close());
    const { sockets, addresses, apiSockets, secretKey, dataDirectory, logins } =
      await layFoundation(config, options, started);
    await prepareDatabases(config, logins(config), log);
    const order: WorkerOrder = {
      serves: 'proxy',
      config,
      logins: logins(config),
      secretKey,
      address: addresses[0]!,
      place: { index: 0, count: 1 },
      ...(config.tls === undefined ? {} : { certificate: readCertificate(config.tls) }),
    };
    const worker = await startWorker(order, {
      log,
      observation,
      ...(clock && { clock }),
      ...(steps === undefined ? {} : { steps }),
    });
    started.add(() => worker.stop(patience));
    await worker.listen(sockets.map(({ handle }) => handle));
    if (apiSockets.length > 0) {
      const control = await startControlPlane(order, { log, observation, ...(clock && { clock }) });
      started.add(() => control.stop(0));
      await control.listen(apiSockets.map(({ handle }) => handle));
    }
    log.info({ addresses, engine: config.engine.kind, devMode: config.devMode }, 'proxy running');
    return {
      addresses,
      apiAddresses: apiSockets.map(({ address }) => address),
      metricsAddresses: monitoring.addresses,
      dataDirectory,
      stop: (patienceMs = 0) => {
        patience = patienceMs;
        if (started.isStopping) void worker.stop(patienceMs);
        return started.stop();
      },
      stopped: started.stopped,
    };
  } catch (error) {
    await started.stop();
    throw error;
  }
}
