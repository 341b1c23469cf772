/**
 * Where things lie. Normally all in the project's `.hati`: `data`, `run` (the socket), the lock, the passwords.
 *
 * Two things can forbid that. The socket's path is limited by the kernel (sun_path, unix(7)): a long one moves to the
 * temporary directory. And a server that root started as another user may be unable to enter the project (a clone
 * under /root): then data, socket and lock live in a state directory of the system, and `.hati/data` is a symlink.
 *
 * Rule: every directory made here is closed to others, and one that is found must belong to the right user.
 */
import { createHash } from 'node:crypto';
import {
  chmod,
  chown,
  lstat,
  mkdir,
  readlink,
  realpath,
  rename,
  rmdir,
  stat,
  symlink,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { runCommand } from './command.ts';
import { EmbeddedServerError, errnoOf } from './error.ts';
import type { OperatingUser } from './operating-user.ts';

export interface Placement {
  /** Without symlinks, as the server's processes show it. It may not exist yet. */
  readonly dataDirectory: string;
  readonly socketDirectory: string;
  readonly lockFile: string;
  /** Where all of it lies: the project's `.hati`, or its place in the state directory. */
  readonly home: string;
}

export interface PlacementRequest {
  /** The project's `.hati`, without symlinks. */
  readonly directory: string;
  readonly user: OperatingUser | undefined;
  /** For what cannot stay in the project. */
  readonly stateDirectory: string;
  readonly say: (message: string) => void;
}

const socketName = '.s.PGSQL.5432';
const longestSocketPath = process.platform === 'darwin' ? 103 : 107;

export async function openProjectDirectory(directory: string): Promise<string> {
  try {
    await mkdir(dirname(directory), { recursive: true });
    await mkdir(directory, { mode: 0o700 }).catch((error: unknown) => {
      if (errnoOf(error) !== 'EEXIST') throw error;
    });
    if ((await stat(directory)).isDirectory()) return await realpath(directory);
  } catch (error) {
    throw new EmbeddedServerError(
      `The directory ${directory} cannot be made or opened (${errnoOf(error)}). Check who owns it, and that its parent is writable.`,
    );
  }
  throw new EmbeddedServerError(`${directory} is not a directory. Move it away and start again.`);
}

/** Decides, and makes what holds a lock and a socket; the data are touched by settleData(), under the lock. */
export async function choosePlacement(request: PlacementRequest): Promise<Placement> {
  const home = await chooseHome(request);
  const dataLink = join(request.directory, 'data');
  const dataDirectory =
    home === request.directory
      ? await realpath(dataLink).catch(() => dataLink)
      : join(home, 'data');
  return {
    dataDirectory,
    socketDirectory: await prepareSocketDirectory(home, request.user),
    lockFile: join(home, 'engine.lock'),
    home,
  };
}

/** Makes `.hati/data` lead to where the data are. Only under the lock. */
export async function settleData(request: PlacementRequest, placement: Placement): Promise<void> {
  const { directory, user, say } = request;
  const { home, dataDirectory } = placement;
  const dataLink = join(directory, 'data');
  const existing = await lstat(dataLink).catch(() => undefined);
  if (home === directory || existing?.isSymbolicLink() === true) return;
  if ((await lstat(dataDirectory).catch(() => undefined)) !== undefined) {
    const aside = `${dataDirectory}.${Date.now()}`;
    await rename(dataDirectory, aside);
    say(`Data of an earlier project in ${directory} were found and kept in ${aside}`);
  }
  if (existing !== undefined) await moveData(dataLink, dataDirectory);
  await symlink(dataDirectory, dataLink);
  say(
    `PostgreSQL runs as ${user?.name}, which may not enter ${directory}: the data are in ${dataDirectory}, ${dataLink} leads there`,
  );
}

export async function canEnter(directory: string, user: OperatingUser): Promise<boolean> {
  // Asked of the kernel as that user: mode bits, ACLs and every parent count.
  const entered = await runCommand('/bin/sh', ['-c', 'cd -- "$1"', 'sh', directory], { user });
  return entered.code === 0;
}

/** Makes a directory that only `user` may enter, or makes sure that one that is there is such a directory. */
export async function ensurePrivateDirectory(
  directory: string,
  user: OperatingUser | undefined,
): Promise<void> {
  const uid = user?.uid ?? process.getuid?.() ?? 0;
  try {
    await mkdir(directory, { mode: 0o700 });
    if (user !== undefined) await chown(directory, user.uid, user.gid);
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
  }
  const entry = await lstat(directory);
  if (!entry.isDirectory() || (entry.uid !== uid && !(user !== undefined && entry.uid === 0))) {
    throw new EmbeddedServerError(
      `${directory} must be a directory that belongs to the user with id ${uid}, and it is not. Remove it and start again.`,
    );
  }
  if (user !== undefined && entry.uid !== uid) await chown(directory, user.uid, user.gid);
  if ((entry.mode & 0o777) !== 0o700) await chmod(directory, 0o700);
}

/** A socket directory outside of the project goes when the server goes; the temporary directory is not ours to fill. */
export async function clearPlacement({ home, socketDirectory }: Placement): Promise<void> {
  if (dirname(socketDirectory) === home) return;
  // Not empty: somebody is using it again already.
  await rmdir(socketDirectory).catch(() => undefined);
}

async function chooseHome(request: PlacementRequest): Promise<string> {
  const { directory, user, stateDirectory } = request;
  const dataLink = join(directory, 'data');
  const existing = await lstat(dataLink).catch(() => undefined);
  if (existing?.isSymbolicLink() === true) {
    const target = resolve(directory, await readlink(dataLink));
    if (dirname(dirname(target)) !== stateDirectory) return await checkedLink(dataLink, directory);
    await prepareState(stateDirectory, dirname(target), user);
    return dirname(target);
  }
  if (user === undefined || (await openToUser(directory, user))) return directory;

  const home = join(stateDirectory, hashOf(directory));
  await prepareState(stateDirectory, home, user);
  return home;
}

async function checkedLink(dataLink: string, directory: string): Promise<string> {
  if ((await stat(dataLink).catch(() => undefined)) === undefined) {
    throw new EmbeddedServerError(
      `${dataLink} is a symbolic link that leads nowhere. Bring back what it led to, or remove it to start empty.`,
    );
  }
  return directory;
}

async function moveData(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    throw new EmbeddedServerError(
      `${from} cannot be used by the user that runs PostgreSQL, nor be moved to ${to} (${errnoOf(error)}). Move the project to a directory that other users may enter, or move the data by hand and leave a symbolic link.`,
    );
  }
}

