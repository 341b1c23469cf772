package clients

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/lib/pq"
)

func openPq(t *testing.T, key string, options map[string]string) *sql.DB {
	t.Helper()
	database, err := sql.Open("postgres", address(key, options))
	if err != nil {
		t.Fatal(err)
	}
	// One session, so that a test sees what an error leaves behind.
	database.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = database.Close() })
	return database
}

func wantPqError(t *testing.T, err error, state, message string) {
	t.Helper()
	var refusal *pq.Error
	if !errors.As(err, &refusal) {
		t.Fatalf("got %v, want an error %s of the server", err, state)
	}
	wantEqual(t, "SQLSTATE of "+refusal.Message, string(refusal.Code), state)
	wantEqual(t, "message", refusal.Message, message)
}

func readNote(t *testing.T, database *sql.DB, table string) string {
	t.Helper()
	var note string
	if err := database.QueryRowContext(t.Context(), "SELECT note FROM "+table+" WHERE id = $1", 0).Scan(&note); err != nil {
		t.Fatal(err)
	}
	return note
}

func TestPqRefusals(t *testing.T) {
	for _, binary := range []string{"no", "yes"} {
		t.Run("binary_parameters="+binary, func(t *testing.T) {
			table := makeTable(t)
			database := openPq(t, readonlyKey, map[string]string{"binary_parameters": binary})
			_, err := database.ExecContext(t.Context(), "INSERT INTO "+table+" VALUES (1, 'no')")
			wantPqError(t, err, "42501", "Permission denied: readonly scope cannot execute INSERT")
			_, err = database.ExecContext(t.Context(), "INSERT INTO "+table+" VALUES ($1, $2)", 1, "no")
			wantPqError(t, err, "42501", "Permission denied: readonly scope cannot execute INSERT")
			wantEqual(t, "note", readNote(t, database, table), "kept")
		})
	}
}

func TestPqTransactions(t *testing.T) {
	table := makeTable(t)
	database := openPq(t, readonlyKey, nil)
	transaction, err := database.BeginTx(t.Context(), &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead})
	if err != nil {
		t.Fatal(err)
	}
	_, err = transaction.ExecContext(t.Context(), "DELETE FROM "+table)
	wantPqError(t, err, "42501", "Permission denied: readonly scope cannot execute DELETE")
	_, err = transaction.ExecContext(t.Context(), "SELECT 1")
	wantPqError(t, err, "25P02", "current transaction is aborted, commands ignored until end of transaction block")
	if err := transaction.Rollback(); err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "note", readNote(t, database, table), "kept")
}

func TestPqPreparedStatements(t *testing.T) {
	database := openPq(t, readonlyKey, nil)
	statement, err := database.PrepareContext(t.Context(), "SELECT $1::int + 1, $2::text, $3::int[]")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = statement.Close() }()
	for n := range 10 {
		var (
			next int
			text string
			list []int64
		)
		row := statement.QueryRowContext(t.Context(), n, "it's \\ é", pq.Array([]int64{1, 2}))
		if err := row.Scan(&next, &text, pq.Array(&list)); err != nil {
			t.Fatal(err)
		}
		wantEqual(t, "values", fmt.Sprint(next, text, list), fmt.Sprint(n+1, "it's \\ é", []int64{1, 2}))
	}
}

func TestPqCopyIn(t *testing.T) {
	table := makeTable(t)
	database := openPq(t, adminKey, nil)
	transaction, err := database.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	copyIn, err := transaction.PrepareContext(t.Context(), pq.CopyIn(table, "id", "note"))
	if err != nil {
		t.Fatal(err)
	}
	for n := range 5000 {
		if _, err := copyIn.ExecContext(t.Context(), n+1, "tab\t é"); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(copyIn.Close(), transaction.Commit()); err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "rows", countRows(t, connect(t, readonlyKey, nil), table), 5001)
}

func TestPqCancelByContext(t *testing.T) {
	table := makeTable(t)
	database := openPq(t, adminKey, nil)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		awaitStatement(t, longRead)
	}()
	_, err := database.ExecContext(ctx, longRead)
	var refusal *pq.Error
	if !errors.Is(err, context.Canceled) && (!errors.As(err, &refusal) || refusal.Code != "57014") {
		t.Fatalf("got %v, want the cancellation", err)
	}
	wantEqual(t, "note", readNote(t, database, table), "kept")
}

func TestPqKeys(t *testing.T) {
	database := openPq(t, adminKey, nil)
	agent := uniqueName("go-pq-")
	var key, listed string
	row := database.QueryRowContext(t.Context(), "SELECT create_api_key($1, $2, $3)", agent, "readonly", "pq")
	if err := row.Scan(&key); err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "prefix", strings.HasPrefix(key, "hd_ro_"), true)
	list := "SELECT agent_id FROM _hatidata_keys.active_keys WHERE agent_id = $1"
	if err := database.QueryRowContext(t.Context(), list, agent).Scan(&listed); err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "listed", listed, agent)
	if _, err := database.ExecContext(t.Context(), "SELECT revoke_api_key($1)", agent); err != nil {
		t.Fatal(err)
	}
	err := openPq(t, key, nil).PingContext(t.Context())
	wantPqError(t, err, "28P01", "Authentication failed: invalid API key")
}
