/**
 * What runs when the rows of a relation are written, for `relationsSql`: `plainly`: nothing but what computes; `sequences`:
 * nextval as well; `code`: whatever is not known.
 *
 * Built-ins are pinned and so in no pg_depend; the stored expressions name the functions that they call.
 */

/** Volatile built-ins that leave nothing behind in their session. */
const forgetful = `('random', 'random_normal', 'gen_random_uuid', 'uuidv4', 'uuidv7', 'clock_timestamp', 'timeofday')`;

const expressions = `
  SELECT adbin::text AS tree FROM pg_attrdef WHERE adrelid = c.oid
  UNION ALL SELECT conbin::text FROM pg_constraint WHERE conrelid = c.oid
  UNION ALL SELECT indexprs::text FROM pg_index WHERE indrelid = c.oid
  UNION ALL SELECT indpred::text FROM pg_index WHERE indrelid = c.oid
  UNION ALL SELECT polqual::text FROM pg_policy WHERE polrelid = c.oid
  UNION ALL SELECT polwithcheck::text FROM pg_policy WHERE polrelid = c.oid`;

const called = `
  SELECT p.proname, p.provolatile, p.oid FROM (${expressions}) e,
         LATERAL regexp_matches(e.tree, ':(?:funcid|opfuncid) (\\d+)', 'g') AS m
    JOIN pg_proc p ON p.oid = m[1]::oid`;

/** Of the relation `c`. */
export const writesSql = `
  CASE WHEN c.relkind <> 'r' OR c.relhassubclass
         OR EXISTS (SELECT FROM pg_rewrite w WHERE w.ev_class = c.oid)
         OR EXISTS (SELECT FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid WHERE t.tgrelid = c.oid
                     AND (p.oid >= 16384 OR p.proname NOT LIKE 'RI\\_FKey\\_%' AND p.proname <> 'unique_key_recheck'))
         -- Rows of others are changed with its own, and what those run is not looked for.
         OR c.oid IN (SELECT confrelid FROM pg_constraint
                       WHERE contype = 'f' AND (confdeltype IN ('c', 'n', 'd') OR confupdtype IN ('c', 'n', 'd')))
         OR EXISTS (SELECT FROM (${called}) f WHERE f.oid >= 16384
                     OR f.provolatile = 'v' AND f.proname <> 'nextval' AND f.proname NOT IN ${forgetful})
       THEN 'code'
       WHEN EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attidentity <> '')
         OR EXISTS (SELECT FROM (${called}) f WHERE f.proname = 'nextval')
       THEN 'sequences' ELSE 'plainly' END`;

/** What `writesSql` depends on, for the fingerprint: relations with a condition. */
export const writesDependOn = [
  'pg_trigger x',
  'pg_attrdef x',
  'pg_constraint x WHERE x.conrelid <> 0',
  '(SELECT indexrelid AS oid, xmin FROM pg_index WHERE indexprs IS NOT NULL OR indpred IS NOT NULL) x',
  '(SELECT inhrelid AS oid, xmin FROM pg_inherits) x',
] as const;
