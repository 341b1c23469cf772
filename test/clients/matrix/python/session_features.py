"""What a session keeps from one transaction to the next, while others work."""

from __future__ import annotations

from matrix import Bench, Feature
from steps import expect_that, fails, others, table


async def set_survives(bench: Bench) -> object:
    client = await bench.client()
    shown = """SELECT current_setting('work_mem'), current_setting('TimeZone'), current_setting('search_path'),
                      current_setting('matrix.own', true), current_setting('DateStyle')"""
    await client.query("SET work_mem = '5MB'")
    await client.query("SET TIME ZONE 'Asia/Kolkata'")
    await client.query('SET search_path = pg_catalog, main')
    await client.query("SET matrix.own = 'mine'")
    await client.query("SELECT set_config('DateStyle', 'ISO, YMD', false)")
    await others(bench)
    kept = await client.query(shown)
    await client.query('BEGIN')
    inside = await client.query(shown)
    await client.query('COMMIT')
    await others(bench)
    await client.query('RESET work_mem')
    await client.query('RESET TIME ZONE')
    await others(bench)
    return [kept, inside, await client.query(shown)]


async def set_local(bench: Bench) -> object:
    client = await bench.client()
    shown = "SELECT current_setting('work_mem'), current_setting('DateStyle')"
    await client.query("SET work_mem = '5MB'")
    await client.query('BEGIN')
    await client.query("SET LOCAL work_mem = '6MB'")
    inside = await client.query(shown)
    await client.query('COMMIT')
    await client.query('BEGIN')
    await client.query("SET DateStyle = 'ISO, YMD'")
    await client.query('ROLLBACK')
    await others(bench)
    return [inside, await client.query(shown)]


async def temporary_table(bench: Bench) -> object:
    client, neighbour = await bench.client(), await bench.client()
    await client.query('CREATE TEMPORARY TABLE own_rows (id int)')
    await others(bench)
    await client.query('INSERT INTO own_rows VALUES ($1)', 1)
    await others(bench)
    hidden = await fails(bench, lambda: neighbour.query('SELECT * FROM own_rows'))
    await client.query('BEGIN')
    await client.query('CREATE TEMPORARY TABLE own_short (id int) ON COMMIT DROP')
    await client.query('INSERT INTO own_short SELECT * FROM own_rows')
    inside = await client.query('SELECT * FROM own_short')
    await client.query('COMMIT')
    dropped = await fails(bench, lambda: client.query('SELECT * FROM own_short'))
    return [hidden['sqlstate'], inside, dropped['sqlstate'], await client.query('SELECT * FROM own_rows')]


async def advisory_lock(bench: Bench) -> object:
    client, neighbour = await bench.client(), await bench.client()
    tried = 'SELECT pg_try_advisory_lock(4723)'
    await client.query('SELECT pg_advisory_lock(4723)')
    await others(bench)
    held = await neighbour.query(tried)
    await client.query('BEGIN')
    await client.query('COMMIT')
    await others(bench)
    still_held = await neighbour.query(tried)
    unlocked = await client.query('SELECT pg_advisory_unlock(4723), pg_advisory_unlock(4723)')
    return [held, still_held, unlocked, await neighbour.query(tried)]


async def cursor_hold(bench: Bench) -> object:
    client, neighbour = await bench.client(), await bench.client()
    await client.query('BEGIN')
    await client.query('DECLARE held CURSOR WITH HOLD FOR SELECT generate_series(1, 10)')
    first = await client.query('FETCH 2 FROM held')
    await client.query('COMMIT')
    await others(bench)
    second = await client.query('FETCH 3 FROM held')
    hidden = await fails(bench, lambda: neighbour.query('FETCH 1 FROM held'))
    await others(bench)
    last = await client.query('FETCH ALL FROM held')
    await client.query('CLOSE held')
    closed = await fails(bench, lambda: client.query('FETCH 1 FROM held'))
    return [first, second, hidden['sqlstate'], last, closed['sqlstate']]


async def sequence_value(bench: Bench) -> object:
    name = await table(bench, 'sequence_value', 'id serial, note text')
    client, neighbour, third = await bench.client(), await bench.client(), await bench.client()
    await client.query(f"INSERT INTO {name} (note) VALUES ('mine')")
    await others(bench)
    await neighbour.query(f"INSERT INTO {name} (note) VALUES ('another''s')")
    values = await client.query(f"SELECT currval('{name}_id_seq')::int, lastval()::int")
    unknown = await fails(bench, lambda: third.query(f"SELECT currval('{name}_id_seq')"))
    expect_that(unknown['sqlstate'] == '55000', 'nobody else has a current value')
    return values


SESSION: dict[str, Feature] = {
    'set-survives': set_survives,
    'set-local': set_local,
    'temporary-table': temporary_table,
    'advisory-lock': advisory_lock,
    'cursor-hold': cursor_hold,
    'sequence-value': sequence_value,
}
