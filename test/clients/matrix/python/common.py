"""Features that need nothing but statements with parameters; the same for every Python driver."""

from __future__ import annotations

import asyncio

from matrix import Bench, Feature
from steps import expect_that, fails, others, table


async def wrong_password(bench: Bench) -> object:
    async def work() -> None:
        await (await bench.client('not-the-password')).query('SELECT 1')

    fault = await fails(bench, work)
    # libpq gives the text of a refused connection, not its code.
    return (
        fault['sqlstate']
        or 'password authentication failed' in fault['message']
        or 'Authentication failed' in fault['message']
    )


async def reconnect(bench: Bench) -> object:
    seen = []
    for number in range(10):
        client = await bench.client()
        for _ in range(6):
            # Often enough for the drivers that prepare what is repeated.
            rows = await client.query(f'SELECT {number} + $1::int', 1)
        seen.append(rows)
        await client.end()
    return seen


async def abrupt_close(bench: Bench) -> object:
    name = await table(bench, 'abrupt_close', 'id integer PRIMARY KEY')
    neighbour, leaving = await bench.client(), await bench.client()
    await leaving.query('BEGIN')
    await leaving.query(f'INSERT INTO {name} VALUES (1)')
    await leaving.query('SELECT pg_advisory_xact_lock(4721)')
    leaving.destroy()
    # Both wait until the server has noticed.
    await neighbour.query('SELECT pg_advisory_lock(4721)')
    await neighbour.query('SELECT pg_advisory_unlock(4721)')
    await neighbour.query(f'INSERT INTO {name} VALUES (1)')
    return await neighbour.query(f'SELECT * FROM {name}')


async def concurrent_clients(bench: Bench) -> object:
    name = await table(bench, 'concurrent_clients', 'client integer, note text')

    async def alone(index: int) -> None:
        client = await bench.client()
        await client.query(f'SET matrix.client = {index}')
        for number in range(7):
            await client.query('BEGIN')
            await client.query(f'INSERT INTO {name} VALUES ($1, $2)', index, f'{index}/{number}')
            own = await client.query(f'SELECT {index} + $1::int', number)
            expect_that(own == [[index + number]], 'the statement is its own')
            # psycopg 3 follows a ROLLBACK by DEALLOCATE ALL.
            await client.query('ROLLBACK' if number == 6 else 'COMMIT')
            shown = await client.query("SELECT current_setting('matrix.client')")
            expect_that(shown == [[str(index)]], 'the setting is its own')
        await client.end()

    async with asyncio.TaskGroup() as tasks:
        for index in range(24):
            tasks.create_task(alone(index))
    client = await bench.client()
    return await client.query(f'SELECT count(*), count(DISTINCT client), count(DISTINCT note) FROM {name}')


async def deallocate_all(bench: Bench) -> object:
    client = await bench.client()
    await client.query('PREPARE mine AS SELECT 1')
    await client.query('SELECT $1::int', 1)
    await client.query('DEALLOCATE ALL')
    await others(bench)
    gone = await fails(bench, lambda: client.query('EXECUTE mine'))
    await client.query('PREPARE mine AS SELECT 2')
    # asyncpg remembers by its text that the statement gave no rows.
    return [
        gone['sqlstate'],
        await client.query('/* again */ EXECUTE mine'),
        await client.query('SELECT $1::int + 1', 3),
    ]


async def discard_all(bench: Bench) -> object:
    client = await bench.client()
    before = await client.query('SHOW work_mem')
    await client.query("SET work_mem = '7MB'")
    await client.query('CREATE TEMPORARY TABLE discarded (id int)')
    await client.query('PREPARE discarded AS SELECT 1')
    await client.query('SELECT pg_advisory_lock(4722)')
    await client.query('DISCARD ALL')
    neighbour = await bench.client()
    is_free = await neighbour.query('SELECT pg_try_advisory_lock(4722)')
    # Another text than before: drivers that remember statements would look for the one that is gone.
    after = await client.query("SELECT current_setting('work_mem')")
    expect_that(before == after, 'work_mem is back')
    no_table = await fails(bench, lambda: client.query('SELECT * FROM discarded'))
    no_statement = await fails(bench, lambda: client.query('EXECUTE discarded'))
    return [is_free, no_table['sqlstate'], no_statement['sqlstate']]


async def sql_prepare(bench: Bench) -> object:
    client, neighbour = await bench.client(), await bench.client()
    await client.query('PREPARE twice (int) AS SELECT $1 * 2')
    await neighbour.query('PREPARE twice (int) AS SELECT $1 * 20')
    await others(bench)
    await client.query('BEGIN')
    rows = [await client.query('EXECUTE twice(21)'), await neighbour.query('EXECUTE twice(21)')]
    await client.query('COMMIT')
    await others(bench)
    rows.append(await client.query('EXECUTE twice(4)'))
    await client.query('DEALLOCATE twice')
    gone = await fails(bench, lambda: client.query('EXECUTE twice(4)'))
    return [rows, gone['sqlstate'], await neighbour.query('EXECUTE twice(1)')]


async def changed_table(bench: Bench) -> object:
    name = await table(bench, 'changed_table', 'id int')
    client, neighbour = await bench.client(), await bench.client()
    await client.query(f'INSERT INTO {name} VALUES (1)')
    for _ in range(6):
        before = await client.query(f'SELECT * FROM {name} WHERE id = $1', 1)
    await neighbour.query(f"ALTER TABLE {name} ADD COLUMN note text DEFAULT 'new'")
    seen = []
    for _ in range(2):
        try:
            seen.append(await client.query(f'SELECT * FROM {name} WHERE id = $1', 1))
        except Exception as error:  # some drivers prepare again by themselves, some leave it to the caller
            seen.append([[bench.fault(error)['sqlstate']]])
    return [before, seen, await client.query(f'SELECT * FROM {name} WHERE id = $1 OR false', 1)]


