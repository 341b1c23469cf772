import java.net.URI;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.CompletableFuture;
import org.postgresql.util.PSQLException;
import org.postgresql.util.ServerErrorMessage;

/** One way of the driver at one target, and what several features do. What a feature leaves open is closed after it. */
final class Bench implements AutoCloseable {
  interface Work {
    void run() throws Exception;
  }

  private final URI address;
  private final String[] way;
  private final List<Connection> opened = new ArrayList<>();
  private final List<Connection> neighbours = new ArrayList<>();

  Bench(String target, String[] way) {
    address = URI.create(System.getenv("HATI_MATRIX_" + target.toUpperCase(java.util.Locale.ROOT)));
    this.way = way;
  }

  /** In auto-commit. Options are connection properties: name, value, name, value … */
  Connection open(String... options) throws SQLException {
    Properties properties = new Properties();
    properties.setProperty("user", login()[0]);
    properties.setProperty("password", login()[1]);
    properties.setProperty("sslmode", "disable");
    for (int at = 0; at < way.length; at += 2) properties.setProperty(way[at], way[at + 1]);
    for (int at = 0; at < options.length; at += 2) properties.setProperty(options[at], options[at + 1]);
    Connection connection = DriverManager.getConnection(url(), properties);
    synchronized (opened) {
      opened.add(connection);
    }
    return connection;
  }

  String url() {
    return "jdbc:postgresql://" + address.getHost() + ":" + address.getPort() + address.getPath();
  }

  /** User and password. */
  String[] login() {
    return address.getUserInfo().split(":", 2);
  }

  boolean isSimple() {
    return Arrays.asList(way).contains("simple");
  }

  @Override
  public void close() throws SQLException {
    synchronized (opened) {
      for (Connection connection : opened) connection.close();
    }
  }

  /** A fresh table. Its name is the same for both targets, which run one after the other. */
  String table(String name, String columns) throws SQLException {
    Connection connection = open();
    query(connection, "DROP TABLE IF EXISTS java_matrix_" + name);
    query(connection, "CREATE TABLE java_matrix_" + name + " (" + columns + ")");
    return "java_matrix_" + name;
  }

  /**
   * Neighbours with transactions and settings of their own: where engine connections are shared, the client under test
   * has another one afterwards, or would find there what they left.
   */
  void others() throws Exception {
    while (neighbours.size() < 2) neighbours.add(open());
    List<CompletableFuture<Object>> running = new ArrayList<>();
    for (Connection neighbour : neighbours) {
      running.add(Matrix.inThread(() -> {
        query(neighbour, "SET work_mem = '9MB'");
        query(neighbour, "SET matrix.own = 'a neighbour''s'");
        query(neighbour, "BEGIN");
        query(neighbour, "SELECT ?::text", "a neighbour");
        query(neighbour, "SELECT pg_sleep(0.01)::text");
        return query(neighbour, "COMMIT");
      }));
    }
    for (CompletableFuture<Object> one : running) one.get();
  }

  /** Rows of the last result, or nothing. */
  static List<List<Object>> query(Connection connection, String sql, Object... parameters) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(sql)) {
      for (int at = 0; at < parameters.length; at++) statement.setObject(at + 1, parameters[at]);
      return statement.execute() ? rows(statement.getResultSet()) : List.of();
    }
  }

  static List<List<Object>> rows(ResultSet result) throws SQLException {
    List<List<Object>> all = new ArrayList<>();
    try (result) {
      int columns = result.getMetaData().getColumnCount();
      while (result.next()) {
        List<Object> row = new ArrayList<>();
        for (int column = 1; column <= columns; column++) row.add(result.getObject(column));
        all.add(row);
      }
    }
    return all;
  }

  static void run(Connection connection, String sql) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      statement.execute(sql);
    }
  }

  static String fails(Work work) {
    try {
      work.run();
    } catch (Exception error) {
      return fault(error);
    }
    throw new IllegalStateException("it did not fail");
  }

  /** SQLSTATE only. */
  static String state(Work work) {
    return fails(work).substring(0, 5);
  }

  static String fault(Throwable error) {
    if (!(error instanceof PSQLException failure)) return error.toString();
    ServerErrorMessage server = failure.getServerErrorMessage();
    if (server == null) return failure.getSQLState() + " " + failure.getMessage();
    return server.getSQLState() + " " + server.getSeverity() + " " + server.getMessage() + " " + server.getDetail()
        + " " + server.getTable() + " " + server.getConstraint() + " " + server.getPosition();
  }

  static void expectThat(boolean holds, String what) {
    if (!holds) throw new IllegalStateException("not so: " + what);
  }

  static String shown(Object seen) {
    if (seen instanceof byte[] bytes) return Arrays.toString(bytes);
    if (seen instanceof Object[] many) return Arrays.deepToString(many);
    if (!(seen instanceof List<?> list)) return String.valueOf(seen);
    List<String> parts = new ArrayList<>();
    for (Object one : list) parts.add(shown(one));
    return parts.toString();
  }
}
