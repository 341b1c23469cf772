/** `npm run test:corpus` as a whole, on a few statements of which we know what both sides must say. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runCorpus, type Case } from '../../scripts/corpus/run.ts';
import { startThrowawayServer, type ThrowawayServer } from '../../scripts/corpus/server.ts';

let server: ThrowawayServer;
beforeAll(async () => {
  server = await startThrowawayServer();
});
afterAll(() => server.stop());

type Row = readonly [statement: string, answer: string, isPlainRead?: boolean];

const rows: readonly Row[] = [
  ['CREATE TABLE t (id int PRIMARY KEY)', 'writes'],
  ['INSERT INTO t VALUES (1)', 'writes'],
  ['SELECT * FROM t', 'harmless', true],
  ['WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x', 'writes'],
  ['SELECT * FROM t FOR UPDATE', 'writes'],
  ['SELECT * FROM', 'fails'],
  ["COPY t TO :'filename'", 'fails'],
  ['SELECT * FROM nowhere', 'fails'],
  ['COPY t TO STDOUT', 'harmless', true],
  ['COPY t FROM STDIN', 'writes'],
  ['VACUUM t', 'harmless'],
  ['SELECT pg_input_is_valid($$1$$, $$int$$)', 'harmless', true],
  ['SELECT pg_advisory_lock(1)', 'writes'],
  ["SELECT set_config('default_transaction_read_only', 'off', false)", 'writes'],
  ['BEGIN READ WRITE', 'writes'],
  ['ROLLBACK', 'harmless'],
  ['LISTEN x', 'writes'],
  ["SELECT pg_read_file('/etc/passwd')", 'writes'],
  ['SELECT rolpassword FROM pg_authid', 'unreadable'],
  ['BEGIN', 'harmless'],
  ['LOCK t IN ACCESS EXCLUSIVE MODE', 'writes'],
  ['SELECT * FROM t', 'fails'],
  ['COMMIT', 'harmless'],
  ['SELECT * FROM t', 'harmless', true],
  ['PREPARE p AS SELECT * FROM t', 'harmless', true],
  ['EXECUTE p', 'harmless', true],
  // By the lock that reading its text takes.
  ['PREPARE d AS DELETE FROM t', 'writes'],
  // We refused to prepare it, so the reader's session has none.
  ['EXECUTE d', 'fails'],
  ['CREATE SCHEMA other; CREATE TABLE other.o ()', 'writes'],
  ['SET search_path = other', 'harmless'],
  ['SELECT * FROM o', 'harmless', true],
  ['SELECT pg_terminate_backend(pg_backend_pid())', 'writes'],
  ['SELECT * FROM o', 'harmless', true],
];

test('every statement gets the answer that PostgreSQL gives, and ours is compared with it', async () => {
  const cases: Case[] = [];
  const file = { file: 'known.sql', statements: rows.map(([statement]) => statement) };
  await runCorpus([file], { server, onCase: (one) => cases.push(one) });
  const seen = cases.map(({ statement, answer, isPlainRead }) => [
    statement,
    answer.kind,
    isPlainRead,
  ]);
  expect(seen).toEqual(rows.map(([text, answer, isRead = false]) => [text, answer, isRead]));
  expect(cases.filter(({ finding }) => finding === 'allowedWrite')).toEqual([]);
  expect(cases.filter(({ finding }) => finding === 'notUnderstood')).toEqual([]);
});
