/** I: must stay allowed. A false refusal counts as an outage. Rows are those that PostgreSQL gives without us. */
import { same } from '../model.ts';
import type { Row } from '../model.ts';

export const queries: readonly Row[] = [
  {
    id: 'I01',
    title: 'names that look like verbs',
    cases: [
      { text: 'SELECT count(*) AS delete FROM t', rows: ['20'] },
      { text: 'SELECT 1 AS "update", 2 AS "drop", 3 AS "grant", 4 AS "INSERT"', rows: ['1|2|3|4'] },
      { text: 'SELECT "delete".id FROM t AS "delete" WHERE id = 1', rows: ['1'] },
      {
        text: 'WITH "drop" AS (SELECT 1 AS "truncate") SELECT "truncate" FROM "drop"',
        rows: ['1'],
      },
      { text: 'SELECT insert, update FROM (SELECT 1 AS insert, 2 AS update) alter', rows: ['1|2'] },
    ],
  },
  {
    id: 'I02',
    title: 'literals and comments that look like statements',
    cases: [
      { text: "SELECT 'DROP TABLE x; --'", rows: ['DROP TABLE x; --'] },
      { text: 'SELECT 1 -- delete', rows: ['1'] },
      { text: 'SELECT 1 /* insert; drop table t */', rows: ['1'] },
      { text: 'SELECT $$ truncate; $$', rows: [' truncate; '] },
      { text: "SELECT E'\\'; DELETE FROM u; --'", rows: ["'; DELETE FROM u; --"] },
      { text: '-- DELETE FROM u\nSELECT 1', rows: ['1'] },
    ],
  },
  {
    id: 'I03',
    title: 'analytics',
    cases: [
      {
        text: 'WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT sum(n) FROM r',
        rows: ['15'],
      },
      {
        text: 'SELECT amount % 2, count(*) FILTER (WHERE id > 3) FROM t GROUP BY GROUPING SETS ((1), ()) ORDER BY 1 NULLS LAST',
        rows: ['0|9', '1|8', '|17'],
      },
      { text: "SELECT jsonb_path_query(body, '$.a[*]') FROM doc", rows: ['1', '2'] },
      ...same(
        'SELECT id, sum(amount) OVER (ORDER BY id), lag(amount, 2, 0) OVER w, ntile(4) OVER w, rank() OVER w FROM t WINDOW w AS (ORDER BY id) ORDER BY id',
        'SELECT t.id, q.d FROM t, LATERAL (SELECT t.id * 2 AS d) q ORDER BY 1 LIMIT 3',
        'SELECT id, part, count(*) FROM pt GROUP BY CUBE (id, part) ORDER BY 1, 2, 3',
        "VALUES (1, 'a'), (2, 'b')",
        'TABLE t ORDER BY id',
        'SELECT count(*) FROM t TABLESAMPLE bernoulli (100) REPEATABLE (1)',
        'SELECT percentile_cont(ARRAY[0.25, 0.5]) WITHIN GROUP (ORDER BY amount), mode() WITHIN GROUP (ORDER BY ssn), stddev_pop(amount), corr(id, amount), regr_slope(id, amount) FROM t',
        "SELECT string_agg(ssn, ',' ORDER BY id DESC), array_agg(DISTINCT amount % 3), bool_and(id > 0), json_object_agg(id, amount ORDER BY id) FROM t",
        "SELECT date_trunc('month', d), extract(isodow FROM d), d + interval '1 month', to_char(d, 'YYYY-MM-DD HH24:MI') FROM generate_series(timestamp '2024-01-31', '2024-02-02', '1 day') d",
        'SELECT width_bucket(amount, 0, 20, 4), count(*) FROM t GROUP BY 1 ORDER BY 1',
        "SELECT regexp_replace(ssn, '^(\\d+)-', '***-'), split_part(ssn, '-', 3), substring(ssn FROM '\\d{4}$'), translate(ssn, '-', ''), md5(ssn), ssn ~* '^123' FROM t ORDER BY id",
        'SELECT * FROM jsonb_to_recordset(\'[{"a": 1, "b": "x"}]\') AS x(a int, b text)',
        "SELECT key, value FROM doc, jsonb_each_text(body -> 'b')",
        "SELECT to_jsonb(t) - 'ssn', row_to_json(t) FROM t ORDER BY id LIMIT 2",
        "SELECT ts_rank(words, q), ts_headline('one two', q) FROM doc, to_tsquery('simple', 'one & two') q WHERE words @@ q",
        "SELECT xmlelement(name a, xmlattributes(1 AS b), 'c'), xpath('/a/b/text()', x) FROM doc",
        'SELECT id, b.ssn FROM t a FULL JOIN u b USING (id) ORDER BY 1',
        'SELECT id FROM t EXCEPT ALL SELECT id FROM u WHERE id > 5 ORDER BY id',
        'SELECT id FROM t WHERE (id, amount) IN (SELECT id, amount FROM u) AND id = ANY (ARRAY[1, 2]) AND EXISTS (SELECT FROM u WHERE u.id = t.id) ORDER BY id',
        "SELECT int4range(1, 5) * int4range(3, 8), '[1,5)'::int4range @> 3, point(1, 2) <-> point(4, 6), inet '10.0.0.1' << '10.0.0.0/8'",
        'SELECT unnest(ARRAY[3, 1, 2]) AS x ORDER BY x DESC FETCH FIRST 2 ROWS WITH TIES',
        'SELECT DISTINCT ON (amount % 3) amount % 3, id FROM t ORDER BY amount % 3, id DESC',
        "SELECT greatest(1, 2), least(1, 2), coalesce(NULL, 1), nullif(1, 1), CASE WHEN true THEN 'a' END, 7 / 2.0, 7 % 3, 2 ^ 10, |/ 16, @ -5",
      ),
    ],
  },
  {
    id: 'I04',
    title: 'EXPLAIN of a read',
    cases: [
      ...same(
        ...[
          'EXPLAIN SELECT * FROM t',
          'EXPLAIN (FORMAT JSON) SELECT * FROM t WHERE id = 1',
          'EXPLAIN (VERBOSE, COSTS off) SELECT id FROM v',
          'EXPLAIN (FORMAT YAML) TABLE t',
        ],
        ...[
          'EXPLAIN (ANALYZE, TIMING off, SUMMARY off, BUFFERS off, COSTS off) SELECT count(*) FROM t',
        ],
      ),
      { text: 'EXPLAIN ANALYZE SELECT * FROM t', rows: 'any' },
    ],
  },
];
