import { chmod, mkdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { EmbeddedServerError } from '../../src/engine/embedded/server.ts';
import { connect, patience, run, temporaryProject, type Project } from './project.ts';

vi.setConfig({ testTimeout: patience });

async function refusal(project: Project): Promise<string> {
  const error: unknown = await project.start().then(
    () => 'it started',
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(EmbeddedServerError);
  return error instanceof Error ? error.message : '';
}

test('a second start on the same directory names the first', async () => {
  await using project = await temporaryProject();
  const server = await project.start();
  expect(await refusal(project)).toBe(
    `HatiData is already running in ${project.directory} (process ${process.pid}). Stop it first, or use another directory.`,
  );
  expect(await run(server, 'reader', 'SELECT 1')).toEqual([[1]]);
});

test('data of another major version', async () => {
  await using project = await temporaryProject();
  const first = await project.start();
  await first.stop();
  await writeFile(join(first.dataDirectory, 'PG_VERSION'), '15\n');
  const message = await refusal(project);
  expect(message).toContain('were made by PostgreSQL 15; this HatiData brings PostgreSQL 18');
  expect(message).toContain('pg_dump 15');
  await writeFile(join(first.dataDirectory, 'PG_VERSION'), '18\n');
  expect(await run(await project.start(), 'reader', 'SELECT 1')).toEqual([[1]]);
});

test.each<[string, (project: Project) => Promise<void>, string]>([
  [
    'a data directory that is none',
    async ({ directory }) => {
      await mkdir(join(directory, 'data'), { recursive: true });
      await writeFile(join(directory, 'data', 'notes.txt'), 'mine');
    },
    'is not a PostgreSQL data directory',
  ],
  [
    'a data link that leads nowhere',
    async ({ directory }) => {
      await mkdir(directory);
      await symlink('/nonexistent/elsewhere/data', join(directory, 'data'));
    },
    'is a symbolic link that leads nowhere',
  ],
  [
    'a damaged secrets file',
    async ({ directory }) => {
      await mkdir(directory);
      await writeFile(join(directory, 'secrets.json'), '{"reader": "x"}');
    },
    'is damaged. Delete it and start again',
  ],
  [
    'a socket directory that is a link',
    async ({ root, directory }) => {
      await mkdir(directory);
      await symlink(root, join(directory, 'run'));
    },
    'must be a directory that belongs to',
  ],
  [
    'a project directory that is a file',
    async ({ directory }) => await writeFile(directory, ''),
    'is not a directory',
  ],
])('%s', async (_name, arrange, sentence) => {
  await using project = await temporaryProject();
  await arrange(project);
  expect(await refusal(project)).toContain(sentence);
});

test('a damaged data directory is explained, and left as it is', async () => {
  await using project = await temporaryProject();
  const first = await project.start();
  await first.stop();
  const control = join(first.dataDirectory, 'global', 'pg_control');
  const intact = await readFile(control);
  await writeFile(control, Buffer.alloc(intact.length));
  expect(await refusal(project)).toContain(`could not be started on ${first.dataDirectory}`);
  await writeFile(control, intact);
  await project.start();
});

test('open permissions are closed again', async () => {
  await using project = await temporaryProject();
  const first = await project.start();
  await first.stop();
  await chmod(first.dataDirectory, 0o755);
  await project.start();
  expect((await stat(first.dataDirectory)).mode & 0o777).toBe(0o700);
});

test('pids of others in stale files do not block', async () => {
  await using project = await temporaryProject();
  const first = await project.start();
  await first.stop();
  const { host } = first.connection('reader');
  // This process lives, but it is neither a PostgreSQL nor the one that took the lock.
  await writeFile(
    join(first.dataDirectory, 'postmaster.pid'),
    `${process.pid}\n${first.dataDirectory}\n`,
  );
  await writeFile(join(host, '.s.PGSQL.5432.lock'), `${process.pid}\n`);
  await writeFile(join(project.directory, 'engine.lock'), `${process.pid}\nanother-boot/1\nx\n`);
  expect(await run(await project.start(), 'reader', 'SELECT 1')).toEqual([[1]]);
});

test('lost passwords are made anew, the data stay', async () => {
  await using project = await temporaryProject();
  const first = await project.start();
  await run(first, 'writer', 'CREATE TABLE kept AS SELECT 7 AS id');
  await first.stop();
  await rm(join(project.directory, 'secrets.json'));
  const second = await project.start();
  expect(await run(second, 'reader', 'SELECT id FROM kept')).toEqual([[7]]);
  expect(second.connection('reader').password).not.toBe(first.connection('reader').password);
});

test('passwords of another project are explained', async () => {
  await using project = await temporaryProject();
  await (await project.start()).stop();
  const others = { reader: 'a', writer: 'b', control: 'c', superuser: 'd' };
  await writeFile(join(project.directory, 'secrets.json'), JSON.stringify(others));
  expect(await refusal(project)).toContain('are not those of the data');
});

test('what a role changed about itself is put right by the next start', async () => {
  await using project = await temporaryProject();
  const first = await project.start();
  const client = await connect(first, 'reader');
  await client.query('SET default_transaction_read_only = off');
  await client.query('ALTER ROLE hatidata_reader SET default_transaction_read_only = off');
  await client.query("ALTER ROLE hatidata_reader PASSWORD 'mine'");
  await client.end();
  await run(first, 'writer', 'ALTER DATABASE hatidata SET standard_conforming_strings = off');
  await run(first, 'writer', 'ALTER DATABASE hatidata SET search_path = public');
  await first.stop();
  const second = await project.start();
  expect(await run(second, 'writer', 'SHOW standard_conforming_strings')).toEqual([['on']]);
  // Where names are looked up is the owner's choice.
  expect(await run(second, 'writer', 'SHOW search_path')).toEqual([['public']]);
  expect(await run(second, 'reader', 'SHOW default_transaction_read_only')).toEqual([['on']]);
});
