package clients

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Each way in which pgx sends a statement: the names are values of default_query_exec_mode.
var modes = []string{"cache_statement", "cache_describe", "describe_exec", "exec", "simple_protocol"}

func forEachMode(t *testing.T, test func(t *testing.T, options map[string]string)) {
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) { test(t, map[string]string{"default_query_exec_mode": mode}) })
	}
}

func TestValues(t *testing.T) {
	forEachMode(t, func(t *testing.T, options map[string]string) {
		connection := connect(t, readonlyKey, options)
		moment := time.Date(2026, 1, 31, 8, 0, 0, 123456000, time.UTC)
		for round := range 3 {
			var (
				number  int64
				text    string
				raw     []byte
				missing *string
				seen    time.Time
				list    []int32
			)
			row := connection.QueryRow(t.Context(),
				"SELECT $1::bigint, $2::text, $3::bytea, $4::text, $5::timestamptz, $6::int[]",
				int64(round)-1<<40, "it's \\ é 🌍", []byte{0, 255, 39}, nil, moment, []int32{1, 2, 3})
			if err := row.Scan(&number, &text, &raw, &missing, &seen, &list); err != nil {
				t.Fatal(err)
			}
			wantEqual(t, "bigint", number, int64(round)-1<<40)
			wantEqual(t, "text", text, "it's \\ é 🌍")
			wantEqual(t, "bytea", string(raw), "\x00\xff'")
			wantEqual(t, "null", missing, nil)
			wantEqual(t, "timestamptz", seen.UTC(), moment)
			wantEqual(t, "int[]", fmt.Sprint(list), "[1 2 3]")
		}
	})
}

func TestRefusals(t *testing.T) {
	forEachMode(t, func(t *testing.T, options map[string]string) {
		table := makeTable(t)
		connection := connect(t, readonlyKey, options)
		for verb, sql := range map[string]string{
			"INSERT": "INSERT INTO " + table + " VALUES (1, 'no')",
			"UPDATE": "UPDATE " + table + " SET note = 'no'",
			"DELETE": "WITH gone AS (DELETE FROM " + table + " RETURNING *) SELECT * FROM gone",
			"DDL":    "DROP TABLE " + table,
		} {
			_, err := connection.Exec(t.Context(), sql)
			wantRefused(t, err, verb)
			wantUsable(t, connection, table)
		}
		_, err := connection.Exec(t.Context(), "DELETE FROM "+table+" WHERE id = $1", 0)
		wantRefused(t, err, "DELETE")
		wantUsable(t, connection, table)
	})
}

func TestTransactionState(t *testing.T) {
	forEachMode(t, func(t *testing.T, options map[string]string) {
		table := makeTable(t)
		connection := connect(t, readonlyKey, options)
		transaction, err := connection.BeginTx(t.Context(), pgx.TxOptions{AccessMode: pgx.ReadOnly, IsoLevel: pgx.RepeatableRead})
		if err != nil {
			t.Fatal(err)
		}
		wantUsable(t, connection, table)
		_, err = transaction.Exec(t.Context(), "UPDATE "+table+" SET note = 'no'")
		wantRefused(t, err, "UPDATE")
		wantEqual(t, "transaction status", connection.PgConn().TxStatus(), 'E')
		_, err = transaction.Exec(t.Context(), "SELECT 1")
		wantState(t, err, "25P02")
		if err := transaction.Commit(t.Context()); !errors.Is(err, pgx.ErrTxCommitRollback) {
			t.Fatalf("COMMIT of an aborted transaction: %v", err)
		}
		wantEqual(t, "transaction status", connection.PgConn().TxStatus(), 'I')
		wantUsable(t, connection, table)
	})
}

func TestNestedTransactions(t *testing.T) {
	table := makeTable(t)
	connection := connect(t, adminKey, nil)
	err := pgx.BeginFunc(t.Context(), connection, func(outer pgx.Tx) error {
		if _, err := outer.Exec(t.Context(), "INSERT INTO "+table+" VALUES (1, 'outer')"); err != nil {
			return err
		}
		err := pgx.BeginFunc(t.Context(), outer, func(inner pgx.Tx) error {
			_, err := inner.Exec(t.Context(), "INSERT INTO "+table+" VALUES (0, 'twice')")
			return err
		})
		wantState(t, err, "23505")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "rows", countRows(t, connection, table), 2)
}

func TestPreparedStatements(t *testing.T) {
	connection := connect(t, readonlyKey, nil)
	described, err := connection.Prepare(t.Context(), "plus", "SELECT $1::int + 1 AS next")
	if err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "parameter type", described.ParamOIDs[0], 23)
	wantEqual(t, "column", described.Fields[0].Name, "next")
	for n := range 10 {
		var next int
		if err := connection.QueryRow(t.Context(), "plus", n).Scan(&next); err != nil {
			t.Fatal(err)
		}
		wantEqual(t, "next", next, n+1)
	}
	_, err = connection.Prepare(t.Context(), "refused", "INSERT INTO products (id, name) VALUES ($1, $2)")
	wantRefused(t, err, "INSERT")
	if err := connection.Deallocate(t.Context(), "plus"); err != nil {
		t.Fatal(err)
	}
	var left int
	if err := connection.QueryRow(t.Context(), "SELECT count(*) FROM pg_prepared_statements WHERE name = 'plus'").Scan(&left); err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "statements left", left, 0)
}

