import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The key functions and the list of keys are answered by the proxy itself; to a driver they must look like any other. */
class KeyFunctionTest extends ProxyTest {
  private static String call(Connection connection, String sql, String... arguments) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(sql)) {
      for (int at = 0; at < arguments.length; at++) statement.setString(at + 1, arguments[at]);
      try (ResultSet rows = statement.executeQuery()) {
        assertTrue(rows.next());
        assertEquals(1, rows.getMetaData().getColumnCount());
        assertEquals(rows.getString(1), rows.getString(rows.getMetaData().getColumnLabel(1)));
        String value = rows.getString(1);
        assertFalse(rows.next());
        return value;
      }
    }
  }

  @ParameterizedTest
  @CsvSource({
    "extended,0,varchar", "extended,1,varchar", "extended,-1,unspecified", "extended,5,unspecified", "simple,5,varchar"
  })
  void aKeyFromItsMakingToItsEnd(String mode, String threshold, String stringType) throws SQLException {
    String agent = "java-" + UUID.randomUUID();
    try (Connection connection =
        connect(adminKey, "preferQueryMode", mode, "prepareThreshold", threshold, "stringtype", stringType)) {
      String first = call(connection, "SELECT create_api_key(?, ?, ?)", agent, "readonly", "it's \\ é");
      assertTrue(first.startsWith("hd_ro_"));
      try (Connection made = connect(first)) {
        assertEquals("kept", one(made, "SELECT note FROM " + table));
      }
      assertFails("42710", () -> call(connection, "SELECT create_api_key(?, ?, ?)", agent, "readonly", "again"));

      String second = call(connection, "SELECT rotate_api_key(?)", agent);
      assertNotEquals(first, second);
      assertFails("28P01", () -> connect(first).close());
      try (Connection made = connect(second)) {
        assertEquals("kept", one(made, "SELECT note FROM " + table));
      }

      assertNotNull(call(connection, "SELECT revoke_api_key(?)", agent));
      assertFails("28P01", () -> connect(second).close());
      assertFails("42704", () -> call(connection, "SELECT rotate_api_key(?)", agent));
    }
  }

  @Test
  void theNewKeyIsInColumnApiKey() throws SQLException {
    String agent = "java-" + UUID.randomUUID();
    try (Connection connection = connect(adminKey);
        PreparedStatement create = connection.prepareStatement("SELECT create_api_key(?, ?, ?)")) {
      assertEquals(3, create.getParameterMetaData().getParameterCount());
      assertEquals("api_key", create.getMetaData().getColumnLabel(1));
      create.setString(1, agent);
      create.setString(2, "admin");
      create.setString(3, "column label");
      try (ResultSet rows = create.executeQuery()) {
        assertTrue(rows.next());
        assertTrue(rows.getString("api_key").startsWith("hd_admin_"));
      }
      call(connection, "SELECT revoke_api_key(?)", agent);
    }
  }

  @ParameterizedTest
  @CsvSource({"0", "1", "5", "-1"})
  void theListOfKeys(String threshold) throws SQLException {
    String list =
        "SELECT agent_id, scope, created_at, last_used_at FROM _hatidata_keys.active_keys"
            + " WHERE scope = ? AND created_at <= now() ORDER BY agent_id LIMIT ?";
    try (Connection connection = connect(adminKey, "prepareThreshold", threshold);
        PreparedStatement select = connection.prepareStatement(list)) {
      for (int round = 0; round < 7; round++) {
        select.setString(1, "admin");
        select.setInt(2, 1000);
        try (ResultSet rows = select.executeQuery()) {
          boolean found = false;
          while (rows.next()) {
            assertEquals("admin", rows.getString("scope"));
            assertNotNull(rows.getTimestamp("created_at"));
            found |= rows.getString("agent_id").startsWith("java-admin-");
          }
          assertTrue(found, "the key of this test is not in the list");
        }
      }
    }
  }

  @Test
  void aReadonlyKeyGetsNeither() throws SQLException {
    try (Connection connection = connect(readonlyKey)) {
      String agent = "java-" + UUID.randomUUID();
      SQLException refusal =
          assertFails("42501", () -> call(connection, "SELECT create_api_key(?, ?, ?)", agent, "admin", ""));
      assertTrue(refusal.getMessage().startsWith("ERROR: Permission denied: create_api_key needs the scope key:write"));
      assertFails("42501", () -> one(connection, "SELECT count(*) FROM _hatidata_keys.active_keys"));
      assertEquals("kept", one(connection, "SELECT note FROM " + table));
    }
  }
}
