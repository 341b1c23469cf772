/** A PostgreSQL prepared as `hati engine prepare` leaves one of the user's own, and a proxy before it. */
import { join } from 'node:path';
import pg from 'pg';
import { prepareBinaries } from '../../src/engine/embedded/binaries.ts';
import { chooseOperatingUser } from '../../src/engine/embedded/operating-user.ts';
import { prepareEngine } from '../../src/engine/prepare.ts';
import { startCluster } from '../../test/fixtures/cluster.ts';
import { queryUrl } from '../../test/fixtures/own-postgres.ts';
import { startTestProxy, testConfig } from '../../test/fixtures/proxy.ts';
import type { Target } from './report.ts';

export interface Servers {
  /** Where a suite finds its two targets, as the same role of the engine. */
  readonly urls: Readonly<Record<Target, string>>;
  /** "18.4" */
  readonly postgres: string;
  /** What the proxy logged as a warning or worse. */
  proxyWarnings(): readonly string[];
  stop(): Promise<void>;
}

const settings = [
  'max_connections=120',
  'max_prepared_transactions=10',
  'synchronous_commit=off',
  'full_page_writes=off',
  'jit=off',
];

/** Of each role, for the clients of all suites: fewer than the twenty that some of them start at once. */
const connections = 6;

/** @param directory is entered by the operating user of PostgreSQL. */
export async function startServers(directory: string): Promise<Servers> {
  const user = await chooseOperatingUser({ requested: undefined, dataDirectory: directory });
  const say = (): void => undefined;
  const stateDirectory = join(directory, 'state');
  const programs = await prepareBinaries({ user, stateDirectory, say });
  const cluster = await startCluster(programs, settings);
  try {
    const { urls } = await prepareEngine(cluster.url, { dryRun: false, newPasswords: false });
    const { writer, reader } = urls;
    const proxy = await startTestProxy({
      engine: { kind: 'url', url: writer!, readerUrl: reader! },
      pool: {
        ...testConfig('').pool,
        readers: connections,
        writers: connections,
        queueSeconds: 30,
      },
      log: { level: 'info', pretty: false },
    });
    try {
      const { rows } = await queryUrl(cluster.url, 'SHOW server_version');
      return {
        urls: { direct: writer!, proxy: await proxyUrl(proxy.port) },
        postgres: (rows[0] as { server_version: string }).server_version,
        proxyWarnings: () => proxy.logged().split('\n').filter(isWarning),
        stop: async () => {
          await proxy.stop();
          await cluster.stop();
        },
      };
    } catch (error) {
      await proxy.stop();
      throw error;
    }
  } catch (error) {
    await cluster.stop();
    throw error;
  }
}

const isWarning = (line: string): boolean => /"level":"?(warn|error|fatal|40|50|60)/.test(line);

/** With an admin key, so that clients run as the writer. */
async function proxyUrl(port: number): Promise<string> {
  const address = { host: '127.0.0.1', port, user: 'agent', database: 'hatidata', ssl: false };
  const client = new pg.Client({ ...address, password: 'hd_local' });
  await client.connect();
  try {
    const create = "SELECT create_api_key('driver-matrix', 'admin', 'driver matrix') AS api_key";
    const { rows } = await client.query<{ api_key: string }>(create);
    return `postgres://agent:${rows[0]!.api_key}@127.0.0.1:${port}/hatidata`;
  } finally {
    await client.end();
  }
}
