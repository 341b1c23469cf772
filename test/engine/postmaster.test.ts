import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { acceptsConnections } from '../../src/engine/embedded/postmaster.ts';
import { enterableDirectory } from '../fixtures/enterable-directory.ts';

const root = enterableDirectory('hati-postmaster-');
afterAll(() => rmSync(root, { recursive: true, force: true }));

test('a file of an earlier life with the same pid does not count: pids repeat in containers', async () => {
  const directories = { dataDirectory: join(root, 'data'), socketDirectory: join(root, 'run') };
  for (const directory of Object.values(directories)) mkdirSync(directory);
  const lines = ['17', directories.dataDirectory, '0', '5432', '', '', '', 'ready   ', ''];
  writeFileSync(join(directories.dataDirectory, 'postmaster.pid'), lines.join('\n'));
  expect(await acceptsConnections(directories, 17)).toBe(false);

  writeFileSync(join(directories.socketDirectory, '.s.PGSQL.5432'), '');
  expect(await acceptsConnections(directories, 17)).toBe(true);
  expect(await acceptsConnections(directories, 18)).toBe(false);
});
