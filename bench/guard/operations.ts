/**
 * Counts what our own code does: V8 tells how often each function and each block of it ran, exactly, and a run of a block is as many
 * operations as it has tokens. That is the same on every machine, whatever else it does; what native code does (sockets, the
 * parser, copies of bytes) is not in it.
 * https://chromedevtools.github.io/devtools-protocol/tot/Profiler/#method-startPreciseCoverage
 */
import { Session, type Profiler } from 'node:inspector/promises';
import { tokensBefore } from './tokens.ts';

type Range = Profiler.CoverageRange;

export class OperationCounter {
  readonly #session = new Session();
  readonly #folder: string;
  readonly #tokens = new Map<string, Uint32Array>();

  /** @param folder URL of the sources that are counted, with a slash at its end. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Before the sources are loaded: V8 tells of functions as a whole that it compiled before. */
  async start(): Promise<void> {
    this.#session.connect();
    // From the start: to switch it on or off later would lose what is counted within functions.
    await this.#session.post('Debugger.enable');
    await this.#session.post('Profiler.enable');
    await this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  stop(): void {
    this.#session.disconnect();
  }

  /** What `act` does, whatever it waits for included. */
  async of(act: () => unknown): Promise<number> {
    await this.#session.post('Profiler.takePreciseCoverage');
    await act();
    const { result } = await this.#session.post('Profiler.takePreciseCoverage');
    const ours = result.filter(({ url }) => url.startsWith(this.#folder));
    await this.#read(ours.map(({ scriptId }) => scriptId));
    return ours.reduce(
      (sum, { scriptId, functions }) =>
        sum +
        operations(
          functions.flatMap(({ ranges }) => ranges),
          this.#tokens.get(scriptId)!,
        ),
      0,
    );
  }

  /** As V8 has them, which is without types. */
  async #read(scripts: readonly string[]): Promise<void> {
    for (const scriptId of scripts) {
      if (this.#tokens.has(scriptId)) continue;
      const { scriptSource } = await this.#session.post('Debugger.getScriptSource', { scriptId });
      this.#tokens.set(scriptId, tokensBefore(scriptSource));
    }
  }
}

/** Ranges lie in each other or apart; what is in an inner one counts there alone. */
export function operations(ranges: readonly Range[], tokens: Uint32Array): number {
  const sorted = ranges.toSorted(
    (a, b) => a.startOffset - b.startOffset || b.endOffset - a.endOffset,
  );
  const around: Range[] = [];
  let sum = 0;
  for (const range of sorted) {
    while (around.length > 0 && around.at(-1)!.endOffset <= range.startOffset) around.pop();
    const size = tokens[range.endOffset]! - tokens[range.startOffset]!;
    sum += (range.count - (around.at(-1)?.count ?? 0)) * size;
    around.push(range);
  }
  return sum;
}
