/**
 * Collections that are empty for most of their life, as those of an idle session are: an empty Map of JavaScript takes some 200
 * bytes, one of these takes 32. What they are called is as there.
 */
export class SeldomMap<Key, Value> {
  private entries: Map<Key, Value> | undefined;

  get size(): number {
    return this.entries?.size ?? 0;
  }

  has(key: Key): boolean {
    return this.entries?.has(key) ?? false;
  }

  get(key: Key): Value | undefined {
    return this.entries?.get(key);
  }

  set(key: Key, value: Value): void {
    this.entries ??= new Map();
    this.entries.set(key, value);
  }

  delete(key: Key): boolean {
    return this.entries?.delete(key) ?? false;
  }

  clear(): void {
    this.entries = undefined;
  }

  keys(): Iterable<Key> {
    return this.entries?.keys() ?? nothing;
  }

  [Symbol.iterator](): Iterator<readonly [Key, Value]> {
    return (this.entries ?? nothing)[Symbol.iterator]();
  }
}

export class SeldomSet<Value> {
  private values: Set<Value> | undefined;

  get size(): number {
    return this.values?.size ?? 0;
  }

  has(value: Value): boolean {
    return this.values?.has(value) ?? false;
  }

  add(value: Value): void {
    this.values ??= new Set();
    this.values.add(value);
  }

  delete(value: Value): boolean {
    return this.values?.delete(value) ?? false;
  }

  clear(): void {
    this.values = undefined;
  }

  [Symbol.iterator](): Iterator<Value> {
    return (this.values ?? nothing)[Symbol.iterator]();
  }
}

const nothing: readonly never[] = [];
