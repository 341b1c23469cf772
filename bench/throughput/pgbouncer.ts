/**
 * PgBouncer as one would set it up beside ours: sharing between transactions, as many engine connections, SCRAM for clients.
 *
 * It knows statements that clients prepare since 1.21 (max_prepared_statements). An older one is measured in session mode where they are used,
 * and is called so in the results: each client has an engine connection of its own then.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { asUser, serverEnvironment } from '../../src/engine/embedded/command.ts';
import { freePort, queryUrl } from '../../test/fixtures/own-postgres.ts';
import { findProgram, missing, searchPath } from './programs.ts';
import { engineHost, engineLogin, type System, type SystemStage } from './systems.ts';

const preparedSince = 21;
const sessions = 'bench_sessions';

export async function startPgbouncer(stage: SystemStage): Promise<System> {
  const { engine, options, ending } = stage;
  const program = findProgram(options.pgbouncer);
  if (program === undefined) throw new Error(missing('pgbouncer'));
  const [major, minor] = program.version;
  const knowsPrepared = major > 1 || minor >= preparedSince;
  const directory = mkdtempSync(join(tmpdir(), 'hati-bench-pgbouncer-'));
  ending.add(() => rmSync(directory, { recursive: true, force: true }));
  const port = await freePort();
  const userFile = join(directory, 'users.txt');
  const configFile = join(directory, 'pgbouncer.ini');
  writeFileSync(
    userFile,
    [engine.reader, engine.writer]
      .map(({ name, password }) => `"${name}" "${password}"\n`)
      .join(''),
    { mode: 0o600 },
  );
  writeFileSync(configFile, configOf(stage, { port, userFile, knowsPrepared }), { mode: 0o600 });
  // It refuses to run as root.
  if (engine.user !== undefined)
    for (const path of [directory, userFile, configFile])
      chownSync(path, engine.user.uid, engine.user.gid);
  const child = spawn(program.path, [configFile], {
    cwd: '/',
    env: { ...serverEnvironment, PATH: searchPath },
    stdio: ['ignore', 'ignore', 'pipe'],
    ...asUser(engine.user),
  });
  ending.own(child.pid!, 'SIGKILL');
  const exited = once(child, 'exit');
  ending.add(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said = `${said}${chunk.toString()}`.slice(-2_000)));
  const login = engineLogin(engine, 'read', port);
  for (let tries = 0; ; tries += 1) {
    try {
      await queryUrl(
        `postgres://${login.user}:${login.password}@127.0.0.1:${port}/${login.database}`,
        'SELECT 1',
      );
      break;
    } catch (error) {
      if (tries === 50 || child.exitCode !== null)
        throw new Error(`PgBouncer did not start: ${said}`, { cause: error });
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
  return {
    nameIn: (mode) => (mode === 'prepared' && !knowsPrepared ? 'pgbouncer-session' : 'pgbouncer'),
    login: (access, mode) => {
      const own = engineLogin(engine, access, port);
      return mode === 'prepared' && !knowsPrepared ? { ...own, database: sessions } : own;
    },
    pids: [child.pid!],
  };
}

function configOf(
  { engine, options }: SystemStage,
  own: { port: number; userFile: string; knowsPrepared: boolean },
): string {
  const target = `host=${engineHost(engine, options)} port=${engine.port} dbname=${engine.database}`;
  return `
[databases]
${engine.database} = ${target}
${sessions} = ${target} pool_mode=session pool_size=600
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${own.port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = ${own.userFile}
pool_mode = transaction
default_pool_size = ${options.pool}
max_client_conn = 1200
log_connections = 0
log_disconnections = 0
log_stats = 0
${own.knowsPrepared ? 'max_prepared_statements = 200' : ''}
`;
}
