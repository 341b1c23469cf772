import { existsSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { connect, patience, run, temporaryProject } from './project.ts';

vi.setConfig({ testTimeout: patience });

test('the first start makes a cluster, the second finds it', async () => {
  await using project = await temporaryProject();
  const progress: string[] = [];
  const first = await project.start({ onProgress: (message) => progress.push(message) });
  expect(progress).toEqual(['Creating the database', 'Starting PostgreSQL']);
  expect(first.state).toBe('ready');
  await run(first, 'writer', 'CREATE TABLE notes AS SELECT 1 AS id');
  const connection = first.connection('reader');
  await first.stop();
  expect(first.state).toBe('stopped');

  const second = await project.start();
  expect(second.connection('reader')).toEqual(connection);
  expect(await run(second, 'reader', 'SELECT id FROM notes')).toEqual([[1]]);
});

test('nothing but a private socket leads in, with a password for everybody', async () => {
  await using project = await temporaryProject();
  const server = await project.start();
  const mode = async (path: string) => ((await stat(path)).mode & 0o777).toString(8);
  expect(await mode(server.dataDirectory)).toBe('700');
  expect(await mode(server.connection('writer').host)).toBe('700');
  expect(await mode(join(project.directory, 'secrets.json'))).toBe('600');
  const closedToOthers = (await stat(project.directory)).mode & 0o007;
  expect(closedToOthers).toBe(0);

  const settings = await run(
    server,
    'superuser',
    `SELECT name, setting FROM pg_settings WHERE name IN
       ('listen_addresses', 'fsync', 'data_checksums', 'max_connections', 'server_encoding', 'TimeZone',
        'log_statement', 'log_min_error_statement', 'log_parameter_max_length_on_error', 'jit') ORDER BY name`,
  );
  expect(Object.fromEntries(settings)).toEqual({
    listen_addresses: '',
    fsync: 'on',
    data_checksums: 'on',
    max_connections: '600',
    server_encoding: 'UTF8',
    TimeZone: 'UTC',
    log_statement: 'none',
    log_min_error_statement: 'panic',
    log_parameter_max_length_on_error: '0',
    jit: 'off',
  });
  const verifiers = await run(
    server,
    'superuser',
    "SELECT rolname FROM pg_authid WHERE rolcanlogin AND rolpassword LIKE 'SCRAM-SHA-256$4096:%' ORDER BY 1",
  );
  expect(verifiers.flat()).toEqual([
    'hatidata_control',
    'hatidata_reader',
    'hatidata_superuser',
    'hatidata_system',
    'hatidata_writer',
  ]);
  const impostor = {
    ...server,
    connection: () => ({ ...server.connection('writer'), password: 'x' }),
  };
  await expect(run(impostor, 'writer', 'SELECT 1')).rejects.toMatchObject({ code: '28P01' });
});

test('text is UTF-8 with case rules of its own, whatever the system knows', async () => {
  await using project = await temporaryProject();
  const server = await project.start();
  expect(await run(server, 'reader', "SELECT upper('é ж'), 'É' ~* 'é', length('日本')")).toEqual([
    ['É Ж', true, 2],
  ]);
});

test.each([
  ['spaces, quotes and commas', `my project, "o'neil" ünï`],
  ['a path too long for a socket', Array.from({ length: 4 }, () => 'long'.repeat(12)).join('/')],
])('a path with %s', async (_name, path) => {
  await using project = await temporaryProject(path);
  const server = await project.start();
  expect(await run(server, 'reader', 'SELECT 1')).toEqual([[1]]);
  const { host } = server.connection('reader');
  expect(Buffer.byteLength(join(host, '.s.PGSQL.5432'))).toBeLessThanOrEqual(107);
  expect((await stat(host)).mode & 0o777).toBe(0o700);
  await server.stop();
  const inProject = host === join(project.directory, 'run');
  expect(existsSync(host)).toBe(inProject);
});

test('two projects side by side', async () => {
  await using one = await temporaryProject();
  await using two = await temporaryProject();
  const [first, second] = await Promise.all([one.start(), two.start()]);
  await run(first, 'writer', 'CREATE TABLE only_here AS SELECT 1');
  expect(await run(second, 'reader', "SELECT to_regclass('only_here')")).toEqual([[null]]);
  expect(first.connection('reader').host).not.toBe(second.connection('reader').host);
  expect(first.connection('reader').password).not.toBe(second.connection('reader').password);
});

test('what a client does never reaches the log, not even by way of errors and crashes', async () => {
  await using project = await temporaryProject();
  const server = await project.start();
  const canary = 'canary-4711';
  const client = await connect(server, 'writer');
  await client.query('CREATE TABLE people (email text PRIMARY KEY)');
  const insert = () => client.query('INSERT INTO people VALUES ($1)', [canary]);
  await insert();
  await expect(insert()).rejects.toMatchObject({ code: '23505' });
  await expect(client.query(`SELECT '${canary}'::int`)).rejects.toMatchObject({ code: '22P02' });
  await client.query(`DO $$ BEGIN RAISE LOG '${canary}'; RAISE WARNING '${canary}'; END $$`);
  await expect(client.query(`SELEC '${canary}'`)).rejects.toMatchObject({ code: '42601' });
  const [[pid]] = (await run(
    server,
    'superuser',
    "SELECT pid FROM pg_stat_activity WHERE usename = 'hatidata_writer'",
  )) as [[number]];
  const running = client.query(`SELECT pg_sleep(1000), '${canary}'`).catch(() => 'gone');
  await expect
    .poll(() =>
      run(
        server,
        'superuser',
        `SELECT 1 FROM pg_stat_activity WHERE pid = ${pid} AND state = 'active'`,
      ),
    )
    .toHaveLength(1);
  process.kill(pid, 'SIGKILL');
  expect(await running).toBe('gone');
  await server.stop();
  const text = project.logged.join('');
  expect(text).toContain('terminated by signal 9');
  expect(text).not.toContain(canary);
  const secrets = JSON.parse(
    await readFile(join(project.directory, 'secrets.json'), 'utf8'),
  ) as Record<string, string>;
  expect(Object.values(secrets)).toHaveLength(4);
  for (const secret of Object.values(secrets)) expect(text).not.toContain(secret);
});

test('a start leaves nothing half done or behind', async () => {
  await using project = await temporaryProject();
  const listeners = process.listenerCount('exit');
  const server = await project.start();
  expect(process.listenerCount('exit')).toBe(listeners + 1);
  await server.stop();
  expect((await readdir(project.directory)).toSorted()).toEqual(['data', 'run', 'secrets.json']);
  expect(await readdir(server.connection('reader').host)).toEqual([]);
  expect(process.listenerCount('exit')).toBe(listeners);
  await server.stop();
});
