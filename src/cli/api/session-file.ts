/**
 * Who has logged in to a control plane: `.hati/session.json` of the project, or `~/.hatidata/session.json` outside of all projects.
 * It is as good as the password for an hour and can be renewed for a month, so nobody else may read it.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CommandError } from '../context.ts';
import type { CommandContext } from '../context.ts';
import { nearestProject } from '../project.ts';
import { claimRunFile, releaseRunFile } from '../run-file.ts';

export interface Session {
  /** Of the control plane that gave the tokens. They are sent nowhere else. */
  readonly url: string;
  readonly token: string;
  readonly refresh_token: string;
  readonly email: string;
  readonly org_id: string;
  /** Of the token; ISO 8601, by this machine's clock. */
  readonly expires_at: string;
}

export function sessionPath(context: Pick<CommandContext, 'cwd' | 'home'>): string {
  return nearestProject(context)?.sessionPath ?? join(context.home, '.hatidata', 'session.json');
}

/** @returns undefined when nobody has logged in. */
export function readSession(path: string): Session | undefined {
  let text: string;
  try {
    // Another user's file, such as one that came with a repository, could send our key to another server.
    if ((statSync(path).mode & 0o077) !== 0) {
      throw new CommandError(
        `${path} is open to other users and is not trusted; remove it and \`hati login\` again.`,
      );
    }
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
  const session = parse(text);
  if (session !== undefined) return session;
  throw new CommandError(`${path} is not a session file; remove it and \`hati login\` again.`);
}

function parse(text: string): Session | undefined {
  try {
    const value = JSON.parse(text) as Partial<Record<keyof Session, unknown>> | null;
    const names = ['url', 'token', 'refresh_token', 'email', 'org_id', 'expires_at'] as const;
    return names.every((name) => typeof value?.[name] === 'string')
      ? (value as Session)
      : undefined;
  } catch {
    return undefined;
  }
}

/** All or nothing. */
export function writeSession(path: string, session: Session): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const next = `${path}.${process.pid}.new`;
  rmSync(next, { force: true });
  writeFileSync(next, `${JSON.stringify(session, null, 2)}\n`, { mode: 0o600, flag: 'wx' });
  renameSync(next, path);
}

export function removeSession(path: string): void {
  rmSync(path, { force: true });
}

const longestWaitMs = 60_000;

/** One command at a time changes the session: a refresh token that is used twice ends it. */
export async function withSessionLock<T>(path: string, work: () => Promise<T>): Promise<T> {
  const lock = `${path}.lock`;
  const deadline = performance.now() + longestWaitMs;
  for (let other = claimRunFile(lock); other !== undefined; other = claimRunFile(lock)) {
    if (performance.now() > deadline) {
      throw new CommandError(
        `Process ${other.pid} has been changing the session for a minute; end it and try again.`,
      );
    }
    await sleep(50);
  }
  try {
    return await work();
  } finally {
    releaseRunFile(lock);
  }
}
