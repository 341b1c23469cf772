/**
 * What outlives the workers: the bound port, the embedded server, and how everybody logs in. One process has it, whether
 * it serves clients itself or leaves that to others.
 */
import type { Config } from '../config.ts';
import { startEmbeddedServer } from '../engine/embedded/server.ts';
import type { Address } from '../shared/listen-on.ts';
import type { Logger } from '../shared/log.ts';
import { bindSockets, type BoundSocket } from './bound-socket.ts';
import { loginsOf, type Logins } from './logins.ts';
import type { Started } from './started.ts';

export interface FoundationOptions {
  readonly log: Logger;
  readonly onProgress?: (message: string) => void;
}

export interface Foundation {
  /** Nobody listens on them yet. Whoever has them accepts, and closes his own. */
  readonly sockets: readonly BoundSocket[];
  readonly addresses: readonly Address[];
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
    dataDirectory: embedded?.dataDirectory,
    logins: (of) => loginsOf(of, embedded),
  };
}
