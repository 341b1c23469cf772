/**
 * Connections whose client has not yet shown who it is. There is room for so many; who comes when it is full takes the
 * place of the one that has waited longest among those of the address that holds most. So nobody keeps others out by
 * connecting and saying nothing.
 */
export class Arrivals {
  private readonly places: number;
  private readonly waiting = new Map<object, Arrival>();

  constructor(places: number) {
    this.places = places;
  }

  /** @param leave sends it away; called at most once. */
  add(connection: object, source: string, leave: () => void): void {
    if (this.waiting.size >= this.places) this.makeRoom();
    this.waiting.set(connection, { source, leave });
  }

  /** Where it really comes from has turned out; it goes on waiting. */
  isFrom(connection: object, source: string): void {
    const arrival = this.waiting.get(connection);
    if (arrival !== undefined) arrival.source = source;
  }

  /** It is known, or gone. */
  remove(connection: object): void {
    this.waiting.delete(connection);
  }

  private makeRoom(): void {
    const counts = new Map<string, number>();
    for (const { source } of this.waiting.values())
      counts.set(source, (counts.get(source) ?? 0) + 1);
    const most = Math.max(...counts.values());
    // A Map keeps the order of arrival.
    for (const [connection, { source, leave }] of this.waiting) {
      if (counts.get(source) !== most) continue;
      this.waiting.delete(connection);
      leave();
      return;
    }
  }
}

interface Arrival {
  source: string;
  readonly leave: () => void;
}
