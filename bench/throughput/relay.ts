import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { engineLogin, type System, type SystemStage } from './systems.ts';

const program = join(import.meta.dirname, 'relay-process.ts');
const programOfBun = join(import.meta.dirname, '..', 'runtimes', 'bun-relay.ts');

export async function relaySystem(
  name: 'relay' | 'relay-bun',
  { engine, options, ending }: SystemStage,
): Promise<System> {
  const target =
    options.socket === 'unix'
      ? `${engine.socketDirectory}/.s.PGSQL.${engine.port}`
      : String(engine.port);
  const [runtime, script] =
    name === 'relay' ? [process.execPath, program] : [options.bun, programOfBun];
  const child = spawn(runtime, [script, target], { stdio: ['ignore', 'pipe', 'inherit'] });
  ending.own(child.pid!, 'SIGKILL');
  ending.add(() => child.kill('SIGKILL'));
  const lines = createInterface({ input: child.stdout });
  for await (const line of lines) {
    const port = Number(line);
    return {
      nameIn: () => name,
      login: (access) => engineLogin(engine, access, port),
      pids: [child.pid!],
    };
  }
  throw new Error('the relay did not start');
}
