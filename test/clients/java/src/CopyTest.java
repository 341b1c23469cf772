import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.StringReader;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.SQLException;
import org.junit.jupiter.api.Test;
import org.postgresql.PGConnection;
import org.postgresql.copy.CopyIn;
import org.postgresql.copy.CopyManager;

class CopyTest extends ProxyTest {
  private static CopyManager copyOf(Connection connection) throws SQLException {
    return connection.unwrap(PGConnection.class).getCopyAPI();
  }

  @Test
  void textBothWays() throws SQLException, IOException {
    StringBuilder lines = new StringBuilder();
    for (int n = 1; n <= 20_000; n++) lines.append(n).append("\tnote é ").append(n).append('\n');
    try (Connection connection = connect(adminKey)) {
      CopyManager copy = copyOf(connection);
      assertEquals(20_000, copy.copyIn("COPY " + table + " FROM STDIN", new StringReader(lines.toString())));
      StringWriter taken = new StringWriter();
      String out = "COPY (SELECT * FROM " + table + " WHERE id > 0 ORDER BY id) TO STDOUT";
      assertEquals(20_000, copy.copyOut(out, taken));
      assertEquals(lines.toString(), taken.toString());
    }
  }

  @Test
  void binaryBothWays() throws SQLException, IOException {
    try (Connection connection = connect(adminKey)) {
      CopyManager copy = copyOf(connection);
      ByteArrayOutputStream taken = new ByteArrayOutputStream();
      String rows = "SELECT n, repeat('é', n) FROM generate_series(1, 500) n";
      copy.copyOut("COPY (" + rows + ") TO STDOUT (FORMAT binary)", taken);
      InputStream given = new ByteArrayInputStream(taken.toByteArray());
      assertEquals(500, copy.copyIn("COPY " + table + " FROM STDIN (FORMAT binary)", given));
      ByteArrayOutputStream again = new ByteArrayOutputStream();
      copy.copyOut("COPY (SELECT * FROM " + table + " WHERE id > 0 ORDER BY id) TO STDOUT (FORMAT binary)", again);
      assertArrayEquals(taken.toByteArray(), again.toByteArray());
    }
  }

  @Test
  void oneThatIsGivenUp() throws SQLException {
    try (Connection connection = connect(adminKey)) {
      CopyIn copy = copyOf(connection).copyIn("COPY " + table + " FROM STDIN");
      byte[] line = "1\tnever\n".getBytes(StandardCharsets.UTF_8);
      copy.writeToCopy(line, 0, line.length);
      copy.cancelCopy();
      assertEquals("kept", one(connection, "SELECT note FROM " + table));
    }
  }

  @Test
  void aBrokenLine() throws SQLException {
    try (Connection connection = connect(adminKey)) {
      StringReader lines = new StringReader("1\tfine\nnot a number\tbroken\n");
      assertFails("22P02", () -> copyOf(connection).copyIn("COPY " + table + " FROM STDIN", lines));
      assertEquals("kept", one(connection, "SELECT note FROM " + table));
    }
  }

  @Test
  void aReadonlyKeyTakesButDoesNotGive() throws SQLException, IOException {
    try (Connection connection = connect(readonlyKey)) {
      CopyManager copy = copyOf(connection);
      assertRefused("COPY", () -> copy.copyIn("COPY " + table + " FROM STDIN", new StringReader("1\tno\n")));
      StringWriter taken = new StringWriter();
      assertEquals(1, copy.copyOut("COPY " + table + " TO STDOUT", taken));
      assertEquals("0\tkept\n", taken.toString());
    }
  }
}
