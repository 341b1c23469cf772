/**
 * Our proxy as it is started by `hati start`, with everything on that there is: keys, a key with limits for each access, the record of
 * logins, metrics, the log; and its bench-only twin without enforcement, on the same control store, so that the keys are the same.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Hati } from '../../test/cli/hati.ts';
import { clientOf, until } from '../../test/cli/workers.ts';
import { testConfig } from '../../test/fixtures/proxy.ts';
import type { Role } from './engine.ts';
import { profiling } from './profile.ts';
import { engineHost, type System, type SystemName, type SystemStage } from './systems.ts';

const unenforcedProgram = join(import.meta.dirname, 'unenforced-process.ts');
const mostClients = 1_200;

export interface Keys {
  readonly read: string;
  readonly write: string;
}

/** Those of `names` that are ours. */
export async function ourSystems(
  names: readonly SystemName[],
  stage: SystemStage,
): Promise<System[]> {
  const { ours, keys } = await startOurs(stage);
  return [
    ...(names.includes('ours') ? [ours] : []),
    ...(names.includes('ours-unenforced') ? [await startUnenforced(stage, keys)] : []),
  ];
}

export interface Ours {
  readonly ours: System;
  readonly keys: Keys;
  /** What controls it. */
  readonly hati: Hati;
}

export async function startOurs(stage: SystemStage): Promise<Ours> {
  const { hati, child } = await startHati(stage);
  const keys = await makeKeys(hati);
  const { port } = hati.record().address;
  return { ours: system('ours', { port, keys, pid: child.pid! }), keys, hati };
}

function system(
  name: SystemName,
  { port, keys, pid }: { port: number; keys: Keys; pid: number },
): System {
  return {
    nameIn: () => name,
    login: (access) => ({ port, user: 'agent', password: keys[access], database: 'hatidata' }),
    pids: [pid],
  };
}

async function startHati(stage: SystemStage): Promise<{ hati: Hati; child: ChildProcess }> {
  const { ending, options } = stage;
  const hati = new Hati();
  mkdirSync(hati.at(), { recursive: true });
  writeFileSync(hati.at('config.toml'), configOf(stage));
  const child = hati.spawn(['start'], {
    env: options.profile === undefined ? {} : profiling(options.profile),
  });
  ending.own(child.pid!, 'SIGKILL');
  ending.add(() => hati.remove());
  let said = '';
  for (const output of [child.stdout!, child.stderr!])
    output.on('data', (chunk: Buffer) => (said = `${said}${chunk.toString()}`.slice(-4_000)));
  await until(() => isServing(hati) || child.exitCode !== null || options.signal.aborted);
  options.signal.throwIfAborted();
  if (child.exitCode !== null) throw new Error(`the proxy did not start: ${said}`);
  return { hati, child };
}

function isServing(hati: Hati): boolean {
  try {
    hati.record();
    return true;
  } catch {
    return false;
  }
}

/** The tables that they may touch are named one by one. */
async function makeKeys(hati: Hati): Promise<Keys> {
  const tables = ['accounts', 'branches', 'tellers', 'history'].map((name) => `pgbench_${name}`);
  const limits = JSON.stringify({
    tables: [...tables, 'bench_rows', 'bench_copied'].map((name) => `main.${name}`),
  });
  const admin = await clientOf(hati);
  try {
    const key = async (agent: string, scope: string): Promise<string> => {
      const { rows } = await admin.query<{ key: string }>(
        `SELECT create_api_key('${agent}', '${scope}', 'bench', limits => '${limits}') AS key`,
      );
      return rows[0]!.key;
    };
    return {
      read: await key('bench-reader', 'query:read'),
      write: await key('bench-writer', 'query:read,query:write'),
    };
  } finally {
    await admin.end();
  }
}

async function startUnenforced(stage: SystemStage, keys: Keys): Promise<System> {
  const { engine, ending, options } = stage;
  const directory = mkdtempSync(join(tmpdir(), 'hati-bench-unenforced-'));
  ending.add(() => rmSync(directory, { recursive: true, force: true }));
  const base = testConfig(directory);
  const config = {
    ...base,
    engine: {
      kind: 'url',
      url: urlOf(stage, engine.writer),
      readerUrl: urlOf(stage, engine.reader),
    },
    controlDatabaseUrl: engine.controlUrl,
    pool: { ...base.pool, readers: options.pool, writers: options.pool },
    limits: { ...base.limits, connections: mostClients, connectionsPerKey: 0 },
    log: { level: 'warn', pretty: false },
  };
  const child = fork(unenforcedProgram, [JSON.stringify(config)]);
  ending.own(child.pid!, 'SIGKILL');
  const exited = once(child, 'exit');
  ending.add(async () => {
    child.kill('SIGTERM');
    await exited;
  });
  const answer = await Promise.race([once(child, 'message'), exited.then(() => undefined)]);
  if (answer === undefined) throw new Error('the proxy without enforcement did not start');
  return system('ours-unenforced', { port: Number(answer[0]), keys, pid: child.pid! });
}

function urlOf(stage: SystemStage, { name, password }: Role): string {
  const { engine, options } = stage;
  const host = encodeURIComponent(engineHost(engine, options));
  return `postgres://${name}:${password}@localhost:${engine.port}/${engine.database}?host=${host}`;
}

function configOf(stage: SystemStage): string {
  const { engine, options } = stage;
  const engineUrl = (role: Role): string => JSON.stringify(urlOf(stage, role));
  return `
[proxy]
listen = "127.0.0.1:0"
workers = ${options.workers}
[dev]
dev_mode = true
pgpass = false
[engine]
url = ${engineUrl(engine.writer)}
reader_url = ${engineUrl(engine.reader)}
[control]
database_url = ${JSON.stringify(engine.controlUrl)}
[pool]
readers = ${options.pool}
writers = ${options.pool}
[limits]
connections = ${mostClients}
connections_per_key = 0
[log]
level = "info"
pretty = false
`;
}
