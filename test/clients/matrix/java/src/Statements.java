import static java.util.List.of;

import java.sql.BatchUpdateException;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.SQLWarning;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.postgresql.PGStatement;
import org.postgresql.util.PSQLWarning;

final class Statements {
  private Statements() {}

  static void addTo(Map<String, Matrix.Feature> features) {
    features.put("simple-query", Statements::simpleQuery);
    features.put("empty-query", bench -> {
      Connection connection = bench.open();
      Bench.run(connection, " ");
      return Bench.query(connection, "SELECT 1");
    });
    features.put("parameters-text", bench -> Bench.query(bench.open("binaryTransfer", "false"),
        "SELECT ?::text, ?::int, ?::date::text, ?::bool", "it's", 7, "2026-01-31", true));
    features.put("parameters-binary", Statements::parametersBinary);
    features.put("unnamed-statement", Statements::unnamedStatement);
    features.put("named-statement", Statements::namedStatement);
    features.put("same-name", Statements::sameName);
    features.put("close-statement", Statements::closeStatement);
    features.put("changed-table", Statements::changedTable);
    features.put("batch", Statements::batch);
    features.put("batch-error", Statements::batchError);
    features.put("rows-in-parts", Statements::rowsInParts);
    features.put("cancel", Statements::cancel);
    features.put("statement-timeout", bench -> {
      Connection connection = bench.open();
      Bench.query(connection, "SET statement_timeout = '100ms'");
      String ended = Bench.fails(() -> Bench.query(connection, "SELECT pg_sleep(60)::text"));
      Bench.query(connection, "RESET statement_timeout");
      return of(ended, Bench.query(connection, "SELECT 1"));
    });
    features.put("error-fields", Statements::errorFields);
    features.put("notices", Statements::notices);
  }

  private static Object simpleQuery(Bench bench) throws SQLException {
    List<Object> seen = new ArrayList<>();
    try (Statement statement = bench.open().createStatement()) {
      boolean isRows = statement.execute("SELECT 1 AS a; SELECT 'x' AS b, NULL AS c; "
          + "CREATE TEMPORARY TABLE t (i int); INSERT INTO t VALUES (1), (2)");
      while (isRows || statement.getUpdateCount() != -1) {
        seen.add(isRows ? Bench.rows(statement.getResultSet()) : statement.getUpdateCount());
        isRows = statement.getMoreResults();
      }
    }
    return seen;
  }

  private static Object parametersBinary(Bench bench) throws SQLException {
    if (bench.isSimple()) throw new UnsupportedOperationException("no binary values in simple mode");
    List<Object> seen = new ArrayList<>();
    // A negative threshold asks for binary results at once.
    Connection connection = bench.open("prepareThreshold", "-1");
    try (PreparedStatement statement = connection.prepareStatement("SELECT ?::bytea, ?::int, ?::float8")) {
      for (int round = 0; round < 3; round++) {
        statement.setBytes(1, new byte[] {0, 1, (byte) 255});
        statement.setInt(2, round);
        statement.setDouble(3, 2.5);
        seen.addAll(Bench.rows(statement.executeQuery()));
      }
    }
    return seen;
  }

  private static Object unnamedStatement(Bench bench) throws Exception {
    Connection connection = bench.open("prepareThreshold", "0");
    List<Object> seen = new ArrayList<>();
    for (int round = 0; round < 5; round++) {
      seen.add(Bench.query(connection, "SELECT ?::int * 2", round));
      Bench.query(connection, "SELECT 1");
      seen.add(Bench.query(connection, "SELECT upper(?)", "n" + round));
      if (round % 2 == 0) bench.others();
    }
    return seen;
  }

  private static Object namedStatement(Bench bench) throws Exception {
    Connection connection = bench.open();
    List<Object> seen = new ArrayList<>();
    try (PreparedStatement statement = connection.prepareStatement("SELECT ?::int + 1")) {
      for (int round = 0; round < 10; round++) {
        connection.setAutoCommit(false);
        statement.setInt(1, round);
        seen.addAll(Bench.rows(statement.executeQuery()));
        connection.commit();
        connection.setAutoCommit(true);
        if (round % 3 == 0) bench.others();
      }
      seen.add(statement.unwrap(PGStatement.class).isUseServerPrepare());
    }
    return seen;
  }

  /** Its names are counted by connection, so two connections have the same. */
  private static Object sameName(Bench bench) throws SQLException {
    Connection one = bench.open();
    Connection two = bench.open();
    List<Object> seen = new ArrayList<>();
    for (int round = 0; round < 8; round++) {
      seen.add(Bench.query(one, "SELECT ?::int", round));
      seen.add(Bench.query(two, "SELECT 'two ' || ?", "x"));
    }
    return seen;
  }

  /** A cache of two statements: what falls out of it is closed. */
  private static Object closeStatement(Bench bench) throws SQLException {
    Connection connection = bench.open("preparedStatementCacheQueries", "2", "prepareThreshold", "1");
    List<Object> seen = new ArrayList<>();
    for (int round = 0; round < 12; round++) {
      seen.add(Bench.query(connection, "SELECT " + round % 4 + " + ?::int", round));
    }
    return seen;
  }

  private static Object changedTable(Bench bench) throws SQLException {
    String name = bench.table("changed_table", "id int");
    Connection connection = bench.open();
    Connection neighbour = bench.open();
    Bench.query(connection, "INSERT INTO " + name + " VALUES (1)");
    List<Object> seen = new ArrayList<>();
    for (int round = 0; round < 6; round++) seen.add(Bench.query(connection, "SELECT * FROM " + name));
    Bench.query(neighbour, "ALTER TABLE " + name + " ADD COLUMN note text DEFAULT 'new'");
    // In auto-commit it prepares again by itself.
    seen.add(Bench.query(connection, "SELECT * FROM " + name));
    return seen;
  }

