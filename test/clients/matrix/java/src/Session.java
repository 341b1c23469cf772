import static java.util.List.of;

import java.sql.Connection;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** What a session keeps from one transaction to the next, while others work. */
final class Session {
  private Session() {}

  static void addTo(Map<String, Matrix.Feature> features) {
    features.put("deallocate-all", Session::deallocateAll);
    features.put("discard-all", Session::discardAll);
    features.put("sql-prepare", Session::sqlPrepare);
    features.put("set-survives", Session::setSurvives);
    features.put("set-local", Session::setLocal);
    features.put("temporary-table", Session::temporaryTable);
    features.put("advisory-lock", Session::advisoryLock);
    features.put("cursor-hold", Session::cursorHold);
    features.put("sequence-value", Session::sequenceValue);
  }

  private static Object deallocateAll(Bench bench) throws Exception {
    Connection connection = bench.open();
    for (int round = 0; round < 6; round++) Bench.query(connection, "SELECT ?::int", round);
    Bench.query(connection, "PREPARE mine AS SELECT 1");
    Bench.query(connection, "DEALLOCATE ALL");
    bench.others();
    String gone = Bench.state(() -> Bench.query(connection, "EXECUTE mine"));
    Bench.query(connection, "PREPARE mine AS SELECT 2");
    // The driver sees the command tag and prepares its own again.
    return of(gone, Bench.query(connection, "/* again */ EXECUTE mine"), Bench.query(connection, "SELECT ?::int", 3));
  }

  private static Object discardAll(Bench bench) throws Exception {
    Connection connection = bench.open();
    Object before = Bench.query(connection, "SHOW work_mem");
    Bench.query(connection, "SET work_mem = '7MB'");
    Bench.query(connection, "CREATE TEMPORARY TABLE discarded (id int)");
    Bench.query(connection, "PREPARE discarded AS SELECT 1");
    Bench.query(connection, "SELECT pg_advisory_lock(4752)::text");
    Bench.run(connection, "DISCARD ALL");
    Object isFree = Bench.query(bench.open(), "SELECT pg_try_advisory_lock(4752)");
    Bench.expectThat(Bench.query(connection, "SHOW work_mem").equals(before), "work_mem is back");
    String noTable = Bench.state(() -> Bench.query(connection, "SELECT * FROM discarded"));
    String noStatement = Bench.state(() -> Bench.query(connection, "EXECUTE discarded"));
    return of(isFree, noTable, noStatement);
  }

  private static Object sqlPrepare(Bench bench) throws Exception {
    Connection connection = bench.open();
    Connection neighbour = bench.open();
    Bench.run(connection, "PREPARE twice (int) AS SELECT $1 * 2");
    Bench.run(neighbour, "PREPARE twice (int) AS SELECT $1 * 20");
    bench.others();
    connection.setAutoCommit(false);
    List<Object> seen = new ArrayList<>();
    seen.add(Bench.query(connection, "EXECUTE twice(21)"));
    seen.add(Bench.query(neighbour, "EXECUTE twice(21)"));
    connection.commit();
    connection.setAutoCommit(true);
    bench.others();
    seen.add(Bench.query(connection, "EXECUTE twice(4)"));
    Bench.run(connection, "DEALLOCATE twice");
    seen.add(Bench.state(() -> Bench.query(connection, "EXECUTE twice(5)")));
    seen.add(Bench.query(neighbour, "EXECUTE twice(1)"));
    return seen;
  }

  private static Object setSurvives(Bench bench) throws Exception {
    Connection connection = bench.open();
    String shown = "SELECT current_setting('work_mem'), current_setting('TimeZone'), current_setting('matrix.own', true)";
    Bench.query(connection, "SET work_mem = '5MB'");
    Bench.query(connection, "SET TIME ZONE 'Asia/Kolkata'");
    Bench.query(connection, "SET matrix.own = 'mine'");
    connection.setSchema("pg_catalog");
    connection.setClientInfo("ApplicationName", "matrix");
    bench.others();
    List<Object> seen = new ArrayList<>();
    seen.add(Bench.query(connection, shown));
    seen.add(connection.getSchema());
    connection.setAutoCommit(false);
    seen.add(Bench.query(connection, shown));
    connection.commit();
    connection.setAutoCommit(true);
    bench.others();
    Bench.query(connection, "RESET work_mem");
    Bench.query(connection, "RESET TIME ZONE");
    bench.others();
    seen.add(Bench.query(connection, shown));
    seen.add(connection.getSchema());
    return seen;
  }

