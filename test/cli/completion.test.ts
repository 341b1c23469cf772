import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { completedCommands } from '../../src/cli/completion.ts';
import type { CompletedCommand } from '../../src/cli/completion-scripts.ts';
import type { CommandContext } from '../../src/cli/context.ts';
import { programOf } from '../../src/cli/program.ts';
import { Person } from './api-cli.ts';

/** What is made from the tree of commands, and what is written about it. */

const all = completedCommands(programOf({} as CommandContext));

describe('completion of bash, in a real bash', () => {
  let script: string;

  beforeAll(async () => {
    const person = new Person();
    script = await person.out('completion', 'bash');
    person.remove();
  });

  /** What a tab behind these words offers; the last one may be begun. */
  function offered(...words: string[]): string[] {
    const line = words.map((word) => `'${word}'`).join(' ');
    const ask = `COMP_WORDS=(${line}); COMP_CWORD=${words.length - 1}; _hati; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const printed = execFileSync('bash', ['--norc', '-uc', `${script}\n${ask}`], {
      encoding: 'utf8',
    });
    return printed.split('\n').filter((each) => each !== '');
  }

  test.each([
    [['hati', 'us'], ['users']],
    [
      ['hati', 'keys', ''],
      ['list', 'create', 'rotate', 'revoke', 'help'],
    ],
    [
      ['hati', 'keys', 'r'],
      ['rotate', 'revoke'],
    ],
    [['hati', 'envs', 'promote', 'staging', '--d'], ['--dry-run']],
    [
      ['hati', 'users', 'invite', '--role', 'a'],
      ['admin', 'analyst', 'auditor'],
    ],
    [['hati', 'users', 'role', 'ada@acme.example', 'own'], ['owner']],
    [
      ['hati', 'completion', ''],
      ['bash', 'zsh', 'fish'],
    ],
    [
      ['hati', 'help', 'w'],
      ['whoami', 'webhooks'],
    ],
    [['hati', 'query', '-f', 're'], []],
    [['hati', 'nonsense', 'u'], ['users']],
  ])('%j', (words, expected) => {
    expect(offered(...words)).toEqual(expected);
  });

  test('every command and every option', () => {
    expect(all.length).toBeGreaterThan(50);
    for (const { path, commands, options } of all) {
      const words = path.split(' ');
      expect(offered(...words, '')).toEqual(
        expect.arrayContaining(commands.map(({ name }) => name)),
      );
      expect(offered(...words, '-')).toEqual(options.flatMap(flagsOf));
    }
  });
});

test('zsh and fish are told of the same', async () => {
  const person = new Person();
  const [zsh, fish] = [
    await person.out('completion', 'zsh'),
    await person.out('completion', 'fish'),
  ];
  person.remove();
  expect(await person.fault('completion', 'tcsh')).toMatch(/^2 error: .*bash, zsh, fish/);
  for (const { path, options } of all) {
    expect(zsh).toContain(`'${path}:-'*)`);
    for (const { long } of options) {
      expect(zsh).toContain(`'${long}`);
      expect(fish).toMatch(new RegExp(`__hati_at \\\\'${path}\\\\'' .*-l ${long!.slice(2)} `));
    }
  }
});

describe('docs/cli.md', () => {
  const text = readFileSync(resolve(import.meta.dirname, '../../docs/cli.md'), 'utf8');
  const rows = text.split('\n').filter((line) => line.startsWith('| `hati'));
  /** Those that do something. */
  const leaves = all.filter(({ path, commands }) => path !== 'hati' && commands.length === 0);
  /** Told once for all of them, below the table. */
  const common = ['--help', '--url', '--key', '--json', '--org', '--yes'];

  function rowsOf({ path }: CompletedCommand): string[] {
    return rows.filter((row) => new RegExp(`\`${path}[ \`]`).test(row));
  }

  test.each(leaves.map((each) => [each.path, each] as const))('%s', (_, command) => {
    const told = rowsOf(command).join('\n');
    expect(told).not.toBe('');
    const own = command.options.filter(({ long }) => !common.includes(long!));
    const untold = own.filter((option) => !flagsOf(option).some((flag) => told.includes(flag)));
    expect(untold).toEqual([]);
  });

  test('names no command that there is not', () => {
    const named = rows.map((row) => /`hati ([a-z-]+(?: [a-z-]+)?)/.exec(row)![1]!);
    const known = new Set(leaves.map(({ path }) => path.replace(/^hati /, '')));
    expect(named.filter((each) => !known.has(each) && !known.has(each.split(' ')[0]!))).toEqual([]);
  });
});

function flagsOf({ short, long }: CompletedCommand['options'][number]): string[] {
  return [short, long].filter((flag) => flag !== undefined);
}
