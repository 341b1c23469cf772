/**
 * Every scenario, some times: the least is what it costs. What happens beside it, and bytes that come in more pieces than they might,
 * only add to it.
 */
import type { BufferCount } from './buffers.ts';
import type { OperationCounter } from './operations.ts';
import { warmUps, type Scenario } from './scenario.ts';
import type { SocketCalls } from './socket-calls.ts';

/** Of one unit of the scenario. */
export interface Cost {
  readonly operations: number;
  /** Those of the client are among them. */
  readonly buffers: number;
  readonly reads?: number;
  readonly writes?: number;
  /** Of streams. */
  readonly writesPerRead?: number;
}

export type Costs = Readonly<Record<string, Cost>>;

const runs = 7;

export interface Instruments {
  readonly operations: OperationCounter;
  readonly calls: SocketCalls;
  readonly buffers: BufferCount;
}

export async function measure(
  scenarios: readonly Scenario[],
  { operations, calls, buffers }: Instruments,
): Promise<Costs> {
  const costs: Record<string, Cost> = {};
  for (const { name, units, timed = [], isStream = false, run } of scenarios) {
    for (let count = 0; count < warmUps; count += 1) await run();
    const least = {
      operations: Infinity,
      buffers: Infinity,
      reads: Infinity,
      writes: Infinity,
      writesPerRead: Infinity,
    };
    for (let count = 0; count < runs; count += 1) {
      const { reads, writes } = await calls.of(async () => {
        const made = await buffers.of(async () => {
          least.operations = Math.min(least.operations, await operations.of(run));
        });
        least.buffers = Math.min(least.buffers, made);
      });
      least.reads = Math.min(least.reads, reads);
      least.writes = Math.min(least.writes, writes);
      least.writesPerRead = Math.min(least.writesPerRead, writes / reads);
    }
    const ofUnit = (value: number): number => Number((value / units).toPrecision(5));
    costs[name] = {
      operations: ofUnit(least.operations),
      buffers: ofUnit(least.buffers),
      ...(isStream && { writesPerRead: Number(least.writesPerRead.toPrecision(3)) }),
      ...(!isStream && !timed.includes('reads') && { reads: ofUnit(least.reads) }),
      ...(!isStream && !timed.includes('writes') && { writes: ofUnit(least.writes) }),
    };
  }
  return costs;
}
