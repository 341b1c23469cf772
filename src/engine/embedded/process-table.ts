/**
 * What the operating system knows of other processes. A pid alone proves nothing: the system hands it out again, and
 * in a container within seconds; so whoever stores one stores its start time with it, and whoever signals one first
 * makes sure what it is.
 *
 * Linux answers from /proc. Elsewhere ps(1) does, and leftover backends cannot be found by their directory.
 */
import { readdir, readFile, readlink } from 'node:fs/promises';
import { runCommand } from './command.ts';

const hasProc = process.platform === 'linux';

/** A text that is the same as long as it is the same process. `undefined`: no such process, or only its remains. */
export async function startTimeOf(pid: number): Promise<string | undefined> {
  if (!hasProc) {
    const ps = await runCommand('ps', ['-o', 'lstart=', '-p', String(pid)]);
    const text = ps.output.join('').trim();
    return ps.code === 0 && text !== '' ? text : undefined;
  }
  const status = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => undefined);
  if (status === undefined) return undefined;
  // The second field is the program's name in parentheses and may itself hold spaces and parentheses (proc(5)).
  const fields = status.slice(status.lastIndexOf(')') + 2).split(' ');
  const [state, ticks] = [fields[0], fields[19]];
  if (state === 'Z' || state === 'X' || ticks === undefined) return undefined;
  const boot = await readFile('/proc/sys/kernel/random/boot_id', 'latin1').catch(() => '');
  return `${boot.trim()}/${ticks}`;
}

export async function isRunning(pid: number): Promise<boolean> {
  return (await startTimeOf(pid)) !== undefined;
}

/** Whether that process is a PostgreSQL that works in this data directory (an absolute path without symlinks). */
export async function isPostgresOf(pid: number, dataDirectory: string): Promise<boolean> {
  if (!hasProc) {
    const ps = await runCommand('ps', ['-o', 'command=', '-p', String(pid)]);
    const command = ps.output.join('');
    return /(?:^|\/)postgres(?::| |$)/.test(command) && command.includes(dataDirectory);
  }
  const name = await readFile(`/proc/${pid}/comm`, 'latin1').catch(() => '');
  if (name.trim() !== 'postgres') return false;
  // Every process of a server has the data directory as its working directory. The link is open to its owner and root.
  const directory = await readlink(`/proc/${pid}/cwd`).catch(() => undefined);
  if (directory !== undefined) return directory === dataDirectory;
  const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  return command.split('\0').includes(dataDirectory);
}

/** All processes of servers that work in this data directory. */
export async function postgresProcessesOf(dataDirectory: string): Promise<number[]> {
  if (!hasProc) return [];
  const found: number[] = [];
  for (const entry of await readdir('/proc')) {
    if (/^\d+$/.test(entry) && (await isPostgresOf(Number(entry), dataDirectory))) {
      if (await isRunning(Number(entry))) found.push(Number(entry));
    }
  }
  return found;
}
