/** B: statements that write but look like reads. */
import { canaryFile } from '../digest.ts';
import { frontend as f, show } from '../../fixtures/raw-client.ts';
import { all, cannot, cannotCall, never } from '../model.ts';
import type { Row, TextCase } from '../model.ts';
import { expectSeen, within } from '../run-rows.ts';
import type { World } from '../world.ts';

const program = 'COPY with a program of the server';

const file = 'COPY with a file of the server';

const copyToFile = `'${canaryFile}'`;

export const writes: readonly Row[] = [
  {
    id: 'B01',
    title: 'a WITH that modifies data, at any depth',
    cases: [
      ...all(
        cannot('DELETE'),
        'WITH x AS (DELETE FROM u RETURNING *) SELECT * FROM x',
        'WITH a AS (WITH b AS (DELETE FROM u RETURNING 1) SELECT * FROM b) SELECT * FROM a',
        'SELECT * FROM (WITH x AS (DELETE FROM u RETURNING 1) SELECT * FROM x) q',
        'SELECT (WITH x AS (DELETE FROM u RETURNING id) SELECT max(id) FROM x)',
        'VALUES ((WITH x AS (DELETE FROM u RETURNING id) SELECT max(id) FROM x))',
        'SELECT 1 UNION (WITH x AS (DELETE FROM u RETURNING id) SELECT id FROM x)',
        'WITH RECURSIVE r AS (SELECT 1 UNION ALL SELECT 1 FROM r), x AS MATERIALIZED (DELETE FROM u RETURNING 1) TABLE x',
      ),
      ...all(cannot('INSERT'), 'WITH x AS (INSERT INTO u VALUES (99) RETURNING *) TABLE x'),
      ...all(cannot('UPDATE'), 'WITH x AS (UPDATE u SET amount = 0 RETURNING *) SELECT 1'),
      ...all(
        cannot('MERGE'),
        'WITH x AS (MERGE INTO u USING t ON t.id = u.id WHEN MATCHED THEN DELETE RETURNING 1) SELECT 1',
      ),
    ],
  },
  {
    id: 'B02',
    title: 'SELECT INTO',
    cases: all(
      cannot('DDL'),
      ...[
        'SELECT * INTO z FROM t',
        'SELECT 1 INTO z UNION SELECT 2',
        'SELECT 1 AS a INTO TEMP z',
        'SELECT 1 AS a INTO UNLOGGED z',
      ],
      ...[
        '(SELECT 1 AS a INTO z) UNION SELECT 2',
        'WITH x AS (SELECT 1 AS a) SELECT a INTO z FROM x',
        'EXPLAIN ANALYZE SELECT 1 AS a INTO z',
      ],
    ),
  },
  {
    id: 'B03',
    title: 'tables and views made of a query',
    cases: all(
      cannot('DDL'),
      ...[
        'CREATE TABLE c AS SELECT ssn FROM t',
        'CREATE TEMP TABLE c AS TABLE t',
        'CREATE UNLOGGED TABLE IF NOT EXISTS c AS VALUES (1)',
      ],
      ...[
        'CREATE VIEW c AS SELECT 1',
        'CREATE OR REPLACE TEMP VIEW c AS SELECT 1',
        'CREATE MATERIALIZED VIEW c AS SELECT 1',
      ],
      ...[
        'CREATE TABLE c AS EXECUTE p',
        'CREATE RECURSIVE VIEW c (n) AS SELECT 1',
        'CREATE TABLE c (LIKE t)',
      ],
    ),
  },
  {
    id: 'B04',
    title: 'row locks',
    cases: [
      ...['UPDATE', 'NO KEY UPDATE', 'SHARE', 'KEY SHARE'].flatMap((strength) =>
        all(
          cannot(`SELECT FOR ${strength}`),
          `SELECT * FROM t FOR ${strength}`,
          `SELECT * FROM t FOR ${strength} SKIP LOCKED`,
          `SELECT * FROM (SELECT * FROM t FOR ${strength}) q`,
          `WITH x AS (SELECT * FROM t FOR ${strength} NOWAIT) TABLE x`,
          `SELECT 1 WHERE EXISTS (SELECT FROM t FOR ${strength} OF t)`,
        ),
      ),
    ],
  },
  {
    id: 'B05',
    title: 'EXPLAIN ANALYZE of a write',
    cases: [
      ...all(
        cannot('DELETE'),
        'EXPLAIN ANALYZE DELETE FROM u',
        'EXPLAIN (ANALYZE) DELETE FROM u',
        'EXPLAIN (ANALYZE true, BUFFERS) DELETE FROM u',
      ),
      ...all(cannot('INSERT'), 'EXPLAIN ANALYZE INSERT INTO u VALUES (99)'),
      ...all(
        cannot('DELETE'),
        'EXPLAIN ANALYZE WITH x AS (DELETE FROM u RETURNING 1) SELECT 1',
        'EXPLAIN DELETE FROM u',
      ),
    ],
  },
  {
    id: 'B06',
    title: 'games with the options of EXPLAIN',
    cases: all(
      cannot('DELETE'),
      'EXPLAIN (ANALYZE off, ANALYZE) DELETE FROM u',
      'EXPLAIN (ANALYZE, ANALYZE off) DELETE FROM u',
      "EXPLAIN (ANALYZE 'on') DELETE FROM u",
      'EXPLAIN (ANALYZE 1) DELETE FROM u',
      'EXPLAIN (analyze True, verbose) DELETE FROM u',
      'EXPLAIN (GENERIC_PLAN) DELETE FROM u WHERE id = $1',
      'EXPLAIN VERBOSE DELETE FROM u',
    ),
  },
  {
    id: 'B07',
    title: 'plain EXPLAIN runs functions',
    cases: [
      // Which lock says no depends on who owns the function, and on what it claims to be.
      ...all(
        /^42501 /,
        'EXPLAIN SELECT * FROM t WHERE id = f_imm()',
        'EXPLAIN (COSTS off) SELECT f_imm()',
        'SELECT f_imm()',
      ).map((each): TextCase => ({ ...each, by: 'engine' })),
      ...['EXPLAIN SELECT * FROM t WHERE ssn = f_clamp()', 'SELECT f_clamp()'].map((text) => ({
        name: `${text}: refused, or the session whose READ ONLY it lifted is over`,
        run: async (world: World) => {
          const client = await world.login('readonly');
          client.send(f.query(text));
          const seen = show(await client.untilReady());
          if (!seen.some((line) => line.startsWith('E 42501 '))) {
            expectSeen(show(await within(client.rest())).slice(-1), [/^(42501|08006|57P01) /]);
          }
          client.close();
        },
      })),
    ],
  },
  {
    id: 'B08',
    title: 'EXPLAIN ANALYZE of other statements',
    cases: [
      ...all(
        cannot('MERGE'),
        'EXPLAIN ANALYZE MERGE INTO u USING t ON t.id = u.id WHEN MATCHED THEN DELETE',
      ),
      ...all(
        cannot('DDL'),
        'EXPLAIN ANALYZE CREATE TABLE c AS SELECT 1',
        'EXPLAIN ANALYZE CREATE MATERIALIZED VIEW c AS SELECT 1',
        'EXPLAIN ANALYZE REFRESH MATERIALIZED VIEW mv',
      ),
      ...all(
        cannotCall('f_sd'),
        'EXPLAIN ANALYZE DECLARE c CURSOR FOR SELECT f_sd()',
        'EXPLAIN ANALYZE SELECT f_sd()',
      ),
      ...all(/^26000 prepared statement "d" does not exist$/, 'EXPLAIN ANALYZE EXECUTE d').map(
        (each): TextCase => ({ ...each, by: 'engine' }),
      ),
    ],
  },
  {
    id: 'B09',
    title: 'COPY with a write inside',
    cases: [
      ...all(
        cannot('DELETE'),
        'COPY (DELETE FROM u RETURNING *) TO STDOUT',
        'COPY (WITH x AS (DELETE FROM u RETURNING 1) TABLE x) TO STDOUT',
      ),
      ...all(
        cannot('UPDATE'),
        'COPY (UPDATE u SET amount = 0 RETURNING *) TO STDOUT WITH (FORMAT csv)',
      ),
      ...all(cannotCall('f_sd'), 'COPY (SELECT f_sd()) TO STDOUT'),
    ],
  },
  {
    id: 'B10',
    title: 'COPY to and from a program',
    cases: (['readonly', 'admin'] as const).flatMap((as) =>
      [
        ...all(
          as === 'admin' ? never(program) : cannot(program),
          `COPY (SELECT 1) TO PROGRAM 'touch ${canaryFile}'`,
          `COPY t TO PROGRAM 'touch ${canaryFile}'`,
        ),
        ...all(
          as === 'admin' ? never(program) : cannot(program),
          `COPY u FROM PROGRAM 'touch ${canaryFile}'`,
        ),
      ].map((each) => ({ ...each, as })),
    ),
  },
  {
    id: 'B11',
    title: 'COPY to a file',
    cases: (['readonly', 'admin'] as const).flatMap((as) =>
      all(
        as === 'admin' ? never(file) : cannot(file),
        `COPY t TO ${copyToFile}`,
        `COPY (SELECT 1) TO ${copyToFile} WITH (FORMAT binary)`,
      ).map((each) => ({ ...each, as })),
    ),
  },
  {
    id: 'B12',
    title: 'COPY into a table',
    cases: [
      ...all(cannot('COPY'), 'COPY u FROM STDIN', 'COPY u (id) FROM STDIN WITH (FORMAT csv)'),
      ...all(cannot(file), "COPY u FROM '/etc/passwd'"),
      { text: "COPY u FROM '/etc/passwd'", as: 'admin', refused: never(file) },
      {
        name: 'data sent along is thrown away',
        send: [
          f.query('COPY u FROM STDIN'),
          f.copyData('99\tx\t1\n'),
          f.copyDone(),
          f.query('SELECT 1'),
        ],
        sees: [cannot('COPY'), 'Z I', 'T', 'D 1', 'C SELECT 1', 'Z I'],
      },
    ],
  },
  {
    id: 'B13',
    title: 'MERGE',
    cases: all(
      cannot('MERGE'),
      'MERGE INTO u USING t ON t.id = u.id WHEN MATCHED THEN DELETE',
      'MERGE INTO u USING t ON t.id = u.id WHEN NOT MATCHED THEN INSERT VALUES (t.id)',
      'MERGE INTO u USING t ON t.id = u.id WHEN MATCHED THEN DO NOTHING',
    ),
  },
];
