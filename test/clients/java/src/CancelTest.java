import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class CancelTest extends ProxyTest {
  /** Runs for days unless somebody ends it. */
  private static final String LONG_READ =
      "SELECT count(*) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b";

  @Test
  void byQueryTimeout() throws SQLException {
    try (Connection connection = connect(readonlyKey);
        Statement statement = connection.createStatement()) {
      statement.setQueryTimeout(1);
      assertFails("57014", () -> statement.executeQuery(LONG_READ).close());
      assertEquals("kept", one(connection, "SELECT note FROM " + table));
    }
  }

  /** A cancel that comes too early does nothing, so it is sent until the statement has ended. */
  @Test
  void byAnotherThread() throws Exception {
    var threads = Executors.newSingleThreadExecutor();
    try (Connection connection = connect(readonlyKey);
        Connection neighbour = connect(readonlyKey);
        Statement statement = connection.createStatement()) {
      CompletableFuture<SQLException> ended =
          CompletableFuture.supplyAsync(() -> assertFails("57014", () -> statement.executeQuery(LONG_READ)), threads);
      while (!ended.isDone()) {
        statement.cancel();
        assertEquals("1", one(neighbour, "SELECT 1"), "a cancel must not reach another session");
        waitFor(ended);
      }
      assertTrue(ended.get().getMessage().contains("canceling statement due to user request"));
      assertEquals("kept", one(connection, "SELECT note FROM " + table));
    } finally {
      threads.shutdownNow();
    }
  }

  private static void waitFor(CompletableFuture<SQLException> ended) throws InterruptedException, ExecutionException {
    try {
      ended.get(100, TimeUnit.MILLISECONDS);
    } catch (java.util.concurrent.TimeoutException stillRunning) {
      // The next cancel follows.
    }
  }

  @Test
  void insideATransaction() throws SQLException {
    try (Connection connection = connect(adminKey)) {
      connection.setAutoCommit(false);
      run(connection, "INSERT INTO " + table + " VALUES (1, 'undone')");
      try (Statement statement = connection.createStatement()) {
        statement.setQueryTimeout(1);
        assertFails("57014", () -> statement.execute("SELECT pg_sleep(3600)"));
      }
      assertFails("25P02", () -> run(connection, "SELECT 1"));
      connection.rollback();
      assertEquals("1", one(connection, "SELECT count(*) FROM " + table));
      connection.rollback();
    }
  }
}
