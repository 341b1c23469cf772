import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What DBeaver and BI tools ask for before a person has typed anything, with a readonly key. */
class MetadataTest extends ProxyTest {
  private Connection connection;
  private DatabaseMetaData data;
  private String child;

  interface Question {
    ResultSet ask(DatabaseMetaData data, String table) throws SQLException;
  }

  enum Listing {
    CATALOGS((data, table) -> data.getCatalogs()),
    SCHEMAS((data, table) -> data.getSchemas()),
    SCHEMAS_BY_PATTERN((data, table) -> data.getSchemas(null, "ma%")),
    TABLE_TYPES((data, table) -> data.getTableTypes()),
    TYPES((data, table) -> data.getTypeInfo()),
    ALL_TABLES((data, table) -> data.getTables(null, null, "%", null)),
    TABLES_AND_VIEWS((data, table) -> data.getTables(null, "main", "%", new String[] {"TABLE", "VIEW"})),
    ALL_COLUMNS((data, table) -> data.getColumns(null, null, "%", "%")),
    COLUMNS((data, table) -> data.getColumns(null, "main", table, null)),
    PRIMARY_KEYS((data, table) -> data.getPrimaryKeys(null, "main", table)),
    INDEXES((data, table) -> data.getIndexInfo(null, "main", table, false, true)),
    EXPORTED_KEYS((data, table) -> data.getExportedKeys(null, "main", table)),
    BEST_ROW((data, table) -> data.getBestRowIdentifier(null, "main", table, DatabaseMetaData.bestRowSession, true)),
    VERSION_COLUMNS((data, table) -> data.getVersionColumns(null, "main", table)),
    FUNCTIONS((data, table) -> data.getFunctions(null, null, "lower%")),
    FUNCTION_COLUMNS((data, table) -> data.getFunctionColumns(null, "pg_catalog", "lower", null)),
    CLIENT_INFO((data, table) -> data.getClientInfoProperties());

    final Question question;

    Listing(Question question) {
      this.question = question;
    }
  }

  @BeforeEach
  void makeChild() throws SQLException {
    child = table + "_child";
    run(administrator, "CREATE TABLE " + child + " (id bigint PRIMARY KEY, parent int NOT NULL REFERENCES " + table
        + ", price numeric(10,2) DEFAULT 1.5, tags text[], seen timestamptz, UNIQUE (parent, seen))");
    run(administrator, "CREATE VIEW " + child + "_view AS SELECT id, price FROM " + child);
    run(administrator, "COMMENT ON COLUMN " + child + ".price IS 'in euro'");
    connection = connect(readonlyKey);
    data = connection.getMetaData();
  }

  @AfterEach
  void dropChild() throws SQLException {
    connection.close();
    run(administrator, "DROP TABLE " + child + " CASCADE");
  }

  private static List<String> column(ResultSet rows, String label) throws SQLException {
    List<String> values = new ArrayList<>();
    try (rows) {
      while (rows.next()) values.add(rows.getString(label));
    }
    return values;
  }

  @ParameterizedTest
  @EnumSource
  void everyListingHasSomethingInIt(Listing listing) throws SQLException {
    try (ResultSet rows = listing.question.ask(data, table)) {
      assertTrue(rows.next(), listing + " is empty");
      for (int at = 1; at <= rows.getMetaData().getColumnCount(); at++) rows.getString(at);
    }
  }

  @Test
  void tables() throws SQLException {
    List<String> tables = column(data.getTables(null, "main", table + "%", null), "TABLE_NAME");
    assertTrue(tables.containsAll(List.of(table, child, child + "_view")), tables.toString());
    assertEquals(List.of(child + "_view"),
        column(data.getTables(null, null, table + "%", new String[] {"VIEW"}), "TABLE_NAME"));
  }

  @Test
  void columns() throws SQLException {
    assertEquals(List.of("id", "parent", "price", "tags", "seen"),
        column(data.getColumns(null, "main", child, null), "COLUMN_NAME"));
    assertEquals(List.of("int8", "int4", "numeric", "_text", "timestamptz"),
        column(data.getColumns(null, "main", child, null), "TYPE_NAME"));
    assertEquals(List.of("1.5"), column(data.getColumns(null, "main", child, "price"), "COLUMN_DEF"));
    assertEquals(List.of("in euro"), column(data.getColumns(null, "main", child, "price"), "REMARKS"));
  }

  @Test
  void keysAndIndexes() throws SQLException {
    assertEquals(List.of("id"), column(data.getPrimaryKeys(null, "main", child), "COLUMN_NAME"));
    assertEquals(List.of(table), column(data.getImportedKeys(null, "main", child), "PKTABLE_NAME"));
    assertEquals(List.of(child), column(data.getExportedKeys(null, "main", table), "FKTABLE_NAME"));
    assertEquals(List.of("parent"),
        column(data.getCrossReference(null, "main", table, null, "main", child), "FKCOLUMN_NAME"));
    assertEquals(new TreeSet<>(List.of("id", "parent", "seen")),
        new TreeSet<>(column(data.getIndexInfo(null, "main", child, true, true), "COLUMN_NAME")));
  }

  @Test
  void privileges() throws SQLException {
    List<String> own = column(data.getTablePrivileges(null, "main", child), "PRIVILEGE");
    assertTrue(own.contains("SELECT"), own.toString());
    List<String> columns = column(data.getColumnPrivileges(null, "main", child, "id"), "PRIVILEGE");
    assertTrue(columns.contains("SELECT"), columns.toString());
  }

  @Test
  void theServerItself() throws SQLException {
    assertEquals("PostgreSQL", data.getDatabaseProductName());
    assertTrue(data.getDatabaseMajorVersion() >= 14);
    assertTrue(data.getSQLKeywords().contains("analyse"));
    assertTrue(data.getMaxIndexLength() >= 0);
    assertTrue(data.getMaxColumnNameLength() >= 63);
    assertTrue(data.getMaxColumnsInIndex() >= 32);
    column(data.getProcedures(null, null, "%"), "PROCEDURE_NAME");
    column(data.getProcedureColumns(null, null, "%", null), "COLUMN_NAME");
    column(data.getUDTs(null, null, "%", null), "TYPE_NAME");
  }

  @Test
  void whereAColumnOfAResultComesFrom() throws SQLException {
    try (var statement = connection.createStatement();
        ResultSet rows = statement.executeQuery("SELECT id AS number, price FROM " + child)) {
      var about = rows.getMetaData();
      assertEquals("number", about.getColumnLabel(1));
      assertEquals(child, about.getTableName(1));
      assertEquals("main", about.unwrap(org.postgresql.PGResultSetMetaData.class).getBaseSchemaName(1));
      assertEquals("id", about.unwrap(org.postgresql.PGResultSetMetaData.class).getBaseColumnName(1));
      assertEquals(2, about.getScale(2));
      assertEquals(java.sql.ResultSetMetaData.columnNoNulls, about.isNullable(1));
    }
  }
}
