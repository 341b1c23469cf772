package clients

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// The documented spelling of "no key", for client libraries that refuse to send nothing.
const noKey = "hd_local"

// Runs for days unless somebody ends it.
const longRead = "SELECT count(*) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b"

// The keys of this run; TestMain makes them and ends them.
var adminKey, readonlyKey string

func TestMain(m *testing.M) {
	code, err := runWithKeys(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func runWithKeys(m *testing.M) (code int, err error) {
	ctx := context.Background()
	administrator, err := pgx.Connect(ctx, address(noKey, nil))
	if err != nil {
		return 1, err
	}
	defer administrator.Close(ctx)
	for scope, key := range map[string]*string{"admin": &adminKey, "readonly": &readonlyKey} {
		name := uniqueName("go-" + scope + "-")
		create := "SELECT create_api_key($1, $2, $3)"
		if err := administrator.QueryRow(ctx, create, name, scope, "client suites").Scan(key); err != nil {
			return 1, err
		}
		defer func() {
			_, revoked := administrator.Exec(ctx, "SELECT revoke_api_key($1)", name)
			err = errors.Join(err, revoked)
		}()
	}
	return m.Run(), nil
}

// address is where the proxy listens, as a URL that pgx and lib/pq both read.
func address(key string, options map[string]string) string {
	host := os.Getenv("HATIDATA_TEST_HOST")
	if host == "" {
		host = "localhost"
	}
	query := url.Values{"sslmode": {"disable"}}
	for name, value := range options {
		query.Set(name, value)
	}
	where := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword("agent", key),
		Host:     host + ":" + os.Getenv("HATIDATA_TEST_PORT"),
		Path:     "/hatidata",
		RawQuery: query.Encode(),
	}
	return where.String()
}

func uniqueName(prefix string) string {
	random := make([]byte, 4)
	_, _ = rand.Read(random) // never fails
	return prefix + hex.EncodeToString(random)
}

func connect(t *testing.T, key string, options map[string]string) *pgx.Conn {
	t.Helper()
	connection, err := pgx.Connect(t.Context(), address(key, options))
	if err != nil {
		t.Fatal(err)
	}
	// The test's own context has ended by then.
	t.Cleanup(func() { _ = connection.Close(context.Background()) })
	return connection
}

// makeTable makes a table (id integer PRIMARY KEY, note text) with one row, (0, 'kept').
func makeTable(t *testing.T) string {
	t.Helper()
	administrator := connect(t, noKey, nil)
	table := uniqueName("go_")
	for _, sql := range []string{
		"CREATE TABLE " + table + " (id integer PRIMARY KEY, note text)",
		"INSERT INTO " + table + " VALUES (0, 'kept')",
	} {
		if _, err := administrator.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if _, err := administrator.Exec(context.Background(), "DROP TABLE "+table); err != nil {
			t.Error(err)
		}
	})
	return table
}

func wantEqual[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Fatalf("%s: got %v, want %v", what, got, want)
	}
}

func wantState(t *testing.T, err error, state string) *pgconn.PgError {
	t.Helper()
	var refusal *pgconn.PgError
	if !errors.As(err, &refusal) {
		t.Fatalf("got %v, want an error %s of the server", err, state)
	}
	wantEqual(t, "SQLSTATE of "+refusal.Message, refusal.Code, state)
	return refusal
}

func wantRefused(t *testing.T, err error, verb string) {
	t.Helper()
	refusal := wantState(t, err, "42501")
	wantEqual(t, "refusal", refusal.Message, "Permission denied: readonly scope cannot execute "+verb)
}

// wantUsable reads the row of the table through the same session.
func wantUsable(t *testing.T, connection *pgx.Conn, table string) {
	t.Helper()
	var note string
	if err := connection.QueryRow(t.Context(), "SELECT note FROM "+table+" WHERE id = $1", 0).Scan(&note); err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "note", note, "kept")
}

func countRows(t *testing.T, connection *pgx.Conn, table string) int {
	t.Helper()
	var count int
	if err := connection.QueryRow(t.Context(), "SELECT count(*) FROM "+table).Scan(&count); err != nil {
		t.Fatal(err)
	}
	return count
}

// awaitStatement returns once the engine runs exactly this text for an admin key, or the test has ended.
func awaitStatement(t *testing.T, text string) {
	administrator, err := pgx.Connect(t.Context(), address(noKey, nil))
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = administrator.Close(context.Background()) }()
	for running := false; !running; time.Sleep(20 * time.Millisecond) {
		sql := "SELECT count(*) > 0 FROM pg_stat_activity WHERE query = $1 AND state = 'active'"
		if err := administrator.QueryRow(t.Context(), sql, text).Scan(&running); err != nil {
			t.Error(err)
			return
		}
	}
}
