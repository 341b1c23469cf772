/**
 * Where the catalogue's rows are run: a proxy, the engine behind it (the embedded one, or an older major that was
 * prepared by `hati engine prepare`), objects worth an attack, and a superuser who watches.
 */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import type { Config } from '../../src/config.ts';
import { prepareBinaries } from '../../src/engine/embedded/binaries.ts';
import { chooseOperatingUser } from '../../src/engine/embedded/operating-user.ts';
import { prepareEngine } from '../../src/engine/prepare.ts';
import { startCluster, type Cluster, type Programs } from '../fixtures/cluster.ts';
import { enterableDirectory } from '../fixtures/enterable-directory.ts';
import { olderMajor, olderPrograms } from '../fixtures/older-postgres.ts';
import { loginUrl, startTestProxy, type TestProxy } from '../fixtures/proxy.ts';
import { RawClient } from '../fixtures/raw-client.ts';
import { Observer } from './digest.ts';
import type { Who } from './model.ts';
import { extensions, hostileObjects, ownersObjects, plainObjects } from './objects.ts';

/** Set by `npm run test:older`. */
const older = process.env['HATI_TEST_OLDER_POSTGRES'] === '1';

/** Of the engine that the rows are run against. */
export const engineMajor = older ? olderMajor : 18;

export interface World {
  readonly proxy: TestProxy;
  readonly observer: Observer;
  readonly keys: Readonly<Record<Who, string>>;
  /** An admin, by a driver. */
  readonly admin: pg.Client;
  /** The reader role's session with the engine, without us. */
  readonly direct: pg.Client;
  /** Backend of a session of the writer's that must survive everything. */
  readonly bystander: number;
  login(who: Who, parameters?: Record<string, string>): Promise<RawClient>;
  superuser(sql: string): Promise<void>;
  /** A second proxy before the same engine and with the same keys. */
  another(more: Partial<Config>): Promise<TestProxy>;
  stop(): Promise<void>;
}

/** What a row needs to be in the database: `hostile` objects shadow PostgreSQL's own and write behind one's back. */
export async function startWorld(kind: 'plain' | 'hostile'): Promise<World> {
  const engine = older ? await olderEngine() : await embeddedEngine();
  const { proxy, login, stop } = engine;
  const superuser = await connected(login('superuser'));
  await superuser.query('SET search_path = main, public');
  const run = async (sql: string): Promise<void> => void (await superuser.query(sql));
  const admin = await proxy.client('', { application_name: 'catalogue' });
  await admin.query(plainObjects);
  const makeKey = async (scope: string): Promise<string> =>
    (await admin.query('SELECT create_api_key($1, $2)', [`agent-${scope}`, scope])).rows[0].api_key;
  const keys = { readonly: await makeKey('readonly'), admin: await makeKey('admin') };
  if (kind === 'hostile') {
    await run('SET search_path = public');
    for (const name of extensions) await run(installSql(name));
    await run('SET search_path = main, public');
    await admin.query(hostileObjects);
    await run(ownersObjects);
    await noticed(proxy, keys.readonly);
  }
  const direct = await connected(login('reader'));
  const bystanding = await connected({ ...login('writer'), application_name: 'bystander' });
  const bystander: number = (await bystanding.query('SELECT pg_backend_pid() AS pid')).rows[0].pid;
  const { server_version_num: version } = (await superuser.query('SHOW server_version_num'))
    .rows[0];
  if (Math.floor(Number(version) / 10_000) !== engineMajor)
    throw new Error(`PostgreSQL ${version}?`);
  const observer = new Observer(superuser);
  await observer.start();
  const open: RawClient[] = [];
  return {
    ...{ proxy, observer, keys, admin, direct, bystander },
    superuser: run,
    another: (more) =>
      startTestProxy({
        engine: engine.engine,
        controlDatabaseUrl: loginUrl(proxy.direct('control')),
        ...more,
      }),
    login: async (who, parameters = {}) => {
      const client = await RawClient.login(proxy.port, keys[who], parameters);
      open.push(client);
      return client;
    },
    stop: async () => {
      for (const client of open) client.close();
      for (const client of [direct, bystanding, superuser]) await client.end();
      await stop();
    },
  };
}

type Login = 'superuser' | 'reader' | 'writer';

interface Engine {
  readonly proxy: TestProxy;
  readonly login: (role: Login) => pg.ClientConfig;
  readonly engine: Config['engine'];
  readonly stop: () => Promise<void>;
}

async function embeddedEngine(): Promise<Engine> {
  const proxy = await startTestProxy();
  const writer = proxy.direct('writer');
  const secrets = JSON.parse(readFileSync(join(proxy.directory, 'secrets.json'), 'utf8')) as Record<
    string,
    string
  >;
  const login = (role: Login): pg.ClientConfig => ({
    ...writer,
    user: `hatidata_${role}`,
    password: secrets[role]!,
  });
  const superuser = await connected(login('superuser'));
  await superuser.query('ALTER SYSTEM SET autovacuum = off');
  await superuser.query('SELECT pg_reload_conf()');
  await superuser.end();
  const url = loginUrl(writer);
  const readerUrl = loginUrl(proxy.direct('reader'));
  return { proxy, login, engine: { kind: 'url', url, readerUrl }, stop: () => proxy.stop() };
}

async function olderEngine(): Promise<Engine> {
  const server = await ownEngine(['autovacuum=off']);
  const { engine } = server;
  const proxy = await startTestProxy({ engine });
  const all = { superuser: server.url, reader: engine.readerUrl, writer: engine.url };
  return {
    proxy,
    engine,
    login: (role) => ({ connectionString: all[role] }),
    stop: async () => {
      await proxy.stop();
      await server.stop();
    },
  };
}

/** A cluster of the major that is tested, prepared as `hati engine prepare` does it. */
export async function ownEngine(
  settings: readonly string[],
): Promise<Cluster & { readonly engine: { kind: 'url'; url: string; readerUrl: string } }> {
  const state = enterableDirectory('hati-programs-');
  const programs = older ? await olderPrograms() : await embeddedPrograms(state);
  const server = await startCluster(programs, settings);
  const { urls } = await prepareEngine(server.url, { dryRun: false, newPasswords: false });
  return {
    ...server,
    engine: { kind: 'url', url: urls.writer!, readerUrl: urls.reader! },
    stop: async () => {
      await server.stop();
      rmSync(state, { recursive: true, force: true });
    },
  };
}

async function embeddedPrograms(stateDirectory: string): Promise<Programs> {
  const user = await chooseOperatingUser({ requested: undefined, dataDirectory: stateDirectory });
  return prepareBinaries({ user, stateDirectory, say: () => undefined });
}

async function connected(config: pg.ClientConfig): Promise<pg.Client> {
  const client = new pg.Client(config);
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

/** Not every package has every extension. */
function installSql(name: string): string {
  return `DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_available_extensions WHERE name = '${name}') THEN
      CREATE EXTENSION IF NOT EXISTS "${name}";
    END IF;
  END $$`;
}

/** Resolves when the proxy knows of the objects that shadow PostgreSQL's own. */
async function noticed(proxy: TestProxy, key: string): Promise<void> {
  const client = await proxy.client(key);
  for (;;) {
    const told = await client.query("SELECT lower('A'::varchar)").then(() => 'ran', String);
    if (told.includes('Permission denied')) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
