/** Counts the buffers that are made in this process: a view costs more than most that is done with it. */
const methods = Buffer as unknown as Record<'from' | 'concat' | 'alloc' | 'allocUnsafe', Make>;
const views = Buffer.prototype as unknown as Record<'subarray', Make>;
type Make = (this: unknown, ...args: unknown[]) => unknown;

export class BufferCount {
  #made = 0;

  /** For good: what makes them is replaced. */
  watch(): void {
    const count = (original: Make): Make => {
      const note = (): void => void (this.#made += 1);
      return function (this: unknown, ...args) {
        note();
        return original.apply(this, args);
      };
    };
    for (const name of ['from', 'concat', 'alloc', 'allocUnsafe'] as const)
      methods[name] = count(methods[name]);
    views.subarray = count(views.subarray);
  }

  async of(act: () => unknown): Promise<number> {
    const before = this.#made;
    await act();
    return this.#made - before;
  }
}
