package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// pgxDrivers is pgx with each way to send parameters that its documentation offers, the default one first.
func pgxDrivers() []driver {
	modes := []pgx.QueryExecMode{
		pgx.QueryExecModeCacheStatement,
		pgx.QueryExecModeCacheDescribe,
		pgx.QueryExecModeDescribeExec,
		pgx.QueryExecModeExec,
		pgx.QueryExecModeSimpleProtocol,
	}
	var drivers []driver
	for _, mode := range modes {
		connect := func(b *bench, address string) client { return pgxClient{b, openPgx(b, address, mode)} }
		drivers = append(drivers, driver{
			name:     "pgx (" + strings.ReplaceAll(mode.String(), " ", "_") + ")",
			module:   "github.com/jackc/pgx/v5",
			connect:  connect,
			fault:    pgxFault,
			features: []map[string]feature{common, session, pgxFeatures(mode), pgxBulk(mode), pgxTypes(mode)},
		})
	}
	return drivers
}

type pgxClient struct {
	b *bench
	*pgx.Conn
}

func openPgx(b *bench, address string, mode pgx.QueryExecMode, change ...func(*pgx.ConnConfig)) *pgx.Conn {
	config, err := pgx.ParseConfig(address)
	check(err)
	config.DefaultQueryExecMode = mode
	for _, one := range change {
		one(config)
	}
	conn, err := pgx.ConnectConfig(b.ctx, config)
	check(err)
	b.closers = append(b.closers, func() { _ = conn.Close(context.Background()) })
	return conn
}

func (c pgxClient) query(sql string, parameters ...any) [][]any {
	if strings.HasPrefix(sql, "PREPARE") {
		// In simple_protocol it would look for the parameters of a text that has $1.
		check(c.PgConn().Exec(c.b.ctx, sql).Close())
		return nil
	}
	return readPgx(c.b, c.Conn, sql, parameters...)
}

func (c pgxClient) end() { _ = c.Close(context.Background()) }

func (c pgxClient) destroy() { _ = c.PgConn().Conn().Close() }

func readPgx(b *bench, conn *pgx.Conn, sql string, parameters ...any) [][]any {
	rows, err := conn.Query(b.ctx, sql, parameters...)
	check(err)
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) ([]any, error) { return row.Values() })
	check(err)
	return all
}

func pgxFault(err error) fault {
	var server *pgconn.PgError
	if !errors.As(err, &server) {
		return fault{Message: err.Error()}
	}
	return fault{
		Severity: server.Severity, SQLState: server.Code, Message: server.Message, Detail: server.Detail,
		Table: server.TableName, Constraint: server.ConstraintName, Position: fmt.Sprint(server.Position),
	}
}

