/** Every system once a round, so that what others do to the machine meanwhile meets all of them alike. */
import { queryUrl } from '../../test/fixtures/own-postgres.ts';
import { runCopies } from './copy.ts';
import type { Run, Series } from './figures.ts';
import { runPgbench } from './pgbench.ts';
import type { System } from './systems.ts';
import type { Workload } from './workloads.ts';

export interface Plan {
  readonly rounds: number;
  /** Of one run. */
  readonly seconds: number;
  /** Of the run before the first round that is not counted; 0: none. */
  readonly warmUpSeconds: number;
  readonly superuserUrl: string;
  readonly signal: AbortSignal;
  readonly onRun: (what: string) => void;
}

/** Which system begins is another one in each round. One that fails is left out of what follows. */
export async function runRounds(
  workload: Workload,
  systems: readonly System[],
  plan: Plan,
): Promise<Series[]> {
  const all = systems.map((system) => ({
    system,
    name: system.nameIn(workload.mode),
    runs: [] as Run[],
    failure: undefined as string | undefined,
  }));
  const first = plan.warmUpSeconds > 0 ? -1 : 0;
  for (let round = first; round < plan.rounds; round += 1) {
    for (let turn = 0; turn < all.length; turn += 1) {
      const each = all[(turn + Math.max(round, 0)) % all.length]!;
      if (each.failure !== undefined) continue;
      const seconds = round < 0 ? plan.warmUpSeconds : plan.seconds;
      try {
        const run = await runOnce(workload, each.system, { ...plan, seconds });
        if (round < 0) continue;
        each.runs.push(run);
        plan.onRun(`round ${round + 1}, ${each.name}: ${run.tps.toFixed(0)} tps`);
      } catch (error) {
        plan.signal.throwIfAborted();
        each.failure = (error as Error).message;
      }
    }
  }
  return all.map(({ name, runs, failure }) => ({
    system: name,
    runs,
    ...(failure === undefined ? {} : { failure }),
  }));
}

async function runOnce(
  { load, mode, clients, access, bytes, cleanUp }: Workload,
  system: System,
  { seconds, signal, superuserUrl }: Plan,
): Promise<Run> {
  const subject = { login: system.login(access, mode), pids: system.pids, signal };
  try {
    const run =
      load.kind === 'copy'
        ? await runCopies(load, subject)
        : await runPgbench({ ...load, mode, clients, seconds }, subject);
    return bytes === undefined ? run : { ...run, mbPerSecond: (run.tps * bytes) / 1e6 };
  } finally {
    if (cleanUp !== undefined && !signal.aborted) await queryUrl(superuserUrl, cleanUp);
  }
}
