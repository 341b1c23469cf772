/**
 * One HatiData per project directory. The lock file names its holder by pid and start time, so a file that a killed
 * process left behind is recognised and taken over, even when its pid belongs to somebody else by now.
 */
import { randomUUID } from 'node:crypto';
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { EmbeddedServerError, errnoOf } from './error.ts';
import { startTimeOf } from './process-table.ts';

export interface DirectoryLock {
  release(): Promise<void>;
}

export async function acquireLock(path: string, directory: string): Promise<DirectoryLock> {
  const mine = `${process.pid}\n${(await startTimeOf(process.pid)) ?? ''}\n${randomUUID()}\n`;
  // Linked into place when complete: nobody ever reads half a lock.
  const draft = `${path}.${randomUUID()}`;
  try {
    await writeFile(draft, mine, { mode: 0o600 });
    while (!(await tryLink(draft, path))) {
      const theirs = await readFile(path, 'utf8').catch(() => undefined);
      if (theirs === undefined) continue;
      const holder = await livingHolder(theirs);
      if (holder !== undefined) {
        throw new EmbeddedServerError(
          `HatiData is already running in ${directory} (process ${holder}). Stop it first, or use another directory.`,
        );
      }
      await removeStale(path, theirs);
    }
  } finally {
    await rm(draft, { force: true });
  }
  return {
    release: async () => {
      if ((await readFile(path, 'utf8').catch(() => undefined)) === mine)
        await rm(path, { force: true });
    },
  };
}

async function tryLink(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false;
    throw error;
  }
}

async function livingHolder(content: string): Promise<number | undefined> {
  const [pid, startTime] = content.split('\n');
  const number = Number(pid);
  if (!Number.isInteger(number) || number <= 0) return undefined;
  return (await startTimeOf(number)) === startTime ? number : undefined;
}

/** Two may find the same stale lock: the one that comes late finds a fresh lock in its hand, and puts it back. */
async function removeStale(path: string, stale: string): Promise<void> {
  const aside = `${path}.${randomUUID()}`;
  try {
    await rename(path, aside);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return;
    throw error;
  }
  if ((await readFile(aside, 'utf8')) !== stale) await tryLink(aside, path);
  await rm(aside, { force: true });
}
