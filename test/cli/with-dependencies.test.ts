/**
 * scripts/with-dependencies.mjs and bin/hati.js meet whatever Node and npm a machine has. Both run here as they are, with
 * the real npm, in a small project whose only dependency, "node", is a directory in it: nothing is downloaded.
 */
import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { outcomeOf } from './hati.ts';
import type { Outcome } from './hati.ts';

const repository = resolve(import.meta.dirname, '../..');
let base: string;
let clone: string;

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'hati-clone-'));
  clone = join(base, 'a clone with spaces');
  mkdirSync(join(clone, 'scripts'), { recursive: true });
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

const env = { ...process.env, npm_config_loglevel: 'error' };

function makeClone(): void {
  cpSync(
    join(repository, 'scripts/with-dependencies.mjs'),
    join(clone, 'scripts/with-dependencies.mjs'),
  );
  mkdirSync(join(clone, 'vendor/node/bin'), { recursive: true });
  symlinkSync(process.execPath, join(clone, 'vendor/node/bin/node'));
  writeFileSync(join(clone, 'vendor/node/package.json'), '{"name":"node","version":"24.0.0"}');
  writeManifest('1.0.0');
  writeFileSync(
    join(clone, 'say.mjs'),
    'console.log(JSON.stringify([process.cwd(), ...process.argv.slice(2)])); process.exitCode = 7;\n',
  );
}

function writeManifest(version: string): void {
  const manifest = {
    name: 'clone',
    version,
    private: true,
    dependencies: { node: 'file:vendor/node' },
  };
  writeFileSync(join(clone, 'package.json'), JSON.stringify(manifest));
  writeFileSync(
    join(clone, 'package-lock.json'),
    JSON.stringify({
      name: 'clone',
      version,
      lockfileVersion: 3,
      requires: true,
      packages: {
        '': manifest,
        'node_modules/node': { resolved: 'vendor/node', link: true },
        'vendor/node': { name: 'node', version: '24.0.0' },
      },
    }),
  );
}

