import type { UserRelation } from '../../policy/catalogue.ts';
import type { FunctionFacts } from '../../policy/function-trust.ts';
import { guardsSql, readsAlikeSql, writesDependOn, writesSql } from './writes.ts';

/** What is asked of the data database, as the reader. All but the first run with `search_path = pg_catalog`. */

/** From here to the end of the transaction; `hatidata.path` keeps what a session's path begins with. */
export const ownPathSql = `
  SELECT pg_catalog.set_config('hatidata.path', pg_catalog.current_setting('search_path'), true),
         pg_catalog.set_config('search_path', 'pg_catalog', true)`;

/** Built-ins have object ids below FirstNormalObjectId (transam.h). */
const isUsers = (oid: string): string => `${oid} >= 16384`;
const isOutside = (namespace: string): string =>
  `${namespace} NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)`;
const isRelation = `c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND c.relpersistence <> 't' AND ${isUsers('c.oid')}`;

const sum = (from: string): string =>
  `(SELECT concat(count(*), ':', sum(hashtextextended(concat(x.oid, ':', x.xmin), 0))) FROM ${from})`;

/** Changes whenever one of the other answers could: every change of a catalogue row gives it a new xmin. */
export const fingerprintSql = `
  SELECT concat_ws(' ',
    ${sum(`pg_proc x WHERE ${isUsers('x.oid')}`)},
    ${sum(`pg_operator x WHERE ${isUsers('x.oid')}`)},
    ${sum(`pg_cast x WHERE ${isUsers('x.oid')}`)},
    ${sum(`pg_type x WHERE ${isUsers('x.oid')}`)},
    ${sum('pg_constraint x WHERE x.contypid <> 0')},
    ${sum(`pg_rewrite x WHERE ${isUsers('x.oid')}`)},
    ${sum('pg_namespace x')},
    (SELECT concat(count(*), ':', sum(hashtextextended(concat(setdatabase, setrole, setconfig), 0))) FROM pg_db_role_setting),
    current_setting('hatidata.path'),
    ${sum('pg_extension x')},
    ${sum('pg_policy x')},
    ${writesDependOn.map(sum).join(',\n    ')},
    ${sum(`pg_amproc x WHERE ${isUsers('x.oid')}`)},
    (SELECT concat(count(*), ':', sum(hashtextextended(concat(attrelid, ' ', attnum, ' ', atttypid), 0)))
       FROM pg_attribute WHERE ${isUsers('atttypid')} AND NOT attisdropped),
    (SELECT concat(count(*), ':', sum(hashtextextended(concat(classid, ' ', objid, ' ', refobjid), 0)))
       FROM pg_depend WHERE deptype = 'e'),
    ${sum('pg_database x WHERE x.datname = current_database()')},
    (SELECT concat(count(*), ':', sum(hashtextextended(concat(c.oid, c.relnamespace, c.relname), 0)))
       FROM pg_class c WHERE ${isRelation})) AS fingerprint`;

export interface BuiltinRow {
  readonly name: string;
  readonly takesNone: boolean;
}

export const builtinsSql = `
  SELECT proname::text AS name, bool_or(pronargs = 0 AND NOT (${isUsers('oid')})) AS "takesNone" FROM pg_proc
   WHERE pronamespace = 'pg_catalog'::regnamespace GROUP BY 1`;

const extensionOf = (catalogue: string, oid: string): string => `
  (SELECT e.extname::text FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
    WHERE d.classid = '${catalogue}'::regclass AND d.objid = ${oid} AND d.deptype = 'e'
      AND d.refclassid = 'pg_extension'::regclass)`;

/**
 * User functions that an object's expressions run, whatever way they are printed: also through operators and through casts
 * that nobody wrote. Built-ins are pinned, and not in pg_depend.
 */
function runBy(catalogue: string, oid: string): string {
  return `
    SELECT d.refobjid::int8::text AS run FROM pg_depend d
     WHERE d.classid = '${catalogue}'::regclass AND d.objid = ${oid} AND d.refclassid = 'pg_proc'::regclass
    UNION
    SELECT o.oprcode::oid::int8::text FROM pg_depend d JOIN pg_operator o ON o.oid = d.refobjid
     WHERE d.classid = '${catalogue}'::regclass AND d.objid = ${oid} AND d.refclassid = 'pg_operator'::regclass`;
}

export interface FunctionRow extends Omit<FunctionFacts, 'hasUntrustedParts'> {
  readonly oid: string;
  /** It can be called with one argument by `x.name`. */
  readonly takesOne: boolean;
  /** Numbers of arguments that it can be called with; null: any. */
  readonly least: number;
  readonly most: number | null;
  /** Types of its arguments that are users' own. */
  readonly argumentTypes: readonly string[];
  /** Of an aggregate: the functions that it is made of. Of others: what the defaults of their arguments run. */
  readonly parts: readonly string[];
}

