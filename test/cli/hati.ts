import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { isRunning, readRunRecord } from '../../src/cli/run-file.ts';
import type { RunRecord } from '../../src/cli/run-file.ts';
import { enterableDirectory } from '../fixtures/enterable-directory.ts';

const bin = resolve(import.meta.dirname, '../../bin/hati.js');

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The real command in directories of its own: nothing of the user's is read or written. */
export class Hati {
  readonly base = enterableDirectory('hati-cli-');
  readonly project = join(this.base, 'project');
  readonly seen: RunRecord[] = [];

  /** What a child of ours sees: no setting of this machine's user, and a home of its own. */
  env(extra: Record<string, string> = {}): Record<string, string | undefined> {
    const kept = Object.entries(process.env).filter(
      ([name]) => !/^(?:HATIDATA_|PG|npm_)/.test(name),
    );
    // Ports of its own, as in every test: 9090 and 8080 may be somebody else's.
    const ports = {
      HATIDATA_METRICS_LISTEN_ADDR: 'localhost:0',
      HATIDATA_API_LISTEN_ADDR: 'localhost:0',
    };
    return { ...Object.fromEntries(kept), HOME: this.base, ...ports, ...extra };
  }

  async run(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
    return outcomeOf(this.spawn(args, options));
  }

  spawn(
    args: readonly string[],
    { cwd = this.project, env = {}, detached = false, input }: RunOptions = {},
  ): ChildProcess {
    const child = spawn(process.execPath, [bin, ...args], {
      cwd,
      env: this.env(env),
      detached,
      stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    });
    child.stdin?.end(input);
    return child;
  }

  /** A path below the project's `.hati`. */
  at(...path: string[]): string {
    return join(this.project, '.hati', ...path);
  }

  /** The proxy that runs; remembered, so that `remove` can tell whether it has ended. */
  record(): ServingRecord {
    const record = readRunRecord(this.at('run', 'proxy.json'));
    if (record?.address === undefined) throw new Error('no proxy runs');
    this.seen.push(record);
    return { ...record, address: record.address };
  }

  async json(...args: string[]): Promise<unknown> {
    return JSON.parse((await this.run([...args, '--json'])).stdout);
  }

  /** @throws when a proxy of this test still runs after `hati stop`: a process that nobody would own any more. */
  async remove(): Promise<void> {
    await this.run(['stop']);
    const left = this.seen.filter(isRunning);
    if (left.length > 0) throw new Error(`still running: ${JSON.stringify(left)}`);
    rmSync(this.base, { recursive: true, force: true });
  }
}

type ServingRecord = RunRecord & Required<Pick<RunRecord, 'address'>>;

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Record<string, string>;
  /** In a process group of its own, as the shell of a terminal does it. */
  readonly detached?: boolean;
  /** What it reads from standard input. */
  readonly input?: string;
}

export async function outcomeOf(child: ChildProcess): Promise<Outcome> {
  const { promise, resolve: settle } = Promise.withResolvers<number | null>();
  child.once('exit', settle);
  const [stdout, stderr, code] = await Promise.all([
    child.stdout === null ? '' : text(child.stdout),
    child.stderr === null ? '' : text(child.stderr),
    promise,
  ]);
  return { code, stdout, stderr };
}
