import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { basename } from 'node:path';

/** Whether a listener on this address could be opened now. */
export async function isPortFree(host: string, port: number): Promise<boolean> {
  const hosts = host === 'localhost' ? ['127.0.0.1', '::1'] : [host];
  const results = await Promise.all(hosts.map((address) => canListen(address, port)));
  return results.every(Boolean);
}

async function canListen(host: string, port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const server = createServer();
  // Any other fault (no IPv6 on this machine) is not about the port, and the proxy itself will say more.
  server.once('error', (error) => resolve(!('code' in error && error.code === 'EADDRINUSE')));
  server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(true)));
  return await promise;
}

/**
 * The process that listens on a port, as far as Linux lets this user see it: its program and id, never its arguments,
 * which may hold a password; for a proxy of ours, the directory of its project.
 */
export function describePortOwner(port: number): string | undefined {
  try {
    const inodes = listeningInodes(port);
    const holders = readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name) && holdsSocket(name, inodes))
      .map(describeProcess);
    // The workers of a proxy have its socket too.
    return holders.find((each) => each.startsWith(ourProxy)) ?? holders[0];
  } catch {
    // No /proc here.
  }
  return undefined;
}

const ourProxy = 'the HatiData proxy of';

function describeProcess(pid: string): string {
  const [program = '', ...args] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  if (args.some((arg) => /\bmain\.[jt]s$|\bhati(?:\.js)?$/.test(arg)) && args.includes('start')) {
    return `${ourProxy} ${readlinkSync(`/proc/${pid}/cwd`)} (process ${pid})`;
  }
  // Some programs write a whole sentence where their name belongs.
  return `${basename(program.split(' ')[0] ?? '')} (process ${pid})`;
}

/** Socket inodes in state LISTEN (0A) on the port, from /proc/net/tcp and tcp6. */
function listeningInodes(port: number): ReadonlySet<string> {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const lines = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((path) =>
    readFileSync(path, 'utf8').split('\n').slice(1),
  );
  const rows = lines.map((line) => line.trim().split(/\s+/));
  return new Set(
    rows
      .filter((row) => row[1]?.endsWith(suffix) === true && row[3] === '0A')
      .map((row) => row[9] ?? ''),
  );
}

function holdsSocket(pid: string, inodes: ReadonlySet<string>): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => {
      const socket = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1];
      return socket !== undefined && inodes.has(socket);
    });
  } catch {
    // Another user's process, or one that has just ended.
    return false;
  }
}
