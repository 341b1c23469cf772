/** Comparing times on machines that are busy with everything else: calm and disturbed rounds in turn, medians of rounds. */
import { connect } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { errorField } from '../../src/wire/error-fields.ts';
import { testConfig } from '../fixtures/proxy.ts';
import { frontend as f, type Received } from '../fixtures/raw-client.ts';

/** Two sources on the loopback network. */
export const flooder = '127.0.0.2';
export const neighbour = '127.0.0.3';

export const megabyte = 1024 * 1024;
/** As a proxy has them that is not told otherwise. */
export const limits = { ...testConfig('').limits, connections: 500 };

export function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}

export function percentile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * part) - 1)]!;
}

export async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

export interface Comparison {
  /** Milliseconds: the median over the rounds of each round's 99th percentile. */
  readonly calm: number;
  readonly disturbed: number;
}

/** @param disturb starts the disturbance; what it gives back ends it. */
export async function compare(parts: {
  readonly rounds: number;
  readonly times: number;
  readonly work: () => Promise<unknown>;
  readonly disturb: () => () => Promise<void>;
}): Promise<Comparison> {
  const calm: number[] = [];
  const disturbed: number[] = [];
  const round = async (): Promise<number> => {
    const taken: number[] = [];
    for (let time = 0; time < parts.times; time += 1) taken.push(await timed(parts.work));
    return percentile(taken, 0.99);
  };
  await round();
  for (let turn = 0; turn < parts.rounds; turn += 1) {
    calm.push(await round());
    const end = parts.disturb();
    await new Promise((resolve) => setTimeout(resolve, 200));
    disturbed.push(await round());
    await end();
  }
  return { calm: median(calm), disturbed: median(disturbed) };
}

/** Heap and all, after everything that can be collected was. */
export async function memory(): Promise<{ readonly heap: number; readonly rss: number }> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  for (let turn = 0; turn < 3; turn += 1) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const { heapUsed, arrayBuffers, rss } = process.memoryUsage();
  return { heap: heapUsed + arrayBuffers, rss };
}

class BackendFramer {
  private data = Buffer.alloc(0);

  push(chunk: Buffer): void {
    this.data = Buffer.concat([this.data, chunk]);
  }

  next(): Received | undefined {
    if (this.data.length < 5) return undefined;
    const size = this.data.readInt32BE(1) + 1;
    if (this.data.length < size) return undefined;
    const message = {
      type: String.fromCharCode(this.data[0]!),
      body: this.data.subarray(5, size),
    };
    this.data = this.data.subarray(size);
    return message;
  }
}

/**
 * A login from an address of the loopback network, to its first ReadyForQuery or its refusal.
 * @returns what it was told last: `Z`, or the SQLSTATE.
 */
export function loginFrom(address: string, port: number, key: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port, localAddress: address, noDelay: true });
    const framer = new BackendFramer();
    let told = 'nothing';
    socket.on('connect', () =>
      socket.write(Buffer.concat([f.startup({ user: 'agent' }), f.password(key)])),
    );
    socket.on('data', (chunk: Buffer) => {
      framer.push(chunk);
      for (let message = framer.next(); message !== undefined; message = framer.next()) {
        if (message.type === 'E') told = errorField(message.body, 'C') ?? 'nothing';
        if (message.type === 'Z') {
          told = 'Z';
          socket.end(f.terminate());
        }
      }
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(told));
  });
}
