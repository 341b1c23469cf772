/** The one PostgreSQL of all systems, with the tables of the workloads. */
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { prepareBinaries } from '../../src/engine/embedded/binaries.ts';
import { runCommand } from '../../src/engine/embedded/command.ts';
import {
  chooseOperatingUser,
  type OperatingUser,
} from '../../src/engine/embedded/operating-user.ts';
import { prepareEngine } from '../../src/engine/prepare.ts';
import { makeControlDatabase, startCluster } from '../../test/fixtures/cluster.ts';
import { enterableDirectory } from '../../test/fixtures/enterable-directory.ts';
import { queryUrl } from '../../test/fixtures/own-postgres.ts';
import { copiedRows } from './rows.ts';
import type { Ending } from './ending.ts';

export interface Role {
  readonly name: string;
  readonly password: string;
}

export interface Engine {
  readonly port: number;
  /** Directory of its unix socket. */
  readonly socketDirectory: string;
  readonly database: string;
  readonly superuserUrl: string;
  readonly controlUrl: string;
  /** What readonly keys run as, and all others. */
  readonly reader: Role;
  readonly writer: Role;
  /** Whom programs that refuse to run as root run as; undefined: as we do. */
  readonly user: OperatingUser | undefined;
}

const settings = [
  'max_connections=800',
  'shared_buffers=256MB',
  'synchronous_commit=off',
  'jit=off',
  'autovacuum=off',
  'max_wal_size=4GB',
];

export async function startEngine(scale: number, ending: Ending): Promise<Engine> {
  const work = enterableDirectory('hati-bench-');
  ending.add(() => rmSync(work, { recursive: true, force: true, maxRetries: 5 }));
  const user = await chooseOperatingUser({ requested: undefined, dataDirectory: work });
  const programs = await prepareBinaries({
    user,
    stateDirectory: join(work, 'state'),
    say: () => undefined,
  });
  const socketDirectory = mkdtempSync(join(tmpdir(), 'hati-bench-socket-'));
  // PostgreSQL may run as somebody else.
  chmodSync(socketDirectory, 0o777);
  ending.add(() => rmSync(socketDirectory, { recursive: true, force: true }));
  const cluster = await startCluster(programs, [
    ...settings,
    `unix_socket_directories=${socketDirectory}`,
  ]);
  ending.add(() => cluster.stop());
  const postmaster = readFileSync(join(cluster.dataDirectory, 'postmaster.pid'), 'utf8');
  ending.own(Number(postmaster.split('\n')[0]), 'SIGQUIT');
  await fillTables(cluster.url, scale);
  const { urls } = await prepareEngine(cluster.url, { dryRun: false, newPasswords: false });
  const { port, pathname } = new URL(cluster.url);
  return {
    port: Number(port),
    socketDirectory,
    database: pathname.slice(1),
    superuserUrl: cluster.url,
    controlUrl: await makeControlDatabase(cluster.url, 'bench_control'),
    reader: roleOf(urls.reader!),
    writer: roleOf(urls.writer!),
    user,
  };
}

/** Made by the superuser, before the roles are given what they may do to the tables that are there. */
async function fillTables(url: string, scale: number): Promise<void> {
  const made = await runCommand('pgbench', [
    ...['--initialize', '--init-steps=dtGvp', '--quiet', '--unlogged-tables'],
    ...[`--scale=${scale}`, url],
  ]);
  if (made.code !== 0) throw new Error(`pgbench --initialize failed: ${made.output.join('\n')}`);
  await queryUrl(url, copiedRows.sql);
  await queryUrl(url, 'VACUUM (FREEZE, ANALYZE)');
}

function roleOf(url: string): Role {
  const { username, password } = new URL(url);
  return { name: username, password };
}