func TestASmallStatementCache(t *testing.T) {
	connection := connect(t, readonlyKey, map[string]string{"statement_cache_capacity": "3"})
	for n := range 60 {
		var sum int
		if err := connection.QueryRow(t.Context(), fmt.Sprintf("SELECT $1::int + %d", n%10), n).Scan(&sum); err != nil {
			t.Fatal(err)
		}
		wantEqual(t, "sum", sum, n+n%10)
	}
}

func TestBatch(t *testing.T) {
	forEachMode(t, func(t *testing.T, options map[string]string) {
		table := makeTable(t)
		connection := connect(t, adminKey, options)
		batch := &pgx.Batch{}
		for n := 1; n <= 200; n++ {
			batch.Queue("INSERT INTO "+table+" VALUES ($1, $2)", n, fmt.Sprint("note ", n))
		}
		counted := 0
		batch.Queue("SELECT count(*) FROM " + table).QueryRow(func(row pgx.Row) error { return row.Scan(&counted) })
		if err := connection.SendBatch(t.Context(), batch).Close(); err != nil {
			t.Fatal(err)
		}
		wantEqual(t, "rows", counted, 201)
	})
}

func TestARefusalInABatch(t *testing.T) {
	forEachMode(t, func(t *testing.T, options map[string]string) {
		table := makeTable(t)
		connection := connect(t, readonlyKey, options)
		batch := &pgx.Batch{}
		batch.Queue("SELECT 1")
		batch.Queue("DELETE FROM "+table+" WHERE id = $1", 0)
		batch.Queue("SELECT 2")
		wantRefused(t, connection.SendBatch(t.Context(), batch).Close(), "DELETE")
		wantUsable(t, connection, table)
	})
}

// Unlike a batch, a pipeline holds several Syncs, and an error ends at its own.
func TestPipeline(t *testing.T) {
	table := makeTable(t)
	connection := connect(t, readonlyKey, nil)
	pipeline := connection.PgConn().StartPipeline(t.Context())
	send := func(sql string) { pipeline.SendQueryParams(sql, nil, nil, nil, nil) }
	send("SELECT 'first'")
	send("DELETE FROM " + table)
	send("SELECT 'skipped'")
	pipeline.SendPipelineSync()
	send("SELECT 'second'")
	pipeline.SendPipelineSync()
	if err := pipeline.Flush(); err != nil {
		t.Fatal(err)
	}
	var seen []string
	for range 5 {
		results, err := pipeline.GetResults()
		switch result := results.(type) {
		case *pgconn.ResultReader:
			read := result.Read()
			if read.Err != nil {
				t.Fatal(read.Err)
			}
			seen = append(seen, string(read.Rows[0][0]))
		case *pgconn.PipelineSync:
			seen = append(seen, "sync")
		default:
			wantRefused(t, err, "DELETE")
			seen = append(seen, "refused")
		}
	}
	wantEqual(t, "results", strings.Join(seen, " "), "first refused sync second sync")
	if err := pipeline.Close(); err != nil {
		t.Fatal(err)
	}
	wantUsable(t, connection, table)
}

func TestCopy(t *testing.T) {
	table := makeTable(t)
	connection := connect(t, adminKey, nil)
	columns := []string{"id", "note"}
	rows := pgx.CopyFromSlice(20_000, func(n int) ([]any, error) { return []any{n + 1, fmt.Sprint("tab\t é ", n)}, nil })
	copied, err := connection.CopyFrom(t.Context(), pgx.Identifier{table}, columns, rows)
	if err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "copied", copied, 20_000)

	var text bytes.Buffer
	if _, err := connection.PgConn().CopyTo(t.Context(), &text, "COPY "+table+" TO STDOUT"); err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "lines", bytes.Count(text.Bytes(), []byte("\n")), 20_001)

	failed := errors.New("given up half way")
	broken := pgx.CopyFromSlice(10, func(n int) ([]any, error) {
		if n == 5 {
			return nil, failed
		}
		return []any{100_000 + n, "never"}, nil
	})
	if _, err := connection.CopyFrom(t.Context(), pgx.Identifier{table}, columns, broken); err == nil {
		t.Fatal("a COPY that was given up succeeded")
	}
	wantEqual(t, "rows", countRows(t, connection, table), 20_001)
}

