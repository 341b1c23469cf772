/** What has a length and belongs to somebody. */
export interface Queued {
  readonly source: string;
  readonly text: string;
}

/**
 * Texts that wait, handed out by source in turn: whoever sends many lengthens only their own line. A source may hold a
 * quarter of the room, so that none fills it for all.
 */
export class FairQueue<T extends Queued> {
  readonly #capacity: number;
  /** The source that is next stands first: a Map keeps the order of insertion. */
  readonly #lines = new Map<string, Line<T>>();
  #length = 0;
  #count = 0;

  /** @param capacity sum of the lengths of all that wait */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get isEmpty(): boolean {
    return this.#lines.size === 0;
  }

  get count(): number {
    return this.#count;
  }

  hasRoomFor({ source, text }: Queued): boolean {
    const own = this.#lines.get(source)?.length ?? 0;
    return this.#length + text.length <= this.#capacity && own + text.length <= this.#capacity / 4;
  }

  add(item: T): void {
    const line = this.#lines.get(item.source) ?? { items: new Set(), length: 0 };
    this.#lines.set(item.source, line);
    line.items.add(item);
    line.length += item.text.length;
    this.#length += item.text.length;
    this.#count += 1;
  }

  /** Whether it was still there. */
  delete(item: T): boolean {
    const line = this.#lines.get(item.source);
    if (!line?.items.delete(item)) return false;
    line.length -= item.text.length;
    this.#length -= item.text.length;
    this.#count -= 1;
    if (line.items.size === 0) this.#lines.delete(item.source);
    return true;
  }

  /** Takes the first text of the next source, whose turn is the last then. */
  shift(): T | undefined {
    for (const [source, line] of this.#lines) {
      for (const item of line.items) {
        this.delete(item);
        if (this.#lines.delete(source)) this.#lines.set(source, line);
        return item;
      }
    }
    return undefined;
  }
}

interface Line<T> {
  readonly items: Set<T>;
  length: number;
}
