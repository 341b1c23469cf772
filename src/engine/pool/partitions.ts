import { LRUCache } from 'lru-cache';
import type { UpstreamSession } from '../upstream.ts';

/** Connections of a pool that began with the same settings: only among those does RESET mean the same to whoever holds them. */
export interface Partition {
  readonly key: string;
  readonly start: UpstreamSession;
}

const mostRemembered = 1_000;

/** One of each for all sessions that begin alike; it is in the memory of each of them. */
export class Partitions {
  private readonly known = new LRUCache<string, Partition>({ max: mostRemembered });

  of(start: UpstreamSession): Partition {
    const key = JSON.stringify([start.applicationName, start.settings]);
    const known = this.known.get(key);
    if (known !== undefined) return known;
    const partition = { key, start };
    this.known.set(key, partition);
    return partition;
  }
}

/** What the engine reported last to a session that began like those of a partition. */
export class ReportedParameters {
  private readonly known = new LRUCache<string, ReadonlyMap<string, string>>({
    max: mostRemembered,
  });

  of({ key }: Partition): ReadonlyMap<string, string> | undefined {
    return this.known.get(key);
  }

  /** @returns one map for all that were told the same, so that whoever knows it need not compare. */
  note({ key }: Partition, found: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
    const known = this.known.get(key);
    const parameters = known !== undefined && isSame(known, found) ? known : found;
    this.known.set(key, parameters);
    return parameters;
  }
}

function isSame(one: ReadonlyMap<string, string>, other: ReadonlyMap<string, string>): boolean {
  return one.size === other.size && [...other].every(([name, value]) => one.get(name) === value);
}
