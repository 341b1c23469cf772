/** COPY with psql, since pgbench has none: one client, one copy after the other, timed by psql. */
import { spawn } from 'node:child_process';
import { canMeasureCpu, cpuOf } from './cpu.ts';
import { percentile, type Run } from './figures.ts';
import { clientEnvironment, type Client } from './pgbench.ts';

export interface CopyLoad {
  /** A `\copy` of psql. */
  readonly command: string;
  readonly times: number;
}

export async function runCopies({ command, times }: CopyLoad, client: Client): Promise<Run> {
  const before = cpuOf(client.pids);
  const output = await psql(
    ['\\timing on', ...Array.from({ length: times }, () => command)],
    client,
  );
  const used = cpuOf(client.pids) - before;
  const ms = [...output.matchAll(/^Time: ([\d.]+) ms/gm)].map(([, time]) => Number(time));
  if (ms.length !== times) throw new Error(`psql copied ${ms.length} of ${times} times`);
  const sorted = ms.toSorted((a, b) => a - b);
  const hasCpu = canMeasureCpu && client.pids.length > 0;
  return {
    tps: (times * 1_000) / ms.reduce((sum, each) => sum + each, 0),
    p50Ms: percentile(sorted, 0.5),
    p99Ms: percentile(sorted, 0.99),
    cpuUsPerTx: hasCpu ? used / times : undefined,
    mbPerSecond: undefined,
  };
}

function psql(lines: readonly string[], { login, signal }: Client): Promise<string> {
  const child = spawn('psql', ['-X', '-v', 'ON_ERROR_STOP=1', '-f', '-'], {
    env: clientEnvironment(login),
    signal,
    timeout: 120_000,
  });
  let [output, errors] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on(
    'data',
    (chunk: Buffer) => (errors = `${errors}${chunk.toString()}`.slice(-2_000)),
  );
  child.stdin.on('error', () => undefined);
  child.stdin.end(lines.join('\n'));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, killedBy) =>
      code === 0
        ? resolve(output)
        : reject(new Error(`psql ended with ${killedBy ?? code}: ${errors}`)),
    );
  });
}
