/**
 * A PostgreSQL of our own to be ruined: statements of a corpus run in it as its superuser. It lives in a temporary
 * directory, is reached by a unix socket that only its own user and root can open, and is gone at the end.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { prepareBinaries } from '../../src/engine/embedded/binaries.ts';
import { asUser, runCommand, serverEnvironment } from '../../src/engine/embedded/command.ts';
import { chooseOperatingUser } from '../../src/engine/embedded/operating-user.ts';

/**
 * `owner`: the superuser who runs the corpus. `reader`: as HatiData's reader role, it may log in and is given SELECT.
 * `allReader`: may read whatever there is, so what it is refused is not a question of reading.
 */
export const roles = {
  owner: 'corpus_owner',
  reader: 'hatidata_reader',
  allReader: 'corpus_all_reader',
} as const;

export type Role = keyof typeof roles;

export interface ThrowawayServer {
  /** @param settings given at startup, so that RESET and DISCARD come back to them. */
  login(role: Role, database: string, settings?: Readonly<Record<string, string>>): pg.ClientConfig;
  stop(): Promise<void>;
}

const settings: Readonly<Record<string, string>> = {
  listen_addresses: '',
  unix_socket_permissions: '0700',
  // What is lost with the machine is thrown away anyway.
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  max_prepared_transactions: '8',
  jit: 'off',
  log_min_messages: 'panic',
  // A corpus that empties a table and fills it again must not meet the same background work twice in two ways.
  autovacuum: 'off',
};

const rolesSql = `
  CREATE ROLE ${roles.reader} LOGIN;
  ALTER ROLE ${roles.reader} SET default_transaction_read_only = on;
  CREATE ROLE ${roles.allReader} LOGIN;
  ALTER ROLE ${roles.allReader} SET default_transaction_read_only = on;
  GRANT pg_read_all_data, pg_monitor TO ${roles.allReader};`;

export async function startThrowawayServer(): Promise<ThrowawayServer> {
  const root = mkdtempSync(join(tmpdir(), 'hati-corpus-'));
  chmodSync(root, 0o755);
  const [data, socket] = [join(root, 'data'), join(root, 'socket')];
  const remove = (): void => rmSync(root, { recursive: true, force: true, maxRetries: 5 });
  const user = await chooseOperatingUser({ requested: undefined, dataDirectory: data });
  const { initdb, postgres } = await prepareBinaries({
    user,
    stateDirectory: join(root, 'state'),
    say: () => undefined,
  });
  mkdirSync(socket, { mode: 0o700 });
  if (user !== undefined) for (const path of [root, socket]) chownSync(path, user.uid, user.gid);
  const initdbArguments = ['-D', data, '-U', roles.owner, '--auth=trust', '--no-sync'];
  const locale = [
    '-E',
    'UTF8',
    '--locale=C',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
  ];
  const made = await runCommand(initdb, [...initdbArguments, ...locale], { user });
  if (made.code !== 0) throw new Error(made.output.join('\n'));
  const options = Object.entries({ ...settings, unix_socket_directories: socket });
  const child = spawn(
    postgres,
    ['-D', data, ...options.flatMap(([name, value]) => ['-c', `${name}=${value}`])],
    { cwd: '/', env: serverEnvironment, stdio: 'ignore', ...asUser(user) },
  );
  const exited = once(child, 'exit');
  const goWithUs = (): void => {
    child.kill('SIGQUIT');
    // Nothing can be awaited any more, and its last processes still write.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_000);
    remove();
  };
  process.once('exit', goWithUs);
  const login: ThrowawayServer['login'] = (role, database, startup = {}) => ({
    host: socket,
    port: 5432,
    user: roles[role],
    database,
    ssl: false,
    application_name: `corpus ${role}`,
    options: Object.entries(startup)
      .map(([name, value]) => `-c ${name}=${value.replaceAll(' ', '\\ ')}`)
      .join(' '),
  });
  await accepting(login('owner', 'postgres'));
  return {
    login,
    stop: async () => {
      child.kill('SIGINT');
      await exited;
      process.off('exit', goWithUs);
      remove();
    },
  };
}

async function accepting(config: pg.ClientConfig): Promise<void> {
  for (let tries = 0; ; tries += 1) {
    const client = new pg.Client(config);
    client.on('error', () => undefined);
    try {
      await client.connect();
      await client.query(rolesSql);
      return;
    } catch (error) {
      if (tries === 200 || error instanceof pg.DatabaseError) {
        if (tries === 200 || (error as pg.DatabaseError).code !== '57P03') throw error;
      }
      await delay(50);
    } finally {
      await client.end().catch(() => undefined);
    }
  }
}
