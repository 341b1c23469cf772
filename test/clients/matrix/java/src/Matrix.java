import java.sql.DriverManager;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;

/** pgjdbc in the driver matrix. scripts/compatibility.ts builds and starts this, and reads what it prints. */
final class Matrix {
  /** What was seen, which must be the same for both targets. */
  interface Feature {
    Object run(Bench bench) throws Exception;
  }

  /** Each way to use the driver: its name and connection properties. */
  private static final Map<String, String[]> WAYS = new LinkedHashMap<>();

  static {
    WAYS.put("pgjdbc", new String[] {});
    WAYS.put("pgjdbc (prepareThreshold=1)", new String[] {"prepareThreshold", "1"});
    WAYS.put("pgjdbc (binaryTransfer=false)", new String[] {"binaryTransfer", "false"});
    WAYS.put("pgjdbc (extendedCacheEverything)", new String[] {"preferQueryMode", "extendedCacheEverything"});
    WAYS.put("pgjdbc (simple)", new String[] {"preferQueryMode", "simple"});
  }

  private static final ExecutorService THREADS = Executors.newCachedThreadPool();

  private Matrix() {}

  public static void main(String[] arguments) throws Exception {
    Map<String, Feature> features = new LinkedHashMap<>();
    Connections.addTo(features);
    Transactions.addTo(features);
    Statements.addTo(features);
    Session.addTo(features);
    Bulk.addTo(features);
    Values.addTo(features);
    String version = org.postgresql.util.DriverInfo.DRIVER_VERSION;
    DriverManager.setLoginTimeout(30);
    for (Map.Entry<String, String[]> way : WAYS.entrySet()) {
      for (Map.Entry<String, Feature> feature : features.entrySet()) {
        for (String target : new String[] {"direct", "proxy"}) {
          String[] outcome = runOnce(new Bench(target, way.getValue()), feature.getValue());
          System.out.println("{\"driver\":" + quoted(way.getKey()) + ",\"version\":" + quoted(version)
              + ",\"target\":" + quoted(target) + ",\"feature\":" + quoted(feature.getKey())
              + ",\"result\":" + quoted(outcome[0]) + ",\"detail\":" + quoted(outcome[1]) + "}");
        }
      }
    }
    THREADS.shutdownNow();
  }

  private static String[] runOnce(Bench bench, Feature feature) throws Exception {
    try (bench) {
      CompletableFuture<Object> running = inThread(() -> feature.run(bench));
      return new String[] {"ok", Bench.shown(running.get(30, TimeUnit.SECONDS))};
    } catch (ExecutionException wrapped) {
      Throwable error = wrapped.getCause();
      if (error instanceof UnsupportedOperationException) return new String[] {"unsupported", error.getMessage()};
      return new String[] {"fail", Bench.fault(error)};
    } catch (java.util.concurrent.TimeoutException late) {
      return new String[] {"fail", "nothing for 30 s"};
    }
  }

  static <T> CompletableFuture<T> inThread(java.util.concurrent.Callable<T> work) {
    CompletableFuture<T> done = new CompletableFuture<>();
    THREADS.execute(() -> {
      try {
        done.complete(work.call());
      } catch (Throwable error) {
        done.completeExceptionally(error);
      }
    });
    return done;
  }

  private static String quoted(String text) {
    StringBuilder out = new StringBuilder("\"");
    for (char one : text.toCharArray()) {
      if (one == '"' || one == '\\') out.append('\\').append(one);
      else if (one < ' ') out.append(String.format("\\u%04x", (int) one));
      else out.append(one);
    }
    return out.append('"').toString();
  }
}
