/** Where the processor time of our proxy goes: reads what `node --cpu-prof` wrote. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** https://chromedevtools.github.io/devtools-protocol/tot/Profiler/#type-Profile, as far as it is needed. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: {
      readonly functionName: string;
      readonly url: string;
      /** From 0. */
      readonly lineNumber: number;
    };
  }[];
  /** The node at the top of the stack, each `timeDeltas` microseconds after the one before. */
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** Environment of a Node whose processes, and those that they start, write one profile for each thread when they end. */
export function profiling(directory: string): Record<string, string> {
  return { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${directory}` };
}

export interface SelfTime {
  /** `name file:line`, or the file; what is native has its name alone. (program) is native code outside of any function: reading from sockets, waiting in the kernel. */
  readonly name: string;
  readonly us: number;
  /** Of all that is not idle. */
  readonly part: number;
}

/** Functions, or files, by the time in themselves, without what they call; the longest first. */
export function selfTimes(
  { nodes, samples, timeDeltas }: CpuProfile,
  by: 'function' | 'file',
): SelfTime[] {
  const names = new Map(
    nodes.map(({ id, callFrame }) => {
      const { functionName, url, lineNumber } = callFrame;
      const file = /[^/]+(?:\/[^/]+)?$/.exec(url)?.[0];
      const name = functionName === '' ? '(anonymous)' : functionName;
      if (file === undefined) return [id, name] as const;
      return [id, by === 'file' ? file : `${name} ${file}:${lineNumber + 1}`] as const;
    }),
  );
  const times = new Map<string, number>();
  for (const [at, id] of samples.entries()) {
    const name = names.get(id)!;
    // The time until the next sample is this one's.
    if (name !== '(idle)') times.set(name, (times.get(name) ?? 0) + (timeDeltas[at + 1] ?? 0));
  }
  const all = [...times.values()].reduce((sum, us) => sum + us, 0);
  return [...times]
    .map(([name, us]) => ({ name, us, part: us / all }))
    .toSorted((a, b) => b.us - a.us);
}

/** Of the thread that worked most. */
export function printProfile(directory: string, lines: number): string {
  const busiest = readdirSync(directory)
    .filter((name) => name.endsWith('.cpuprofile'))
    .map((name) => {
      const profile = JSON.parse(readFileSync(join(directory, name), 'utf8')) as CpuProfile;
      const times = selfTimes(profile, 'function');
      return { name, profile, times, us: times.reduce((sum, { us }) => sum + us, 0) };
    })
    .toSorted((a, b) => b.us - a.us)[0];
  if (busiest === undefined) throw new Error(`there is no profile in ${directory}`);
  const { name, profile, times, us } = busiest;
  return [
    `${join(directory, name)}: ${(us / 1e6).toFixed(1)} s of work, by the time in each file itself`,
    ...linesOf(selfTimes(profile, 'file').slice(0, lines / 2)),
    'and in each function',
    ...linesOf(times.slice(0, lines)),
  ].join('\n');
}

function linesOf(times: readonly SelfTime[]): string[] {
  return times.map(({ name, part }) => `${(part * 100).toFixed(1).padStart(6)} %  ${name}`);
}
