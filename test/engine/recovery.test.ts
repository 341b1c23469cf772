import { expect, test, vi } from 'vitest';
import { Client } from 'pg';
import { isRunning, postgresProcessesOf } from '../../src/engine/embedded/process-table.ts';
import type { EmbeddedServer } from '../../src/engine/embedded/server.ts';
import { embeddedChild } from './child.ts';
import { connect, patience, run, temporaryProject, until } from './project.ts';

vi.setConfig({ testTimeout: patience });

const kill = (server: EmbeddedServer) => {
  if (server.pid === undefined) throw new Error('no server to kill');
  process.kill(server.pid, 'SIGKILL');
};

test('a killed PostgreSQL is started again, and what was acknowledged is there', async () => {
  await using project = await temporaryProject();
  let restarts = 0;
  const server = await project.start({ onRestart: () => (restarts += 1) });
  await run(server, 'writer', 'CREATE TABLE ledger (entry int)');
  const client = await connect(server, 'writer');
  const ended = new Promise((resolve) => client.once('end', resolve));
  let acknowledged = 0;
  const writing = (async () => {
    for (;;) {
      await client.query(`INSERT INTO ledger VALUES (${acknowledged + 1})`);
      acknowledged += 1;
      if (acknowledged === 50) kill(server);
    }
  })();
  await expect(writing).rejects.toBeInstanceOf(Error);
  await ended;
  await until(() => restarts === 1);
  expect(server.state).toBe('ready');
  const [[count]] = (await run(server, 'reader', 'SELECT count(*)::int FROM ledger')) as [[number]];
  expect(acknowledged).toBeGreaterThanOrEqual(50);
  expect(count).toBeGreaterThanOrEqual(acknowledged);
});

test('a backend that outlives its postmaster does not block the restart', async () => {
  await using project = await temporaryProject();
  let restarts = 0;
  const server = await project.start({ onRestart: () => (restarts += 1) });
  const client = await connect(server, 'reader');
  const [{ pid }] = (await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid'))
    .rows as [{ pid: number }];
  // Stopped, it cannot notice that its postmaster is gone.
  process.kill(pid, 'SIGSTOP');
  kill(server);
  await until(() => restarts === 1);
  expect(await isRunning(pid)).toBe(false);
  expect(await run(server, 'reader', 'SELECT 1')).toEqual([[1]]);
});

test('one that dies again and again is given up, and says so', async () => {
  await using project = await temporaryProject();
  const failures: string[] = [];
  const server = await project.start({ onFailure: ({ message }) => failures.push(message) });
  let last: number | undefined;
  while (server.state !== 'failed') {
    const { pid } = server;
    if (pid !== undefined && pid !== last) {
      last = pid;
      kill(server);
    }
    await until(
      () => server.state === 'failed' || (server.pid !== undefined && server.pid !== last),
    );
  }
  expect(failures).toEqual([
    'PostgreSQL was started again 5 times within a minute and is given up. The last time it ended with: signal SIGKILL',
  ]);
  expect(server.pid).toBeUndefined();
  await server.stop();
  expect(server.state).toBe('stopped');
});

test('stop() during a restart leaves nothing running', async () => {
  await using project = await temporaryProject();
  const server = await project.start();
  kill(server);
  await until(() => server.state === 'restarting');
  await server.stop();
  expect(await postgresProcessesOf(server.dataDirectory)).toEqual([]);
  expect(server.state).toBe('stopped');
});

test('the orphan of a killed HatiData is stopped by the next start', async () => {
  await using project = await temporaryProject();
  const { child, exited, said } = await embeddedChild(project.directory, 'stay');
  const client = new Client({ ...said.connection, ssl: false });
  client.on('error', () => undefined);
  await client.connect();
  await client.query('CREATE TABLE kept AS SELECT 7 AS id');
  child.kill('SIGKILL');
  await exited;
  expect(await isRunning(said.pid)).toBe(true);

  const server = await project.start();
  expect(await isRunning(said.pid)).toBe(false);
  expect(project.logged.join('')).toContain(`process ${said.pid}) is stopped`);
  expect(await run(server, 'reader', 'SELECT id FROM kept')).toEqual([[7]]);
  await client.end();
});

test.each(['leave', 'stop'] as const)(
  'a process that ends by itself (%s) takes its server along',
  async (ending) => {
    await using project = await temporaryProject();
    const { exited, said } = await embeddedChild(project.directory, ending);
    expect(await exited).toEqual([0, null]);
    await until(async () => !(await isRunning(said.pid)));
    expect(await postgresProcessesOf(said.dataDirectory)).toEqual([]);
  },
);
