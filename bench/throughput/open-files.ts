import { readFileSync } from 'node:fs';

/**
 * What is wrong with this system's limit, if it is too low. Node raises its own soft limit to the hard one when it starts, and those
 * that it starts inherit that.
 */
export function tooFewFiles(needed: number): string | undefined {
  if (process.platform !== 'linux') return undefined;
  const [, limit] =
    /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
  return limit === undefined || Number(limit) >= needed
    ? undefined
    : `A process may have ${limit} files open here, and these clients need ${needed}: raise it (ulimit -Hn ${needed}, as root) or ask for fewer clients.`;
}
