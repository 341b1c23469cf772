/** What a catalogue says of the user's objects, in one query; `UserObjects` says what belongs there and what does not. */
import type { Client } from 'pg';
import { reviewedExtensions, type UserObjects } from '../../src/policy/user-objects.ts';

/** Objects that initdb did not make have OIDs from 16384 on (FirstNormalObjectId in transam.h). */
const query = `
  WITH RECURSIVE harmless (classid, objid) AS (
    SELECT d.classid, d.objid FROM pg_depend d JOIN pg_extension e
        ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
     WHERE e.extname = ANY ($1)
       AND NOT EXISTS (SELECT FROM pg_proc p WHERE d.classid = 'pg_proc'::regclass AND p.oid = d.objid
                          AND (p.provolatile = 'v' OR p.prosecdef))
  ), mine (classid, objid, name) AS (
    SELECT 'pg_proc'::regclass::oid, oid, proname FROM pg_proc
     WHERE pronamespace <> 'pg_catalog'::regnamespace
    UNION ALL SELECT 'pg_operator'::regclass, o.oid, oprname FROM pg_operator o JOIN pg_proc p ON p.oid = oprcode
     WHERE p.provolatile = 'v' OR p.prosecdef
        OR p.prolang NOT IN (SELECT oid FROM pg_language WHERE lanname IN ('c', 'internal'))
  ), converted (oid) AS (
    SELECT contypid FROM pg_constraint WHERE contypid >= 16384
    UNION SELECT casttarget FROM pg_cast
     WHERE casttarget >= 16384 AND castfunc >= 16384
       AND castfunc NOT IN (SELECT objid FROM harmless WHERE classid = 'pg_proc'::regclass)
    UNION SELECT oid FROM pg_type
     WHERE typinput >= 16384 AND typinput NOT IN (SELECT objid FROM harmless WHERE classid = 'pg_proc'::regclass)
    UNION SELECT whole.oid FROM converted part, LATERAL (
      SELECT oid FROM pg_type WHERE typelem = part.oid OR typbasetype = part.oid
      UNION ALL SELECT unnest(ARRAY[rngtypid, rngmultitypid]) FROM pg_range WHERE rngsubtype = part.oid
      UNION ALL SELECT t.oid FROM pg_attribute a JOIN pg_type t ON t.typrelid = a.attrelid
                 WHERE a.atttypid = part.oid AND NOT a.attisdropped) whole
  )
  SELECT CASE classid WHEN 'pg_proc'::regclass THEN 'functions' ELSE 'operators' END AS kind, name FROM mine
   WHERE objid >= 16384 AND (classid, objid) NOT IN (SELECT classid, objid FROM harmless)
  UNION SELECT 'types', typname FROM converted JOIN pg_type USING (oid)`;

export async function userObjectsOf(client: Client): Promise<UserObjects> {
  const { rows } = await client.query<{ kind: keyof UserObjects; name: string }>(query, [
    reviewedExtensions,
  ]);
  const named = (kind: keyof UserObjects): ReadonlySet<string> =>
    new Set(rows.filter((row) => row.kind === kind).map((row) => row.name));
  return { functions: named('functions'), operators: named('operators'), types: named('types') };
}
