import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.sql.BatchUpdateException;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.sql.Savepoint;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class TransactionTest extends ProxyTest {
  @Test
  void anErrorAbortsTheTransaction() throws SQLException {
    try (Connection connection = connect(adminKey)) {
      connection.setAutoCommit(false);
      run(connection, "INSERT INTO " + table + " VALUES (1, 'undone')");
      assertFails("22012", () -> run(connection, "SELECT 1 / 0"));
      assertFails("25P02", () -> run(connection, "SELECT 1"));
      assertFails("25P02", () -> one(connection, "SELECT api_key_prefix FROM _hatidata_keys.active_keys"));
      connection.rollback();
      assertEquals("1", one(connection, "SELECT count(*) FROM " + table));
      connection.rollback();
    }
  }

  @Test
  void aRefusalAbortsTheTransaction() throws SQLException {
    try (Connection connection = connect(readonlyKey)) {
      connection.setAutoCommit(false);
      assertEquals("kept", one(connection, "SELECT note FROM " + table));
      assertRefused("DELETE", () -> run(connection, "DELETE FROM " + table));
      assertFails("25P02", () -> run(connection, "SELECT 1"));
      // What is not allowed is refused before the transaction's state is looked at, like a syntax error.
      assertRefused("DELETE", () -> run(connection, "DELETE FROM " + table));
      assertFails("25P02", () -> run(connection, "SELECT 1"));
      connection.rollback();
      assertEquals("kept", one(connection, "SELECT note FROM " + table));
      connection.commit();
    }
  }

  @Test
  void savepoints() throws SQLException {
    try (Connection connection = connect(adminKey)) {
      connection.setAutoCommit(false);
      run(connection, "INSERT INTO " + table + " VALUES (1, 'outer')");
      Savepoint savepoint = connection.setSavepoint("inner");
      assertFails("23505", () -> run(connection, "INSERT INTO " + table + " VALUES (1, 'twice')"));
      connection.rollback(savepoint);
      connection.releaseSavepoint(savepoint);
      connection.commit();
      assertEquals("2", one(connection, "SELECT count(*) FROM " + table));
      connection.commit();
    }
  }

  /** With autosave the driver itself wraps every statement in a savepoint; a refusal is undone like any error. */
  @ParameterizedTest
  @ValueSource(strings = {"always", "conservative"})
  void autosave(String mode) throws SQLException {
    try (Connection connection = connect(readonlyKey, "autosave", mode)) {
      connection.setAutoCommit(false);
      assertEquals("kept", one(connection, "SELECT note FROM " + table));
      assertRefused("UPDATE", () -> run(connection, "UPDATE " + table + " SET note = 'no'"));
      if (mode.equals("conservative")) connection.rollback();
      assertEquals("kept", one(connection, "SELECT note FROM " + table));
      connection.commit();
    }
  }

  @ParameterizedTest
  @CsvSource({"false,1", "false,5", "true,0", "true,5"})
  void batches(String rewrite, String threshold) throws SQLException {
    try (Connection connection =
            connect(adminKey, "reWriteBatchedInserts", rewrite, "prepareThreshold", threshold);
        PreparedStatement insert = connection.prepareStatement("INSERT INTO " + table + " VALUES (?, ?)")) {
      for (int id = 1; id <= 1000; id++) {
        insert.setInt(1, id);
        insert.setString(2, "note " + id);
        insert.addBatch();
      }
      assertEquals(1000, insert.executeBatch().length);
      assertEquals("500500,1001", one(connection, "SELECT sum(id) || ',' || count(*) FROM " + table));
    }
  }

  @Test
  void aBatchWithAnErrorInIt() throws SQLException {
    try (Connection connection = connect(adminKey);
        PreparedStatement insert = connection.prepareStatement("INSERT INTO " + table + " VALUES (?, 'new')")) {
      connection.setAutoCommit(false);
      for (int id : new int[] {1, 2, 0, 3}) {
        insert.setInt(1, id);
        insert.addBatch();
      }
      SQLException error = assertFails("23505", insert::executeBatch);
      assertTrue(error instanceof BatchUpdateException);
      connection.rollback();
      assertEquals("1", one(connection, "SELECT count(*) FROM " + table));
      connection.rollback();
    }
  }

  @Test
  void generatedKeys() throws SQLException {
    try (Connection connection = connect(adminKey);
        PreparedStatement insert =
            connection.prepareStatement("INSERT INTO " + table + " VALUES (?, ?)", new String[] {"id", "note"})) {
      insert.setInt(1, 17);
      insert.setString(2, "it's \\ é 🌍");
      assertEquals(1, insert.executeUpdate());
      try (var keys = insert.getGeneratedKeys()) {
        assertTrue(keys.next());
        assertEquals(17, keys.getInt("id"));
        assertEquals("it's \\ é 🌍", keys.getString("note"));
      }
    }
  }

  @Test
  void updateCountsOfATextWithSeveralStatements() throws SQLException {
    try (Connection connection = connect(adminKey);
        var statement = connection.createStatement()) {
      int[] counts = new int[3];
      statement.execute(
          "INSERT INTO " + table + " VALUES (1, 'a'), (2, 'b'); UPDATE " + table + " SET note = 'c'; DELETE FROM "
              + table + " WHERE id = 1");
      for (int at = 0; at < counts.length; at++) {
        counts[at] = statement.getUpdateCount();
        statement.getMoreResults();
      }
      assertArrayEquals(new int[] {2, 3, 1}, counts, Arrays.toString(counts));
    }
  }
}
