import type { EnginePool } from '../../engine/pool/pool.ts';
import type { Partition } from '../../engine/pool/partitions.ts';
import { withoutAgent } from '../engine-session.ts';

/** Who may ride together: sessions that began alike, but for their agents perhaps, and have set the same. */
export interface LaneKind {
  readonly key: string;
  readonly partition: Partition;
  readonly settings: Settings;
  /** Of different agents. */
  readonly isBlind: boolean;
}

/** The lanes of a session while it has these settings. */
export interface LaneKinds {
  readonly own: LaneKind;
  /** With those of other agents, for what can't tell whose it is. */
  readonly shared: LaneKind;
}

type Settings = ReadonlyMap<string, string>;

export function laneKinds(
  pool: Pick<EnginePool, 'partition'>,
  partition: Partition,
  settings: Settings,
): LaneKinds {
  const shared = new Map(settings);
  // It has the agent's name; and a lane that agents share is to have its own.
  for (const name of ['application_name', 'row_security']) shared.delete(name);
  return {
    own: kind(partition, settings, false),
    shared: kind(pool.partition(withoutAgent(partition.start)), shared, true),
  };
}

function kind(partition: Partition, settings: Settings, isBlind: boolean): LaneKind {
  const sorted = [...settings].toSorted(([one], [other]) => (one < other ? -1 : 1));
  return { key: JSON.stringify([partition.key, sorted]), partition, settings, isBlind };
}
