export const priorities = ['critical', 'high', 'normal', 'low'] as const;
export type Priority = (typeof priorities)[number];

/** Somebody who waits for a connection. */
export interface Waiting {
  readonly priority: Priority;
  /** Those of one group wait behind each other, groups take turns. */
  readonly group: string;
}

/** After so many of one priority the next lower one gets a turn: high goes first, and low gets there. */
const turnsInARow = 4;

/** Who is next: by priority, and within one by groups in turn. */
export class WaitingLine<T extends Waiting> {
  private readonly levels: readonly Level<T>[] = priorities.map(() => ({
    groups: new Map(),
    streak: 0,
  }));
  private count = 0;

  get length(): number {
    return this.count;
  }

  add(item: T): void {
    const { groups } = this.levels[priorities.indexOf(item.priority)]!;
    const group = groups.get(item.group);
    if (group === undefined) groups.set(item.group, new Set([item]));
    else group.add(item);
    this.count += 1;
  }

  /** Whether it was still there. */
  delete(item: T): boolean {
    const { groups } = this.levels[priorities.indexOf(item.priority)]!;
    const group = groups.get(item.group);
    if (!group?.delete(item)) return false;
    if (group.size === 0) groups.delete(item.group);
    this.count -= 1;
    return true;
  }

  shift(): T | undefined {
    const waiting = this.levels.filter(({ groups }) => groups.size > 0);
    const level = waiting.find(
      ({ streak }, at) => streak < turnsInARow || at === waiting.length - 1,
    );
    if (level === undefined) return undefined;
    // Those above have had their turns.
    for (const above of waiting.slice(0, waiting.indexOf(level))) above.streak = 0;
    level.streak += 1;
    const [[name, group]] = level.groups as Iterable<[string, Set<T>]> as [[string, Set<T>]];
    const [item] = group;
    this.delete(item!);
    // Last from now on.
    if (level.groups.delete(name)) level.groups.set(name, group);
    return item;
  }

  /** The first of this group, unless somebody of a higher priority waits. */
  firstOf(group: string): T | undefined {
    const top = this.levels.find(({ groups }) => groups.size > 0);
    const [item] = top?.groups.get(group) ?? [];
    return item;
  }

  get all(): readonly T[] {
    return this.levels.flatMap(({ groups }) => [...groups.values()].flatMap((each) => [...each]));
  }

  /** Everybody, who then waits no more. */
  clear(): readonly T[] {
    const { all } = this;
    for (const { groups } of this.levels) groups.clear();
    this.count = 0;
    return all;
  }
}

interface Level<T> {
  /** The group that is next stands first. */
  readonly groups: Map<string, Set<T>>;
  streak: number;
}
