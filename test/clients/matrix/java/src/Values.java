import static java.util.List.of;

import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Types;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;

/** Values given as parameters and read back, often enough to be read as text and as binary; and names. */
final class Values {
  private record Typed(String name, Object value) {}

  private Values() {}

  private static Typed typed(String name, Object value) {
    return new Typed(name, value);
  }

  static void addTo(Map<String, Matrix.Feature> features) {
    features.put("null-values", roundTrip(typed("text", null), typed("int", null), typed("jsonb", null),
        typed("timestamptz", null), typed("int[]", null)));
    features.put("arrays", roundTrip(
        typed("int[]", new Integer[] {1, null, -3}),
        typed("text[]", new String[] {"plain", "with \"quotes\"", "it's", "a,b", "{}", null, ""}),
        typed("int[]", new Integer[][] {{1, 2}, {3, 4}})));
    String deep = "{\"b\": 1, \"a\": [true, null, {\"nested\": \"\\\"é\\n\\\"\"}]}";
    features.put("json", roundTrip(typed("json", deep), typed("jsonb", deep), typed("jsonb", "[]")));
    features.put("timestamps", roundTrip(
        typed("timestamptz", OffsetDateTime.parse("2026-02-28T23:59:59.123456Z")),
        typed("timestamp", LocalDateTime.parse("2026-02-28T23:59:59.123456")),
        typed("date", LocalDate.parse("0001-01-01")),
        typed("time", LocalTime.parse("23:59:59.999999")),
        typed("timestamptz", OffsetDateTime.MAX)));
    features.put("numerics", roundTrip(
        typed("smallint", -32768), typed("int", Integer.MAX_VALUE), typed("bigint", Long.MAX_VALUE),
        typed("numeric", new BigDecimal("123456789012345678901234567890.123456789")),
        typed("numeric", Double.NaN), typed("float8", 0.1), typed("float8", Double.NEGATIVE_INFINITY)));
    byte[] every = new byte[256];
    for (int index = 0; index < 256; index++) every[index] = (byte) index;
    features.put("bytes-uuid", roundTrip(typed("bytea", every), typed("bytea", new byte[0]),
        typed("uuid", UUID.fromString("b5c3f1d2-0000-4abc-8def-0123456789ab"))));
    features.put("own-types", Values::ownTypes);
    features.put("unicode", bench -> Bench.query(bench.open(), "SELECT ?::text AS \"größe 🐘\", length(?)",
        "日本 🐘 ﷽", "日本 🐘 ﷽"));
    features.put("metadata", Values::metadata);
  }

  private static Matrix.Feature roundTrip(Typed... values) {
    return bench -> {
      Connection connection = bench.open();
      List<Object> seen = new ArrayList<>();
      for (Typed one : values) {
        String sql = "SELECT ?::" + one.name + ", (?::" + one.name + ")::text";
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
          for (int round = 0; round < 6; round++) {
            set(connection, statement, 1, one);
            set(connection, statement, 2, one);
            List<Object> row = Bench.rows(statement.executeQuery()).get(0);
            if (round == 0 || round == 5) seen.add(row);
          }
        }
      }
      return seen;
    };
  }

  private static void set(Connection connection, PreparedStatement statement, int at, Typed one) throws SQLException {
    if (one.value instanceof Object[] many) {
      statement.setArray(at, connection.createArrayOf(one.name.replace("[]", ""), many));
    } else if (one.value == null) {
      statement.setNull(at, Types.OTHER);
    } else if (one.name.startsWith("json")) {
      statement.setObject(at, one.value, Types.OTHER);
    } else {
      statement.setObject(at, one.value);
    }
  }

  private static Object ownTypes(Bench bench) throws SQLException {
    Connection maker = bench.open();
    Bench.run(maker, "DROP TYPE IF EXISTS java_matrix_item, java_matrix_mood");
    Bench.run(maker, "CREATE TYPE java_matrix_mood AS ENUM ('sad', 'happy')");
    Bench.run(maker, "CREATE TYPE java_matrix_item AS (name text, price numeric, mood java_matrix_mood)");
    // It asks pg_type for what it does not know.
    String sql = "SELECT row('pen', 1.50, 'happy')::java_matrix_item, ARRAY['sad']::java_matrix_mood[], ?::java_matrix_mood";
    try (PreparedStatement statement = bench.open().prepareStatement(sql)) {
      statement.setObject(1, "sad", Types.OTHER);
      try (ResultSet result = statement.executeQuery()) {
        var columns = result.getMetaData();
        result.next();
        return of(columns.getColumnTypeName(1), columns.getColumnTypeName(2), columns.getColumnClassName(1),
            result.getObject(1).toString(), result.getArray(2).getArray(), result.getString(3));
      }
    }
  }

  private static Object metadata(Bench bench) throws SQLException {
    String parent = bench.table("parent", "id int PRIMARY KEY, email varchar(80) UNIQUE");
    String child = bench.table("child", "id serial PRIMARY KEY, owner int NOT NULL REFERENCES " + parent
        + ", price numeric(8, 2) DEFAULT 0, tags text[]");
    Connection connection = bench.open();
    DatabaseMetaData data = connection.getMetaData();
    List<Object> seen = new ArrayList<>();
    seen.add(Bench.rows(data.getTables(null, "main", "java\\_matrix\\_child", null)));
    seen.add(Bench.rows(data.getColumns(null, "main", child, null)));
    seen.add(Bench.rows(data.getPrimaryKeys(null, "main", child)));
    seen.add(Bench.rows(data.getImportedKeys(null, "main", child)));
    seen.add(Bench.rows(data.getExportedKeys(null, "main", parent)));
    seen.add(Bench.rows(data.getTablePrivileges(null, "main", child)));
    seen.add(Bench.rows(data.getSchemas()));
    seen.add(Bench.rows(data.getFunctions(null, "pg_catalog", "lower%")).size());
    seen.add(Bench.rows(data.getTypeInfo()).size() > 50);
    // Its estimates of rows and pages are the server's own business.
    List<Object> indexes = new ArrayList<>();
    for (List<Object> row : Bench.rows(data.getIndexInfo(null, "main", parent, false, true))) indexes.add(row.subList(0, 9));
    seen.add(indexes);
    Bench.run(connection, "DROP TABLE " + child + ", " + parent);
    return seen;
  }
}
