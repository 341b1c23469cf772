/** Processor time of processes, with all their threads and children, from /proc (Linux only). */
import { readdirSync, readFileSync } from 'node:fs';

export const canMeasureCpu = process.platform === 'linux';

/** `utime` and `stime` are counted in hundredths of a second (USER_HZ), whatever the kernel's own clock. */
const ticks = 100;

/** @returns microseconds that the processes and all below them have used since they began. */
export function cpuOf(pids: readonly number[]): number {
  return (withChildren(pids).reduce((sum, pid) => sum + ticksOf(pid), 0) / ticks) * 1e6;
}

function withChildren(pids: readonly number[]): number[] {
  return pids.flatMap((pid) => [pid, ...withChildren(childrenOf(pid))]);
}

function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/children`, 'latin1')
        .split(' ')
        .filter(Boolean)
        .map(Number),
    );
  } catch {
    // It has ended.
    return [];
  }
}

/** Fields 14 and 15 of /proc/PID/stat; the second field may hold spaces and brackets, so counting starts after it. */
function ticksOf(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return Number(fields[11]) + Number(fields[12]);
  } catch {
    return 0;
  }
}
