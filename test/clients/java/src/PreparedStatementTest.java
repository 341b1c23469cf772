import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Types;
import java.time.LocalDate;
import java.time.OffsetDateTime;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.postgresql.PGConnection;

class PreparedStatementTest extends ProxyTest {
  /** From its threshold on, a statement is a named one of the server; -1 asks for binary results at once. */
  @ParameterizedTest
  @CsvSource({"0,0", "1,1", "5,1", "-1,1"})
  void acrossTheThreshold(String threshold, String namedStatements) throws SQLException {
    try (Connection connection = connect(readonlyKey, "prepareThreshold", threshold);
        PreparedStatement select = connection.prepareStatement("SELECT note, ?::int + 1 FROM " + table)) {
      for (int n = 0; n < 12; n++) {
        select.setInt(1, n);
        try (ResultSet rows = select.executeQuery()) {
          assertTrue(rows.next());
          assertEquals("kept", rows.getString(1));
          assertEquals(n + 1, rows.getInt(2));
        }
      }
      assertEquals(namedStatements, namedStatementsOf(connection));
    }
  }

  @ParameterizedTest
  @CsvSource({"0,false", "1,false", "1,true", "-1,true"})
  void valuesOfTheCommonTypes(String threshold, String binary) throws SQLException {
    String types =
        "SELECT ?::int, ?::bigint, ?::float8, ?::numeric, ?::text, ?::bytea, ?::bool, ?::text, ?::uuid, ?::date,"
            + " ?::timestamptz, ?::int[], ?::jsonb";
    try (Connection connection = connect(readonlyKey, "prepareThreshold", threshold, "binaryTransfer", binary);
        PreparedStatement select = connection.prepareStatement(types)) {
      OffsetDateTime moment = OffsetDateTime.parse("2026-01-31T08:00:00.123456Z");
      for (int round = 0; round < 3; round++) {
        select.setInt(1, 7);
        select.setLong(2, -(1L << 40));
        select.setDouble(3, 1.5);
        select.setBigDecimal(4, new BigDecimal("12345678901234567890.123"));
        select.setString(5, "it's \\ é 🌍");
        select.setBytes(6, new byte[] {0, -1, 39});
        select.setBoolean(7, true);
        select.setNull(8, Types.VARCHAR);
        select.setObject(9, new UUID(0, 5));
        select.setObject(10, LocalDate.of(2026, 1, 31));
        select.setObject(11, moment);
        select.setArray(12, connection.createArrayOf("int4", new Integer[] {1, null, 3}));
        select.setString(13, "{\"a\": [1, null]}");
        try (ResultSet rows = select.executeQuery()) {
          assertTrue(rows.next());
          assertEquals(7, rows.getInt(1));
          assertEquals(-(1L << 40), rows.getLong(2));
          assertEquals(1.5, rows.getDouble(3));
          assertEquals(new BigDecimal("12345678901234567890.123"), rows.getBigDecimal(4));
          assertEquals("it's \\ é 🌍", rows.getString(5));
          assertArrayEquals(new byte[] {0, -1, 39}, rows.getBytes(6));
          assertTrue(rows.getBoolean(7));
          assertNull(rows.getString(8));
          assertEquals(new UUID(0, 5), rows.getObject(9));
          assertEquals(LocalDate.of(2026, 1, 31), rows.getObject(10, LocalDate.class));
          assertEquals(moment, rows.getObject(11, OffsetDateTime.class));
          assertArrayEquals(new Integer[] {1, null, 3}, (Integer[]) rows.getArray(12).getArray());
          assertEquals("{\"a\": [1, null]}", rows.getString(13));
        }
      }
    }
  }

  @Test
  void itsDescriptionIsKnownBeforeItRuns() throws SQLException {
    try (Connection connection = connect(readonlyKey);
        PreparedStatement select = connection.prepareStatement("SELECT id, note FROM " + table + " WHERE id = ?")) {
      assertEquals("int4", select.getParameterMetaData().getParameterTypeName(1));
      assertEquals(2, select.getMetaData().getColumnCount());
      assertEquals("note", select.getMetaData().getColumnLabel(2));
      assertEquals(table, select.getMetaData().getTableName(2));
    }
  }

  /** A change of the table makes the cached plan useless; the driver's own recovery must work through the proxy. */
  @ParameterizedTest
  @ValueSource(strings = {"1", "5"})
  void aPlanThatNoLongerFits(String threshold) throws SQLException {
    try (Connection connection = connect(adminKey, "prepareThreshold", threshold);
        PreparedStatement select = connection.prepareStatement("SELECT * FROM " + table)) {
      for (int n = 0; n < 6; n++) select.executeQuery().close();
      run(administrator, "ALTER TABLE " + table + " ADD COLUMN extra int DEFAULT 3");
      try (ResultSet rows = select.executeQuery()) {
        assertTrue(rows.next());
        assertEquals(3, rows.getInt("extra"));
      }
      // Inside a transaction it can't repeat the statement by itself.
      run(administrator, "ALTER TABLE " + table + " DROP COLUMN note");
      connection.setAutoCommit(false);
      assertFails("0A000", () -> select.executeQuery().close());
      connection.rollback();
      try (ResultSet rows = select.executeQuery()) {
        assertTrue(rows.next());
        assertEquals(2, rows.getMetaData().getColumnCount());
      }
      connection.rollback();
    }
  }

  /** The driver closes the statements that fall out of its cache. */
  @Test
  void aCacheThatIsTooSmall() throws SQLException {
    try (Connection connection =
        connect(readonlyKey, "prepareThreshold", "1", "preparedStatementCacheQueries", "4")) {
      for (int n = 0; n < 60; n++) {
        try (PreparedStatement select = connection.prepareStatement("SELECT ?::int + " + n % 15)) {
          select.setInt(1, n);
          try (ResultSet rows = select.executeQuery()) {
            assertTrue(rows.next());
            assertEquals(n + n % 15, rows.getInt(1));
          }
        }
      }
      int open = Integer.parseInt(namedStatementsOf(connection));
      assertTrue(1 <= open && open <= 6, open + " statements are open");
    }
  }

  /** What the proxy keeps for this client; pg_prepared_statements shows what SQL prepared. */
  private static String namedStatementsOf(Connection connection) throws SQLException {
    int client = connection.unwrap(PGConnection.class).getBackendPID();
    return one(
        administrator, "SELECT prepared_statements FROM _hatidata_status.clients WHERE client_id = " + client);
  }
}
