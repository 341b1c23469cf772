import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { saveCase, savedFrames } from './case-file.ts';
import {
  frameCase,
  frameKinds,
  openSockets,
  settledSockets,
  socketsClosed,
  tryFrames,
  type FrameCase,
} from './frame-fuzz.ts';
import { startFuzzProxy, type FuzzProxy } from './fuzz-proxy.ts';
import { minimised } from './minimise.ts';
import { Random } from './random.ts';
import type { RunOptions } from './run-statements.ts';
import { familyOf } from './tally.ts';

/** After so many cases the sockets are counted: waiting for each case's to close would take longer than the cases. */
const batchSize = 40;
/** Several sessions at once: they must not disturb each other either. */
const atOnce = 4;
const warmUp = 400;
const mostGrowth = 96 * 1024 * 1024;

export async function fuzzFrames(options: RunOptions): Promise<void> {
  const { tally, say } = options;
  // Nothing that the proxy forgets to catch may end it; here it would end the fuzzer.
  let uncaught: string | undefined;
  const onUncaught = (error: unknown): void => {
    uncaught = error instanceof Error ? (error.stack ?? error.message) : String(error);
  };
  process.on('uncaughtException', onUncaught).on('unhandledRejection', onUncaught);
  const proxy = await startFuzzProxy();
  try {
    await new FrameRun(proxy, options, () => {
      const error = uncaught;
      uncaught = undefined;
      return error === undefined ? undefined : `the proxy threw: ${error}`;
    }).run();
  } finally {
    const stopped = await within(30_000, proxy.stop());
    if (!stopped) {
      tally.failed('frames: the proxy does not stop', `seed ${options.seed}`);
      say('FAILED the proxy does not stop');
    }
    process.off('uncaughtException', onUncaught).off('unhandledRejection', onUncaught);
  }
}

class FrameRun {
  readonly #proxy: FuzzProxy;
  readonly #options: RunOptions;
  readonly #takeUncaught: () => string | undefined;
  #sockets = 0;

  constructor(proxy: FuzzProxy, options: RunOptions, takeUncaught: () => string | undefined) {
    this.#proxy = proxy;
    this.#options = options;
    this.#takeUncaught = takeUncaught;
  }

  async run(): Promise<void> {
    const { until } = this.#options;
    const [digest, backends] = [await this.#proxy.digest(), await this.#proxy.engineSessions()];
    this.#sockets = await settledSockets();
    let heap = 0;
    let batch: FrameCase[] = [];
    for (let number = 0; !until(); number += atOnce) {
      const group = Array.from({ length: atOnce }, (_none, index) => this.#case(number + index));
      await this.#tryGroup(group);
      batch.push(...group);
      if (batch.length >= batchSize) {
        await this.#checkSockets(batch);
        batch = [];
      }
      if (number === warmUp) heap = heapUsed();
    }
    await this.#checkSockets(batch);
    await this.#checkEnd(digest, backends, heap);
  }

  #case(number: number): FrameCase {
    const kind = frameKinds[number % frameKinds.length]!;
    return frameCase(kind, this.#proxy.key, Random.ofCase(this.#options.seed, number));
  }

  /** What was thrown meanwhile is put down to the first of them. */
  async #tryGroup(group: readonly FrameCase[]): Promise<void> {
    const faults = await Promise.all(group.map((one) => tryFrames(one, this.#proxy)));
    const thrown = this.#takeUncaught();
    for (const [index, one] of group.entries()) {
      this.#options.tally.tried(`frames, ${one.kind}`);
      const fault = faults[index] ?? (index === 0 ? thrown : undefined);
      if (fault !== undefined) await this.#keep(one, fault);
    }
  }

  async #fault(one: FrameCase): Promise<string | undefined> {
    const fault = await tryFrames(one, this.#proxy);
    return fault ?? this.#takeUncaught();
  }

  async #keep(one: FrameCase, fault: string): Promise<void> {
    const { tally, say, save = saveCase } = this.#options;
    const found = savedFrames(one, fault, this.#proxy.key);
    const family = familyOf(found);
    if (tally.isKnown(family)) return;
    const shorter = await this.#minimised(one, fault);
    tally.failed(family, save(savedFrames(shorter, fault, this.#proxy.key)));
    say(`FAILED ${one.kind}: ${fault}`);
  }

  /** By whole messages, one a chunk; what fails only as it was cut stays as it is. */
  async #minimised(one: FrameCase, fault: string): Promise<FrameCase> {
    const start = fault.slice(0, 20);
    const shortest = await minimised(
      one.frames,
      async (frames) =>
        frames.length > 0 &&
        (await this.#fault({ ...one, frames, chunks: frames }))?.startsWith(start) === true,
      60,
    );
    return shortest === one.frames ? one : { ...one, frames: shortest, chunks: shortest };
  }

  /** Finds the case that left a socket open by trying those of the batch again, one by one. */
  async #checkSockets(batch: readonly FrameCase[]): Promise<void> {
    if (await socketsClosed(this.#sockets, 6_000)) return;
    const reason = 'the proxy keeps the socket open';
    const isKnown = this.#options.tally.failures.some(({ family }) => family.endsWith(reason));
    this.#sockets = openSockets();
    if (isKnown) return;
    for (const one of batch) {
      await tryFrames(one, this.#proxy);
      if (await socketsClosed(this.#sockets, 6_000)) continue;
      this.#sockets = openSockets();
      await this.#keep(one, reason);
      return;
    }
    this.#options.tally.failed(`frames: ${reason}`, 'in a batch, and not again by itself');
  }

  /** Everything is as it was, but for what was given back meanwhile. */
  async #checkEnd(digest: string, backends: number, heap: number): Promise<void> {
    const { tally, say, seed } = this.#options;
    const failed = (what: string): void => {
      tally.failed(`frames: ${what}`, `seed ${seed}`);
      say(`FAILED ${what}`);
    };
    if ((await this.#proxy.digest()) !== digest) failed('the database was changed');
    for (const fault of this.#proxy.neighbourFaults()) failed(`the neighbour: ${fault}`);
    for (let tries = 0; (await this.#proxy.engineSessions()) > backends; tries += 1) {
      if (tries === 40) {
        failed('sessions of the engine stay behind');
        break;
      }
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
    const growth = heap === 0 ? 0 : heapUsed() - heap;
    say(`the heap has grown by ${(growth / 1024 / 1024).toFixed(1)} MB since case ${warmUp}`);
    if (growth > mostGrowth) failed('memory grows');
  }
}

function heapUsed(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  return process.memoryUsage().heapUsed;
}

async function within(ms: number, work: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  const done = work.then(() => true);
  return await Promise.race([done, late]).finally(() => clearTimeout(timer));
}
