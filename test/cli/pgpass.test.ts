import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { addPgpassBlock, pgpassPath, removePgpassBlock } from '../../src/cli/pgpass.ts';

let home: string;
let path: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'hati-home-'));
  path = pgpassPath({}, home);
});
afterEach(() => rmSync(home, { recursive: true }));

const owner = '/projects/a/.hati';
const other = '/projects/b/.hati';

const ours = [
  'localhost:5439:*:*:hd_local',
  '127.0.0.1:5439:*:*:hd_local',
  '\\:\\:1:5439:*:*:hd_local',
];

function linesOf(file: string): string[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
}

test('PGPASSFILE names another file', () => {
  expect(pgpassPath({ PGPASSFILE: '/x/y' }, home)).toBe('/x/y');
  expect(pgpassPath({ PGPASSFILE: '' }, home)).toBe(join(home, '.pgpass'));
});

test('without a file: made for the owner alone, and gone afterwards', () => {
  addPgpassBlock(path, owner, 5439);
  expect(linesOf(path)).toEqual(ours);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  removePgpassBlock(path, owner);
  expect(existsSync(path)).toBe(false);
});

describe('the user’s own lines', () => {
  test.each([
    ['with a last newline', 'db:5432:app:me:secret\n# mine\n'],
    ['without one', 'db:5432:app:me:secret'],
    ['with blank lines and Windows ends', '\n\ndb:5432:app:me:secret\r\n\n'],
  ])('stay as they are and come first: %s', (_name, text) => {
    writeFileSync(path, text, { mode: 0o600 });
    addPgpassBlock(path, owner, 5439);
    expect(readFileSync(path, 'utf8').startsWith(text)).toBe(true);
    expect(linesOf(path)).toEqual(expect.arrayContaining(ours));
    removePgpassBlock(path, owner);
    expect(readFileSync(path, 'utf8')).toBe(text.endsWith('\n') ? text : `${text}\n`);
  });

  test.each<[string, string[]]>([
    ['localhost:5439:*:*:my-own', ours.slice(1)],
    ['*:5439:*:*:my-own', []],
    ['*:*:*:*:my-own', []],
    ['\\:\\:1:5439:*:*:my-own', ours.slice(0, 2)],
    ['localhost:5439:hatidata:*:only-one-database', ours],
    ['localhost:5439:*:admin:only-one-user', ours],
    ['localhost:5440:*:*:another-port', ours],
    ['# *:*:*:*:a comment', ours],
  ])('that answer for us already are enough: %s', (line, expected) => {
    writeFileSync(path, `${line}\n`);
    addPgpassBlock(path, owner, 5439);
    expect(linesOf(path).filter((other) => other !== line)).toEqual(expected);
  });
});

test('again changes nothing, not even the file', () => {
  writeFileSync(path, 'db:5432:app:me:secret\n');
  addPgpassBlock(path, owner, 5439);
  const before = statSync(path);
  addPgpassBlock(path, owner, 5439);
  expect(statSync(path).ino).toBe(before.ino);
  expect(linesOf(path)).toHaveLength(4);
});

test('two proxies keep their own blocks apart', () => {
  addPgpassBlock(path, owner, 5439);
  addPgpassBlock(path, other, 5440);
  removePgpassBlock(path, owner);
  expect(linesOf(path)).toEqual(ours.map((line) => line.replace('5439', '5440')));
});

test('a block that a killed proxy left is replaced, whatever its port was', () => {
  addPgpassBlock(path, owner, 5440);
  addPgpassBlock(path, owner, 5439);
  expect(linesOf(path)).toEqual(ours);
  removePgpassBlock(path, owner);
  expect(existsSync(path)).toBe(false);
});

test('a line of another project that left it is not relied on', () => {
  addPgpassBlock(path, other, 5439);
  addPgpassBlock(path, owner, 5439);
  removePgpassBlock(path, other);
  expect(linesOf(path)).toEqual(ours);
});

test('removing what is not there touches nothing', () => {
  removePgpassBlock(path, owner);
  expect(existsSync(path)).toBe(false);
  writeFileSync(path, 'a:1:b:c:d');
  removePgpassBlock(path, owner);
  expect(readFileSync(path, 'utf8')).toBe('a:1:b:c:d');
});

test('half a block is left alone, since the user may have edited it', () => {
  addPgpassBlock(path, owner, 5439);
  const text = readFileSync(path, 'utf8').replace(/# <<<.*\n/, 'db:5432:app:me:secret\n');
  writeFileSync(path, text);
  removePgpassBlock(path, owner);
  expect(readFileSync(path, 'utf8')).toBe(text);
});

test('half a block does not make the next one swallow what lies between', () => {
  addPgpassBlock(path, owner, 5439);
  const half = readFileSync(path, 'utf8').replace(/# <<<.*\n/, 'db:5432:app:me:secret\n');
  writeFileSync(path, half);
  addPgpassBlock(path, owner, 5440);
  removePgpassBlock(path, owner);
  expect(readFileSync(path, 'utf8')).toBe(half);
});

test('a symbolic link stays one, and the file behind it changes', () => {
  mkdirSync(join(home, 'dotfiles'));
  const real = join(home, 'dotfiles', 'pgpass');
  writeFileSync(real, 'db:5432:app:me:secret\n', { mode: 0o600 });
  symlinkSync(real, path);
  addPgpassBlock(path, owner, 5439);
  expect(lstatSync(path).isSymbolicLink()).toBe(true);
  expect(linesOf(real)).toHaveLength(4);
});

test('a mode that libpq refuses is tightened', () => {
  writeFileSync(path, 'db:5432:app:me:secret\n');
  chmodSync(path, 0o644);
  addPgpassBlock(path, owner, 5439);
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test.runIf(process.getuid?.() === 0)('root leaves the file to the user whose home it is', () => {
  execFileSync('chown', ['-R', '12345:12345', home]);
  addPgpassBlock(path, owner, 5439);
  expect(statSync(path)).toMatchObject({ uid: 12345, gid: 12345 });
  execFileSync('chown', ['23456:23456', path]);
  addPgpassBlock(path, other, 5440);
  expect(statSync(path)).toMatchObject({ uid: 23456, gid: 23456 });
});

test('what cannot be written throws and leaves nothing beside it', () => {
  const impossible = join(home, 'missing', '.pgpass');
  expect(() => addPgpassBlock(impossible, owner, 5439)).toThrow(/ENOENT/);
  mkdirSync(join(home, 'directory'));
  expect(() => addPgpassBlock(join(home, 'directory'), owner, 5439)).toThrow(/EISDIR/);
});
