import static org.junit.jupiter.api.Assertions.assertTrue;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Catalogue queries in the form in which DBeaver, DataGrip, Metabase, Tableau and Superset send them; a readonly key. */
class BiToolTest extends ProxyTest {
  @ParameterizedTest
  @ValueSource(strings = {
    "SELECT current_schema(), session_user",
    "SELECT version()",
    "SHOW search_path",
    "SHOW transaction_isolation",
    "SELECT set_config('search_path', '\"$user\", public, main', false)",
    "SELECT * FROM pg_catalog.pg_settings WHERE name = 'standard_conforming_strings'",
    "SELECT typcategory FROM pg_catalog.pg_type WHERE 1<>1 LIMIT 1",
    "SELECT db.oid, db.* FROM pg_catalog.pg_database db WHERE 1 = 1 AND datallowconn AND NOT datistemplate"
        + " OR db.datname = current_database() ORDER BY db.datname",
    "SELECT n.oid, n.*, d.description FROM pg_catalog.pg_namespace n LEFT OUTER JOIN pg_catalog.pg_description d"
        + " ON d.objoid = n.oid AND d.objsubid = 0 AND d.classoid = 'pg_namespace'::regclass ORDER BY nspname",
    "SELECT t.oid, t.*, c.relkind, format_type(nullif(t.typbasetype, 0), t.typtypmod) AS base_type_name, d.description"
        + " FROM pg_catalog.pg_type t LEFT OUTER JOIN pg_catalog.pg_class c ON c.oid = t.typrelid"
        + " LEFT OUTER JOIN pg_catalog.pg_description d ON t.oid = d.objoid"
        + " WHERE t.typname IS NOT NULL AND (c.relkind IS NULL OR c.relkind = 'c') LIMIT 100",
    "SELECT c.oid, c.*, d.description, pg_catalog.pg_get_expr(c.relpartbound, c.oid) AS partition_expr,"
        + " pg_catalog.pg_get_partkeydef(c.oid) AS partition_key FROM pg_catalog.pg_class c"
        + " LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = c.oid AND d.objsubid = 0"
        + " AND d.classoid = 'pg_class'::regclass WHERE c.relnamespace = 'main'::regnamespace"
        + " AND c.relkind NOT IN ('i', 'I', 'c')",
    "SELECT c.relname, a.*, pg_catalog.pg_get_expr(ad.adbin, ad.adrelid, true) AS def_value, dsc.description,"
        + " dep.objid FROM pg_catalog.pg_attribute a"
        + " INNER JOIN pg_catalog.pg_class c ON (a.attrelid = c.oid)"
        + " LEFT OUTER JOIN pg_catalog.pg_attrdef ad ON (a.attrelid = ad.adrelid AND a.attnum = ad.adnum)"
        + " LEFT OUTER JOIN pg_catalog.pg_description dsc ON (c.oid = dsc.objoid AND a.attnum = dsc.objsubid)"
        + " LEFT OUTER JOIN pg_depend dep ON dep.refobjid = a.attrelid AND dep.deptype = 'i'"
        + " AND dep.refobjsubid = a.attnum AND dep.classid = dep.refclassid"
        + " WHERE NOT a.attisdropped AND c.relname = 'products' ORDER BY a.attnum",
    "SELECT c.oid, c.*, t.relname AS tabrelname, rt.relnamespace AS refnamespace, d.description,"
        + " CASE WHEN c.contype = 'c' THEN \"substring\"(pg_get_constraintdef(c.oid), 7) ELSE NULL END consrc_copy"
        + " FROM pg_catalog.pg_constraint c INNER JOIN pg_catalog.pg_class t ON t.oid = c.conrelid"
        + " LEFT OUTER JOIN pg_catalog.pg_class rt ON rt.oid = c.confrelid"
        + " LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = c.oid AND d.objsubid = 0"
        + " AND d.classoid = 'pg_constraint'::regclass",
    "SELECT i.*, i.indkey AS keys, c.relname, c.relnamespace, c.relam, c.reltablespace, tc.relname AS tabrelname,"
        + " pg_catalog.pg_get_expr(i.indpred, i.indrelid) AS pred_expr,"
        + " pg_catalog.pg_get_expr(i.indexprs, i.indrelid, true) AS expr,"
        + " pg_catalog.pg_relation_size(i.indexrelid) AS index_rel_size,"
        + " pg_catalog.pg_stat_get_numscans(i.indexrelid) AS index_num_scans FROM pg_catalog.pg_index i"
        + " INNER JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid"
        + " INNER JOIN pg_catalog.pg_class tc ON tc.oid = i.indrelid LIMIT 50",
    "SELECT c.oid, pg_catalog.pg_total_relation_size(c.oid) AS total_rel_size,"
        + " pg_catalog.pg_relation_size(c.oid) AS rel_size FROM pg_class c"
        + " WHERE c.relnamespace = 'main'::regnamespace",
    "SELECT DISTINCT dep.deptype, dep.classid, dep.objid, cl.relkind, attr.attname,"
        + " pg_get_expr(ad.adbin, ad.adrelid) adefval FROM pg_depend dep"
        + " LEFT JOIN pg_class cl ON dep.objid = cl.oid"
        + " LEFT JOIN pg_attribute attr ON dep.objid = attr.attrelid AND dep.objsubid = attr.attnum"
        + " LEFT JOIN pg_attrdef ad ON dep.objid = ad.oid LIMIT 20",
    "SELECT pg_catalog.pg_get_viewdef('pg_catalog.pg_tables'::regclass, true)",
    "SELECT string_agg(word, ',') FROM pg_catalog.pg_get_keywords() WHERE word <> ALL ('{a,abs}'::text[])",
    "SELECT p.oid, p.proname, pg_catalog.pg_get_function_arguments(p.oid), pg_catalog.pg_get_function_result(p.oid)"
        + " FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace LIMIT 20",
    "SELECT r.rolname, r.rolsuper FROM pg_catalog.pg_roles r ORDER BY r.rolname",
    "SELECT x.extname, x.extversion FROM pg_catalog.pg_extension x",
    "SELECT table_schema, table_name, table_type FROM information_schema.tables"
        + " WHERE table_schema NOT IN ('pg_catalog', 'information_schema')",
    "SELECT column_name, data_type, is_nullable, column_default FROM information_schema.columns"
        + " WHERE table_schema = 'main' ORDER BY ordinal_position",
    "SELECT tc.constraint_name, kcu.column_name FROM information_schema.table_constraints tc"
        + " JOIN information_schema.key_column_usage kcu USING (constraint_schema, constraint_name)",
    "SELECT has_table_privilege('products', 'SELECT'), has_schema_privilege('main', 'USAGE')",
    "SELECT pg_catalog.has_any_column_privilege('products', 'SELECT'), pg_backend_pid()",
    "SELECT relname, n_live_tup FROM pg_stat_user_tables",
    "SELECT date_trunc('month', now()), extract(epoch FROM now()), to_char(now(), 'YYYY-MM')",
    "SELECT category, count(*), avg(price), percentile_cont(0.5) WITHIN GROUP (ORDER BY price) FROM products GROUP BY 1",
    "EXPLAIN (FORMAT JSON, VERBOSE) SELECT * FROM products WHERE price > 10"
  })
  void catalogueQueries(String sql) throws SQLException {
    try (Connection connection = connect(readonlyKey);
        PreparedStatement select = connection.prepareStatement(sql);
        ResultSet rows = select.executeQuery()) {
      int width = rows.getMetaData().getColumnCount();
      boolean some = false;
      while (rows.next()) {
        some = true;
        for (int at = 1; at <= width; at++) rows.getString(at);
      }
      // The information schema shows constraints only to roles that may do more than SELECT, here as everywhere.
      assertTrue(some || sql.contains("1<>1") || sql.contains("table_constraints"), "no rows");
    }
  }

  @Test
  void settingsThatToolsMakeWhenTheyConnect() throws SQLException {
    try (Connection connection = connect(readonlyKey)) {
      for (String sql : new String[] {
        "SET extra_float_digits = 3",
        "SET application_name = 'DBeaver 25.2 - Main <hatidata>'",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
        "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED",
        "SET DateStyle = ISO",
        "SET client_encoding = 'UTF8'",
        "SET standard_conforming_strings = on",
        "SET client_min_messages TO notice",
        "SET bytea_output = hex",
        "SET TIME ZONE 'UTC'",
        "SET statement_timeout = '30s'",
        "SET search_path = main, public",
        "RESET ALL",
        "UNLISTEN *",
        "DISCARD ALL"
      }) {
        run(connection, sql);
      }
    }
  }
}
