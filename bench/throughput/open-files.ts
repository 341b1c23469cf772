import { readFileSync } from 'node:fs';
import { platform } from 'node:process';

/** Node raises its own soft limit to the hard one when it starts, and those that it starts inherit that. */
export function checkFiles(needed: number): void {
  if (platform !== 'linux') return;
  const [, limit] =
    /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
  if (limit === undefined || Number(limit) >= needed) return;
  console.error(
    `A process may have ${limit} files open here, and these clients need ${needed}: raise it (ulimit -Hn ${needed}, as root) or ask for fewer clients.`,
  );
  process.exit(2);
}
