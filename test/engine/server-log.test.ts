/** What of PostgreSQL's stderr reaches our log: nothing that a client said. */
import { PassThrough } from 'node:stream';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { relayServerLog } from '../../src/engine/embedded/server-log.ts';

test.each<[string, string[], string[]]>([
  ['the postmaster', ['1 00000 [postmaster] LOG:  ready'], ['30 ready']],
  [
    'a crash, without the statement',
    [
      '1 00000 [postmaster] LOG:  client backend (PID 2) was terminated by signal 9: Killed',
      "1 00000 [postmaster] DETAIL:  Failed process was running: SELECT 'canary',",
      "\t'more canary'",
      '1 00000 [postmaster] LOG:  terminating any other active server processes',
    ],
    [
      '30 client backend (PID 2) was terminated by signal 9: Killed',
      '30 terminating any other active server processes',
    ],
  ],
  [
    'an error of a client',
    ['2 22P02 [client backend] ERROR:  invalid input: "canary"', '\tcanary'],
    [],
  ],
  ['RAISE LOG', ['2 00000 [client backend] LOG:  canary'], []],
  ['an autovacuum over an index expression', ['2 22012 [autovacuum worker] ERROR:  canary'], []],
  [
    'a full disk met by a client',
    ['2 53100 [client backend] ERROR:  could not extend file "canary"'],
    ['40 PostgreSQL could not carry out a statement'],
  ],
  [
    'a full disk met by housekeeping',
    ['3 53100 [checkpointer] ERROR:  could not write: No space left on device'],
    ['40 could not write: No space left on device'],
  ],
  [
    'a session that is ended',
    ['2 57P01 [client backend] FATAL:  terminating connection'],
    ['40 terminating connection'],
  ],
  ['a panic', ['2 XX000 [walwriter] PANIC:  stuck'], ['60 stuck']],
  ['a statement', ["2 XX000 [client backend] STATEMENT:  SELECT 'canary'"], []],
  [
    'the dynamic loader',
    ['postgres: error while loading shared libraries: libz.so.1'],
    ['40 postgres: error while loading shared libraries: libz.so.1'],
  ],
])('%s', async (_name, input, expected) => {
  const logged: string[] = [];
  const log = pino(
    { level: 'trace' },
    {
      write: (line: string) => {
        const { level, msg } = JSON.parse(line) as { level: number; msg: string };
        logged.push(`${level} ${msg}`);
      },
    },
  );
  const stderr = new PassThrough();
  const { lines } = relayServerLog(stderr, log);
  stderr.end(`${input.join('\n')}\n`);
  await expect.poll(() => stderr.readableEnded).toBe(true);
  expect(logged).toEqual(expected);
  expect(lines).toHaveLength(expected.length);
});
