/**
 * What an earlier life left behind. When HatiData is killed its PostgreSQL goes on, an orphan; when the postmaster is
 * killed its backends may go on for a moment, attached to the old shared memory.
 *
 * We hold the lock of the directory, so nobody has a right to be here: whoever is, is stopped, then we start afresh.
 * Stopping is chosen over adopting since an adopted server has no stderr we could read and runs an older configuration.
 * Nothing is signalled that was not proved to be a PostgreSQL of this data directory.
 */
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { EmbeddedServerError, errnoOf } from './error.ts';
import { isPostgresOf, isRunning, postgresProcessesOf } from './process-table.ts';

export interface Territory {
  readonly dataDirectory: string;
  readonly socketDirectory: string;
  readonly say: (message: string) => void;
}

/** Signals in the order of their harm, each with the time it has to act. */
const fastThenImmediate: readonly (readonly [NodeJS.Signals, number])[] = [
  ['SIGINT', 20_000],
  ['SIGQUIT', 10_000],
  ['SIGKILL', 5_000],
];
/** Without their postmaster they can finish nothing. */
const forBackends: readonly (readonly [NodeJS.Signals, number])[] = [
  ['SIGQUIT', 2_000],
  ['SIGKILL', 5_000],
];

export async function clearLeftovers({
  dataDirectory,
  socketDirectory,
  say,
}: Territory): Promise<void> {
  const pidFile = join(dataDirectory, 'postmaster.pid');
  const pid = await pidIn(pidFile);
  const isOurs = pid !== undefined && (await isPostgresOf(pid, dataDirectory));
  if (pid !== undefined && isOurs && (await isRunning(pid))) {
    say(`A PostgreSQL that an earlier HatiData left running (process ${pid}) is stopped`);
    await end(pid, dataDirectory, fastThenImmediate);
  }
  for (const backend of await postgresProcessesOf(dataDirectory)) {
    await end(backend, dataDirectory, forBackends);
  }
  // A dead pid is left in the file: PostgreSQL checks by it that the old shared memory is gone. A pid that is
  // somebody else's by now, or none at all, would only stop it.
  if (!isOurs && (pid === undefined || (await isRunning(pid)))) await rm(pidFile, { force: true });
  for (const name of await readdir(socketDirectory)) {
    if (name.startsWith('.s.PGSQL.')) await rm(join(socketDirectory, name), { force: true });
  }
}

async function pidIn(pidFile: string): Promise<number | undefined> {
  const text = await readFile(pidFile, 'utf8').catch(() => '');
  const pid = Number(text.split('\n')[0]);
  return Number.isInteger(pid) && pid > 0 ? pid : undefined;
}

async function end(
  pid: number,
  dataDirectory: string,
  steps: readonly (readonly [NodeJS.Signals, number])[],
): Promise<void> {
  for (const [signal, patience] of steps) {
    if (!(await isPostgresOf(pid, dataDirectory))) return;
    try {
      process.kill(pid, signal);
    } catch (error) {
      if (errnoOf(error) === 'ESRCH') return;
      throw new EmbeddedServerError(
        `A PostgreSQL of another user (process ${pid}) is running on ${dataDirectory}. Stop it, or start HatiData as the user that owns it.`,
      );
    }
    for (let waited = 0; waited < patience; waited += 50) {
      if (!(await isRunning(pid))) return;
      await delay(50);
    }
  }
  throw new EmbeddedServerError(
    `A PostgreSQL (process ${pid}) is running on ${dataDirectory} and cannot be stopped. End it, or restart the machine.`,
  );
}
