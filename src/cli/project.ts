import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { resolveConfig } from '../config.ts';
import type { ConfigFlags, ResolvedConfig } from '../config.ts';
import { CommandError } from './context.ts';
import type { CommandContext } from './context.ts';

/** A directory with a `.hati` in it, and where things lie inside. */
export interface Project {
  /** The directory that holds `.hati`. */
  readonly root: string;
  readonly directory: string;
  readonly configPath: string;
  /** Written while a proxy runs; see `run-file.ts`. */
  readonly runPath: string;
  readonly logPath: string;
  /** Of who has logged in to a control plane from here; see `api/session-file.ts`. */
  readonly sessionPath: string;
}

export function projectAt(root: string): Project {
  const directory = join(resolve(root), '.hati');
  return {
    root: resolve(root),
    directory,
    configPath: join(directory, 'config.toml'),
    runPath: join(directory, 'run', 'proxy.json'),
    logPath: join(directory, 'logs', 'proxy.log'),
    sessionPath: join(directory, 'session.json'),
  };
}

/** The nearest `.hati`, walking up from the current directory. */
export function findProject(context: Pick<CommandContext, 'cwd'>): Project {
  const project = nearestProject(context);
  if (project !== undefined) return project;
  throw new CommandError(
    `There is no .hati directory in ${resolve(context.cwd)} or above it; run \`hati init\` to make one.`,
  );
}

export function nearestProject({ cwd }: Pick<CommandContext, 'cwd'>): Project | undefined {
  for (let root = resolve(cwd); ; root = dirname(root)) {
    const project = projectAt(root);
    if (existsSync(project.directory)) return project;
    if (root === dirname(root)) return undefined;
  }
}

export function loadConfig(
  project: Project,
  context: CommandContext,
  flags: ConfigFlags = {},
  readsCertificate = false,
): ResolvedConfig {
  return resolveConfig({
    file: readConfigFile(project.configPath),
    env: context.env,
    flags,
    directory: project.directory,
    isTerminal: context.stdout.isTTY === true,
    readsCertificate,
  });
}

function readConfigFile(path: string): { path: string; text: string } | undefined {
  try {
    return { path, text: readFileSync(path, 'utf8') };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT') return undefined;
    throw new CommandError(`${path} cannot be read (${String(code)}); check who owns it.`, {
      cause: error,
    });
  }
}
