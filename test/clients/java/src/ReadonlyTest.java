import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.sql.BatchUpdateException;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.sql.Statement;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What a readonly key may not do, in each way that pgjdbc has of sending it; the session goes on afterwards. */
class ReadonlyTest extends ProxyTest {
  @ParameterizedTest
  @ValueSource(strings = {"simple", "extended", "extendedForPrepared", "extendedCacheEverything"})
  void writesAreRefused(String mode) throws SQLException {
    try (Connection connection = connect(readonlyKey, "preferQueryMode", mode)) {
      assertRefused("INSERT", () -> run(connection, "INSERT INTO " + table + " VALUES (1, 'no')"));
      assertRefused("UPDATE", () -> run(connection, "UPDATE " + table + " SET note = 'no'"));
      assertRefused("DELETE", () -> run(connection, "DELETE FROM " + table));
      assertRefused("DDL", () -> run(connection, "DROP TABLE " + table));
      assertEquals("kept", one(connection, "SELECT note FROM " + table));
    }
  }

  @ParameterizedTest
  @CsvSource({"simple,1", "extended,0", "extended,1", "extended,5", "extendedCacheEverything,1"})
  void aPreparedWriteIsRefusedEveryTime(String mode, String threshold) throws SQLException {
    try (Connection connection = connect(readonlyKey, "preferQueryMode", mode, "prepareThreshold", threshold);
        PreparedStatement insert = connection.prepareStatement("INSERT INTO " + table + " VALUES (?, ?)")) {
      for (int id = 1; id <= 7; id++) {
        insert.setInt(1, id);
        insert.setString(2, "no");
        assertRefused("INSERT", insert::executeUpdate);
        assertEquals("1", one(connection, "SELECT count(*) FROM " + table));
      }
    }
  }

  @Test
  void aBatchOfWritesIsRefused() throws SQLException {
    try (Connection connection = connect(readonlyKey);
        PreparedStatement insert = connection.prepareStatement("INSERT INTO " + table + " VALUES (?, 'no')")) {
      for (int id = 1; id <= 50; id++) {
        insert.setInt(1, id);
        insert.addBatch();
      }
      SQLException error = assertFails("42501", insert::executeBatch);
      assertTrue(error instanceof BatchUpdateException);
      assertTrue(error.getMessage().contains("Permission denied: readonly scope cannot execute INSERT"));
      assertEquals("1", one(connection, "SELECT count(*) FROM " + table));
    }
  }

  @Test
  void oneWriteAmongReadsRefusesTheText() throws SQLException {
    try (Connection connection = connect(readonlyKey)) {
      assertRefused("DELETE", () -> run(connection, "SELECT 1; DELETE FROM " + table + "; SELECT 2"));
      assertEquals("kept", one(connection, "SELECT note FROM " + table));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"ignore", "transaction"})
  void setReadOnly(String mode) throws SQLException {
    try (Connection connection = connect(readonlyKey, "readOnlyMode", mode)) {
      connection.setReadOnly(true);
      assertTrue(connection.isReadOnly());
      assertEquals("kept", one(connection, "SELECT note FROM " + table));
      connection.setAutoCommit(false);
      assertEquals("kept", one(connection, "SELECT note FROM " + table));
      connection.commit();
      assertRefused("INSERT", () -> run(connection, "INSERT INTO " + table + " VALUES (1, 'no')"));
      connection.rollback();
      assertEquals("kept", one(connection, "SELECT note FROM " + table));
      connection.rollback();
    }
  }

  /** In this mode the driver makes its session READ WRITE when autocommit goes off, which a readonly key may not ask for. */
  @Test
  void setReadOnlyAlways() throws SQLException {
    try (Connection connection = connect(readonlyKey, "readOnlyMode", "always")) {
      connection.setReadOnly(true);
      assertEquals("on", one(connection, "SHOW default_transaction_read_only"));
      assertRefused(
          "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE", () -> connection.setAutoCommit(false));
      assertEquals("kept", one(connection, "SELECT note FROM " + table));
    }
  }

  @Test
  void anAdminKeyThatAsksForReadOnlyIsHeldToItByTheEngine() throws SQLException {
    try (Connection connection = connect(adminKey, "readOnlyMode", "always")) {
      connection.setReadOnly(true);
      assertFails("25006", () -> run(connection, "INSERT INTO " + table + " VALUES (1, 'no')"));
      connection.setReadOnly(false);
      run(connection, "INSERT INTO " + table + " VALUES (1, 'yes')");
      assertEquals("2", one(connection, "SELECT count(*) FROM " + table));
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {
    Connection.TRANSACTION_READ_COMMITTED,
    Connection.TRANSACTION_REPEATABLE_READ,
    Connection.TRANSACTION_SERIALIZABLE
  })
  void isolationLevels(int level) throws SQLException {
    try (Connection connection = connect(readonlyKey)) {
      connection.setTransactionIsolation(level);
      assertEquals(level, connection.getTransactionIsolation());
      assertEquals("kept", one(connection, "SELECT note FROM " + table));
    }
  }

  @Test
  void theStateThatAPoolChecksAndResets() throws SQLException {
    try (Connection connection = connect(readonlyKey, "ApplicationName", "billing")) {
      assertTrue(connection.isValid(30));
      connection.setSchema("main");
      assertEquals("main", connection.getSchema());
      connection.setClientInfo("ApplicationName", "reports");
      assertEquals("hatidata", connection.getCatalog());
      try (Statement statement = connection.createStatement()) {
        statement.execute("DISCARD ALL");
      }
      assertFalse(connection.isClosed());
      assertEquals("kept", one(connection, "SELECT note FROM " + table));
    }
  }

  @Test
  void aWrongKey() {
    SQLException error = assertFails("28P01", () -> connect("hd_ro_wrong").close());
    assertEquals("FATAL: Authentication failed: invalid API key", error.getMessage());
  }
}
