/** What must never get through as a relation, a statement or a clause: put into honest statements wherever the grammar has room. */

export const hostileRelations: readonly string[] = [
  ...[
    'trap_view',
    'public.trap_view',
    'trap_outer_view',
    'trap_xid_view',
    'trap_where_view',
    'ONLY trap_view',
  ],
  ...[
    'trap_rls',
    'trap_rows()',
    'LATERAL trap_rows() AS z',
    'ROWS FROM (trap_rows(), trap()) AS z',
  ],
  ...[
    '(SELECT trap()) AS z',
    '(WITH w AS (SELECT trap()) TABLE w) AS z',
    'generate_series(1, trap()) AS z',
  ],
  ...[
    't TABLESAMPLE bernoulli (trap())',
    't TABLESAMPLE system (1) REPEATABLE (trap())',
    'pg_authid',
  ],
  ...[
    "JSON_TABLE('[]', '$' PASSING trap() AS p COLUMNS (a int PATH '$')) AS z",
    'pg_settings',
    'pg_locks',
  ],
  ...[
    "XMLTABLE('/x' PASSING (trap()::text)::xml COLUMNS a int) AS z",
    '(VALUES (trap())) AS z',
    'trap_generated',
  ],
  ...[
    '(SELECT DISTINCT k FROM keyed) AS z',
    '(SELECT k FROM keyed ORDER BY k) AS z',
    'keyed',
    'keyed JOIN keyed AS z USING (k)',
  ],
  ...[
    '(SELECT k FROM keyed UNION SELECT k FROM keyed) AS z',
    '(SELECT k FROM keyed GROUP BY k) AS z',
  ],
  ...[
    'jsonb_to_record(\'{"a": 1}\') AS z (a trap_domain)',
    "JSON_TABLE('[1]', '$[*]' COLUMNS (a trap_domain PATH '$')) AS z",
  ],
  ...[
    "set_config('row_security', 'off', false) AS z",
    'pg_stat_activity',
    "dblink('x', 'y') AS z (a int)",
  ],
];

/** Go into WITH, before AS SELECT, into EXPLAIN, PREPARE, COPY and cursors. */
export const hostileStatements: readonly string[] = [
  ...[
    'DELETE FROM u RETURNING *',
    'INSERT INTO u DEFAULT VALUES RETURNING *',
    'UPDATE u SET note = 1 RETURNING *',
  ],
  ...[
    'MERGE INTO u USING t ON t.id = u.id WHEN MATCHED THEN DELETE RETURNING *',
    'TRUNCATE u',
    'DROP TABLE u',
  ],
  ...[
    'SELECT * FROM t FOR UPDATE',
    'SELECT 1 INTO z',
    'SELECT trap()',
    'SELECT * FROM trap_view',
    'CALL trap_procedure()',
  ],
  ...[
    "DO 'BEGIN PERFORM trap(); END'",
    'CREATE TABLE z AS SELECT 1',
    'CREATE TEMP TABLE z (a int)',
    'VACUUM t',
  ],
  ...[
    'LOCK t IN ACCESS EXCLUSIVE MODE',
    'SET default_transaction_read_only = off',
    'SET ROLE corpus_owner',
  ],
  ...[
    'SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE',
    'BEGIN READ WRITE',
    'RESET SESSION AUTHORIZATION',
  ],
  ...[
    "COPY u FROM '/etc/passwd'",
    "COPY t TO PROGRAM 'id'",
    "COPY t TO '/tmp/x'",
    'COPY u FROM STDIN',
    'NOTIFY c',
  ],
  ...[
    'LISTEN c',
    'REFRESH MATERIALIZED VIEW m',
    'CLUSTER t USING t_pkey',
    'ALTER SYSTEM SET work_mem = 1',
    'CHECKPOINT',
  ],
  ...[
    "SECURITY LABEL ON TABLE t IS 'x'",
    'UPDATE v SET b = 1',
    "UPDATE pg_settings SET setting = 'off' WHERE name = 'row_security'",
  ],
  ...[
    "PREPARE TRANSACTION 'x'",
    'COMMIT',
    'ROLLBACK',
    'DISCARD ALL',
    'SET LOCAL transaction_read_only = off',
  ],
];

export const lockingClauses: readonly string[] = [
  ...[
    'FOR UPDATE',
    'FOR NO KEY UPDATE',
    'FOR SHARE',
    'FOR KEY SHARE',
    'FOR UPDATE OF t',
    'FOR SHARE SKIP LOCKED',
  ],
];

export const intoClauses: readonly string[] = [
  ...[
    'INTO z',
    'INTO TABLE z',
    'INTO TEMP z',
    'INTO TEMPORARY TABLE z',
    'INTO UNLOGGED z',
    'INTO pg_temp.z',
  ],
];

/** `?` is the statement. */
export const wrappings: readonly string[] = [
  ...[
    'EXPLAIN ?',
    'EXPLAIN ANALYZE ?',
    'EXPLAIN (ANALYZE off, ANALYZE) ?',
    'EXPLAIN (ANALYZE, SERIALIZE text) ?',
  ],
  ...[
    'COPY (?) TO STDOUT',
    "COPY (?) TO '/tmp/z'",
    "COPY (?) TO PROGRAM 'cat'",
    'PREPARE z AS ?',
    'PREPARE z (int) AS ?',
  ],
  ...[
    'DECLARE z CURSOR FOR ?',
    'DECLARE z CURSOR WITH HOLD FOR ?',
    'CREATE TABLE z AS ?',
    'CREATE VIEW z AS ?',
  ],
  ...[
    'CREATE MATERIALIZED VIEW z AS ?',
    'SELECT * FROM (?) z',
    'WITH z AS (?) SELECT * FROM z',
    'SELECT (?)',
  ],
  ...[
    'WITH RECURSIVE z AS (?) SELECT * FROM z',
    'WITH z AS MATERIALIZED (?) TABLE z',
    'SELECT ARRAY(?)',
    '(?)',
  ],
  ...[
    'INSERT INTO u ?',
    'SELECT 1 UNION ALL ?',
    '? UNION ?',
    'EXPLAIN CREATE TABLE z AS ?',
    'EXPLAIN DECLARE z CURSOR FOR ?',
  ],
  ...[
    'SELECT EXISTS (?)',
    'VALUES ((?))',
    'SELECT 1 LIMIT (?)',
    'SELECT 1 ORDER BY (?)',
    'SELECT 1 WHERE 1 IN (?)',
  ],
];
