import static java.util.List.of;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.StringReader;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.postgresql.PGConnection;
import org.postgresql.copy.CopyIn;
import org.postgresql.copy.CopyManager;
import org.postgresql.largeobject.LargeObject;
import org.postgresql.largeobject.LargeObjectManager;

/** The COPY interface, large values and large objects. */
final class Bulk {
  private static final String COLUMNS = "id int, note text";

  private Bulk() {}

  static void addTo(Map<String, Matrix.Feature> features) {
    features.put("copy-in", Bulk::copyIn);
    features.put("copy-out", Bulk::copyOut);
    features.put("copy-binary", Bulk::copyBinary);
    features.put("copy-failed", Bulk::copyFailed);
    features.put("large-value", Bulk::largeValue);
    features.put("many-rows", Bulk::manyRows);
    features.put("large-object", Bulk::largeObject);
    features.put("large-object-api", Bulk::largeObjectApi);
  }

  private static CopyManager copyOf(Connection connection) throws SQLException {
    return connection.unwrap(PGConnection.class).getCopyAPI();
  }

  private static String lines() {
    StringBuilder lines = new StringBuilder();
    for (int n = 1; n <= 10_000; n++) lines.append(n).append("\tnote é ").append(n).append('\n');
    return lines.toString();
  }

  private static Object copyIn(Bench bench) throws Exception {
    String name = bench.table("copy_in", COLUMNS);
    Connection connection = bench.open();
    long count = copyOf(connection).copyIn("COPY " + name + " FROM STDIN", new StringReader(lines()));
    String sums = "SELECT count(*), sum(id), md5(string_agg(note, ',' ORDER BY id)) FROM ";
    return of(count, Bench.query(connection, sums + name));
  }

  private static Object copyOut(Bench bench) throws Exception {
    StringWriter taken = new StringWriter();
    String rows = "SELECT n, 'note é ' || n FROM generate_series(1, 10000) n";
    long count = copyOf(bench.open()).copyOut("COPY (" + rows + ") TO STDOUT", taken);
    return of(count, taken.toString().equals(lines()));
  }

  private static Object copyBinary(Bench bench) throws Exception {
    String name = bench.table("copy_binary", COLUMNS);
    CopyManager copy = copyOf(bench.open());
    ByteArrayOutputStream given = new ByteArrayOutputStream();
    ByteArrayOutputStream taken = new ByteArrayOutputStream();
    String rows = "SELECT n::int, repeat('é', n) FROM generate_series(1, 500) n";
    copy.copyOut("COPY (" + rows + ") TO STDOUT (FORMAT binary)", given);
    long count = copy.copyIn("COPY " + name + " FROM STDIN (FORMAT binary)", new ByteArrayInputStream(given.toByteArray()));
    copy.copyOut("COPY " + name + " TO STDOUT (FORMAT binary)", taken);
    return of(count, given.size(), Arrays.equals(given.toByteArray(), taken.toByteArray()));
  }

  private static Object copyFailed(Bench bench) throws Exception {
    String name = bench.table("copy_failed", COLUMNS);
    Connection connection = bench.open();
    String sql = "COPY " + name + " FROM STDIN";
    StringReader broken = new StringReader("1\tfine\nnot a number\tbroken\n");
    String fault = Bench.fails(() -> copyOf(connection).copyIn(sql, broken));
    CopyIn givenUp = copyOf(connection).copyIn(sql);
    byte[] line = "1\tnever\n".getBytes(StandardCharsets.UTF_8);
    givenUp.writeToCopy(line, 0, line.length);
    givenUp.cancelCopy();
    return of(fault, Bench.query(connection, "SELECT count(*) FROM " + name));
  }

  private static Object largeValue(Bench bench) throws SQLException {
    // In simple mode it is written into the text, in hex.
    byte[] value = new byte[(bench.isSimple() ? 4 : 8) * 1024 * 1024];
    Arrays.fill(value, (byte) 7);
    String sql = "SELECT length(v), v FROM (SELECT ?::bytea) given(v)";
    try (PreparedStatement statement = bench.open().prepareStatement(sql)) {
      statement.setBytes(1, value);
      List<Object> row = Bench.rows(statement.executeQuery()).get(0);
      return of(row.get(0), Arrays.equals((byte[]) row.get(1), value));
    }
  }

  private static Object manyRows(Bench bench) throws SQLException {
    String sql = "SELECT n::bigint, 'row ' || n FROM generate_series(1, ?) n";
    List<List<Object>> rows = Bench.query(bench.open(), sql, 50_000);
    return of(rows.size(), rows.stream().mapToLong(row -> (Long) row.get(0)).sum(), rows.get(49_999));
  }

  private static Object largeObject(Bench bench) throws Exception {
    Connection connection = bench.open();
    connection.setAutoCommit(false);
    Object made = Bench.query(connection, "SELECT lo_from_bytea(0, decode(repeat('ab', 20000), 'hex'))::bigint").get(0).get(0);
    Object opened = Bench.query(connection, "SELECT lo_open(" + made + ", 131072)").get(0).get(0);
    String part = "length(loread(" + opened + ", 15000))";
    Object parts = Bench.query(connection, "SELECT " + part + ", " + part);
    connection.commit();
    connection.setAutoCommit(true);
    bench.others();
    return of(parts, Bench.query(connection, "SELECT lo_unlink(" + made + ")"));
  }

  private static Object largeObjectApi(Bench bench) throws SQLException {
    Connection connection = bench.open();
    connection.setAutoCommit(false);
    LargeObjectManager objects = connection.unwrap(PGConnection.class).getLargeObjectAPI();
    long id = objects.createLO();
    int read;
    try (LargeObject object = objects.open(id)) {
      object.write(new byte[40_000]);
      object.seek(25_000);
      read = object.read(20_000).length;
    }
    objects.delete(id);
    connection.commit();
    return read;
  }
}
