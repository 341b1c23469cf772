import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  claimRunFile,
  publishRunRecord,
  readRunRecord,
  releaseRunFile,
} from '../../src/cli/run-file.ts';

let directory: string;
let path: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'hati-run-'));
  path = join(directory, 'run', 'proxy.json');
});
afterEach(() => rmSync(directory, { recursive: true }));

const address = { host: 'localhost', port: 5439 };

test('claimed, published, released', () => {
  expect(claimRunFile(path)).toBeUndefined();
  expect(readRunRecord(path)).toMatchObject({ pid: process.pid });
  expect(readRunRecord(path)?.address).toBeUndefined();
  publishRunRecord(path, { address, dataDirectory: '/d' });
  expect(readRunRecord(path)).toMatchObject({ pid: process.pid, address, dataDirectory: '/d' });
  expect(statSync(path).mode & 0o777).toBe(0o600);
  releaseRunFile(path);
  expect(readRunRecord(path)).toBeUndefined();
});

test('a second claim gets the first one’s record', () => {
  claimRunFile(path);
  publishRunRecord(path, { address });
  expect(claimRunFile(path)).toMatchObject({ pid: process.pid, address });
});

test('a process that has ended holds nothing', async () => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
  await once(child, 'spawn');
  mkdirSync(join(directory, 'run'));
  const record = { pid: child.pid, startedAt: new Date().toISOString(), processStart: null };
  writeFileSync(path, JSON.stringify(record));
  expect(readRunRecord(path)).toMatchObject({ pid: child.pid });
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(readRunRecord(path)).toBeUndefined();
  expect(claimRunFile(path)).toBeUndefined();
  expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({ pid: process.pid });
});

test.runIf(process.platform === 'linux')('a pid that is used again is another process', () => {
  claimRunFile(path);
  const record = JSON.parse(readFileSync(path, 'utf8')) as { processStart: string };
  expect(record.processStart).toMatch(/^\d+$/);
  writeFileSync(path, JSON.stringify({ ...record, processStart: '1' }));
  expect(readRunRecord(path)).toBeUndefined();
});

test.each(['', '{', 'null', '[]', '{"pid":"1"}', '{"pid":-1,"startedAt":"x","processStart":null}'])(
  'a broken file names nobody: %j',
  (text) => {
    mkdirSync(join(directory, 'run'));
    writeFileSync(path, text);
    expect(readRunRecord(path)).toBeUndefined();
    expect(claimRunFile(path)).toBeUndefined();
  },
);

test('releasing leaves another process’s claim', () => {
  mkdirSync(join(directory, 'run'));
  writeFileSync(path, JSON.stringify({ pid: 1, startedAt: 'x', processStart: null }));
  releaseRunFile(path);
  expect(readFileSync(path, 'utf8')).toContain('"pid":1');
});
