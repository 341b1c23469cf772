import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export interface EmbeddedChild {
  readonly child: ChildProcess;
  readonly exited: Promise<unknown[]>;
  readonly said: {
    readonly dataDirectory: string;
    readonly pid: number;
    readonly uid: number;
    readonly connection: {
      host: string;
      port: number;
      user: string;
      password: string;
      database: string;
    };
    readonly error?: string;
  };
}

interface EmbeddedChildOptions extends SpawnOptions {
  /** run-embedded.ts of another tree. */
  readonly script?: string;
  readonly stateDirectory?: string;
}

const ownScript = fileURLToPath(new URL('run-embedded.ts', import.meta.url));

/** Starts run-embedded.ts in a process of its own and waits for what it says. */
export async function embeddedChild(
  directory: string,
  ending: 'stay' | 'stop' | 'leave',
  { script = ownScript, stateDirectory, ...options }: EmbeddedChildOptions = {},
): Promise<EmbeddedChild> {
  const child = spawn(
    process.execPath,
    [script, directory, ending, ...(stateDirectory === undefined ? [] : [stateDirectory])],
    {
      ...options,
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const exited = once(child, 'exit');
  if (child.stdout === null) throw new Error('no stdout');
  const lines = createInterface({ input: child.stdout });
  const [line] = (await once(lines, 'line')) as [string];
  return { child, exited, said: JSON.parse(line) as EmbeddedChild['said'] };
}
