import { expect, test } from 'vitest';
import { explain } from '../../src/engine/embedded/explain.ts';
import { matchesVerifier, scramVerifier } from '../../src/engine/scram.ts';

test.each([
  ['FATAL:  could not write to file "x": No space left on device', 'the disk is full'],
  ['Error: ENOSPC: no space left on device, write', 'the disk is full'],
  [
    'postgres: error while loading shared libraries: libssl.so.1.1: cannot open shared object file',
    'the system library libssl.so.1.1 is missing',
  ],
  [
    "libm.so.6: version `GLIBC_2.38' not found (required by postgres)",
    'C library is too old (GLIBC_2.38',
  ],
  [
    'pre-existing shared memory block (key 1, ID 2) is still in use',
    'still hold its shared memory',
  ],
  ['could not create shared memory segment: Cannot allocate memory', 'memory it needs'],
  ['could not create semaphores: No space left on device', 'no semaphores left'],
  ['data directory "/x" has wrong ownership', 'must belong to the user that runs it'],
  ['could not locate a valid checkpoint record at 0/1', 'is damaged'],
  ['could not open file "x": Permission denied', 'may not read or write'],
])('%s', (line, sentence) => {
  const text = explain('It failed', ['before', line, '']);
  expect(text.split('\n')[0]).toMatch(/^It failed: .*\.$/);
  expect(text.split('\n')[0]).toContain(sentence);
  expect(text).toContain(`  ${line}`);
});

test('what is not recognised is passed on, its last lines', () => {
  const lines = Array.from({ length: 20 }, (_, index) => `line ${index}`);
  expect(explain('It failed', lines).split('\n')).toEqual([
    'It failed.',
    ...lines.slice(-6).map((line) => `  ${line}`),
  ]);
});

test('a SCRAM verifier is what PostgreSQL would store (RFC 7677’s example)', () => {
  const salt = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64');
  const verifier = scramVerifier('pencil', salt);
  expect(verifier).toBe(
    'SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=',
  );
  expect(matchesVerifier('pencil', verifier)).toBe(true);
  expect(matchesVerifier('Pencil', verifier)).toBe(false);
  expect(matchesVerifier('pencil', null)).toBe(false);
  expect(matchesVerifier('pencil', 'md5abc')).toBe(false);
});
