/** A project directory of its own for one test, with what its servers logged, and the proof that nothing of it is left. */
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { Client } from 'pg';
import { pino, type Logger } from 'pino';
import { expect } from 'vitest';
import { postgresProcessesOf } from '../../src/engine/embedded/process-table.ts';
import {
  startEmbeddedServer,
  type EmbeddedRole,
  type EmbeddedServer,
  type EmbeddedServerOptions,
} from '../../src/engine/embedded/server.ts';

export interface Project extends AsyncDisposable {
  readonly root: string;
  readonly directory: string;
  readonly stateDirectory: string;
  readonly log: Logger;
  readonly logged: string[];
  start(options?: Partial<EmbeddedServerOptions>): Promise<EmbeddedServer>;
}

/** Enough for a machine that is busy with everything else; nothing here waits for a time to pass. */
export const patience = 60_000;

export async function temporaryProject(path = 'project'): Promise<Project> {
  const root = await mkdtemp(join(tmpdir(), 'hati-'));
  await chmod(root, 0o755);
  const directory = join(root, path, '.hati');
  await mkdir(join(root, path), { recursive: true });
  const stateDirectory = join(root, 'state');
  const logged: string[] = [];
  const sink = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      logged.push(chunk.toString());
      done();
    },
  });
  const log = pino({ level: 'trace' }, sink);
  const started: EmbeddedServer[] = [];
  return {
    root,
    directory,
    stateDirectory,
    log,
    logged,
    start: async (options = {}) => {
      const server = await startEmbeddedServer({ directory, stateDirectory, log, ...options });
      started.push(server);
      return server;
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(started.map((server) => server.stop()));
      for (const server of started) {
        expect(await postgresProcessesOf(server.dataDirectory)).toEqual([]);
      }
      await rm(root, { recursive: true, force: true });
    },
  };
}

export async function connect(server: EmbeddedServer, role: EmbeddedRole): Promise<Client> {
  const client = new Client({ ...server.connection(role), ssl: false });
  // The server is killed under some of them.
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

/** One statement on a connection of its own. */
export async function run(
  server: EmbeddedServer,
  role: EmbeddedRole,
  sql: string,
): Promise<unknown[][]> {
  const client = await connect(server, role);
  try {
    const result = await client.query<unknown[]>({ text: sql, rowMode: 'array' });
    return result.rows;
  } finally {
    await client.end();
  }
}

/** Resolves when `condition` holds; the test's own limit is the only one. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 20));
}
