package main

import "fmt"

// What a session keeps from one transaction to the next, while others work.
var session = map[string]feature{
	"set-survives": func(b *bench) any {
		one := b.client()
		shown := `SELECT current_setting('work_mem'), current_setting('TimeZone'), current_setting('search_path'),
		                 current_setting('matrix.own', true), current_setting('DateStyle')`
		one.query("SET work_mem = '5MB'")
		one.query("SET TIME ZONE 'Asia/Kolkata'")
		one.query("SET search_path = pg_catalog, main")
		one.query("SET matrix.own = 'mine'")
		one.query("SELECT set_config('DateStyle', 'ISO, YMD', false)")
		b.others()
		seen := []any{one.query(shown)}
		one.query("BEGIN")
		seen = append(seen, one.query(shown))
		one.query("COMMIT")
		b.others()
		one.query("RESET work_mem")
		one.query("RESET TIME ZONE")
		b.others()
		return append(seen, one.query(shown))
	},
	"set-local": func(b *bench) any {
		one := b.client()
		shown := "SELECT current_setting('work_mem'), current_setting('DateStyle')"
		one.query("SET work_mem = '5MB'")
		one.query("BEGIN")
		one.query("SET LOCAL work_mem = '6MB'")
		inside := one.query(shown)
		one.query("COMMIT")
		one.query("BEGIN")
		one.query("SET DateStyle = 'ISO, YMD'")
		one.query("ROLLBACK")
		b.others()
		return []any{inside, one.query(shown)}
	},
	"temporary-table": func(b *bench) any {
		one, neighbour := b.client(), b.client()
		one.query("CREATE TEMPORARY TABLE own_rows (id int)")
		b.others()
		one.query("INSERT INTO own_rows VALUES ($1)", 1)
		b.others()
		hidden := b.fails(func() { neighbour.query("SELECT * FROM own_rows") })
		one.query("BEGIN")
		one.query("CREATE TEMPORARY TABLE own_short (id int) ON COMMIT DROP")
		one.query("INSERT INTO own_short SELECT * FROM own_rows")
		inside := one.query("SELECT * FROM own_short")
		one.query("COMMIT")
		dropped := b.fails(func() { one.query("SELECT id FROM own_short") })
		return []any{hidden.SQLState, inside, dropped.SQLState, one.query("SELECT * FROM own_rows")}
	},
	"advisory-lock": func(b *bench) any {
		one, neighbour := b.client(), b.client()
		tried := "SELECT pg_try_advisory_lock(4733)"
		one.query("SELECT pg_advisory_lock(4733)::text")
		b.others()
		seen := []any{neighbour.query(tried)}
		one.query("BEGIN")
		one.query("COMMIT")
		b.others()
		seen = append(seen, neighbour.query(tried))
		seen = append(seen, one.query("SELECT pg_advisory_unlock(4733), pg_advisory_unlock(4733)"))
		return append(seen, neighbour.query(tried))
	},
	"cursor-hold": func(b *bench) any {
		one, neighbour := b.client(), b.client()
		one.query("BEGIN")
		one.query("DECLARE held CURSOR WITH HOLD FOR SELECT generate_series(1, 10)")
		seen := []any{one.query("FETCH 2 FROM held")}
		one.query("COMMIT")
		b.others()
		seen = append(seen, one.query("FETCH 3 FROM held"))
		seen = append(seen, b.fails(func() { neighbour.query("FETCH 1 FROM held") }).SQLState)
		b.others()
		seen = append(seen, one.query("FETCH ALL FROM held"))
		one.query("CLOSE held")
		return append(seen, b.fails(func() { one.query("FETCH 1 FROM held") }).SQLState)
	},
	"sequence-value": func(b *bench) any {
		name := b.table("sequence_value", "id serial, note text")
		one, neighbour, third := b.client(), b.client(), b.client()
		one.query("INSERT INTO " + name + " (note) VALUES ('mine')")
		b.others()
		neighbour.query("INSERT INTO " + name + " (note) VALUES ('another''s')")
		values := one.query(fmt.Sprintf("SELECT currval('%s_id_seq'), lastval()", name))
		unknown := b.fails(func() { third.query(fmt.Sprintf("SELECT currval('%s_id_seq')", name)) })
		expectThat(unknown.SQLState == "55000", "nobody else has a current value")
		return values
	},
}

const connected = `SELECT current_database()::text, session_user::text, current_user::text,
	current_setting('server_version'), pg_is_in_recovery()`

const transaction = "SELECT current_setting('transaction_isolation'), current_setting('transaction_read_only')"

const notices = `DO $$ BEGIN
  RAISE NOTICE 'one 1' USING DETAIL = 'a detail', HINT = 'a hint';
  RAISE WARNING 'two' USING ERRCODE = '01234';
END $$`

const copyRows = "SELECT n::int, 'note é ' || n FROM generate_series(1, 10000) n"

const copySums = "SELECT count(*), sum(id), md5(string_agg(note, ',' ORDER BY id)) FROM "