async function prepareState(
  stateDirectory: string,
  home: string,
  user: OperatingUser | undefined,
): Promise<void> {
  if (user !== undefined) await mkdir(stateDirectory, { recursive: true, mode: 0o711 });
  await ensurePrivateDirectory(home, user);
}

/** Root lets the server's user pass through (not look into) a project directory that is closed to others. */
async function openToUser(directory: string, user: OperatingUser): Promise<boolean> {
  if (!(await canEnter(dirname(directory), user))) return false;
  if (await canEnter(directory, user)) return true;
  const { uid, mode } = await stat(directory);
  await chown(directory, uid, user.gid);
  await chmod(directory, (mode & 0o7707) | 0o010);
  return await canEnter(directory, user);
}

async function prepareSocketDirectory(
  home: string,
  user: OperatingUser | undefined,
): Promise<string> {
  const inHome = join(home, 'run');
  const fits = (directory: string) =>
    Buffer.byteLength(join(directory, socketName)) <= longestSocketPath;
  if (fits(inHome) && (user === undefined || (await openToUser(home, user)))) {
    await ensurePrivateDirectory(inHome, user);
    return inHome;
  }
  const temporary = await realpath(tmpdir());
  const usable = user === undefined || (await canEnter(temporary, user));
  const directory = join(usable ? temporary : '/tmp', `hatidata-${hashOf(home)}`);
  if (!fits(directory)) {
    throw new EmbeddedServerError(
      `The paths of ${home} and of the temporary directory are both too long for a unix socket (${longestSocketPath} bytes). Set TMPDIR to a shorter one.`,
    );
  }
  await ensurePrivateDirectory(directory, user);
  return directory;
}

function hashOf(directory: string): string {
  return createHash('sha256').update(directory).digest('hex').slice(0, 16);
}
