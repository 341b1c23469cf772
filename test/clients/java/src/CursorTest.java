import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** With a fetch size the driver sends Execute with a row limit and comes back to the suspended portal. */
class CursorTest extends ProxyTest {
  private static final String NUMBERS = "SELECT n, repeat('x', 100) FROM generate_series(1, 1000) n ORDER BY n";

  @ParameterizedTest
  @CsvSource({"1,0", "7,1", "1000,5", "1001,5", "999,-1"})
  void readingInPortions(int fetchSize, String threshold) throws SQLException {
    try (Connection connection = connect(readonlyKey, "prepareThreshold", threshold)) {
      connection.setAutoCommit(false);
      try (PreparedStatement select = connection.prepareStatement(NUMBERS)) {
        select.setFetchSize(fetchSize);
        try (ResultSet rows = select.executeQuery()) {
          for (int n = 1; n <= 1000; n++) {
            assertTrue(rows.next());
            assertEquals(n, rows.getInt(1));
          }
          assertFalse(rows.next());
        }
      }
      connection.commit();
    }
  }

  @Test
  void twoAtOnceAndOtherStatementsBetween() throws SQLException {
    try (Connection connection = connect(readonlyKey)) {
      connection.setAutoCommit(false);
      try (Statement first = connection.createStatement();
          Statement second = connection.createStatement()) {
        first.setFetchSize(3);
        second.setFetchSize(4);
        try (ResultSet left = first.executeQuery(NUMBERS);
            ResultSet right = second.executeQuery("SELECT -n FROM generate_series(1, 1000) n")) {
          for (int n = 1; n <= 100; n++) {
            assertTrue(left.next());
            assertTrue(right.next());
            assertEquals(0, left.getInt(1) + right.getInt(1));
            assertEquals("kept", one(connection, "SELECT note FROM " + table));
          }
        }
      }
      connection.commit();
    }
  }

  @Test
  void aRefusalEndsTheTransactionOfTheCursor() throws SQLException {
    try (Connection connection = connect(readonlyKey)) {
      connection.setAutoCommit(false);
      try (Statement statement = connection.createStatement()) {
        statement.setFetchSize(3);
        try (ResultSet rows = statement.executeQuery(NUMBERS)) {
          assertTrue(rows.next());
          assertRefused("DELETE", () -> run(connection, "DELETE FROM " + table));
          assertFails("25P02", () -> {
            while (rows.next()) assertTrue(rows.getInt(1) <= 3);
          });
        }
      }
      connection.rollback();
      assertEquals("kept", one(connection, "SELECT note FROM " + table));
      connection.rollback();
    }
  }

  @Test
  void theKeysOfThisServerInPortions() throws SQLException {
    try (Connection connection = connect(adminKey)) {
      connection.setAutoCommit(false);
      try (PreparedStatement select = connection.prepareStatement(
          "SELECT agent_id FROM _hatidata_keys.active_keys WHERE agent_id LIKE ? ORDER BY agent_id")) {
        select.setFetchSize(1);
        select.setString(1, "java-%");
        try (ResultSet rows = select.executeQuery()) {
          assertTrue(rows.next());
          assertTrue(rows.getString("agent_id").startsWith("java-admin-"));
          assertTrue(rows.next());
          assertTrue(rows.getString(1).startsWith("java-"));
        }
      }
      connection.commit();
    }
  }

  @Test
  void aScrollableResult() throws SQLException {
    try (Connection connection = connect(readonlyKey);
        Statement statement =
            connection.createStatement(ResultSet.TYPE_SCROLL_INSENSITIVE, ResultSet.CONCUR_READ_ONLY);
        ResultSet rows = statement.executeQuery(NUMBERS)) {
      assertTrue(rows.absolute(501));
      assertEquals(501, rows.getInt(1));
      assertTrue(rows.last());
      assertEquals(1000, rows.getInt(1));
    }
  }

  @Test
  void anUpdatableResult() throws SQLException {
    try (Connection connection = connect(adminKey);
        Statement statement = connection.createStatement(ResultSet.TYPE_FORWARD_ONLY, ResultSet.CONCUR_UPDATABLE);
        ResultSet rows = statement.executeQuery("SELECT id, note FROM " + table)) {
      assertTrue(rows.next());
      rows.updateString("note", "changed");
      rows.updateRow();
      assertEquals("changed", one(connection, "SELECT note FROM " + table));
    }
  }

  @Test
  void maxRows() throws SQLException {
    try (Connection connection = connect(readonlyKey);
        Statement statement = connection.createStatement()) {
      statement.setMaxRows(10);
      try (ResultSet rows = statement.executeQuery(NUMBERS)) {
        int count = 0;
        while (rows.next()) count++;
        assertEquals(10, count);
      }
      assertEquals("kept", one(connection, "SELECT note FROM " + table));
    }
  }
}
