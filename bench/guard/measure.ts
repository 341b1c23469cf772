/**
 * Every scenario, some times: the least is what it costs. What happens beside it, and bytes that come in more pieces than they might,
 * only add to it.
 */
import type { OperationCounter } from './operations.ts';
import { warmUps, type Scenario } from './scenario.ts';
import type { SocketCalls } from './socket-calls.ts';

/** Of one unit of the scenario. */
export interface Cost {
  readonly operations: number;
  readonly reads?: number;
  readonly writes?: number;
}

export type Costs = Readonly<Record<string, Cost>>;

const runs = 7;

export interface Instruments {
  readonly operations: OperationCounter;
  readonly calls: SocketCalls;
}

export async function measure(
  scenarios: readonly Scenario[],
  { operations, calls }: Instruments,
): Promise<Costs> {
  const costs: Record<string, Cost> = {};
  for (const { name, units, isTimed, run } of scenarios) {
    for (let count = 0; count < warmUps; count += 1) await run();
    const least = { operations: Infinity, reads: Infinity, writes: Infinity };
    for (let count = 0; count < runs; count += 1) {
      const { reads, writes } = await calls.of(async () => {
        least.operations = Math.min(least.operations, await operations.of(run));
      });
      least.reads = Math.min(least.reads, reads);
      least.writes = Math.min(least.writes, writes);
    }
    const ofUnit = (value: number): number => Number((value / units).toPrecision(5));
    costs[name] = {
      operations: ofUnit(least.operations),
      ...(isTimed !== true && { reads: ofUnit(least.reads), writes: ofUnit(least.writes) }),
    };
  }
  return costs;
}
