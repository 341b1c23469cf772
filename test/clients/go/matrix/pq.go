package main

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"time"

	"github.com/lib/pq"
)

// pqDriver is lib/pq through database/sql, one connection taken out of its pool for each client.
func pqDriver() driver {
	return driver{
		name:     "lib/pq",
		module:   "github.com/lib/pq",
		connect:  func(b *bench, address string) client { return openPq(b, address) },
		fault:    pqFault,
		features: []map[string]feature{common, session, pqFeatures, pqTypes},
	}
}

type pqClient struct {
	b        *bench
	database *sql.DB
	*sql.Conn
}

func openPq(b *bench, address string) pqClient {
	database, err := sql.Open("postgres", address)
	check(err)
	conn, err := database.Conn(b.ctx)
	check(err)
	opened := pqClient{b, database, conn}
	b.closers = append(b.closers, opened.end)
	return opened
}

func (c pqClient) query(text string, parameters ...any) [][]any {
	rows, err := c.QueryContext(c.b.ctx, text, parameters...)
	check(err)
	return readSQL(rows)
}

func readSQL(rows *sql.Rows) [][]any {
	columns, err := rows.Columns()
	check(err)
	var all [][]any
	for rows.Next() {
		row := make([]any, len(columns))
		places := make([]any, len(columns))
		for index := range row {
			places[index] = &row[index]
		}
		check(rows.Scan(places...))
		for index, value := range row {
			if text, isBytes := value.([]byte); isBytes {
				row[index] = string(text)
			}
		}
		all = append(all, row)
	}
	check(rows.Err())
	return all
}

func (c pqClient) end() {
	_ = c.Close()
	_ = c.database.Close()
}

// destroy lets a context end in the middle of a statement, upon which the driver gives the connection up.
func (c pqClient) destroy() {
	_ = c.Raw(func(any) error { return sqldriver.ErrBadConn })
}

func pqFault(err error) fault {
	var server *pq.Error
	if !errors.As(err, &server) {
		return fault{Message: err.Error()}
	}
	return fault{
		Severity: server.Severity, SQLState: string(server.Code), Message: server.Message, Detail: server.Detail,
		Table: server.Table, Constraint: server.Constraint, Position: server.Position,
	}
}