async def statement_timeout(bench: Bench) -> object:
    client = await bench.client()
    await client.query("SET statement_timeout = '100ms'")
    ended = await fails(bench, lambda: client.query('SELECT pg_sleep(60)'))
    await client.query('RESET statement_timeout')
    return [ended['sqlstate'], ended['message'], await client.query('SELECT 1')]


async def error_fields(bench: Bench) -> object:
    name = await table(bench, 'error_fields', 'id int CONSTRAINT python_one_of_each UNIQUE')
    client = await bench.client()
    await client.query(f'INSERT INTO {name} VALUES (1)')
    return [
        await fails(bench, lambda: client.query(f'INSERT INTO {name} VALUES ($1)', 1)),
        await fails(bench, lambda: client.query('SELECT nothing FROM nowhere')),
        await fails(bench, lambda: client.query('SELEKT 1')),
        await fails(bench, lambda: client.query('SELECT 1/$1::int', 0)),
    ]


async def commit(bench: Bench) -> object:
    name = await table(bench, 'commits', 'id int')
    client, neighbour = await bench.client(), await bench.client()
    await client.query('BEGIN')
    await client.query(f'INSERT INTO {name} VALUES (1)')
    before = await neighbour.query(f'SELECT * FROM {name}')
    await client.query('COMMIT')
    return [before, await neighbour.query(f'SELECT * FROM {name}')]


async def rollback(bench: Bench) -> object:
    name = await table(bench, 'rollbacks', 'id int')
    client = await bench.client()
    await client.query('BEGIN')
    await client.query(f'INSERT INTO {name} VALUES (1)')
    inside = await client.query(f'SELECT * FROM {name}')
    await client.query('ROLLBACK')
    return [inside, await client.query(f'SELECT * FROM {name}')]


async def savepoint(bench: Bench) -> object:
    name = await table(bench, 'savepoints', 'id int PRIMARY KEY')
    client = await bench.client()
    await client.query('BEGIN')
    await client.query(f'INSERT INTO {name} VALUES (1)')
    await client.query('SAVEPOINT a')
    twice = await fails(bench, lambda: client.query(f'INSERT INTO {name} VALUES (1)'))
    await client.query('ROLLBACK TO SAVEPOINT a')
    await client.query(f'INSERT INTO {name} VALUES (2)')
    await client.query('RELEASE SAVEPOINT a')
    await client.query('COMMIT')
    return [twice['sqlstate'], await client.query(f'SELECT * FROM {name} ORDER BY id')]


async def error_in_transaction(bench: Bench) -> object:
    client = await bench.client()
    await client.query('BEGIN')
    first = await fails(bench, lambda: client.query('SELECT 1/0'))
    second = await fails(bench, lambda: client.query('SELECT 1'))
    third = await fails(bench, lambda: client.query('SELECT $1::int', 1))
    await client.query('ROLLBACK')
    return [first['sqlstate'], second['message'], third['sqlstate'], await client.query('SELECT 1')]


async def two_phase(bench: Bench) -> object:
    name = await table(bench, 'two_phase', 'id int')
    client, neighbour = await bench.client(), await bench.client()
    await client.query('BEGIN')
    await client.query(f'INSERT INTO {name} VALUES (1)')
    await client.query("PREPARE TRANSACTION 'matrix-python'")
    before = await client.query(f'SELECT * FROM {name}')
    await neighbour.query("COMMIT PREPARED 'matrix-python'")
    return [before, await client.query(f'SELECT * FROM {name}')]


async def large_object(bench: Bench) -> object:
    client = await bench.client()
    await client.query('BEGIN')
    [[made]] = await client.query("SELECT lo_from_bytea(0, decode(repeat('ab', 20000), 'hex'))")
    [[opened]] = await client.query(f'SELECT lo_open({made}, 131072)')
    parts = await client.query(f'SELECT length(loread({opened}, 15000)), length(loread({opened}, 15000))')
    await client.query('COMMIT')
    await others(bench)
    return [parts, await client.query(f'SELECT lo_unlink({made})')]


async def large_value(bench: Bench) -> object:
    client = await bench.client()
    value = 'large value ' * (8 * 1024 * 1024 // 12)
    [[length, back]] = await client.query('SELECT length(v), v FROM (SELECT $1::text) given(v)', value)
    return [length, back == value]


async def many_rows(bench: Bench) -> object:
    client = await bench.client()
    rows = await client.query("SELECT n::int, 'row ' || n AS note FROM generate_series(1, $1::int) n", 50_000)
    return [len(rows), sum(row[0] for row in rows), rows[-1]]


async def unicode(bench: Bench) -> object:
    client = await bench.client()
    return await client.query('SELECT $1::text AS "größe 🐘", length($2::text)', '日本 🐘 ﷽', '日本 🐘 ﷽')


COMMON: dict[str, Feature] = {
    'wrong-password': wrong_password,
    'reconnect': reconnect,
    'abrupt-close': abrupt_close,
    'concurrent-clients': concurrent_clients,
    'deallocate-all': deallocate_all,
    'discard-all': discard_all,
    'sql-prepare': sql_prepare,
    'changed-table': changed_table,
    'statement-timeout': statement_timeout,
    'error-fields': error_fields,
    'commit': commit,
    'rollback': rollback,
    'savepoint': savepoint,
    'error-in-transaction': error_in_transaction,
    'two-phase': two_phase,
    'large-object': large_object,
    'large-value': large_value,
    'many-rows': many_rows,
    'unicode': unicode,
}