function start(...args: string[]): ChildProcess {
  return spawn(process.execPath, ['scripts/with-dependencies.mjs', ...args], {
    cwd: clone,
    env: { ...env, npm_config_cache: join(base, 'cache') },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

async function run(...args: string[]): Promise<Outcome> {
  return outcomeOf(start(...args));
}

describe('with-dependencies', () => {
  beforeEach(makeClone);

  test('installs what is missing once, and passes arguments and exit code on', async () => {
    const first = await run('say.mjs', 'one', 'two words');
    expect(first).toMatchObject({
      code: 7,
      stdout: `${JSON.stringify([clone, 'one', 'two words'])}\n`,
    });
    expect(first.stderr).toContain('Installing dependencies (npm ci)');

    const second = await run('say.mjs');
    expect(second).toEqual({ code: 7, stdout: `${JSON.stringify([clone])}\n`, stderr: '' });
  });

  test.each<[string, () => void]>([
    [
      'another version in the lockfile',
      () => {
        const path = join(clone, 'package-lock.json');
        writeFileSync(path, readFileSync(path, 'utf8').replace('"24.0.0"', '"24.0.1"'));
        writeFileSync(
          join(clone, 'vendor/node/package.json'),
          '{"name":"node","version":"24.0.1"}',
        );
      },
    ],
    [
      'an installation that was cut short',
      () => rmSync(join(clone, 'node_modules/.package-lock.json')),
    ],
    ['a package that has gone', () => rmSync(join(clone, 'node_modules/node'))],
  ])('installs again after %s', async (_name, change) => {
    await run('say.mjs');
    change();
    expect((await run('say.mjs')).stderr).toContain('Installing dependencies');
    expect((await run('say.mjs')).stderr).toBe('');
  });

  test('two at once: one installs, both run', async () => {
    const outcomes = await Promise.all([run('say.mjs'), run('say.mjs')]);
    expect(outcomes.map(({ code }) => code)).toEqual([7, 7]);
    expect(outcomes.filter(({ stderr }) => stderr.includes('Installing'))).toHaveLength(1);
    expect(existsSync(join(clone, '.install-lock'))).toBe(false);
  });

  test('a lock that a killed process left is taken over', async () => {
    const child = spawn(process.execPath, ['-e', '']);
    await once(child, 'exit');
    writeFileSync(join(clone, '.install-lock'), String(child.pid));
    expect((await run('say.mjs')).code).toBe(7);
    expect(existsSync(join(clone, '.install-lock'))).toBe(false);
  });

  test('a failing npm ends it with a sentence, and without a lock', async () => {
    writeFileSync(
      join(clone, 'package.json'),
      '{"name":"clone","dependencies":{"node":"file:vendor/other"}}',
    );
    const { code, stdout, stderr } = await run('say.mjs');
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain('npm ci failed; what it says above names the reason.');
    expect(existsSync(join(clone, '.install-lock'))).toBe(false);
  });

  test('a pinned Node that does not run is explained', async () => {
    rmSync(join(clone, 'vendor/node/bin/node'));
    writeFileSync(join(clone, 'vendor/node/bin/node'), '#!/bin/sh\nexit 1\n', { mode: 0o755 });
    const { code, stderr } = await run('say.mjs');
    expect(code).toBe(1);
    expect(stderr).toContain('The pinned Node does not run');
  });

  test.each(['SIGTERM', 'SIGINT'] as const)(
    '%s reaches the script, and its end is ours',
    async (signal) => {
      writeFileSync(
        join(clone, 'wait.mjs'),
        `process.once('${signal}', () => { process.exitCode = 9; clearInterval(timer); });
       const timer = setInterval(() => {}, 1000);
       console.log('ready');`,
      );
      const child = start('wait.mjs');
      const outcome = outcomeOf(child);
      if (child.stdout === null) throw new Error('no output');
      await once(child.stdout, 'data');
      child.kill(signal);
      expect((await outcome).code).toBe(9);
    },
  );

  test('a script that a signal ends, ends us by that signal', async () => {
    writeFileSync(
      join(clone, 'die.mjs'),
      "process.kill(process.pid, 'SIGTERM'); setInterval(() => {}, 1000);",
    );
    const child = start('die.mjs');
    const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
    expect([code, signal]).toEqual([null, 'SIGTERM']);
  });
});

describe('bin/hati.js', () => {
  /** Tells the script that it runs on another Node than it does. */
  const pretend = join(import.meta.dirname, 'pretend-node.mjs');

  function hati(version: string, ...args: string[]): Outcome {
    try {
      const stdout = execFileSync(
        process.execPath,
        ['--import', pretend, join(clone, 'bin/hati.js'), ...args],
        {
          env: { ...process.env, PRETEND_NODE: version },
          encoding: 'utf8',
          stdio: ['ignore', 'pipe', 'pipe'],
        },
      );
      return { code: 0, stdout, stderr: '' };
    } catch (error) {
      const { status, stdout, stderr } = error as {
        status: number;
        stdout: string;
        stderr: string;
      };
      return { code: status, stdout, stderr };
    }
  }

  beforeEach(() => {
    mkdirSync(join(clone, 'bin'));
    cpSync(join(repository, 'bin/hati.js'), join(clone, 'bin/hati.js'));
    writeFileSync(join(clone, 'package.json'), '{"type":"module"}');
  });

  const program =
    'console.log(process.versions.node, process.argv.slice(2).join()); process.exitCode = 5;';

  function publish(): void {
    mkdirSync(join(clone, 'dist'));
    writeFileSync(join(clone, 'dist/main.js'), program);
  }

  function addSource(): void {
    mkdirSync(join(clone, 'src'));
    writeFileSync(join(clone, 'src/main.ts'), program);
  }

  function addPinnedNode(): void {
    mkdirSync(join(clone, 'node_modules/node/bin'), { recursive: true });
    symlinkSync(process.execPath, join(clone, 'node_modules/node/bin/node'));
  }

  test.each([
    ['18.20.0', publish],
    ['22.11.0', publish],
    ['22.17.9', addSource],
    ['23.5.0', addSource],
  ] as const)('Node %s is told to be too old', (version, prepare) => {
    prepare();
    const outcome = hati(version);
    expect(outcome).toMatchObject({ code: 1, stdout: '' });
    expect(outcome.stderr).toMatch(
      /^hati needs Node\.js 22\.12 or newer .* this is [\d.]+ at .*\n$/,
    );
  });

  test.each([
    ['22.12.0', publish],
    ['23.0.0', publish],
    ['24.0.0', publish],
    ['22.18.0', addSource],
    ['23.6.0', addSource],
    ['100.0.0', addSource],
  ] as const)('Node %s is enough', (version, prepare) => {
    prepare();
    const outcome = hati(version, 'a', 'b');
    expect(outcome).toEqual({ code: 5, stdout: `${version} a,b\n`, stderr: '' });
  });

  test('a Node that is too old hands over to the pinned one', () => {
    publish();
    addPinnedNode();
    expect(hati('18.20.0', 'x')).toEqual({
      code: 5,
      stdout: `${process.versions.node} x\n`,
      stderr: '',
    });
  });

  test('sources go before what was built', () => {
    publish();
    addSource();
    writeFileSync(join(clone, 'dist/main.js'), "throw new Error('the old build');");
    expect(hati(process.versions.node).code).toBe(5);
  });
});
