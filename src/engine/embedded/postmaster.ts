/**
 * One run of PostgreSQL's main process, from spawn to exit. Who owns it decides what its end means (supervisor.ts).
 *
 * It is a session of its own, so that Ctrl-C at our terminal reaches us alone and we stop it in order; and it does not
 * keep our event loop alive. Signals: https://www.postgresql.org/docs/18/server-shutdown.html
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { asUser, serverEnvironment } from './command.ts';
import { EmbeddedServerError } from './error.ts';
import { explain } from './explain.ts';
import type { OperatingUser } from './operating-user.ts';
import { relayServerLog } from './server-log.ts';

export interface PostmasterOptions {
  readonly postgres: string;
  readonly dataDirectory: string;
  readonly socketDirectory: string;
  readonly user: OperatingUser | undefined;
  readonly log: Logger;
}

export interface ExitReport {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface Postmaster {
  readonly pid: number;
  readonly exited: Promise<ExitReport>;
  /** Resolves once connections are accepted, however long recovery takes; rejects if the server ends before. */
  ready(): Promise<void>;
  /** Fast shutdown; an immediate one if that takes too long. Resolves when the process is gone. */
  stop(): Promise<void>;
}

const fastShutdownLimit = 20_000;
const immediateShutdownLimit = 10_000;
const lastLinesLimit = 500;

export async function launchPostmaster(options: PostmasterOptions): Promise<Postmaster> {
  const { dataDirectory, socketDirectory, log } = options;
  const child = spawn(
    options.postgres,
    // Not in the file, where a path could not hold a line break. The inner quotes are for a comma in it.
    [
      '-D',
      dataDirectory,
      '-c',
      `unix_socket_directories="${socketDirectory.replaceAll('"', '""')}"`,
    ],
    {
      cwd: '/',
      env: serverEnvironment,
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe'],
      ...asUser(options.user),
    },
  );
  const exited = exitOf(child);
  const { lines } = relayServerLog(child.stderr, log);
  const pid = await spawned(child);
  child.unref();
  if (child.stderr instanceof Socket) child.stderr.unref();

  // The last thing a process of ours does that ends without stop(): a fast shutdown goes on without us.
  const stopWithUs = () => void child.kill('SIGINT');
  process.once('exit', stopWithUs);
  let report: ExitReport | undefined;
  void exited.then((result) => {
    report = result;
    process.off('exit', stopWithUs);
  });

  return {
    pid,
    exited,
    ready: async () => {
      for (;;) {
        if (report !== undefined) {
          throw new EmbeddedServerError(
            explain(
              `PostgreSQL could not be started on ${dataDirectory} (${describeExit(report)})`,
              lines,
            ),
          );
        }
        if (await acceptsConnections(options, pid)) return;
        await delay(25);
      }
    },
    stop: async () => {
      child.ref();
      for (const [signal, limit] of [
        ['SIGINT', fastShutdownLimit],
        ['SIGQUIT', immediateShutdownLimit],
      ] as const) {
        if (report !== undefined) return;
        child.kill(signal);
        if (await within(limit, exited)) return;
        log.warn({ signal }, 'PostgreSQL takes long to stop');
      }
      child.kill('SIGKILL');
      await exited;
    },
  };
}

export function describeExit({ code, signal }: ExitReport): string {
  return signal === null ? `exit code ${code}` : `signal ${signal}`;
}

/**
 * The eighth line of postmaster.pid says what the server is at, as pg_ctl reads it (miscadmin.h, LOCK_FILE_LINE_PM_STATUS).
 * A file of an earlier life may name the same pid: in a container they repeat. The socket, which `clearLeftovers`
 * removed, comes back only after the server has written a file of its own.
 */
export async function acceptsConnections(
  { dataDirectory, socketDirectory }: Pick<PostmasterOptions, 'dataDirectory' | 'socketDirectory'>,
  pid: number,
): Promise<boolean> {
  const sockets = await readdir(socketDirectory);
  if (!sockets.some((name) => name.startsWith('.s.PGSQL.'))) return false;
  const text = await readFile(join(dataDirectory, 'postmaster.pid'), 'utf8').catch(() => '');
  const lines = text.split('\n');
  return Number(lines[0]) === pid && lines[7]?.trim() === 'ready';
}

/**
 * "close" comes after the last line of stderr, which explains the end. A backend that outlives its postmaster holds
 * stderr open: then it is not waited for.
 */
function exitOf(child: ChildProcess): Promise<ExitReport> {
  return new Promise((resolve) => {
    let patience: NodeJS.Timeout | undefined;
    child.once('exit', (code, signal) => {
      patience = setTimeout(resolve, lastLinesLimit, { code, signal });
    });
    child.once('close', (code, signal) => {
      clearTimeout(patience);
      resolve({ code, signal });
    });
    child.once('error', () => resolve({ code: null, signal: null }));
  });
}

function spawned(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('spawn', () => resolve(child.pid ?? 0));
    child.once('error', (error) =>
      reject(new EmbeddedServerError(explain('PostgreSQL could not be started', [String(error)]))),
    );
  });
}

async function within(limit: number, happening: Promise<unknown>): Promise<boolean> {
  const timeUp = new AbortController();
  try {
    return await Promise.race([
      happening.then(() => true),
      delay(limit, false, { signal: timeUp.signal }),
    ]);
  } finally {
    timeUp.abort();
  }
}
