/** B: code that a statement runs: a function is a function wherever it stands, in a view, or behind a string. */
import { all, cannot, cannotCall, cannotConvert, same } from '../model.ts';
import type { Row, TextCase } from '../model.ts';

/** `%` is where the function goes. Each text runs when a harmless integer stands there. */
const places: readonly string[] = [
  ...[
    'SELECT %',
    'SELECT 1 + %',
    'SELECT t.* FROM t WHERE id = %',
    'SELECT 1 FROM t HAVING % > 0',
    'SELECT id FROM t GROUP BY id, %',
  ],
  ...[
    'SELECT id FROM t ORDER BY %',
    'SELECT 1 LIMIT %',
    'SELECT 1 LIMIT (SELECT %)',
    'SELECT id FROM t OFFSET %',
    'SELECT 1 FETCH FIRST (%) ROWS ONLY',
  ],
  ...[
    'SELECT DISTINCT ON (%) id FROM t',
    'VALUES (%)',
    'VALUES (1), (%)',
    'SELECT * FROM (VALUES (%)) q',
    "TABLE t UNION ALL SELECT %, 'a', 1",
  ],
  ...[
    'SELECT * FROM % q',
    'SELECT * FROM ROWS FROM (%, generate_series(1, 2)) q',
    'SELECT * FROM ROWS FROM (generate_series(1, 2), %) WITH ORDINALITY q',
  ],
  ...[
    'SELECT * FROM t, LATERAL (SELECT %) q',
    'SELECT * FROM t, LATERAL % q',
    'SELECT * FROM t JOIN u ON t.id = %',
    'SELECT * FROM t TABLESAMPLE system (99 + %)',
  ],
  ...[
    'SELECT * FROM t TABLESAMPLE bernoulli (50) REPEATABLE (%)',
    'SELECT generate_series(1, %)',
    'SELECT * FROM generate_series(1, %)',
  ],
  ...[
    'SELECT sum(id) OVER (ORDER BY id ROWS BETWEEN % PRECEDING AND CURRENT ROW) FROM t',
    'SELECT sum(id) OVER (PARTITION BY %) FROM t',
  ],
  ...[
    'SELECT sum(id) OVER w FROM t WINDOW w AS (ORDER BY %)',
    'SELECT count(*) FILTER (WHERE % > 0) FROM t',
    'SELECT array_agg(id ORDER BY %) FROM t',
  ],
  ...[
    'SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY %) FROM t',
    'SELECT id FROM t GROUP BY GROUPING SETS ((id), (%))',
    'SELECT id FROM t GROUP BY ROLLUP (id, %)',
  ],
  ...[
    'WITH x AS (SELECT %) TABLE x',
    'WITH RECURSIVE r AS (SELECT 1 UNION ALL SELECT % FROM r WHERE false) TABLE r',
    'SELECT (SELECT (SELECT %))',
    'SELECT ARRAY(SELECT %)',
  ],
  ...[
    'SELECT ARRAY[%]',
    'SELECT (ARRAY[1, 2])[%]',
    'SELECT (ARRAY[1, 2])[1:%]',
    'SELECT ROW(%, 1)',
    'SELECT (%)::text',
    'SELECT CAST(% AS text)',
    'SELECT (%)::text COLLATE "C"',
  ],
  ...[
    'SELECT CASE WHEN % > 0 THEN 1 END',
    'SELECT CASE % WHEN 1 THEN 1 END',
    'SELECT CASE WHEN true THEN 1 ELSE % END',
    'SELECT coalesce(1, %)',
    'SELECT nullif(%, 1)',
  ],
  ...[
    'SELECT greatest(1, %)',
    'SELECT 1 IN (1, %)',
    'SELECT 1 = ANY (ARRAY[%])',
    'SELECT 1 BETWEEN 0 AND %',
    'SELECT % IS NULL',
    'SELECT % IS DISTINCT FROM 1',
    'SELECT NOT (% > 1)',
  ],
  ...[
    "SELECT 'a' LIKE (%)::text",
    "SELECT 'a' LIKE 'a' ESCAPE left((%)::text, 1)",
    "SELECT 'a' SIMILAR TO (%)::text",
    "SELECT substring('abc' FROM %)",
    "SELECT overlay('abc' PLACING 'x' FROM %)",
  ],
  ...[
    "SELECT position((%)::text IN 'a')",
    "SELECT trim(LEADING (%)::text FROM 'a')",
    "SELECT timestamptz '2020-01-01' AT TIME ZONE make_interval(mins => %)",
    'SELECT make_interval(hours => %)',
    'SELECT concat(VARIADIC ARRAY[%])',
  ],
  ...[
    "SELECT format('%s', VARIADIC ARRAY[1, %])".replace("'%s'", "'x'"),
    'SELECT abs(abs(abs(%)))',
    'SELECT % OPERATOR(pg_catalog.+) 1',
    'SELECT -(%)',
    'SELECT (SELECT 1) + (SELECT %)',
    'SELECT EXISTS (SELECT %)',
  ],
  ...[
    'SELECT 1 > ALL (SELECT %)',
    'SELECT xmlelement(name a, %)',
    'SELECT xmlforest(% AS a)',
    'SELECT xmlelement(name a, xmlattributes(% AS b))',
    'SELECT xmlconcat(xmlelement(name a, %))',
  ],
  ...[
    "SELECT * FROM XMLTABLE('/a' PASSING xmlelement(name a, %) COLUMNS b int PATH '.')",
    "SELECT * FROM XMLTABLE('/a' PASSING xmlparse(document '<a/>') COLUMNS b int PATH 'b' DEFAULT %)",
  ],
  ...[
    'BEGIN; DECLARE c CURSOR FOR SELECT %',
    'PREPARE p AS SELECT %',
    'EXECUTE p (%)',
    'EXPLAIN SELECT %',
    'EXPLAIN ANALYZE SELECT %',
    'COPY (SELECT %) TO STDOUT',
  ],
];

