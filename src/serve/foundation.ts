/**
 * What outlives the workers: the bound port, the embedded server, and how everybody logs in. One process has it, whether
 * it serves clients itself or leaves that to others.
 */
import type { Config } from '../config.ts';
import { startEmbeddedServer } from '../engine/embedded/server.ts';
import { listenReason, type Address } from '../shared/listen-on.ts';
import type { Logger } from '../shared/log.ts';
import { bindSockets, type BoundSocket } from './bound-socket.ts';
import { loginsOf, type Logins } from './logins.ts';
import { secretKeyOf } from './secret-key.ts';
import type { Started } from './started.ts';

export interface FoundationOptions {
  readonly log: Logger;
  readonly onProgress?: (message: string) => void;
}

export interface Foundation {
  /** Nobody listens on them yet. Whoever has them accepts, and closes his own. */
  readonly sockets: readonly BoundSocket[];
  readonly addresses: readonly Address[];
  /** The same for the control plane; none where there is none. */
  readonly apiSockets: readonly BoundSocket[];
  /** For what is sealed in the control store, in base64; undefined where there is no control plane and never was one. */
  readonly secretKey: string | undefined;
  /** Where the embedded server keeps its data; undefined when everything is elsewhere. */
  readonly dataDirectory: string | undefined;
  /** Of this configuration, which may differ from the first in what does not touch the embedded server. */
  readonly logins: (config: Config) => Logins;
}

export function needsEmbedded({ engine, controlDatabaseUrl }: Config): boolean {
  return engine.kind === 'embedded' || controlDatabaseUrl === undefined;
}

export async function layFoundation(
  config: Config,
  { log, onProgress }: FoundationOptions,
  started: Started,
): Promise<Foundation> {
  // First, since it costs nothing and is what fails most often.
  const sockets = await bindSockets(config.listen);
  started.add(() => {
    for (const { handle } of sockets) handle.close();
    return Promise.resolve();
  });
  const apiSockets = await bindApi(config, log);
  started.add(() => {
    for (const { handle } of apiSockets) handle.close();
    return Promise.resolve();
  });
  const secretKey = await secretKeyOf(config);
  const { engine } = config;
  const embedded = needsEmbedded(config)
    ? await startEmbeddedServer({
        directory: config.directory,
        log,
        ...(engine.kind === 'embedded' && engine.user !== undefined ? { user: engine.user } : {}),
        ...(onProgress === undefined ? {} : { onProgress }),
        onFailure: () => void started.stop(),
      })
    : undefined;
  if (embedded !== undefined) started.add(() => embedded.stop());
  return {
    sockets,
    addresses: sockets.map(({ address }) => address),
    apiSockets,
    secretKey,
    dataDirectory: embedded?.dataDirectory,
    logins: (of) => loginsOf(of, embedded),
  };
}

/** In dev mode a port that can't be had is no reason not to start: a second project on the same machine is usual. */
async function bindApi({ api, devMode }: Config, log: Logger): Promise<readonly BoundSocket[]> {
  if (api === undefined) return [];
  try {
    return await bindSockets(api);
  } catch (error) {
    const fault = new Error(
      `The control plane cannot be served: ${listenReason(error, api)}; choose another with api.listen or HATIDATA_API_LISTEN_ADDR, or set api.enabled = false`,
      { cause: error },
    );
    if (!devMode) throw fault;
    log.warn(`${fault.message}; the proxy starts without`);
    return [];
  }
}
