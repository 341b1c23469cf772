import { spawn } from 'node:child_process';
import { errnoOf } from './error.ts';
import type { OperatingUser } from './operating-user.ts';

/** How a short-lived program ended. `errno` is set when it could not be started at all. */
export interface CommandResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly errno?: string;
  readonly output: string[];
}

export interface CommandOptions {
  /** Whom to become; only root may. */
  readonly user?: OperatingUser | undefined;
  readonly input?: string;
}

/** No PG* variable, locale or LD_* setting of the caller's shell may reach PostgreSQL's own programs. */
export const serverEnvironment = { LC_ALL: 'C', TZ: 'UTC' } as const;

/** Runs a program to its end in `/` (the caller's directory may be closed to `user`), with its output collected. */
export function runCommand(
  file: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  return new Promise((resolve) => {
    const output: string[] = [];
    const finish = (result: Omit<CommandResult, 'output'>) =>
      resolve({ ...result, output: output.join('').split('\n') });
    try {
      const child = spawn(file, args, {
        cwd: '/',
        env: {
          ...serverEnvironment,
          PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
        },
        stdio: ['pipe', 'pipe', 'pipe'],
        ...asUser(options.user),
      });
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding('utf8');
        stream.on('data', (chunk: string) => output.push(chunk));
      }
      child.on('error', (error) =>
        finish({ code: null, signal: null, errno: errnoOf(error) ?? 'UNKNOWN' }),
      );
      child.on('close', (code, signal) => finish({ code, signal }));
      // A program that ends before it has read its input is judged by its exit code.
      child.stdin.on('error', () => undefined);
      child.stdin.end(options.input ?? '');
    } catch (error) {
      finish({ code: null, signal: null, errno: errnoOf(error) ?? 'UNKNOWN' });
    }
  });
}

export function asUser(user: OperatingUser | undefined): { uid?: number; gid?: number } {
  return user === undefined ? {} : { uid: user.uid, gid: user.gid };
}
