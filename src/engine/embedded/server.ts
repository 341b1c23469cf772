/**
 * The embedded engine: a real PostgreSQL, made on first use, run and watched over by us, reached by a unix socket
 * alone. What happens on the way up, in order: whom it runs as → where things lie → the lock → its programs → its
 * passwords → its data directory → what an earlier life left behind → the server → roles, databases, privileges.
 */
import { join } from 'node:path';
import type { Logger } from 'pino';
import { prepareBinaries } from './binaries.ts';
import { bootstrap, databaseNames } from './bootstrap.ts';
import { prepareCluster } from './cluster.ts';
import { EmbeddedServerError, errnoOf } from './error.ts';
import { explain } from './explain.ts';
import { clearLeftovers } from './leftovers.ts';
import { acquireLock, type DirectoryLock } from './lock.ts';
import { chooseOperatingUser } from './operating-user.ts';
import {
  choosePlacement,
  clearPlacement,
  openProjectDirectory,
  settleData,
  type Placement,
} from './placement.ts';
import { launchPostmaster } from './postmaster.ts';
import { loadSecrets, roleNames, type EmbeddedRole, type Secrets } from './secrets.ts';
import { Supervisor, type EmbeddedServerState } from './supervisor.ts';

export { EmbeddedServerError } from './error.ts';
export type { EmbeddedRole } from './secrets.ts';
export type { EmbeddedServerState } from './supervisor.ts';

export interface EmbeddedServerOptions {
  /** Absolute path of the project's `.hati`; made if there is none. */
  readonly directory: string;
  readonly log: Logger;
  /** Whom PostgreSQL runs as when we are root; default: the owner of the data, else `postgres`, else `hatidata`. */
  readonly user?: string;
  /** For what that user could not reach in the project (see placement.ts). */
  readonly stateDirectory?: string;
  /** A sentence for the person who waits. */
  readonly onProgress?: (message: string) => void;
  /** It had died, was started again, and accepts connections. */
  readonly onRestart?: () => void;
  /** It died too often and is not started again. */
  readonly onFailure?: (error: EmbeddedServerError) => void;
}

export interface EmbeddedConnection {
  host: string;
  port: number;
  user: string;
  password: string;
  database: string;
}

export interface EmbeddedServer {
  /** How a role logs in; the shape is `pg`'s ClientConfig. `host` is the socket's directory. */
  connection(role: EmbeddedRole): EmbeddedConnection;
  readonly dataDirectory: string;
  readonly state: EmbeddedServerState;
  /** The server's main process; another one after a restart. */
  readonly pid: number | undefined;
  /** Idempotent. Resolves when the server is gone and the directory is free again. */
  stop(): Promise<void>;
}

const port = 5432;

const databases: Readonly<Record<EmbeddedRole, string>> = {
  reader: databaseNames.data,
  writer: databaseNames.data,
  superuser: databaseNames.data,
  control: databaseNames.control,
  system: databaseNames.control,
};

/** @throws EmbeddedServerError with a sentence for the person at the terminal; nothing is left running then. */
export async function startEmbeddedServer(options: EmbeddedServerOptions): Promise<EmbeddedServer> {
  try {
    return await start(options);
  } catch (error) {
    if (error instanceof EmbeddedServerError || errnoOf(error) === undefined) throw error;
    const what = `The embedded PostgreSQL could not be started in ${options.directory}`;
    throw new EmbeddedServerError(explain(what, [String(error)]), { cause: error });
  }
}

async function start(options: EmbeddedServerOptions): Promise<EmbeddedServer> {
  const { stateDirectory = '/var/lib/hatidata', onProgress } = options;
  const log = options.log.child({ component: 'postgres' });
  const say = (message: string) => {
    log.info(message);
    onProgress?.(message);
  };
  const directory = await openProjectDirectory(options.directory);
  const user = await chooseOperatingUser({
    requested: options.user,
    dataDirectory: join(directory, 'data'),
  });
  const request = { directory, user, stateDirectory, say };
  const placement = await choosePlacement(request);
  const { dataDirectory, socketDirectory } = placement;
  const lock = await acquireLock(placement.lockFile, directory);
  let supervisor: Supervisor | undefined;
  try {
    await settleData(request, placement);
    const binaries = await prepareBinaries({ user, stateDirectory, say });
    const { postgres } = binaries;
    const stored = await loadSecrets(join(directory, 'secrets.json'));
    await clearLeftovers({ dataDirectory, socketDirectory, say });
    await prepareCluster({ dataDirectory, binaries, user, stored, say });
    say('Starting PostgreSQL');
    supervisor = new Supervisor({
      launch: async () => {
        await clearLeftovers({ dataDirectory, socketDirectory, say });
        return await launchPostmaster({ postgres, dataDirectory, socketDirectory, user, log });
      },
      log,
      onRestart: () => options.onRestart?.(),
      onFailure: (error) => options.onFailure?.(error),
    });
    await supervisor.start();
    await bootstrap({ host: socketDirectory, port }, stored.secrets);
    return runningServer({ placement, supervisor, lock, secrets: stored.secrets });
  } catch (error) {
    await supervisor?.stop();
    await clearPlacement(placement);
    await lock.release();
    throw error;
  }
}

interface RunningParts {
  readonly placement: Placement;
  readonly supervisor: Supervisor;
  readonly lock: DirectoryLock;
  readonly secrets: Secrets;
}

function runningServer({ placement, supervisor, lock, secrets }: RunningParts): EmbeddedServer {
  let stopped: Promise<void> | undefined;
  const stop = async () => {
    await supervisor.stop();
    await clearPlacement(placement);
    await lock.release();
  };
  return {
    connection: (role) => ({
      host: placement.socketDirectory,
      port,
      user: roleNames[role],
      password: secrets[role],
      database: databases[role],
    }),
    dataDirectory: placement.dataDirectory,
    get state() {
      return supervisor.state;
    },
    get pid() {
      return supervisor.pid;
    },
    stop: () => (stopped ??= stop()),
  };
}
