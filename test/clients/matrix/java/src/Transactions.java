import static java.util.List.of;

import java.sql.Connection;
import java.sql.Savepoint;
import java.util.Map;
import javax.sql.XAConnection;
import javax.transaction.xa.XAResource;
import javax.transaction.xa.Xid;
import org.postgresql.xa.PGXADataSource;

final class Transactions {
  private static final String SHOWN =
      "SELECT current_setting('transaction_isolation'), current_setting('transaction_read_only')";

  private Transactions() {}

  static void addTo(Map<String, Matrix.Feature> features) {
    features.put("commit", Transactions::commit);
    features.put("rollback", Transactions::rollback);
    features.put("savepoint", Transactions::savepoint);
    features.put("error-in-transaction", Transactions::errorInTransaction);
    features.put("isolation", Transactions::isolation);
    features.put("two-phase", Transactions::twoPhase);
  }

  private static Object commit(Bench bench) throws Exception {
    String name = bench.table("commits", "id int");
    Connection connection = bench.open();
    Connection neighbour = bench.open();
    connection.setAutoCommit(false);
    Bench.query(connection, "INSERT INTO " + name + " VALUES (1)");
    Object before = Bench.query(neighbour, "SELECT * FROM " + name);
    connection.commit();
    return of(before, Bench.query(neighbour, "SELECT * FROM " + name));
  }

  private static Object rollback(Bench bench) throws Exception {
    String name = bench.table("rollbacks", "id int");
    Connection connection = bench.open();
    connection.setAutoCommit(false);
    Bench.query(connection, "INSERT INTO " + name + " VALUES (1)");
    Object inside = Bench.query(connection, "SELECT * FROM " + name);
    connection.rollback();
    Object after = Bench.query(connection, "SELECT * FROM " + name);
    connection.commit();
    return of(inside, after);
  }

  private static Object savepoint(Bench bench) throws Exception {
    String name = bench.table("savepoints", "id int PRIMARY KEY");
    Connection connection = bench.open("autosave", "conservative");
    connection.setAutoCommit(false);
    Bench.query(connection, "INSERT INTO " + name + " VALUES (1)");
    Savepoint own = connection.setSavepoint("own");
    String twice = Bench.state(() -> Bench.query(connection, "INSERT INTO " + name + " VALUES (1)"));
    connection.rollback(own);
    Bench.query(connection, "INSERT INTO " + name + " VALUES (2)");
    connection.releaseSavepoint(own);
    connection.commit();
    return of(twice, Bench.query(connection, "SELECT * FROM " + name + " ORDER BY id"));
  }

  private static Object errorInTransaction(Bench bench) throws Exception {
    Connection connection = bench.open();
    connection.setAutoCommit(false);
    String first = Bench.fails(() -> Bench.query(connection, "SELECT 1/0"));
    String second = Bench.fails(() -> Bench.query(connection, "SELECT 1"));
    String third = Bench.state(() -> Bench.query(connection, "SELECT ?::int", 1));
    connection.rollback();
    Object after = Bench.query(connection, "SELECT 1");
    connection.commit();
    return of(first, second, third, after);
  }

  private static Object isolation(Bench bench) throws Exception {
    Connection connection = bench.open();
    connection.setTransactionIsolation(Connection.TRANSACTION_SERIALIZABLE);
    connection.setReadOnly(true);
    connection.setAutoCommit(false);
    Object inside = Bench.query(connection, SHOWN);
    String write = Bench.state(() -> Bench.query(connection, "CREATE TABLE never (id int)"));
    connection.rollback();
    connection.setAutoCommit(true);
    connection.setReadOnly(false);
    connection.setTransactionIsolation(Connection.TRANSACTION_READ_COMMITTED);
    return of(inside, write, Bench.query(connection, SHOWN));
  }

  private record Name(int getFormatId, byte[] getGlobalTransactionId, byte[] getBranchQualifier) implements Xid {}

  private static Object twoPhase(Bench bench) throws Exception {
    String name = bench.table("two_phase", "id int");
    Xid xid = new Name(1, "matrix".getBytes("ASCII"), "java".getBytes("ASCII"));
    XAConnection first = source(bench).getXAConnection();
    XAConnection second = source(bench).getXAConnection();
    try {
      XAResource resource = first.getXAResource();
      resource.start(xid, XAResource.TMNOFLAGS);
      Bench.query(first.getConnection(), "INSERT INTO " + name + " VALUES (1)");
      resource.end(xid, XAResource.TMSUCCESS);
      int vote = resource.prepare(xid);
      Object before = Bench.query(bench.open(), "SELECT * FROM " + name);
      second.getXAResource().commit(xid, false);
      return of(vote, before, Bench.query(bench.open(), "SELECT * FROM " + name));
    } finally {
      first.close();
      second.close();
    }
  }

  private static PGXADataSource source(Bench bench) throws Exception {
    PGXADataSource source = new PGXADataSource();
    source.setUrl(bench.url());
    source.setUser(bench.login()[0]);
    source.setPassword(bench.login()[1]);
    return source;
  }
}