/** An aggregate is declared immutable whatever it is made of. */
export const functionsSql = `
  SELECT p.oid::int8::text AS oid, n.nspname::text AS schema, p.proname::text AS name,
         ${extensionOf('pg_proc', 'p.oid')} AS extension,
         p.provolatile = 'v' AS volatile, p.prosecdef AS "securityDefiner",
         ARRAY(SELECT t::int8::text FROM unnest(p.proargtypes::oid[]) AS t WHERE ${isUsers('t')}) AS "argumentTypes",
         p.proowner = b.datdba OR r.rolsuper AS "isOwners",
         r.rolsuper OR p.prolang IN (SELECT oid FROM pg_language WHERE lanname IN ('c', 'internal')) AS "isInstalled",
         (p.provariadic <> 0 OR p.pronargs >= 1) AND p.pronargs - p.pronargdefaults <= 1
           AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype) AS "takesOne",
         p.pronargs - p.pronargdefaults AS least, CASE WHEN p.provariadic = 0 THEN p.pronargs END AS most,
         ARRAY(SELECT part::oid::int8::text FROM pg_aggregate a, unnest(ARRAY[a.aggtransfn::oid, a.aggfinalfn::oid,
                 a.aggcombinefn::oid, a.aggserialfn::oid, a.aggdeserialfn::oid, a.aggmtransfn::oid,
                 a.aggminvtransfn::oid, a.aggmfinalfn::oid]) AS part
                WHERE a.aggfnoid = p.oid AND part <> 0
                UNION SELECT run FROM (${runBy('pg_proc', 'p.oid')}) r WHERE p.pronargdefaults > 0) AS parts
    FROM pg_proc p
    JOIN pg_namespace n ON n.oid = p.pronamespace
    JOIN pg_roles r ON r.oid = p.proowner
    JOIN pg_database b ON b.datname = current_database()
   WHERE ${isUsers('p.oid')} AND ${isOutside('p.pronamespace')} AND p.prokind <> 'p'`;

export interface OperatorRow {
  readonly schema: string;
  readonly name: string;
  /** Its function, and those of its negator and commutator, which the planner may put in its place. */
  readonly runs: readonly string[];
}

export const operatorsSql = `
  SELECT n.nspname::text AS schema, o.oprname::text AS name,
         ARRAY(SELECT every.oprcode::oid::int8::text FROM pg_operator every
                WHERE every.oid IN (o.oid, o.oprnegate, o.oprcom) AND every.oprcode <> 0) AS runs
    FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace
   WHERE ${isUsers('o.oid')} AND ${isOutside('o.oprnamespace')} AND o.oprcode <> 0`;

/** Names of PostgreSQL's own functions that are used by objects of the user's: aggregates, operators, casts. */
export const builtinPartsSql = `
  SELECT p.oid::int8::text AS oid, p.proname::text AS name FROM pg_proc p
   WHERE NOT ${isUsers('p.oid')} AND (
     EXISTS (SELECT FROM pg_operator o WHERE ${isUsers('o.oid')} AND o.oprcode = p.oid)
     OR EXISTS (SELECT FROM pg_cast c WHERE ${isUsers('c.oid')} AND c.castfunc = p.oid)
     OR EXISTS (SELECT FROM pg_aggregate a WHERE ${isUsers('a.aggfnoid::oid')} AND p.oid IN (a.aggtransfn,
          a.aggfinalfn, a.aggcombinefn, a.aggserialfn, a.aggdeserialfn, a.aggmtransfn, a.aggminvtransfn, a.aggmfinalfn)))`;

export interface DomainRow {
  readonly oid: string;
  /** \`CHECK (…)\` as PostgreSQL prints it. */
  readonly checks: readonly string[];
}

export const domainsSql = `
  SELECT c.contypid::int8::text AS oid, array_agg(pg_get_constraintdef(c.oid)) AS checks
    FROM pg_constraint c WHERE ${isUsers('c.contypid')} AND c.contype = 'c' GROUP BY 1`;

export interface TypeRow {
  readonly oid: string;
  readonly schema: string;
  readonly name: string;
}

/**
 * Types to which a conversion may run what nobody vouches for.
 * $1: functions that nobody vouches for; $2: domains whose checks were found to be harmless.
 */