  private static Object batch(Bench bench) throws SQLException {
    Connection connection = bench.open("reWriteBatchedInserts", "true");
    Bench.query(connection, "CREATE TEMPORARY TABLE many (id serial, note text)");
    String insert = "INSERT INTO many (note) VALUES (?)";
    try (PreparedStatement statement = connection.prepareStatement(insert, Statement.RETURN_GENERATED_KEYS);
        PreparedStatement change = connection.prepareStatement("UPDATE many SET note = ? WHERE id = ?")) {
      for (int index = 0; index < 1000; index++) {
        statement.setString(1, "n" + index);
        statement.addBatch();
        change.setString(1, "changed " + index);
        change.setInt(2, index + 1);
        change.addBatch();
      }
      int inserted = statement.executeBatch().length;
      int keys = Bench.rows(statement.getGeneratedKeys()).size();
      int changed = Arrays.stream(change.executeBatch()).sum();
      return of(inserted, keys, changed, Bench.query(connection, "SELECT count(DISTINCT note), min(note) FROM many"));
    }
  }

  private static Object batchError(Bench bench) throws SQLException {
    Connection connection = bench.open();
    Bench.query(connection, "CREATE TEMPORARY TABLE given (id int)");
    List<Object> seen = new ArrayList<>();
    try (PreparedStatement statement = connection.prepareStatement("INSERT INTO given VALUES (10/?::int)")) {
      for (int divisor : new int[] {1, 0, 2}) {
        statement.setInt(1, divisor);
        statement.addBatch();
      }
      try {
        statement.executeBatch();
      } catch (BatchUpdateException error) {
        seen.add(error.getSQLState());
        seen.add(Arrays.toString(error.getUpdateCounts()));
      }
    }
    seen.add(Bench.query(connection, "SELECT * FROM given"));
    return seen;
  }

  private static Object rowsInParts(Bench bench) throws SQLException {
    Connection connection = bench.open();
    connection.setAutoCommit(false);
    List<Object> seen = new ArrayList<>();
    String series = "SELECT generate_series(1, ?)";
    try (PreparedStatement first = connection.prepareStatement(series);
        PreparedStatement second = connection.prepareStatement(series)) {
      first.setFetchSize(300);
      first.setInt(1, 1000);
      second.setFetchSize(7);
      second.setInt(1, 20);
      try (ResultSet one = first.executeQuery(); ResultSet two = second.executeQuery()) {
        // Two portals at once.
        long sum = 0;
        while (one.next()) {
          sum += one.getInt(1);
          if (one.getRow() % 50 == 0 && two.next()) sum += 10_000L * two.getInt(1);
        }
        seen.add(sum);
      }
      // One that is left early.
      try (ResultSet one = first.executeQuery()) {
        seen.add(one.next());
      }
    }
    connection.commit();
    seen.add(Bench.query(connection, "SELECT 1"));
    return seen;
  }

  private static Object cancel(Bench bench) throws Exception {
    Connection connection = bench.open();
    Connection neighbour = bench.open();
    Connection observer = bench.open();
    var bystander = Matrix.inThread(() -> Bench.query(neighbour, "SELECT 1 FROM pg_sleep(0.5)"));
    try (Statement statement = connection.createStatement()) {
      CompletableFuture<String> ended =
          Matrix.inThread(() -> Bench.fails(() -> statement.executeQuery("SELECT pg_sleep(64)")));
      // The driver sends one request for each statement; one that comes too early does nothing.
      String running = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query = 'SELECT pg_sleep(64)'";
      while (Bench.query(observer, running).equals(of(of(0L)))) Thread.sleep(20);
      statement.cancel();
      ended.get();
      statement.setQueryTimeout(1);
      String late = Bench.state(() -> statement.executeQuery("SELECT pg_sleep(60)"));
      return of(ended.get(), late, bystander.get(), Bench.query(connection, "SELECT 1"));
    }
  }

  private static Object errorFields(Bench bench) throws SQLException {
    String name = bench.table("error_fields", "id int CONSTRAINT java_one_of_each UNIQUE");
    Connection connection = bench.open();
    Bench.query(connection, "INSERT INTO " + name + " VALUES (1)");
    return of(
        Bench.fails(() -> Bench.query(connection, "INSERT INTO " + name + " VALUES (?)", 1)),
        Bench.fails(() -> Bench.query(connection, "SELECT nothing FROM nowhere")),
        Bench.fails(() -> Bench.query(connection, "SELEKT 1")),
        Bench.fails(() -> Bench.query(connection, "SELECT 1/?::int", 0)));
  }

  private static Object notices(Bench bench) throws SQLException {
    List<Object> seen = new ArrayList<>();
    try (Statement statement = bench.open().createStatement()) {
      statement.execute("DO $$ BEGIN RAISE NOTICE 'one 1' USING DETAIL = 'a detail', HINT = 'a hint'; "
          + "RAISE WARNING 'two' USING ERRCODE = '01234'; END $$");
      for (SQLWarning one = statement.getWarnings(); one != null; one = one.getNextWarning()) {
        var server = ((PSQLWarning) one).getServerErrorMessage();
        seen.add(of(server.getSeverity(), server.getSQLState(), server.getMessage(), "" + server.getHint()));
      }
    }
    return seen;
  }
}
