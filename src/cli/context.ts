import type { Readable, Writable } from 'node:stream';

/** What a command may touch of the process it runs in. Tests give one of their own. */
export interface CommandContext {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly home: string;
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly stdout: Output;
  readonly stderr: Output;
  /** How to run this very program again, for the proxy in the background. */
  readonly self: { readonly execPath: string; readonly args: readonly string[] };
  /** The file that a worker process runs. */
  readonly workerEntry: string;
}

export type Output = Writable & { readonly isTTY?: boolean };

/** A failure that a person can act on: the message is one sentence that says how. */
export class CommandError extends Error {
  readonly exitCode: number;

  constructor(message: string, options: { exitCode?: number; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = 'CommandError';
    this.exitCode = options.exitCode ?? 1;
  }
}

export function writeLine(output: Output, line: string): void {
  output.write(`${line}\n`);
}