func pgxFeatures(mode pgx.QueryExecMode) map[string]feature {
	open := func(b *bench) *pgx.Conn { return openPgx(b, b.address, mode) }
	return map[string]feature{
		"connect": func(b *bench) any {
			conn := open(b)
			names := "server_version server_encoding client_encoding is_superuser session_authorization DateStyle TimeZone"
			seen := []any{readPgx(b, conn, connected)}
			for _, name := range strings.Fields(names) {
				seen = append(seen, conn.PgConn().ParameterStatus(name))
			}
			return seen
		},
		"simple-query": func(b *bench) any {
			conn := open(b)
			text := "SELECT 1 AS a; SELECT 'x' AS b, NULL AS c; CREATE TEMPORARY TABLE t (i int); INSERT INTO t VALUES (1), (2)"
			results, err := conn.PgConn().Exec(b.ctx, text).ReadAll()
			check(err)
			var seen []any
			for _, result := range results {
				seen = append(seen, result.CommandTag, result.FieldDescriptions, fmt.Sprintf("%s", result.Rows))
			}
			return seen
		},
		"empty-query": func(b *bench) any {
			conn := open(b)
			tag, err := conn.Exec(b.ctx, " ")
			check(err)
			return []any{tag.String(), readPgx(b, conn, "SELECT 1")}
		},
		"parameters-text": func(b *bench) any {
			conn := open(b)
			parameters := [][]byte{[]byte("it's"), []byte("7"), nil}
			result := conn.PgConn().ExecParams(b.ctx, "SELECT $1::text, $2::int, $3::date", parameters, nil, nil, nil).Read()
			check(result.Err)
			return fmt.Sprintf("%q %v", result.Rows, result.FieldDescriptions)
		},
		"parameters-binary": func(b *bench) any {
			conn := open(b)
			binary := []int16{pgx.BinaryFormatCode}
			parameters := [][]byte{{0, 1, 255}}
			result := conn.PgConn().ExecParams(b.ctx, "SELECT $1::bytea, 7::int, 2.5::float8", parameters, nil, binary, binary).Read()
			check(result.Err)
			return fmt.Sprintf("%q %v", result.Rows, result.FieldDescriptions)
		},
		"unnamed-statement": func(b *bench) any {
			conn := open(b)
			var seen []any
			for round := range 5 {
				seen = append(seen, readPgx(b, conn, "SELECT $1::int * 2", round))
				readPgx(b, conn, "SELECT 1", pgx.QueryExecModeExec)
				seen = append(seen, readPgx(b, conn, "SELECT upper($1)", pgx.QueryExecModeExec, fmt.Sprint("n", round)))
				if round%2 == 0 {
					b.others()
				}
			}
			return seen
		},
		"named-statement": func(b *bench) any {
			conn := open(b)
			_, err := conn.Prepare(b.ctx, "named", "SELECT $1::int + 1")
			check(err)
			var seen []any
			for round := range 5 {
				tx, err := conn.Begin(b.ctx)
				check(err)
				seen = append(seen, readPgx(b, conn, "named", round))
				check(tx.Commit(b.ctx))
				b.others()
				seen = append(seen, readPgx(b, conn, "named", -round))
			}
			return seen
		},
		"same-name": func(b *bench) any {
			one, two := open(b), open(b)
			_, err := one.Prepare(b.ctx, "same", "SELECT $1::int")
			check(err)
			_, err = two.Prepare(b.ctx, "same", "SELECT 'two ' || $1")
			check(err)
			var seen []any
			for round := range 4 {
				seen = append(seen, readPgx(b, one, "same", round), readPgx(b, two, "same", "x"))
			}
			return seen
		},
		"close-statement": func(b *bench) any {
			// A cache of two closes what falls out of it.
			conn := openPgx(b, b.address, mode, func(config *pgx.ConnConfig) { config.StatementCacheCapacity = 2 })
			var seen []any
			for round := range 12 {
				seen = append(seen, readPgx(b, conn, fmt.Sprintf("SELECT %d + $1::int", round%4), round))
			}
			for round := range 3 {
				_, err := conn.Prepare(b.ctx, "reused", fmt.Sprintf("SELECT %d", round))
				check(err)
				seen = append(seen, readPgx(b, conn, "reused"))
				check(conn.Deallocate(b.ctx, "reused"))
			}
			return seen
		},
		"batch": func(b *bench) any {
			conn := open(b)
			batch := &pgx.Batch{}
			right := 0
			for index := range 500 {
				text := "SELECT $1::int"
				if index%3 == 0 {
					text = "SELECT $1::int + 0"
				}
				batch.Queue(text, index).QueryRow(func(row pgx.Row) error {
					var back int
					err := row.Scan(&back)
					if back == index {
						right++
					}
					return err
				})
			}
			check(conn.SendBatch(b.ctx, batch).Close())
			return []any{right, pgxPipeline(b, conn)}
		},
		"batch-error": func(b *bench) any {
			conn := open(b)
			readPgx(b, conn, "CREATE TEMPORARY TABLE given (id int)")
			batch := &pgx.Batch{}
			for _, divisor := range []int{1, 0, 2} {
				batch.Queue("INSERT INTO given VALUES (10/$1::int)", divisor)
			}
			ended := b.fails(func() { check(conn.SendBatch(b.ctx, batch).Close()) })
			return []any{ended.SQLState, readPgx(b, conn, "SELECT * FROM given")}
		},
		"rows-in-parts": without("a statement is always read to its end; cursors are SQL"),
		"cancel": func(b *bench) any {
			conn, neighbour := open(b), open(b)
			bystander := make(chan any, 1)
			go func() {
				_, err := neighbour.Exec(b.ctx, "SELECT pg_sleep(0.5)")
				bystander <- err
			}()
			ended := make(chan fault, 1)
			go func() { ended <- b.fails(func() { _, err := conn.Exec(b.ctx, "SELECT pg_sleep(60)"); check(err) }) }()
			for {
				select {
				case seen := <-ended:
					return []any{seen, <-bystander, readPgx(b, conn, "SELECT 1")}
				case <-time.After(50 * time.Millisecond):
					// One that comes too early does nothing.
					check(conn.PgConn().CancelRequest(b.ctx))
				}
			}
		},
		"notices": func(b *bench) any {
			var seen []any
			conn := openPgx(b, b.address, mode, func(config *pgx.ConnConfig) {
				config.OnNotice = func(_ *pgconn.PgConn, one *pgconn.Notice) {
					seen = append(seen, []any{one.Severity, one.Code, one.Message, one.Detail, one.Hint})
				}
			})
			readPgx(b, conn, notices)
			readPgx(b, conn, "DROP TABLE IF EXISTS there_is_none")
			return seen
		},
		"isolation": func(b *bench) any {
			conn := open(b)
			options := pgx.TxOptions{IsoLevel: pgx.Serializable, AccessMode: pgx.ReadOnly, DeferrableMode: pgx.Deferrable}
			tx, err := conn.BeginTx(b.ctx, options)
			check(err)
			inside := readPgx(b, conn, transaction)
			write := b.fails(func() { readPgx(b, conn, "CREATE TABLE never (id int)") })
			check(tx.Rollback(b.ctx))
			return []any{inside, write.SQLState, readPgx(b, conn, transaction)}
		},
		"listen-notify": func(b *bench) any {
			listener, neighbour := open(b), b.client()
			readPgx(b, listener, "LISTEN news_go")
			b.others()
			neighbour.query("NOTIFY news_go, 'first'")
			neighbour.query("SELECT pg_notify('other', 'not for us')::text")
			neighbour.query("SELECT pg_notify($1, $2)::text", "news_go", "second")
			var heard []any
			for range 2 {
				one, err := listener.WaitForNotification(b.ctx)
				check(err)
				heard = append(heard, one.Channel, one.Payload)
			}
			readPgx(b, listener, "UNLISTEN news_go")
			neighbour.query("NOTIFY news_go, 'third'")
			short, cancel := context.WithTimeout(b.ctx, 200*time.Millisecond)
			defer cancel()
			_, err := listener.WaitForNotification(short)
			return append(heard, errors.Is(err, context.DeadlineExceeded), readPgx(b, listener, "SELECT 1"))
		},
	}
}

// pgxPipeline sends by the driver's own pipeline: prepared and not, with a Flush and two Syncs.
func pgxPipeline(b *bench, conn *pgx.Conn) any {
	pipeline := conn.PgConn().StartPipeline(b.ctx)
	pipeline.SendPrepare("piped", "SELECT $1::text", nil)
	pipeline.SendQueryPrepared("piped", [][]byte{[]byte("a")}, nil, nil)
	pipeline.SendFlushRequest()
	pipeline.SendQueryParams("SELECT $1::text || 'b'", [][]byte{[]byte("b")}, nil, nil, nil)
	pipeline.SendDeallocate("piped")
	check(pipeline.Sync())
	pipeline.SendQueryParams("SELECT 1/0", nil, nil, nil, nil)
	check(pipeline.Sync())
	var seen []any
	for {
		results, err := pipeline.GetResults()
		if err != nil {
			seen = append(seen, b.fault(err).SQLState)
			continue
		}
		if results == nil {
			check(pipeline.Close())
			return seen
		}
		if reader, isReader := results.(*pgconn.ResultReader); isReader {
			seen = append(seen, fmt.Sprintf("%s", reader.Read().Rows))
		} else {
			seen = append(seen, fmt.Sprintf("%T", results))
		}
	}
}