var pqFeatures = map[string]feature{
	"connect": func(b *bench) any { return b.client().query(connected) },
	"simple-query": func(b *bench) any {
		one := openPq(b, b.address)
		rows, err := one.QueryContext(b.ctx, "SELECT 1 AS a; SELECT 'x' AS b, NULL AS c")
		check(err)
		seen := []any{readSQL(rows)}
		for rows.NextResultSet() {
			seen = append(seen, readSQL(rows))
		}
		result, err := one.ExecContext(b.ctx, "CREATE TEMPORARY TABLE t (i int); INSERT INTO t VALUES (1), (2)")
		check(err)
		count, err := result.RowsAffected()
		check(err)
		return append(seen, count)
	},
	"empty-query": func(b *bench) any {
		one := openPq(b, b.address)
		_, err := one.ExecContext(b.ctx, " ")
		check(err)
		return one.query("SELECT 1")
	},
	"parameters-text": func(b *bench) any {
		return b.client().query("SELECT $1::text, $2::int, $3::date::text, $4::bool", "it's", 7, "2026-01-31", true)
	},
	"parameters-binary": func(b *bench) any {
		one := openPq(b, b.address+"&binary_parameters=yes")
		return one.query("SELECT encode($1::bytea, 'hex'), $2::int", []byte{0, 1, 255}, 7)
	},
	"unnamed-statement": func(b *bench) any {
		// With binary_parameters it prepares without a name and executes in one go.
		one := openPq(b, b.address+"&binary_parameters=yes")
		var seen []any
		for round := range 5 {
			seen = append(seen, one.query("SELECT $1::int * 2", round))
			one.query("SELECT 1")
			seen = append(seen, one.query("SELECT upper($1)", fmt.Sprint("n", round)))
			if round%2 == 0 {
				b.others()
			}
		}
		return seen
	},
	"named-statement": func(b *bench) any {
		one := openPq(b, b.address)
		statement, err := one.PrepareContext(b.ctx, "SELECT $1::int + 1")
		check(err)
		read := func(with interface {
			QueryContext(context.Context, ...any) (*sql.Rows, error)
		}, value int) [][]any {
			rows, err := with.QueryContext(b.ctx, value)
			check(err)
			return readSQL(rows)
		}
		var seen []any
		for round := range 5 {
			tx, err := one.BeginTx(b.ctx, nil)
			check(err)
			seen = append(seen, read(tx.StmtContext(b.ctx, statement), round))
			check(tx.Commit())
			b.others()
			seen = append(seen, read(statement, -round))
		}
		check(statement.Close())
		return seen
	},
	"same-name": func(b *bench) any {
		// Names are counted by connection.
		one, two := openPq(b, b.address), openPq(b, b.address)
		first, err := one.PrepareContext(b.ctx, "SELECT $1::int")
		check(err)
		second, err := two.PrepareContext(b.ctx, "SELECT 'two ' || $1")
		check(err)
		var seen []any
		for round := range 4 {
			var number int
			var text string
			check(first.QueryRowContext(b.ctx, round).Scan(&number))
			check(second.QueryRowContext(b.ctx, "x").Scan(&text))
			seen = append(seen, number, text)
		}
		return seen
	},
	"close-statement": func(b *bench) any {
		one := openPq(b, b.address)
		var seen []any
		for round := range 5 {
			statement, err := one.PrepareContext(b.ctx, fmt.Sprintf("SELECT %d", round))
			check(err)
			var number int
			check(statement.QueryRowContext(b.ctx).Scan(&number))
			check(statement.Close())
			seen = append(seen, number)
		}
		return seen
	},
	"batch":         without("one statement at a time"),
	"batch-error":   without("one statement at a time"),
	"rows-in-parts": without("a statement is always read to its end; cursors are SQL"),
	"cancel": func(b *bench) any {
		one, neighbour := openPq(b, b.address), openPq(b, b.address)
		bystander := make(chan error, 1)
		go func() {
			_, err := neighbour.ExecContext(b.ctx, "SELECT pg_sleep(0.5)")
			bystander <- err
		}()
		ctx, cancel := context.WithTimeout(b.ctx, time.Second)
		defer cancel()
		_, err := one.ExecContext(ctx, "SELECT pg_sleep(60)")
		return []any{pqFault(err).SQLState, <-bystander, b.client().query("SELECT 1")}
	},
	"notices": func(b *bench) any {
		one := openPq(b, b.address)
		var seen []any
		check(one.Raw(func(conn any) error {
			pq.SetNoticeHandler(conn.(sqldriver.Conn), func(notice *pq.Error) {
				seen = append(seen, []any{notice.Severity, notice.Code, notice.Message, notice.Detail, notice.Hint})
			})
			return nil
		}))
		one.query(notices)
		one.query("DROP TABLE IF EXISTS there_is_none")
		return seen
	},
	"isolation": func(b *bench) any {
		one := openPq(b, b.address)
		tx, err := one.BeginTx(b.ctx, &sql.TxOptions{Isolation: sql.LevelSerializable, ReadOnly: true})
		check(err)
		rows, err := tx.QueryContext(b.ctx, transaction)
		check(err)
		inside := readSQL(rows)
		_, err = tx.ExecContext(b.ctx, "CREATE TABLE never (id int)")
		check(tx.Rollback())
		return []any{inside, pqFault(err).SQLState, one.query(transaction)}
	},
	"listen-notify": func(b *bench) any {
		listener := pq.NewListener(b.address, time.Second, time.Minute, nil)
		b.closers = append(b.closers, func() { _ = listener.Close() })
		check(listener.Listen("news_pq"))
		neighbour := b.client()
		b.others()
		neighbour.query("NOTIFY news_pq, 'first'")
		neighbour.query("SELECT pg_notify('other', 'not for us')::text")
		neighbour.query("SELECT pg_notify($1, $2)::text", "news_pq", "second")
		var heard []any
		for range 2 {
			select {
			case one := <-listener.Notify:
				heard = append(heard, one.Channel, one.Extra)
			case <-b.ctx.Done():
				panic(b.ctx.Err())
			}
		}
		check(listener.Unlisten("news_pq"))
		neighbour.query("NOTIFY news_pq, 'third'")
		check(listener.Ping())
		return append(heard, len(listener.Notify))
	},
	"copy-in": func(b *bench) any {
		name := b.table("copy_in", "id int, note text")
		one := openPq(b, b.address)
		pqCopy(b, one, name, func(statement *sql.Stmt) {
			for n := 1; n <= 10_000; n++ {
				_, err := statement.ExecContext(b.ctx, n, fmt.Sprint("note é ", n))
				check(err)
			}
		})
		return one.query(copySums + name)
	},
	"copy-out":    without("no COPY TO STDOUT"),
	"copy-binary": without("text format only"),
	"copy-failed": func(b *bench) any {
		name := b.table("copy_failed", "id int, note text")
		one := openPq(b, b.address)
		broken := b.fails(func() {
			pqCopy(b, one, name, func(statement *sql.Stmt) {
				_, err := statement.ExecContext(b.ctx, "not a number", "broken")
				check(err)
			})
		})
		return []any{broken.SQLState, broken.Message, one.query("SELECT count(*) FROM " + name)}
	},
	"large-object-api": without("no interface to large objects"),
}

// pqCopy is COPY as the driver has it: a prepared statement that is executed once a row.
func pqCopy(b *bench, one pqClient, name string, rows func(*sql.Stmt)) {
	tx, err := one.BeginTx(b.ctx, nil)
	check(err)
	defer func() { _ = tx.Rollback() }()
	statement, err := tx.PrepareContext(b.ctx, pq.CopyIn(name, "id", "note"))
	check(err)
	rows(statement)
	_, err = statement.ExecContext(b.ctx)
	check(err)
	check(statement.Close())
	check(tx.Commit())
}