  private static Object setLocal(Bench bench) throws Exception {
    Connection connection = bench.open();
    String shown = "SELECT current_setting('work_mem'), current_setting('statement_timeout')";
    Bench.query(connection, "SET work_mem = '5MB'");
    connection.setAutoCommit(false);
    Bench.query(connection, "SET LOCAL work_mem = '6MB'");
    Object inside = Bench.query(connection, shown);
    connection.commit();
    Bench.query(connection, "SET statement_timeout = '99s'");
    connection.rollback();
    connection.setAutoCommit(true);
    bench.others();
    return of(inside, Bench.query(connection, shown));
  }

  private static Object temporaryTable(Bench bench) throws Exception {
    Connection connection = bench.open();
    Connection neighbour = bench.open();
    Bench.query(connection, "CREATE TEMPORARY TABLE own_rows (id int)");
    bench.others();
    Bench.query(connection, "INSERT INTO own_rows VALUES (?)", 1);
    bench.others();
    String hidden = Bench.state(() -> Bench.query(neighbour, "SELECT * FROM own_rows"));
    connection.setAutoCommit(false);
    Bench.query(connection, "CREATE TEMPORARY TABLE own_short (id int) ON COMMIT DROP");
    Bench.query(connection, "INSERT INTO own_short SELECT * FROM own_rows");
    Object inside = Bench.query(connection, "SELECT * FROM own_short");
    connection.commit();
    connection.setAutoCommit(true);
    String dropped = Bench.state(() -> Bench.query(connection, "SELECT * FROM own_short"));
    return of(hidden, inside, dropped, Bench.query(connection, "SELECT * FROM own_rows"));
  }

  private static Object advisoryLock(Bench bench) throws Exception {
    Connection connection = bench.open();
    Connection neighbour = bench.open();
    String tried = "SELECT pg_try_advisory_lock(4753)";
    Bench.query(connection, "SELECT pg_advisory_lock(4753)::text");
    bench.others();
    List<Object> seen = new ArrayList<>();
    seen.add(Bench.query(neighbour, tried));
    connection.setAutoCommit(false);
    Bench.query(connection, "SELECT 1");
    connection.commit();
    connection.setAutoCommit(true);
    bench.others();
    seen.add(Bench.query(neighbour, tried));
    seen.add(Bench.query(connection, "SELECT pg_advisory_unlock(4753), pg_advisory_unlock(4753)"));
    seen.add(Bench.query(neighbour, tried));
    return seen;
  }

  private static Object cursorHold(Bench bench) throws Exception {
    Connection connection = bench.open();
    Connection neighbour = bench.open();
    connection.setAutoCommit(false);
    Bench.query(connection, "DECLARE held CURSOR WITH HOLD FOR SELECT generate_series(1, 10)");
    List<Object> seen = new ArrayList<>();
    seen.add(Bench.query(connection, "FETCH 2 FROM held"));
    connection.commit();
    connection.setAutoCommit(true);
    bench.others();
    seen.add(Bench.query(connection, "FETCH 3 FROM held"));
    seen.add(Bench.state(() -> Bench.query(neighbour, "FETCH 1 FROM held")));
    bench.others();
    seen.add(Bench.query(connection, "FETCH ALL FROM held"));
    Bench.query(connection, "CLOSE held");
    seen.add(Bench.state(() -> Bench.query(connection, "FETCH 1 FROM held")));
    return seen;
  }

  private static Object sequenceValue(Bench bench) throws Exception {
    String name = bench.table("sequence_value", "id serial, note text");
    Connection connection = bench.open();
    Connection neighbour = bench.open();
    Connection third = bench.open();
    Bench.query(connection, "INSERT INTO " + name + " (note) VALUES ('mine')");
    bench.others();
    Bench.query(neighbour, "INSERT INTO " + name + " (note) VALUES ('another''s')");
    String asked = "SELECT currval('" + name + "_id_seq'), lastval()";
    return of(Bench.query(connection, asked), Bench.state(() -> Bench.query(third, asked)));
  }
}
