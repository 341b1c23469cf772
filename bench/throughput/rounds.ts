/** Every system once a round, so that what others do to the machine meanwhile meets all of them alike. */
import { queryUrl } from '../../test/fixtures/own-postgres.ts';
import { runCopies } from './copy.ts';
import type { Run, Series } from './figures.ts';
import { runPgbench, type Client } from './pgbench.ts';
import type { System } from './systems.ts';
import type { Workload } from './workloads.ts';

export interface Plan {
  readonly rounds: number;
  /** Of one run. */
  readonly seconds: number;
  readonly superuserUrl: string;
  readonly signal: AbortSignal;
  readonly onRun: (what: string) => void;
}

/** A system with what is known of it so far. */
interface Subject {
  readonly system: System;
  readonly name: string;
  readonly runs: Run[];
  failure: string | undefined;
  /** As long as its clients take to connect. */
  connectSeconds: number;
}

/** Which system begins is another one in each round. One that fails is left out of what follows. */
export async function runRounds(
  workload: Workload,
  systems: readonly System[],
  plan: Plan,
): Promise<Series[]> {
  const all = systems.map((system): Subject => {
    const name = system.nameIn(workload.mode);
    return { system, name, runs: [], failure: undefined, connectSeconds: 0 };
  });
  const attempt = async (subject: Subject, act: () => Promise<unknown>): Promise<void> => {
    if (subject.failure !== undefined) return;
    try {
      await act();
    } catch (error) {
      plan.signal.throwIfAborted();
      subject.failure = (error as Error).message;
    }
  };
  for (const each of all) await attempt(each, () => warmUp(workload, each, plan));
  for (let round = 0; round < plan.rounds; round += 1) {
    for (let turn = 0; turn < all.length; turn += 1) {
      const each = all[(turn + round) % all.length]!;
      await attempt(each, async () => {
        const run = await runOnce(workload, each, plan);
        each.runs.push(run);
        plan.onRun(`round ${round + 1}, ${each.name}: ${run.tps.toFixed(0)} tps`);
      });
    }
  }
  return all.map(({ name, runs, failure }) => ({
    system: name,
    runs,
    ...(failure === undefined ? {} : { failure }),
  }));
}

async function warmUp(
  { load, ...workload }: Workload,
  subject: Subject,
  { signal }: Plan,
): Promise<void> {
  if (load.kind === 'copy') return;
  // By count, since a second may be over before all clients have connected.
  const length = { transactions: Math.ceil(load.warmUp / workload.clients) };
  const { connectSeconds } = await runPgbench(
    { ...load, ...workload, length, meteredSeconds: 0 },
    clientOf(workload, subject, signal),
  );
  subject.connectSeconds = connectSeconds;
}

async function runOnce(
  { load, bytes, cleanUp, ...workload }: Workload,
  subject: Subject,
  { seconds, superuserUrl, signal }: Plan,
): Promise<Run> {
  const client = clientOf(workload, subject, signal);
  const connecting = Math.ceil(Math.max(0, subject.connectSeconds * 1.2 - 0.2));
  const length = { seconds: seconds + connecting };
  try {
    const run =
      load.kind === 'copy'
        ? await runCopies(load, client)
        : await runPgbench({ ...load, ...workload, length, meteredSeconds: seconds - 1.1 }, client);
    return bytes === undefined ? run : { ...run, mbPerSecond: (run.tps * bytes) / 1e6 };
  } finally {
    if (cleanUp !== undefined && !signal.aborted) await queryUrl(superuserUrl, cleanUp);
  }
}

function clientOf(
  { access, mode }: Pick<Workload, 'access' | 'mode'>,
  { system }: Subject,
  signal: AbortSignal,
): Client {
  return { login: system.login(access, mode), pids: system.pids, signal };
}
