/** Counts what sockets of this process ask of the kernel: writes, each of one buffer or several, and reads that brought something. */
import { Socket } from 'node:net';

export interface CallCounts {
  readonly reads: number;
  readonly writes: number;
}

export class SocketCalls {
  #reads = 0;
  #writes = 0;
  readonly #ignored = new WeakSet<Socket>();

  /** For good: what sockets are made of is replaced. */
  watch(): void {
    this.#note('emit', (event) => void (this.#reads += event === 'data' ? 1 : 0));
    for (const name of ['_write', '_writev'] as const) this.#note(name, () => (this.#writes += 1));
  }

  /** One of the client's. */
  ignore(socket: Socket): void {
    this.#ignored.add(socket);
  }

  async of(act: () => unknown): Promise<CallCounts> {
    const before = { reads: this.#reads, writes: this.#writes };
    await act();
    return { reads: this.#reads - before.reads, writes: this.#writes - before.writes };
  }

  #note(name: keyof Methods, note: (argument: unknown) => void): void {
    const methods = Socket.prototype as unknown as Methods;
    const ignored = this.#ignored;
    const original = methods[name];
    methods[name] = function (this: Socket, ...args) {
      if (!ignored.has(this)) note(args[0]);
      return original.apply(this, args);
    };
  }
}

type Methods = Record<'emit' | '_write' | '_writev', (this: Socket, ...args: unknown[]) => unknown>;
