import static java.util.List.of;

import java.sql.Connection;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.postgresql.PGConnection;

final class Connections {
  private Connections() {}

  static void addTo(Map<String, Matrix.Feature> features) {
    features.put("connect", Connections::connect);
    features.put("wrong-password", bench -> Bench.state(() -> bench.open("password", "not-the-password")));
    features.put("reconnect", Connections::reconnect);
    features.put("abrupt-close", Connections::abruptClose);
    features.put("concurrent-clients", Connections::concurrentClients);
    features.put("listen-notify", Connections::listenNotify);
  }

  private static Object connect(Bench bench) throws Exception {
    Connection connection = bench.open();
    var data = connection.getMetaData();
    var reported = new java.util.TreeMap<>(connection.unwrap(PGConnection.class).getParameterStatuses());
    // The agent's name stands before the client's own.
    reported.remove("application_name");
    return of(data.getDatabaseProductVersion(), connection.getCatalog(), connection.getSchema(), reported.toString(),
        Bench.query(connection, "SELECT session_user::text, current_user::text"));
  }

  private static Object reconnect(Bench bench) throws Exception {
    List<Object> seen = new ArrayList<>();
    for (int round = 0; round < 10; round++) {
      try (Connection connection = bench.open()) {
        // Its names are counted by connection: S_1 each time, once the threshold is reached.
        for (int again = 0; again < 6; again++) {
          seen.add(Bench.query(connection, "SELECT " + round + " + ?::int", 1));
        }
      }
    }
    return seen;
  }

  private static Object abruptClose(Bench bench) throws Exception {
    String name = bench.table("abrupt_close", "id integer PRIMARY KEY");
    Connection neighbour = bench.open();
    Connection leaving = bench.open();
    Bench.query(leaving, "BEGIN");
    Bench.query(leaving, "INSERT INTO " + name + " VALUES (1)");
    Bench.query(leaving, "SELECT pg_advisory_xact_lock(4751)::text");
    leaving.abort(Runnable::run);
    // Both wait until the server has noticed.
    Bench.query(neighbour, "SELECT pg_advisory_lock(4751)::text");
    Bench.query(neighbour, "SELECT pg_advisory_unlock(4751)");
    Bench.query(neighbour, "INSERT INTO " + name + " VALUES (1)");
    return Bench.query(neighbour, "SELECT * FROM " + name);
  }

  private static Object concurrentClients(Bench bench) throws Exception {
    String name = bench.table("concurrent_clients", "client integer, note text");
    List<CompletableFuture<Object>> running = new ArrayList<>();
    for (int index = 0; index < 24; index++) {
      int own = index;
      Connection connection = bench.open();
      running.add(Matrix.inThread(() -> runAlone(connection, name, own)));
    }
    for (CompletableFuture<Object> one : running) one.get();
    return Bench.query(bench.open(), "SELECT count(*), count(DISTINCT client), count(DISTINCT note) FROM " + name);
  }

  /** A client's own transactions, setting and statement; it fails when it sees anything of another's. */
  private static Object runAlone(Connection connection, String name, int index) throws Exception {
    Bench.query(connection, "SET matrix.client = " + index);
    for (int round = 0; round < 7; round++) {
      connection.setAutoCommit(false);
      Bench.query(connection, "INSERT INTO " + name + " VALUES (?, ?)", index, index + "/" + round);
      if (round == 6) connection.rollback();
      else connection.commit();
      connection.setAutoCommit(true);
      Object shown = Bench.query(connection, "SELECT current_setting('matrix.client')::int");
      Bench.expectThat(shown.equals(of(of(index))), "the setting is its own");
      Object own = Bench.query(connection, "SELECT " + index + " + ?::int", round);
      Bench.expectThat(own.equals(of(of(index + round))), "the statement is its own");
    }
    return null;
  }

  private static Object listenNotify(Bench bench) throws Exception {
    Connection listener = bench.open();
    Connection neighbour = bench.open();
    PGConnection heard = listener.unwrap(PGConnection.class);
    Bench.query(listener, "LISTEN news_java");
    bench.others();
    Bench.query(neighbour, "NOTIFY news_java, 'first'");
    Bench.query(neighbour, "SELECT pg_notify('other', 'not for us')::text");
    Bench.query(neighbour, "SELECT pg_notify(?, ?)::text", "news_java", "second");
    List<Object> seen = new ArrayList<>();
    while (seen.size() < 2) {
      for (var one : heard.getNotifications(10_000)) seen.add(one.getName() + " " + one.getParameter());
    }
    Bench.query(listener, "UNLISTEN news_java");
    Bench.query(neighbour, "NOTIFY news_java, 'third'");
    Bench.query(listener, "SELECT 1");
    var more = heard.getNotifications();
    return of(seen, more == null ? 0 : more.length);
  }
}
