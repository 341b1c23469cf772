import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Properties;
import java.util.UUID;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.function.Executable;

/** Each class of tests has two keys of its own, each test a table (id integer PRIMARY KEY, note text) with one row. */
abstract class ProxyTest {
  /** The documented spelling of "no key", for client libraries that refuse to send nothing. */
  static final String NO_KEY = "hd_local";

  private static final String SERVER =
      System.getenv().getOrDefault("HATIDATA_TEST_HOST", "localhost") + ":" + System.getenv("HATIDATA_TEST_PORT");

  private static final String suffix = UUID.randomUUID().toString().substring(0, 8);
  static Connection administrator;
  static String adminKey;
  static String readonlyKey;
  String table;

  @BeforeAll
  static void makeKeys() throws SQLException {
    administrator = connect(NO_KEY);
    adminKey = makeKey("admin");
    readonlyKey = makeKey("readonly");
  }

  @AfterAll
  static void revokeKeys() throws SQLException {
    one(administrator, "SELECT revoke_api_key('java-admin-" + suffix + "')");
    one(administrator, "SELECT revoke_api_key('java-readonly-" + suffix + "')");
    administrator.close();
  }

  @BeforeEach
  void makeTable() throws SQLException {
    table = "java_" + UUID.randomUUID().toString().substring(0, 8);
    run(administrator, "CREATE TABLE " + table + " (id integer PRIMARY KEY, note text)");
    run(administrator, "INSERT INTO " + table + " VALUES (0, 'kept')");
  }

  @AfterEach
  void dropTable() throws SQLException {
    run(administrator, "DROP TABLE IF EXISTS " + table);
  }

  private static String makeKey(String scope) throws SQLException {
    String name = "java-" + scope + "-" + suffix;
    return one(administrator, "SELECT create_api_key('" + name + "', '" + scope + "', 'client suites')");
  }

  /** Options are pgjdbc's connection properties: name, value, name, value … */
  static Connection connect(String key, String... options) throws SQLException {
    Properties properties = new Properties();
    properties.setProperty("user", "agent");
    properties.setProperty("password", key);
    for (int at = 0; at < options.length; at += 2) properties.setProperty(options[at], options[at + 1]);
    return DriverManager.getConnection("jdbc:postgresql://" + SERVER + "/hatidata", properties);
  }

  static void run(Connection connection, String sql) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      statement.execute(sql);
    }
  }

  /** The one value of the one row. */
  static String one(Connection connection, String sql) throws SQLException {
    try (Statement statement = connection.createStatement();
        ResultSet rows = statement.executeQuery(sql)) {
      assertEquals(1, rows.getMetaData().getColumnCount());
      rows.next();
      String value = rows.getString(1);
      assertEquals(false, rows.next(), "a second row");
      return value;
    }
  }

  static SQLException assertFails(String state, Executable work) {
    SQLException error = assertThrows(SQLException.class, work);
    assertEquals(state, error.getSQLState(), error.getMessage());
    return error;
  }

  /** The refusal is PostgreSQL's insufficient_privilege with exactly our sentence. */
  static void assertRefused(String verb, Executable work) {
    SQLException error = assertFails("42501", work);
    String sentence = "ERROR: Permission denied: readonly scope cannot execute " + verb;
    assertEquals(sentence, error.getMessage().lines().findFirst().orElse(""));
  }
}