func TestCopyWithAReadonlyKey(t *testing.T) {
	table := makeTable(t)
	connection := connect(t, readonlyKey, nil)
	rows := pgx.CopyFromRows([][]any{{1, "no"}})
	_, err := connection.CopyFrom(t.Context(), pgx.Identifier{table}, []string{"id", "note"}, rows)
	wantRefused(t, err, "COPY")
	wantUsable(t, connection, table)
	_, err = connection.PgConn().CopyFrom(t.Context(), strings.NewReader("1\tno\n"), "COPY "+table+" FROM STDIN")
	wantRefused(t, err, "COPY")
	wantUsable(t, connection, table)
	var text bytes.Buffer
	if _, err := connection.PgConn().CopyTo(t.Context(), &text, "COPY "+table+" TO STDOUT"); err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "copied", text.String(), "0\tkept\n")
}

func TestCancelRequest(t *testing.T) {
	table := makeTable(t)
	connection := connect(t, readonlyKey, nil)
	ended := make(chan error, 1)
	go func() {
		_, err := connection.PgConn().Exec(context.Background(), longRead).ReadAll()
		ended <- err
	}()
	// A cancel that comes too early does nothing, so it is sent until the statement has ended.
	for {
		if err := connection.PgConn().CancelRequest(t.Context()); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-ended:
			wantState(t, err, "57014")
			wantUsable(t, connection, table)
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// pgx closes a connection whose context has ended; the statement must end with it on the engine too.
func TestCancelByContext(t *testing.T) {
	administrator := connect(t, noKey, nil)
	connection := connect(t, adminKey, nil)
	var backend int
	if err := connection.QueryRow(t.Context(), "SELECT pg_backend_pid()").Scan(&backend); err != nil {
		t.Fatal(err)
	}
	short, stop := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer stop()
	if _, err := connection.Exec(short, longRead); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v, want the deadline", err)
	}
	for running := 1; running > 0; time.Sleep(20 * time.Millisecond) {
		sql := "SELECT count(*) FROM pg_stat_activity WHERE pid = $1"
		if err := administrator.QueryRow(t.Context(), sql, backend).Scan(&running); err != nil {
			t.Fatal(err)
		}
	}
}

func TestKeys(t *testing.T) {
	forEachMode(t, func(t *testing.T, options map[string]string) {
		connection := connect(t, adminKey, options)
		agent := uniqueName("go-agent-")
		var first, second, listed, scope, revoked string
		rows, err := connection.Query(t.Context(), "SELECT create_api_key($1, $2, $3)", agent, "readonly", "it's \\ é")
		if err != nil {
			t.Fatal(err)
		}
		created, err := pgx.CollectExactlyOneRow(rows, pgx.RowToMap)
		if err != nil {
			t.Fatal(err)
		}
		first, _ = created["api_key"].(string)
		wantEqual(t, "prefix", strings.HasPrefix(first, "hd_ro_"), true)
		connect(t, first, nil)

		list := "SELECT agent_id, scope FROM _hatidata_keys.active_keys WHERE agent_id = $1"
		if err := connection.QueryRow(t.Context(), list, agent).Scan(&listed, &scope); err != nil {
			t.Fatal(err)
		}
		wantEqual(t, "listed", listed+" "+scope, agent+" readonly")

		if err := connection.QueryRow(t.Context(), "SELECT rotate_api_key($1)", agent).Scan(&second); err != nil {
			t.Fatal(err)
		}
		_, err = pgx.Connect(t.Context(), address(first, nil))
		refusal := wantState(t, err, "28P01")
		wantEqual(t, "refusal", refusal.Message, "Authentication failed: invalid API key")
		if err := connection.QueryRow(t.Context(), "SELECT revoke_api_key($1)", agent).Scan(&revoked); err != nil {
			t.Fatal(err)
		}
		_, err = pgx.Connect(t.Context(), address(second, nil))
		wantState(t, err, "28P01")

		reader := connect(t, readonlyKey, options)
		_, err = reader.Exec(t.Context(), "SELECT create_api_key($1, $2, $3)", agent, "admin", "")
		wantEqual(t, "refusal", wantState(t, err, "42501").Message, "Permission denied: create_api_key needs the scope key:write")
	})
}
