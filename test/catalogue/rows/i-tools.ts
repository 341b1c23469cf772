/** I08: what tools ask the catalogue on connect and on browsing, by the constructions that they use. */

const visible = `n.nspname <> 'pg_catalog' AND n.nspname !~ '^pg_toast' AND n.nspname <> 'information_schema' AND pg_catalog.pg_table_is_visible(c.oid)`;

/** As psql's \\d family, JDBC's metadata, SQLAlchemy, Npgsql, Prisma, DBeaver and pgAdmin build them. */
export const toolQueries: Readonly<Record<string, string>> = {
  'tables that are visible, with owner and size': `
    SELECT n.nspname AS "Schema", c.relname AS "Name",
           CASE c.relkind WHEN 'r' THEN 'table' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'S' THEN 'sequence' WHEN 'p' THEN 'partitioned table' END AS "Type",
           pg_catalog.pg_get_userbyid(c.relowner) AS "Owner", pg_catalog.pg_size_pretty(pg_catalog.pg_table_size(c.oid)) AS "Size",
           pg_catalog.obj_description(c.oid, 'pg_class') AS "Description", am.amname
      FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_catalog.pg_am am ON am.oid = c.relam
     WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', '') AND ${visible} ORDER BY 1, 2`,
  'a relation by a pattern': `
    SELECT c.oid::regclass, n.nspname FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relname OPERATOR(pg_catalog.~) '^(t)$' COLLATE pg_catalog.default AND pg_catalog.pg_table_is_visible(c.oid) ORDER BY 2, 1`,
  'columns with defaults, collations, identity': `
    SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod),
           (SELECT pg_catalog.pg_get_expr(d.adbin, d.adrelid, true) FROM pg_catalog.pg_attrdef d WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum AND a.atthasdef),
           a.attnotnull, (SELECT c.collname FROM pg_catalog.pg_collation c, pg_catalog.pg_type t WHERE c.oid = a.attcollation AND t.oid = a.atttypid AND a.attcollation <> t.typcollation),
           a.attidentity, a.attgenerated, a.attstorage, CASE WHEN a.attstattarget = -1 THEN NULL ELSE a.attstattarget END, pg_catalog.col_description(a.attrelid, a.attnum)
      FROM pg_catalog.pg_attribute a WHERE a.attrelid = 't'::pg_catalog.regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`,
  'indexes and constraints': `
    SELECT c2.relname, i.indisprimary, i.indisunique, i.indisvalid, pg_catalog.pg_get_indexdef(i.indexrelid, 0, true), pg_catalog.pg_get_constraintdef(con.oid, true), contype, c2.reltablespace
      FROM pg_catalog.pg_class c, pg_catalog.pg_class c2, pg_catalog.pg_index i
      LEFT JOIN pg_catalog.pg_constraint con ON conrelid = i.indrelid AND conindid = i.indexrelid AND contype IN ('p', 'u', 'x')
     WHERE c.oid = 't'::regclass AND c.oid = i.indrelid AND i.indexrelid = c2.oid ORDER BY i.indisprimary DESC, c2.relname`,
  'a view, its rule and its options': `
    SELECT pg_catalog.pg_get_viewdef(c.oid, true), pg_catalog.pg_get_ruledef(r.oid, true), pg_catalog.array_to_string(c.reloptions || array(SELECT 'toast.' || x FROM pg_catalog.unnest(c.reloptions) x), ', ')
      FROM pg_catalog.pg_class c JOIN pg_catalog.pg_rewrite r ON r.ev_class = c.oid WHERE c.oid = 'v'::regclass`,
  'functions with arguments, results and languages': `
    SELECT n.nspname, p.proname, pg_catalog.pg_get_function_result(p.oid), pg_catalog.pg_get_function_arguments(p.oid),
           CASE p.prokind WHEN 'a' THEN 'agg' WHEN 'w' THEN 'window' WHEN 'p' THEN 'proc' ELSE 'func' END, p.provolatile, l.lanname
      FROM pg_catalog.pg_proc p LEFT JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace LEFT JOIN pg_catalog.pg_language l ON l.oid = p.prolang
     WHERE pg_catalog.pg_function_is_visible(p.oid) AND p.proname IN ('lower', 'now', 'sum') ORDER BY 1, 2, 4`,
  'roles with their memberships': `
    SELECT r.rolname, r.rolsuper, r.rolinherit, r.rolcanlogin, r.rolconnlimit, r.rolvaliduntil,
           ARRAY(SELECT b.rolname FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles b ON m.roleid = b.oid WHERE m.member = r.oid) AS memberof
      FROM pg_catalog.pg_roles r WHERE r.rolname !~ '^pg_' ORDER BY 1`,
  'databases with encoding and privileges': `
    SELECT d.datname, pg_catalog.pg_get_userbyid(d.datdba), pg_catalog.pg_encoding_to_char(d.encoding), d.datcollate,
           pg_catalog.array_to_string(d.datacl, E'\\n'), pg_catalog.has_database_privilege(d.datname, 'CONNECT')
      FROM pg_catalog.pg_database d ORDER BY 1`,
  'types of all kinds with their elements and receive functions': `
    SELECT ns.nspname, typ.oid, typ.typname, typ.typtype, typ.typrelid, typ.typnotnull, typ.typreceive::regprocedure::text, elem.typname, cls.relkind, rng.rngsubtype::regtype
      FROM pg_type AS typ JOIN pg_namespace AS ns ON ns.oid = typ.typnamespace LEFT JOIN pg_class AS cls ON cls.oid = typ.typrelid
      LEFT JOIN pg_type AS elem ON elem.oid = typ.typelem LEFT JOIN pg_range AS rng ON rng.rngtypid = typ.oid
     WHERE typ.typtype IN ('b', 'r', 'm', 'e', 'd') OR (typ.typtype = 'c' AND cls.relkind = 'c')
     ORDER BY CASE WHEN typ.typtype IN ('b', 'e', 'p') THEN 0 WHEN typ.typtype = 'r' THEN 1 ELSE 2 END, typ.oid`,
  'labels of enums':
    'SELECT pg_type.oid, enumlabel FROM pg_enum RIGHT JOIN pg_type ON pg_type.oid = enumtypid ORDER BY oid, enumsortorder LIMIT 5',
  'columns by information_schema': `
    SELECT c.table_schema, c.table_name, c.column_name, c.data_type, c.udt_name, c.is_nullable, c.column_default, c.is_identity, pg_catalog.pg_get_serial_sequence(quote_ident(c.table_schema) || '.' || quote_ident(c.table_name), c.column_name)
      FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)
     WHERE t.table_schema = ANY (current_schemas(false)) AND table_type = 'BASE TABLE' ORDER BY 1, 2, c.ordinal_position`,
  'keys by information_schema': `
    SELECT count(*), min(tc.constraint_name), min(kcu.column_name), min(ccu.table_name) AS foreign_table FROM information_schema.table_constraints tc
      JOIN information_schema.key_column_usage kcu USING (constraint_schema, constraint_name) JOIN information_schema.constraint_column_usage ccu USING (constraint_schema, constraint_name)`,
  'primary keys with their places, as JDBC expands them': `
    SELECT result.a, result.key_seq, result.pk_name FROM (
      SELECT a.attname AS a, (information_schema._pg_expandarray(i.indkey)).n AS key_seq, ci.relname AS pk_name, (information_schema._pg_expandarray(i.indkey)).x AS x, a.attnum AS n
        FROM pg_catalog.pg_class ct JOIN pg_catalog.pg_attribute a ON ct.oid = a.attrelid JOIN pg_catalog.pg_index i ON a.attrelid = i.indrelid
        JOIN pg_catalog.pg_class ci ON ci.oid = i.indexrelid WHERE ct.relname = 't' AND i.indisprimary) result
     WHERE result.n = result.x ORDER BY 1`,
  'foreign keys and checks': `
    SELECT r.conname, pg_catalog.pg_get_constraintdef(r.oid, true) AS condef, n.nspname AS conschema, d.description
      FROM pg_catalog.pg_constraint r JOIN pg_namespace n ON n.oid = r.connamespace LEFT JOIN pg_description d ON d.objoid = r.oid
     WHERE r.contype IN ('f', 'c', 'p') ORDER BY 1 LIMIT 5`,
  partitions: `
    SELECT c.oid::pg_catalog.regclass, pg_catalog.pg_get_expr(c.relpartbound, c.oid), pg_catalog.pg_get_partkeydef(i.inhparent), (SELECT count(*) FROM pg_catalog.pg_partition_tree('pt'))
      FROM pg_catalog.pg_class c, pg_catalog.pg_inherits i WHERE c.oid = i.inhrelid AND i.inhparent = 'pt'::regclass`,
  privileges: `
    SELECT c.relname, pg_catalog.array_to_string(c.relacl, E'\\n'), has_table_privilege(c.oid, 'SELECT'), has_schema_privilege(c.relnamespace, 'USAGE'), has_column_privilege(c.oid, 1::smallint, 'SELECT')
      FROM pg_catalog.pg_class c WHERE c.oid IN ('t'::regclass, 'v'::regclass) ORDER BY 1`,
  'extensions, languages, access methods, tablespaces': `
    SELECT 'e', extname::text, extversion FROM pg_extension UNION ALL SELECT 'l', lanname, '' FROM pg_language UNION ALL SELECT 'a', amname, '' FROM pg_am
     UNION ALL SELECT 't', spcname, pg_catalog.pg_tablespace_location(oid) FROM pg_tablespace ORDER BY 1, 2`,
  settings:
    "SELECT name, setting, unit, category, short_desc, vartype, enumvals FROM pg_settings WHERE name IN ('TimeZone', 'server_version', 'max_connections') ORDER BY 1",
  'statistics of tables':
    'SELECT relname, n_live_tup >= 0, pg_catalog.pg_total_relation_size(relid) > 0 FROM pg_stat_user_tables ORDER BY 1',
  'time zones and keywords':
    "SELECT name, utc_offset FROM pg_timezone_names WHERE name = 'UTC' UNION ALL SELECT string_agg(word, ','), NULL FROM pg_catalog.pg_get_keywords() WHERE word LIKE 'sel%'",
  'what a database is like': `
    SELECT db.oid::regclass IS NULL, db.datname, current_setting('server_version_num')::int / 10000 > 13, pg_encoding_to_char(db.encoding), (SELECT count(*) FROM pg_catalog.pg_shdescription) >= 0
      FROM pg_catalog.pg_database db WHERE db.datname = current_database()`,
};