export const unsafeTypesSql = `
  WITH RECURSIVE
  -- What a type is made of; only parts that are users' own can make it unsafe.
  made_of (whole, part) AS (
    SELECT oid, typelem FROM pg_type WHERE ${isUsers('typelem')}
    UNION ALL SELECT oid, typbasetype FROM pg_type WHERE ${isUsers('typbasetype')}
    UNION ALL SELECT rngtypid, rngsubtype FROM pg_range WHERE ${isUsers('rngsubtype')}
    UNION ALL SELECT rngmultitypid, rngsubtype FROM pg_range WHERE ${isUsers('rngsubtype')}
    UNION ALL SELECT c.reltype, a.atttypid FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
               WHERE ${isUsers('a.atttypid')} AND NOT a.attisdropped AND c.reltype <> 0
  ),
  unsafe (oid) AS (
    SELECT t.oid FROM pg_type t
     WHERE ${isUsers('t.oid')} AND ${isOutside('t.typnamespace')}
       AND (EXISTS (SELECT FROM pg_constraint c
                     WHERE c.contypid = t.oid AND c.contype = 'c' AND c.contypid <> ALL ($2::oid[]))
         OR EXISTS (SELECT FROM pg_cast c
                     WHERE t.oid IN (c.castsource, c.casttarget) AND c.castfunc = ANY ($1::oid[]))
         -- What compares its values where they are sorted, grouped or hashed.
         OR EXISTS (SELECT FROM pg_opclass k JOIN pg_amproc f ON f.amprocfamily = k.opcfamily
                     WHERE k.opcintype = t.oid AND f.amproc::oid = ANY ($1::oid[]))
         OR t.typinput = ANY ($1::oid[]) OR t.typreceive = ANY ($1::oid[]) OR t.typmodin = ANY ($1::oid[]))
    UNION
    SELECT m.whole FROM made_of m JOIN unsafe u ON u.oid = m.part
  )
  SELECT t.oid::int8::text AS oid, n.nspname::text AS schema, t.typname::text AS name
    FROM pg_type t JOIN unsafe USING (oid) JOIN pg_namespace n ON n.oid = t.typnamespace`;

export interface RelationRow {
  readonly oid: string;
  readonly schema: string;
  readonly name: string;
  /** Of a view: changes with its definition. */
  readonly version: string | null;
  /** More than anybody writes by hand. */
  readonly isTooLong: boolean;
  /** Of its rows (which are unsafe when a column is), and of what a view converts to: those of `unsafeTypesSql`. */
  readonly unsafeTypes: readonly string[];
  /** What its definition, if it is a view, and its row policies run. */
  readonly runs: readonly string[];
  /** Relations that a view reads. */
  readonly reads: readonly string[];
  readonly writes: UserRelation['writes'];
  readonly guards: UserRelation['guards'];
  readonly readsAlike: boolean;
}

/** Bytes as stored, compressed. */
const longestDefinition = 256 * 1024;

const viewDepends = (catalogue: string): string => `
  FROM pg_rewrite r JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
 WHERE r.ev_class = c.oid AND c.relkind = 'v' AND d.refclassid = '${catalogue}'::regclass`;

/**
 * $1: types of `unsafeTypesSql`. Asks pg_depend, and not for the definitions: to print those takes locks on what they read.
 */
export const relationsSql = `
  SELECT c.oid::int8::text AS oid, n.nspname::text AS schema, c.relname::text AS name,
         CASE WHEN c.relkind = 'v' THEN (SELECT max(r.xmin::text) FROM pg_rewrite r WHERE r.ev_class = c.oid) END AS version,
         EXISTS (SELECT FROM pg_rewrite r WHERE r.ev_class = c.oid AND pg_column_size(r.ev_action) > ${longestDefinition}) AS "isTooLong",
         ARRAY(SELECT c.reltype::int8::text WHERE c.reltype = ANY ($1::oid[])
               UNION SELECT d.refobjid::int8::text ${viewDepends('pg_type')} AND d.refobjid = ANY ($1::oid[])) AS "unsafeTypes",
         ARRAY(SELECT x.run FROM pg_rewrite r, LATERAL (${runBy('pg_rewrite', 'r.oid')}) x
                WHERE r.ev_class = c.oid AND c.relkind = 'v'
               UNION
               SELECT x.run FROM pg_policy o, LATERAL (${runBy('pg_policy', 'o.oid')}) x
                WHERE o.polrelid = c.oid) AS runs,
         ARRAY(SELECT DISTINCT d.refobjid::int8::text ${viewDepends('pg_class')} AND d.refobjid <> c.oid) AS reads,
         ${writesSql} AS writes, ${guardsSql} AS guards, ${readsAlikeSql} AS "readsAlike"
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE ${isRelation} AND ${isOutside('c.relnamespace')} AND n.nspname NOT LIKE 'pg\\_toast%'`;

/** $1: views. What is printed names everything with its schema. */
export const definitionsSql = `
  SELECT oid::int8::text AS oid, pg_get_viewdef(oid) AS definition FROM pg_class WHERE oid = ANY ($1::oid[])`;

export interface PathRow {
  readonly paths: readonly string[];
  /** Schemas named like a role. */
  readonly ofUsers: readonly string[];
}

export const pathsSql = `
  SELECT ARRAY(SELECT current_setting('hatidata.path') UNION
               SELECT substr(item, length('search_path=') + 1)
                 FROM pg_db_role_setting s, unnest(setconfig) AS item
                WHERE s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
                  AND item LIKE 'search\\_path=%') AS paths,
         ARRAY(SELECT nspname::text FROM pg_namespace JOIN pg_roles ON rolname = nspname) AS "ofUsers"`;
