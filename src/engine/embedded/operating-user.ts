/**
 * Whom PostgreSQL runs as. It refuses to run as root, so root hands it to an unprivileged user; anybody else runs it
 * as himself.
 */
import { stat } from 'node:fs/promises';
import { runCommand } from './command.ts';
import { EmbeddedServerError } from './error.ts';

export interface OperatingUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

export interface OperatingUserRequest {
  /** The user's wish, if he has one. */
  readonly requested: string | undefined;
  /** Where the data are, if there are any: their owner goes on owning them. */
  readonly dataDirectory: string;
}

const ownUser = 'hatidata';

/** `undefined`: no change of user is needed, the server runs as we do. */
export async function chooseOperatingUser(
  request: OperatingUserRequest,
): Promise<OperatingUser | undefined> {
  if (process.getuid?.() !== 0) {
    return await refuseOtherUser(request);
  }
  const owner = await ownerOf(request.dataDirectory);
  if (request.requested !== undefined) {
    const user = await findUser(request.requested);
    if (user === undefined || user.uid === 0) {
      throw new EmbeddedServerError(
        `PostgreSQL cannot run as "${request.requested}": ${user === undefined ? 'there is no such user' : 'it refuses to run as root'}.`,
      );
    }
    if (owner !== undefined && owner.uid !== user.uid) {
      throw new EmbeddedServerError(
        `The data in ${request.dataDirectory} belong to the user with id ${owner.uid}, not to "${user.name}". Leave the user out, or give the directory to "${user.name}" with chown -R.`,
      );
    }
    return user;
  }
  return owner ?? (await findUser('postgres')) ?? (await findUser(ownUser)) ?? (await createUser());
}

async function refuseOtherUser(request: OperatingUserRequest): Promise<undefined> {
  if (request.requested === undefined) return undefined;
  const user = await findUser(request.requested);
  if (user?.uid === process.getuid?.()) return undefined;
  throw new EmbeddedServerError(
    `PostgreSQL cannot run as "${request.requested}": only root may start it as another user.`,
  );
}

/** The owner of existing data. Data that belong to root (a copy made by root) have no say: they change hands. */
async function ownerOf(dataDirectory: string): Promise<OperatingUser | undefined> {
  const entry = await stat(dataDirectory).catch(() => undefined);
  if (entry === undefined || entry.uid === 0) return undefined;
  const named = await runCommand('id', ['-un', String(entry.uid)]);
  const name = named.code === 0 ? named.output[0] : undefined;
  return { name: name ?? `user ${entry.uid}`, uid: entry.uid, gid: entry.gid };
}

async function findUser(name: string): Promise<OperatingUser | undefined> {
  // A name that begins with "-" would be an option of id(1).
  if (!/^[A-Za-z0-9_][\w.-]*$/.test(name)) return undefined;
  const [uid, gid] = await Promise.all([
    runCommand('id', ['-u', name]),
    runCommand('id', ['-g', name]),
  ]);
  if (uid.code !== 0 || gid.code !== 0) return undefined;
  return { name, uid: Number(uid.output[0]), gid: Number(gid.output[0]) };
}

async function createUser(): Promise<OperatingUser> {
  const made = await runCommand('useradd', [
    '--system',
    '--user-group',
    '--no-create-home',
    '--home-dir',
    '/nonexistent',
    '--shell',
    '/bin/false',
    ownUser,
  ]);
  if (made.errno === 'ENOENT') {
    // BusyBox has adduser and addgroup instead.
    await runCommand('addgroup', ['-S', ownUser]);
    const noHome = ['-S', '-D', '-H', '-h', '/nonexistent', '-s', '/bin/false'];
    await runCommand('adduser', [...noHome, '-G', ownUser, ownUser]);
  }
  const user = await findUser(ownUser);
  if (user === undefined) {
    throw new EmbeddedServerError(
      `PostgreSQL refuses to run as root, and the user "${ownUser}" could not be created for it. Create a user, and name it with HATIDATA_ENGINE_USER; or start as an ordinary user.`,
    );
  }
  return user;
}
