/**
 * The data directory before a server runs on it: made if there is none, refused if this PostgreSQL cannot use it.
 * A cluster is made beside its final place and renamed when complete, so a kill never leaves half of one.
 */
import {
  chmod,
  chown,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  rmdir,
  stat,
  writeFile,
} from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Binaries } from './binaries.ts';
import { runCommand } from './command.ts';
import { EmbeddedServerError } from './error.ts';
import { explain } from './explain.ts';
import type { OperatingUser } from './operating-user.ts';
import { scramVerifier } from '../scram.ts';
import { roleNames, type StoredSecrets } from './secrets.ts';
import { writeSettings } from './settings.ts';

export interface ClusterRequest {
  readonly dataDirectory: string;
  readonly binaries: Binaries;
  readonly user: OperatingUser | undefined;
  readonly stored: StoredSecrets;
  readonly say: (message: string) => void;
}

export async function prepareCluster(request: ClusterRequest): Promise<void> {
  const { dataDirectory, stored } = request;
  const entry = await stat(dataDirectory).catch(() => undefined);
  if (entry === undefined || (await removedEmpty(dataDirectory))) {
    await createCluster(request);
    return;
  }
  await checkVersion(dataDirectory, request.binaries.major);
  await checkOwner(request, entry.uid, entry.mode);
  await writeSettings(dataDirectory, request.user);
  if (stored.isNew) await resetSuperuserPassword(request);
}

/** An empty directory (a fresh volume, an interrupted mkdir) counts as none. */
async function removedEmpty(dataDirectory: string): Promise<boolean> {
  const entries = await readdir(dataDirectory).catch(() => undefined);
  if (entries?.length !== 0) return false;
  await rmdir(dataDirectory);
  return true;
}

async function checkVersion(dataDirectory: string, major: string): Promise<void> {
  const text = await readFile(join(dataDirectory, 'PG_VERSION'), 'utf8').catch(() => undefined);
  if (text === undefined) {
    throw new EmbeddedServerError(
      `${dataDirectory} is not a PostgreSQL data directory (it has no PG_VERSION, or you may not read it). Move it away to start empty.`,
    );
  }
  const theirs = text.trim();
  if (theirs !== major) {
    throw new EmbeddedServerError(
      `The data in ${dataDirectory} were made by PostgreSQL ${theirs}; this HatiData brings PostgreSQL ${major}, which cannot read them. Dump them with the version that made them (pg_dump ${theirs}) and load the dump here, or move the directory away to start empty.`,
    );
  }
}

async function checkOwner(
  { dataDirectory, user, say }: ClusterRequest,
  uid: number,
  mode: number,
): Promise<void> {
  const needed = user?.uid ?? process.getuid?.();
  if (user !== undefined && uid === 0) {
    say(`${dataDirectory} is given to ${user.name}, which runs PostgreSQL`);
    await runCommand('chown', ['-R', `${user.uid}:${user.gid}`, `${dataDirectory}/`]);
  } else if (uid !== needed) {
    throw new EmbeddedServerError(
      `${dataDirectory} belongs to the user with id ${uid}, and PostgreSQL would run as the one with id ${needed}. Start HatiData as root or as that user, or give the directory away with chown -R.`,
    );
  }
  if ((mode & 0o077) !== 0) await chmod(dataDirectory, 0o700);
}

async function createCluster(request: ClusterRequest): Promise<void> {
  const { dataDirectory, binaries, user, stored, say } = request;
  say('Creating the database');
  const home = dirname(dataDirectory);
  const prefix = `${basename(dataDirectory)}.new-`;
  // We hold the lock of this directory: what an earlier start left unfinished is nobody's.
  for (const entry of await readdir(home)) {
    if (entry.startsWith(prefix))
      await rm(join(home, entry), { recursive: true, force: true, maxRetries: 20 });
  }
  const staging = join(home, `${prefix}${process.pid}`);
  const cluster = join(staging, 'cluster');
  const passwordFile = join(staging, 'password');
  try {
    await mkdir(staging, { mode: 0o700 });
    await writeFile(passwordFile, `${stored.secrets.superuser}\n`, { mode: 0o600 });
    if (user !== undefined) {
      await chown(passwordFile, user.uid, user.gid);
      await chown(staging, user.uid, user.gid);
    }
    const made = await runCommand(binaries.initdb, initdbArguments(cluster, passwordFile), {
      user,
    });
    if (made.code !== 0) {
      throw new EmbeddedServerError(
        explain(`The database could not be created in ${home}`, [...made.output, made.errno ?? '']),
      );
    }
    await writeSettings(cluster, user);
    await rename(cluster, dataDirectory);
    await syncDirectory(home);
  } catch (error) {
    if (error instanceof EmbeddedServerError) throw error;
    throw new EmbeddedServerError(
      explain(`The database could not be created in ${home}`, [String(error)]),
    );
  } finally {
    await rm(staging, { recursive: true, force: true, maxRetries: 20 });
  }
}

/** The builtin locale provider: the same order and case rules on every machine, whatever its C library knows. */
function initdbArguments(cluster: string, passwordFile: string): string[] {
  return [
    `--pgdata=${cluster}`,
    `--username=${roleNames.superuser}`,
    `--pwfile=${passwordFile}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--locale=C',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    '--data-checksums',
    '--no-instructions',
  ];
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * The file with the passwords was lost, the data are there: in single-user mode the server asks for none.
 * https://www.postgresql.org/docs/18/app-postgres.html
 */
async function resetSuperuserPassword(request: ClusterRequest): Promise<void> {
  const { dataDirectory, binaries, user, stored, say } = request;
  say('The passwords of the embedded server were lost; new ones are set');
  const verifier = scramVerifier(stored.secrets.superuser);
  const done = await runCommand(
    binaries.postgres,
    ['--single', '-D', dataDirectory, '-c', 'exit_on_error=on', 'postgres'],
    { user, input: `ALTER ROLE ${roleNames.superuser} PASSWORD '${verifier}'\n` },
  );
  if (done.code !== 0) {
    throw new EmbeddedServerError(
      explain(`New passwords could not be set in ${dataDirectory}`, done.output),
    );
  }
}
