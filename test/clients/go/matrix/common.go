package main

import (
	"fmt"
	"strings"
)

// Features that need nothing but statements with parameters; the same for every driver.
var common = map[string]feature{
	"wrong-password": func(b *bench) any {
		at := strings.Index(b.address, "@")
		colon := strings.LastIndex(b.address[:at], ":")
		wrong := b.address[:colon] + ":not-the-password" + b.address[at:]
		return b.fails(func() { b.connect(b, wrong).query("SELECT 1") }).SQLState
	},
	"reconnect": func(b *bench) any {
		var seen []any
		for round := range 10 {
			short := b.client()
			seen = append(seen, short.query(fmt.Sprintf("SELECT %d + $1::int", round), 1))
			short.end()
		}
		return seen
	},
	"abrupt-close": func(b *bench) any {
		name := b.table("abrupt_close", "id integer PRIMARY KEY")
		neighbour, leaving := b.client(), b.client()
		leaving.query("BEGIN")
		leaving.query("INSERT INTO " + name + " VALUES (1)")
		leaving.query("SELECT pg_advisory_xact_lock(4731)::text")
		leaving.destroy()
		// Both wait until the server has noticed.
		neighbour.query("SELECT pg_advisory_lock(4731)::text")
		neighbour.query("SELECT pg_advisory_unlock(4731)")
		neighbour.query("INSERT INTO " + name + " VALUES (1)")
		return neighbour.query("SELECT * FROM " + name)
	},
	"concurrent-clients": func(b *bench) any {
		name := b.table("concurrent_clients", "client integer, note text")
		clients := make([]client, 24)
		for index := range clients {
			clients[index] = b.client()
		}
		together(len(clients), func(index int) { runAlone(clients[index], name, index) })
		return b.client().query("SELECT count(*), count(DISTINCT client), count(DISTINCT note) FROM " + name)
	},
	"deallocate-all": func(b *bench) any {
		one := b.client()
		one.query("PREPARE mine AS SELECT 1")
		one.query("SELECT $1::int", 1)
		one.query("DEALLOCATE ALL")
		b.others()
		gone := b.fails(func() { one.query("EXECUTE mine") })
		one.query("PREPARE mine AS SELECT 2")
		return []any{gone.SQLState, one.query("/* again */ EXECUTE mine"), one.query("SELECT $1::int + 1", 3)}
	},
	"discard-all": func(b *bench) any {
		one := b.client()
		before := one.query("SHOW work_mem")
		one.query("SET work_mem = '7MB'")
		one.query("CREATE TEMPORARY TABLE discarded (id int)")
		one.query("PREPARE discarded AS SELECT 1")
		one.query("SELECT pg_advisory_lock(4732)::text")
		one.query("DISCARD ALL")
		isFree := b.client().query("SELECT pg_try_advisory_lock(4732)")
		// Other texts than before: a driver that remembers statements would look for one that is gone.
		after := one.query("SELECT current_setting('work_mem')")
		expectThat(fmt.Sprint(before) == fmt.Sprint(after), "work_mem is back")
		noTable := b.fails(func() { one.query("SELECT * FROM discarded") })
		noStatement := b.fails(func() { one.query("EXECUTE discarded") })
		return []any{isFree, noTable.SQLState, noStatement.SQLState}
	},
	"sql-prepare": func(b *bench) any {
		one, neighbour := b.client(), b.client()
		one.query("PREPARE twice (int) AS SELECT $1 * 2")
		neighbour.query("PREPARE twice (int) AS SELECT $1 * 20")
		b.others()
		one.query("BEGIN")
		seen := []any{one.query("EXECUTE twice(21)"), neighbour.query("EXECUTE twice(21)")}
		one.query("COMMIT")
		b.others()
		seen = append(seen, one.query("EXECUTE twice(4)"))
		one.query("DEALLOCATE twice")
		gone := b.fails(func() { one.query("EXECUTE twice(5)") })
		return append(seen, gone.SQLState, neighbour.query("EXECUTE twice(1)"))
	},
	"changed-table": func(b *bench) any {
		name := b.table("changed_table", "id int")
		one, neighbour := b.client(), b.client()
		one.query("INSERT INTO " + name + " VALUES (1)")
		read := "SELECT * FROM " + name + " WHERE id = $1"
		seen := []any{one.query(read, 1), one.query(read, 1)}
		neighbour.query("ALTER TABLE " + name + " ADD COLUMN note text DEFAULT 'new'")
		for range 2 {
			seen = append(seen, b.rowsOrState(one, read, 1))
		}
		return append(seen, one.query(read+" OR false", 1))
	},
	"statement-timeout": func(b *bench) any {
		one := b.client()
		one.query("SET statement_timeout = '100ms'")
		ended := b.fails(func() { one.query("SELECT pg_sleep(60)::text") })
		one.query("RESET statement_timeout")
		return []any{ended, one.query("SELECT 1")}
	},
	"error-fields": func(b *bench) any {
		name := b.table("error_fields", "id int CONSTRAINT go_one_of_each UNIQUE")
		one := b.client()
		one.query("INSERT INTO " + name + " VALUES (1)")
		return []fault{
			b.fails(func() { one.query("INSERT INTO "+name+" VALUES ($1)", 1) }),
			b.fails(func() { one.query("SELECT nothing FROM nowhere") }),
			b.fails(func() { one.query("SELEKT 1") }),
			b.fails(func() { one.query("SELECT 1/$1::int", 0) }),
		}
	},
	"commit": func(b *bench) any {
		name := b.table("commits", "id int")
		one, neighbour := b.client(), b.client()
		one.query("BEGIN")
		one.query("INSERT INTO " + name + " VALUES (1)")
		before := neighbour.query("SELECT * FROM " + name)
		one.query("COMMIT")
		return []any{before, neighbour.query("SELECT * FROM " + name)}
	},
	"rollback": func(b *bench) any {
		name := b.table("rollbacks", "id int")
		one := b.client()
		one.query("BEGIN")
		one.query("INSERT INTO " + name + " VALUES (1)")
		inside := one.query("SELECT * FROM " + name)
		one.query("ROLLBACK")
		return []any{inside, one.query("SELECT * FROM " + name)}
	},
	"savepoint": func(b *bench) any {
		name := b.table("savepoints", "id int PRIMARY KEY")
		one := b.client()
		one.query("BEGIN")
		one.query("INSERT INTO " + name + " VALUES (1)")
		one.query("SAVEPOINT a")
		twice := b.fails(func() { one.query("INSERT INTO " + name + " VALUES (1)") })
		one.query("ROLLBACK TO SAVEPOINT a")
		one.query("INSERT INTO " + name + " VALUES (2)")
		one.query("RELEASE SAVEPOINT a")
		one.query("COMMIT")
		return []any{twice.SQLState, one.query("SELECT * FROM " + name + " ORDER BY id")}
	},
	"error-in-transaction": func(b *bench) any {
		one := b.client()
		one.query("BEGIN")
		first := b.fails(func() { one.query("SELECT 1/0") })
		second := b.fails(func() { one.query("SELECT 1") })
		third := b.fails(func() { one.query("SELECT $1::int", 1) })
		one.query("ROLLBACK")
		return []any{first.SQLState, second, third.SQLState, one.query("SELECT 1")}
	},
	"two-phase": func(b *bench) any {
		name := b.table("two_phase", "id int")
		one := b.client()
		one.query("BEGIN")
		one.query("INSERT INTO " + name + " VALUES (1)")
		one.query("PREPARE TRANSACTION 'matrix-go'")
		before := one.query("SELECT * FROM " + name)
		b.client().query("COMMIT PREPARED 'matrix-go'")
		return []any{before, one.query("SELECT * FROM " + name)}
	},
	"large-object": func(b *bench) any {
		one := b.client()
		one.query("BEGIN")
		made := one.query("SELECT lo_from_bytea(0, decode(repeat('ab', 20000), 'hex'))::bigint")[0][0]
		opened := one.query(fmt.Sprintf("SELECT lo_open(%v, 131072)", made))[0][0]
		part := fmt.Sprintf("length(loread(%v, 15000))", opened)
		parts := one.query("SELECT " + part + ", " + part)
		one.query("COMMIT")
		b.others()
		return []any{parts, one.query(fmt.Sprintf("SELECT lo_unlink(%v)", made))}
	},
	"large-value": func(b *bench) any {
		value := strings.Repeat("large value ", 8*1024*1024/12)
		row := b.client().query("SELECT length(v), v FROM (SELECT $1::text) given(v)", value)[0]
		return []any{row[0], row[1] == value}
	},
	"many-rows": func(b *bench) any {
		rows := b.client().query("SELECT n::int8, 'row ' || n AS note FROM generate_series(1, $1::int) n", 50_000)
		sum := int64(0)
		for _, row := range rows {
			sum += row[0].(int64)
		}
		return []any{len(rows), sum, rows[len(rows)-1]}
	},
	"unicode": func(b *bench) any {
		return b.client().query(`SELECT $1::text AS "größe 🐘", length($1::text)`, "日本 🐘 ﷽")
	},
}

// rowsOrState is for what some drivers repeat by themselves and others leave to the caller.
func (b *bench) rowsOrState(one client, sql string, parameters ...any) (seen any) {
	defer func() {
		if problem, isError := recover().(error); isError {
			seen = b.fault(problem).SQLState
		}
	}()
	return one.query(sql, parameters...)
}

// runAlone is a client's own transactions, setting and statement; it fails when it sees anything of another's.
func runAlone(one client, name string, index int) {
	own := fmt.Sprint(index)
	one.query("SET matrix.client = " + own)
	for round := range 5 {
		one.query("BEGIN")
		one.query("INSERT INTO "+name+" VALUES ($1, $2)", index, fmt.Sprintf("%d/%d", index, round))
		if round == 4 {
			one.query("ROLLBACK")
		} else {
			one.query("COMMIT")
		}
		expectThat(one.query("SELECT current_setting('matrix.client')")[0][0] == own, "the setting is its own")
		expectThat(one.query("SELECT "+own+" || $1::text", fmt.Sprint(round))[0][0] == own+fmt.Sprint(round), "the statement is its own")
	}
}
