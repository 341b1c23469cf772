/** Counts by a name out of a fixed set. Names that were not foreseen are not counted: a label has no room for a client's words. */
export class Tally<Name extends string> {
  private readonly counts: Map<Name, number>;

  constructor(names: readonly Name[]) {
    this.counts = new Map(names.map((name) => [name, 0]));
  }

  add(name: Name): void {
    const count = this.counts.get(name);
    if (count !== undefined) this.counts.set(name, count + 1);
  }

  entries(): Iterable<[Name, number]> {
    return this.counts.entries();
  }
}
