/** What is in the database that is attacked. Made by an admin key, so it belongs to the writer. */

export const plainObjects = `
  CREATE TABLE t (id int PRIMARY KEY, ssn text, amount int);
  INSERT INTO t SELECT i, '123-45-' || lpad(i::text, 4, '0'), i FROM generate_series(1, 20) i;
  CREATE TABLE u (LIKE t INCLUDING ALL);
  INSERT INTO u SELECT * FROM t;
  CREATE VIEW v AS SELECT id, ssn AS s FROM t;
  CREATE MATERIALIZED VIEW mv AS SELECT id, amount FROM t;
  CREATE UNIQUE INDEX mv_id ON mv (id);
  CREATE TABLE pt (id int, part int) PARTITION BY LIST (part);
  CREATE TABLE pt_1 PARTITION OF pt FOR VALUES IN (1);
  INSERT INTO pt VALUES (1, 1), (2, 1);
  CREATE SEQUENCE s;
  SELECT nextval('s');
  CREATE TABLE doc (id int PRIMARY KEY, body jsonb, words tsvector, x xml);
  INSERT INTO doc VALUES (1, '{"a": [1, 2], "b": {"c": "d"}}', to_tsvector('simple', 'one two'), '<a><b>1</b></a>');
  CREATE INDEX doc_words ON doc USING gin (words);
  CREATE INDEX t_brin ON t USING brin (amount);
  SELECT lo_from_bytea(4711, 'raw');
  ANALYZE;
`;

/** Code that writes, whoever calls it, under every kind of name by which a statement may come to call it. */
export const hostileObjects = `
  CREATE TABLE log (what text);
  CREATE FUNCTION wrote(what text) RETURNS bool LANGUAGE plpgsql SECURITY DEFINER AS
    $$ BEGIN INSERT INTO log VALUES (what); RETURN true; END $$;
  CREATE FUNCTION f_sd() RETURNS int LANGUAGE plpgsql SECURITY DEFINER AS
    $$ BEGIN DELETE FROM u; RETURN 1; END $$;
  CREATE FUNCTION f_imm() RETURNS int LANGUAGE plpgsql IMMUTABLE AS
    $$ BEGIN PERFORM pg_notify('ch', 'planned'); RETURN 1; END $$;
  CREATE FUNCTION f_run(sql text) RETURNS int LANGUAGE plpgsql AS
    $$ BEGIN EXECUTE format('%s', sql); RETURN 1; END $$;
  CREATE FUNCTION lower(varchar) RETURNS text LANGUAGE plpgsql SECURITY DEFINER AS
    $$ BEGIN INSERT INTO log VALUES ('lower'); RETURN $1; END $$;
  CREATE FUNCTION f_add(a int, b int) RETURNS int LANGUAGE plpgsql SECURITY DEFINER AS
    $$ BEGIN INSERT INTO log VALUES ('add'); RETURN a; END $$;
  CREATE FUNCTION f_of_t(t) RETURNS int LANGUAGE plpgsql SECURITY DEFINER AS
    $$ BEGIN INSERT INTO log VALUES ('field'); RETURN 1; END $$;
  CREATE FUNCTION f_clamp() RETURNS text LANGUAGE plpgsql IMMUTABLE AS
    $$ BEGIN RETURN set_config('default_transaction_read_only', 'off', false); END $$;
  CREATE AGGREGATE agg_writes (int) (SFUNC = f_add, STYPE = int, INITCOND = '0');
  CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = f_add);
  CREATE DOMAIN dom AS text CHECK (wrote(VALUE));
  CREATE DOMAIN dom_path AS text CHECK (set_config('search_path', VALUE, false) IS NOT NULL);
  CREATE TYPE pair AS (a int, b int);
  CREATE FUNCTION to_pair(int) RETURNS pair LANGUAGE plpgsql SECURITY DEFINER AS
    $$ BEGIN INSERT INTO log VALUES ('cast'); RETURN ROW($1, $1)::pair; END $$;
  CREATE CAST (int AS pair) WITH FUNCTION to_pair(int);
  CREATE PROCEDURE p_del() LANGUAGE sql AS $$ DELETE FROM u $$;
  CREATE PROCEDURE p_commit() LANGUAGE plpgsql AS $$ BEGIN COMMIT; DELETE FROM u; END $$;
  CREATE VIEW v_writes AS SELECT f_sd() AS x;
  CREATE VIEW v_filtered AS SELECT id FROM t WHERE wrote(ssn);
  CREATE VIEW v_domain AS SELECT ssn::dom AS x FROM t;
  CREATE SCHEMA evil;
  CREATE TABLE evil.t (id int, ssn text, amount int);
  CREATE FUNCTION evil.initcap(varchar) RETURNS text LANGUAGE plpgsql SECURITY DEFINER AS
    $$ BEGIN INSERT INTO main.log VALUES ('initcap'); RETURN $1; END $$;
`;

/** What the database's owner has made, who knows nothing of us: everybody may run it, and READ ONLY does not stop it. */
export const ownersObjects = `
  CREATE FUNCTION main.f_owner() RETURNS int LANGUAGE plpgsql SECURITY DEFINER AS
    $$ BEGIN PERFORM pg_notify('ch', 'view'); PERFORM pg_advisory_lock(42); RETURN 1; END $$;
  CREATE VIEW main.v_owner AS SELECT main.f_owner() AS x;
  GRANT SELECT ON main.v_owner TO hatidata_reader;
  CREATE SERVER remote FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'hidden-host');
  CREATE USER MAPPING FOR PUBLIC SERVER remote OPTIONS (password 'hidden-password');
  CREATE SUBSCRIPTION remote CONNECTION 'host=hidden-host password=hidden-password' PUBLICATION p
    WITH (connect = false, enabled = false, create_slot = false, slot_name = NONE);
`;

/** Those of the vendor's packages whose functions reach around the tables. */
export const extensions = [
  ...['dblink', 'postgres_fdw', 'file_fdw', 'tablefunc', 'xml2', 'adminpack', 'pageinspect'],
  ...['pg_prewarm', 'pgstattuple', 'pg_buffercache', 'pgrowlocks', 'pg_walinspect', 'pg_surgery'],
  ...['pg_visibility', 'pg_stat_statements', 'lo', 'amcheck'],
];
