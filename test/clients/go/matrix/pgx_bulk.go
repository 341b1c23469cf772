package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

func copyText() string {
	var lines strings.Builder
	for n := 1; n <= 10_000; n++ {
		fmt.Fprintf(&lines, "%d\tnote é %d\n", n, n)
	}
	return lines.String()
}

// pgxBulk is COPY and large objects by pgx.
func pgxBulk(mode pgx.QueryExecMode) map[string]feature {
	open := func(b *bench) *pgconn.PgConn { return openPgx(b, b.address, mode).PgConn() }
	return map[string]feature{
		"copy-in": func(b *bench) any {
			name := b.table("copy_in", "id int, note text")
			tag, err := open(b).CopyFrom(b.ctx, strings.NewReader(copyText()), "COPY "+name+" FROM STDIN")
			check(err)
			return []any{tag.String(), fmt.Sprint(b.client().query(copySums + name))}
		},
		"copy-out": func(b *bench) any {
			var taken strings.Builder
			tag, err := open(b).CopyTo(b.ctx, &taken, "COPY ("+copyRows+") TO STDOUT")
			check(err)
			return []any{tag.String(), taken.String() == copyText()}
		},
		"copy-binary": func(b *bench) any {
			name := b.table("copy_binary", "id int, note text")
			rows := make([][]any, 500)
			for n := range rows {
				rows[n] = []any{n, strings.Repeat("é", n)}
			}
			conn := openPgx(b, b.address, mode)
			count, err := conn.CopyFrom(b.ctx, pgx.Identifier{name}, []string{"id", "note"}, pgx.CopyFromRows(rows))
			check(err)
			var given, taken bytes.Buffer
			_, err = conn.PgConn().CopyTo(b.ctx, &given, "COPY "+name+" TO STDOUT (FORMAT binary)")
			check(err)
			readPgx(b, conn, "TRUNCATE "+name)
			whole := given.Bytes()
			_, err = conn.PgConn().CopyFrom(b.ctx, bytes.NewReader(whole), "COPY "+name+" FROM STDIN (FORMAT binary)")
			check(err)
			_, err = conn.PgConn().CopyTo(b.ctx, &taken, "COPY "+name+" TO STDOUT (FORMAT binary)")
			check(err)
			return []any{count, len(whole), bytes.Equal(whole, taken.Bytes())}
		},
		"copy-failed": func(b *bench) any {
			name := b.table("copy_failed", "id int, note text")
			conn := openPgx(b, b.address, mode)
			copied := func(source io.Reader) fault {
				return b.fails(func() {
					_, err := conn.PgConn().CopyFrom(b.ctx, source, "COPY "+name+" FROM STDIN")
					check(err)
				})
			}
			broken := copied(strings.NewReader("1\tfine\nnot a number\tbroken\n"))
			givenUp := copied(io.MultiReader(strings.NewReader("1\tnever\n"), failing{}))
			return []any{broken, givenUp, readPgx(b, conn, "SELECT count(*) FROM "+name)}
		},
		"large-object": func(b *bench) any {
			// Its interface sends statements, prepared ones.
			conn := openPgx(b, b.address, mode)
			tx, err := conn.Begin(b.ctx)
			check(err)
			objects := tx.LargeObjects()
			id, err := objects.Create(b.ctx, 0)
			check(err)
			object, err := objects.Open(b.ctx, id, pgx.LargeObjectModeRead|pgx.LargeObjectModeWrite)
			check(err)
			_, err = object.Write(bytes.Repeat([]byte("ab"), 20_000))
			check(err)
			at, err := object.Seek(-15_000, io.SeekEnd)
			check(err)
			rest, err := io.ReadAll(object)
			check(err)
			check(objects.Unlink(b.ctx, id))
			check(tx.Commit(b.ctx))
			return []any{at, len(rest)}
		},
		"large-object-api": without("its interface sends statements"),
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("given up") }
