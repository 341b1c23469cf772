/**
 * What runs when the rows of a relation are written or read, beside what the statement says, for `relationsSql`. `plainly`: nothing
 * but what computes; `sequences`: nextval as well; `code`: whatever is not known.
 *
 * Built-ins are pinned and so in no pg_depend; the stored expressions name the functions that they call.
 */

/** Built-ins that are not IMMUTABLE and leave nothing behind in their session; others may read tables, and so run anything. */
const forgetful = `(
  'now', 'transaction_timestamp', 'statement_timestamp', 'clock_timestamp', 'timeofday', 'random', 'random_normal',
  'gen_random_uuid', 'uuidv4', 'uuidv7', 'age', 'concat', 'concat_ws', 'date', 'date_part', 'date_trunc', 'extract', 'format',
  'timestamp', 'timestamptz', 'timezone', 'to_char', 'to_date', 'to_timestamp', 'to_json', 'to_jsonb', 'row_to_json',
  'json_build_object', 'jsonb_build_object', 'to_tsvector', 'to_tsquery', 'current_setting', 'current_database',
  'current_schema', 'pg_backend_pid', 'pg_current_xact_id', 'txid_current', 'pg_has_role', 'has_table_privilege')`;

/** $from: what gives the trees of expressions. CoerceToDomain runs checks that it does not name. */
const runsCode = (from: string): string => `
  EXISTS (SELECT FROM (${from}) e WHERE e.tree LIKE '%COERCETODOMAIN%')
  OR EXISTS (SELECT FROM (${from}) e, LATERAL regexp_matches(e.tree, ':(?:funcid|opfuncid|aggfnoid|winfnoid) (\\d+)', 'g') AS m
               JOIN pg_proc p ON p.oid = m[1]::oid
              WHERE p.oid >= 16384
                 OR p.provolatile <> 'i' AND p.proname <> 'nextval' AND p.proname NOT IN ${forgetful})`;

const policies = `
  SELECT polqual::text AS tree FROM pg_policy WHERE polrelid = c.oid
  UNION ALL SELECT polwithcheck::text FROM pg_policy WHERE polrelid = c.oid`;

const expressions = `
  SELECT adbin::text AS tree FROM pg_attrdef WHERE adrelid = c.oid
  UNION ALL SELECT conbin::text FROM pg_constraint WHERE conrelid = c.oid
  UNION ALL SELECT indexprs::text FROM pg_index WHERE indrelid = c.oid
  UNION ALL SELECT indpred::text FROM pg_index WHERE indrelid = c.oid`;

/** Policies that read anything but tables without policies of their own. */
const policiesReadOthers = `
  EXISTS (SELECT FROM pg_policy o JOIN pg_depend d ON d.classid = 'pg_policy'::regclass AND d.objid = o.oid
            JOIN pg_class r ON r.oid = d.refobjid
           WHERE o.polrelid = c.oid AND d.refclassid = 'pg_class'::regclass AND r.oid <> c.oid
             AND (r.relkind NOT IN ('r', 'p', 'm') OR r.relrowsecurity))`;

const guardsRunCode = `
  EXISTS (SELECT FROM pg_policy o WHERE o.polrelid = c.oid)
  AND (${policiesReadOthers} OR ${runsCode(policies)}
       OR EXISTS (SELECT FROM (${policies}) e WHERE e.tree ~ ':funcid 1574[^0-9]'))`;

/** Of the relation `c`. */
export const guardsSql = `CASE WHEN ${guardsRunCode} THEN 'code' ELSE 'plainly' END`;

/** Of the relation `c`. 1574 and 1575 are nextval and currval. */
export const writesSql = `
  CASE WHEN c.relkind <> 'r' OR c.relhassubclass
         OR EXISTS (SELECT FROM pg_rewrite w WHERE w.ev_class = c.oid)
         OR EXISTS (SELECT FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid WHERE t.tgrelid = c.oid
                     AND (p.oid >= 16384 OR p.proname NOT LIKE 'RI\\_FKey\\_%' AND p.proname <> 'unique_key_recheck'))
         -- Rows of others are changed with its own, and what those run is not looked for.
         OR c.oid IN (SELECT confrelid FROM pg_constraint
                       WHERE contype = 'f' AND (confdeltype IN ('c', 'n', 'd') OR confupdtype IN ('c', 'n', 'd')))
         -- A domain has a default of its own.
         OR EXISTS (SELECT FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
                     WHERE a.attrelid = c.oid AND t.typtype = 'd' AND t.typdefault IS NOT NULL)
         OR ${runsCode(expressions)} OR ${guardsRunCode}
       THEN 'code'
       WHEN EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attidentity <> '')
         OR EXISTS (SELECT FROM (${expressions}) e WHERE e.tree ~ ':funcid 1574[^0-9]')
       THEN 'sequences' ELSE 'plainly' END`;

/**
 * Whoever reads the relation `c` as one role gets the same, as far as it does not read others: no policy looks at who asks, and no
 * other server, which may.
 */
export const readsAlikeSql = `
  NOT (c.relrowsecurity OR c.relkind = 'f' OR c.relhassubclass AND EXISTS (
    WITH RECURSIVE heirs (oid) AS (
      SELECT c.oid UNION SELECT i.inhrelid FROM pg_inherits i JOIN heirs ON i.inhparent = heirs.oid)
    SELECT FROM heirs JOIN pg_class f USING (oid) WHERE f.relkind = 'f'))`;

/** What these depend on, for the fingerprint: relations with a condition. */
export const writesDependOn = [
  'pg_trigger x',
  'pg_attrdef x',
  'pg_constraint x WHERE x.conrelid <> 0',
  '(SELECT indexrelid AS oid, xmin FROM pg_index WHERE indexprs IS NOT NULL OR indpred IS NOT NULL) x',
  '(SELECT inhrelid AS oid, xmin FROM pg_inherits) x',
  '(SELECT oid, md5(concat(relrowsecurity)) AS xmin FROM pg_class WHERE relrowsecurity) x',
] as const;
