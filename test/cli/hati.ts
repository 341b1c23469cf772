import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';

const bin = resolve(import.meta.dirname, '../../bin/hati.js');

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The real command in directories of its own: nothing of the user's is read or written. */
export class Hati {
  readonly base = mkdtempSync(join(tmpdir(), 'hati-cli-'));
  readonly project = join(this.base, 'project');

  /** What a child of ours sees: no setting of this machine's user, and a home of its own. */
  env(extra: Record<string, string> = {}): Record<string, string | undefined> {
    const kept = Object.entries(process.env).filter(
      ([name]) => !/^(?:HATIDATA_|PG|npm_)/.test(name),
    );
    return { ...Object.fromEntries(kept), HOME: this.base, ...extra };
  }

  async run(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
    return outcomeOf(this.spawn(args, options));
  }

  spawn(args: readonly string[], { cwd = this.project, env = {} }: RunOptions = {}): ChildProcess {
    return spawn(process.execPath, [bin, ...args], {
      cwd,
      env: this.env(env),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }

  remove(): void {
    rmSync(this.base, { recursive: true, force: true });
  }
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Record<string, string>;
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
