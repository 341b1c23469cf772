import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { engineLogin, type System, type SystemStage } from './systems.ts';

const program = join(import.meta.dirname, 'relay-process.ts');

export async function relaySystem({ engine, options, ending }: SystemStage): Promise<System> {
  const target =
    options.socket === 'unix'
      ? `${engine.socketDirectory}/.s.PGSQL.${engine.port}`
      : String(engine.port);
  const child = spawn(process.execPath, [program, target], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  ending.own(child.pid!, 'SIGKILL');
  ending.add(() => child.kill('SIGKILL'));
  const lines = createInterface({ input: child.stdout });
  for await (const line of lines) {
    const port = Number(line);
    return {
      nameIn: () => 'relay',
      login: (access) => engineLogin(engine, access, port),
      pids: [child.pid!],
    };
  }
  throw new Error('the relay did not start');
}