/** Grammar that older servers do not have; it is read all the same. */
const newer: readonly string[] = [
  ...[
    "SELECT * FROM JSON_TABLE('[1]'::jsonb, '$[*]' PASSING % AS x COLUMNS (a int PATH '$'))",
    "SELECT JSON_EXISTS('[1]'::jsonb, '$[*] ? (@ > $x)' PASSING % AS x)",
  ],
  ...[
    "SELECT JSON_VALUE('[1]'::jsonb, '$[5]' DEFAULT % ON EMPTY)",
    "SELECT JSON_QUERY('[1]'::jsonb, '$' PASSING % AS x)",
    "SELECT JSON_OBJECT('a': %)",
    'SELECT JSON_ARRAY(1, %)',
  ],
  ...[
    'SELECT JSON_ARRAY(SELECT %)',
    "SELECT JSON_OBJECTAGG('a' VALUE %)",
    'SELECT JSON_ARRAYAGG(%)',
    'SELECT JSON_SCALAR(%)',
    'SELECT JSON_SERIALIZE(JSON_SCALAR(%))',
    'SELECT (%)::text IS JSON',
  ],
  ...[
    'WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT % FROM r WHERE false) SEARCH DEPTH FIRST BY n SET o TABLE r',
  ],
];

const functions = [
  ['f_sd()', cannotCall('f_sd')],
  ["length(pg_notify('ch', 'x')::text)", cannotCall('pg_notify')],
  ['f_add(1, 2)', cannotCall('f_add')],
] as const;

export const code: readonly Row[] = [
  {
    id: 'B29',
    title: 'functions in odd places',
    cases: [
      ...functions.flatMap(([call, refused]) =>
        all(refused, ...[...places, ...newer].map((place) => place.replace('%', () => call))),
      ),
      ...all(
        cannot('INSERT'),
        'INSERT INTO u VALUES (DEFAULT)',
        'INSERT INTO u VALUES (1) ON CONFLICT (id) DO UPDATE SET amount = f_sd()',
        'INSERT INTO u VALUES (1) RETURNING f_sd()',
      ),
      ...all(cannot('UPDATE'), 'UPDATE u SET amount = f_sd()'),
      // So that a refusal above is one of the function, not of its place.
      ...places
        .filter(
          (place) => !/FROM %|LATERAL %|FROM \(|ANALYZE|BEGIN|PREPARE|EXECUTE|COPY/.test(place),
        )
        .map((place) => ({ text: place.replace('%', '1'), rows: 'same' as const })),
    ],
  },
  {
    id: 'B30',
    title: 'views that write',
    cases: [
      // Refused by us, by the engine's rights, or by READ ONLY: the view belongs to an admin key.
      ...all(
        /^42501 /,
        'SELECT * FROM v_writes',
        'TABLE v_writes',
        'SELECT count(*) FROM v_filtered',
        'SELECT * FROM v_domain',
        'SELECT x FROM v_owner',
        'SELECT count(*) FROM (TABLE v_owner) q WHERE x = 1',
      ).map((each): TextCase => ({ ...each, by: 'engine' })),
      ...same('SELECT * FROM v ORDER BY id', 'TABLE mv'),
    ],
  },
  {
    id: 'B31',
    title: 'SQL in a string',
    cases: [
      ...all(
        cannotCall('f_run'),
        "SELECT f_run('DELETE FROM u')",
        "SELECT * FROM f_run('DELETE FROM u')",
      ),
      ...all(
        cannotCall('query_to_xml'),
        "SELECT query_to_xml(format('delete from %s', 'u'), true, true, '')",
      ),
      ...all(cannotConvert('dom'), "SELECT 'DELETE FROM u'::dom"),
    ],
  },
];
