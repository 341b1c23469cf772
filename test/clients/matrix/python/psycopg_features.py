"""Statements, transactions and notifications by psycopg 3."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg

from matrix import Feature, unsupported
from psycopg_bench import PsycopgBench
from steps import CONNECTED, NOTICES, TRANSACTION, expect_that, fails, others


async def connect(bench: PsycopgBench) -> object:
    connection = await bench.open()
    rows = await (await bench.execute(connection, CONNECTED)).fetchall()
    names = 'server_version server_encoding client_encoding is_superuser session_authorization DateStyle IntervalStyle'
    names += ' TimeZone integer_datetimes standard_conforming_strings default_transaction_read_only search_path'
    info = connection.info
    return [
        rows,
        info.server_version,
        info.user == bench.address.user,
        [info.parameter_status(one) for one in names.split()],
    ]


async def simple_query(bench: PsycopgBench) -> object:
    connection = await bench.open()
    text = "SELECT 1 AS a; SELECT 'x' AS b, NULL AS c; CREATE TEMPORARY TABLE t (i int); INSERT INTO t VALUES (1), (2)"
    # Several statements go by the simple protocol, which has no binary results.
    cursor = await connection.execute(text, prepare=False)
    seen = []
    while True:
        rows = await cursor.fetchall() if cursor.description else None
        seen.append([cursor.statusmessage, cursor.rowcount, rows, repr(cursor.description)])
        more = cursor.nextset()
        if not (await more if bench.sync else more):
            return seen


async def empty_query(bench: PsycopgBench) -> object:
    connection = await bench.open()
    cursor = await bench.execute(connection, ' ')
    return [cursor.statusmessage, cursor.rowcount, await (await bench.execute(connection, 'SELECT 1')).fetchall()]


async def parameters_text(bench: PsycopgBench) -> object:
    connection = await bench.open()
    sql = 'SELECT %t::text, %t::int, %t::date, %t::bool'
    cursor = await connection.execute(sql, ["it's", 7, '2026-01-31', True])
    return [await cursor.fetchall(), repr(cursor.description)]


async def parameters_binary(bench: PsycopgBench) -> object:
    connection = await bench.open()
    sql = 'SELECT %b::bytea, %b::int, %b::float8, now() IS NOT NULL'
    cursor = await connection.execute(sql, [b'\x00\x01\xff', 7, 2.5], binary=True)
    return [await cursor.fetchall(), [cursor.pgresult.fformat(column) for column in range(4)]]


async def unnamed_statement(bench: PsycopgBench) -> object:
    connection = await bench.open(prepare_threshold=None)
    seen = []
    for number in range(5):
        seen.append(await (await bench.execute(connection, 'SELECT %s::int * 2', [number])).fetchall())
        await connection.execute('SELECT 1')
        seen.append(await (await bench.execute(connection, 'SELECT upper(%s)', [f'n{number}'])).fetchall())
        if number % 2 == 0:
            await others(bench)
    return seen


async def named_statement(bench: PsycopgBench) -> object:
    connection = await bench.open()
    seen = []
    for number in range(5):
        async with connection.transaction():
            cursor = await connection.execute('SELECT %s::int + 1', [number], prepare=True)
            seen.append(await cursor.fetchall())
        await others(bench)
        cursor = await connection.execute('SELECT %s::int + 1', [-number], prepare=True)
        seen.append(await cursor.fetchall())
    return seen


async def same_name(bench: PsycopgBench) -> object:
    """Its names are counted by connection, so two connections have the same: _pg3_0."""
    one, two = await bench.open(), await bench.open()
    seen = []
    for number in range(4):
        seen.append(await (await one.execute('SELECT %s::int', [number], prepare=True)).fetchall())
        seen.append(await (await two.execute("SELECT 'two ' || %s", ['x'], prepare=True)).fetchall())
    return seen


async def close_statement(bench: PsycopgBench) -> object:
    """Room for two prepared statements: the third one closes the first, by a Close message since libpq 17."""
    connection = await bench.open()
    inner = connection.inner if bench.sync else connection
    inner.prepared_max = 2
    seen = []
    for number in range(12):
        cursor = await connection.execute(f'SELECT {number % 4} + %s::int', [number], prepare=True)
        seen.append(await cursor.fetchall())
    return seen


async def batch(bench: PsycopgBench) -> object:
    connection = await bench.open()
    async with connection.pipeline():
        cursors = [await bench.execute(connection, 'SELECT %s::int', [number]) for number in range(500)]
        answers = [await cursor.fetchone() for cursor in cursors]
    expect_that(answers == [(number,) for number in range(500)], 'each answer belongs to its question')
    cursor = await bench.execute(connection, 'CREATE TEMPORARY TABLE many (id int, note text)')
    await cursor.executemany(
        'INSERT INTO many VALUES (%s, %s) RETURNING id', [(n, f'n{n}') for n in range(200)], returning=True
    )
    return [len(answers), await (await bench.execute(connection, 'SELECT count(*), sum(id) FROM many')).fetchall()]


async def batch_error(bench: PsycopgBench) -> object:
    connection = await bench.open()
    await connection.execute('CREATE TEMPORARY TABLE given (id int)')

    async def work() -> None:
        async with connection.pipeline() as pipeline:
            await bench.execute(connection, 'INSERT INTO given VALUES (%s::int)', [1])
            await pipeline.sync()
            await bench.execute(connection, 'INSERT INTO given VALUES (%s::int)', [2])
            await bench.execute(connection, 'INSERT INTO given VALUES (1/%s::int)', [0])
            await bench.execute(connection, 'INSERT INTO given VALUES (%s::int)', [3])

    fault = await fails(bench, work)
    # Until the next Sync it is one transaction; which of the others report that is a question of time.
    return [fault['sqlstate'], await (await bench.execute(connection, 'SELECT * FROM given')).fetchall()]


async def rows_in_parts(bench: PsycopgBench) -> object:
    connection = await bench.open()
    seen = []
    async with connection.transaction():
        cursor = connection.cursor('parts', binary=bench.binary, scrollable=True)
        cursor = await cursor if bench.sync else cursor
        await cursor.execute('SELECT generate_series(1, %s::int)', [1000])
        seen.append(len(await cursor.fetchmany(300)))
        await cursor.scroll(-100)
        seen.append(await cursor.fetchone())
        seen.append(len(await cursor.fetchall()))
        await cursor.close()
    # Single-row and chunked mode: one portal, read as it comes.
    cursor = await bench.execute(connection, 'SELECT 1')
    streamed = [row[0] async for row in cursor.stream('SELECT generate_series(1, %s::int)', [1000], size=100)]
    return [seen, len(streamed), streamed[-1]]


async def cancel(bench: PsycopgBench) -> object:
    connection, neighbour = await bench.open(), await bench.open()

    async def run(one: Any, sql: str) -> object:
        return await (await one.execute(sql)).fetchall()

    bystander = asyncio.create_task(run(neighbour, 'SELECT 1 FROM pg_sleep(0.5)'))
    ended = asyncio.create_task(fails(bench, lambda: run(connection, 'SELECT pg_sleep(60)')))
    while not ended.done():
        # One that comes too early does nothing.
        await connection.cancel_safe()
        await asyncio.wait([ended], timeout=0.05)
    fault = await ended
    return [fault['sqlstate'], fault['message'], await bystander, await run(connection, 'SELECT 1')]


async def notices(bench: PsycopgBench) -> object:
    connection = await bench.open()
    seen: list[object] = []

    def hear(one: psycopg.errors.Diagnostic) -> None:
        seen.append([one.severity, one.sqlstate, one.message_primary, one.message_detail, one.message_hint])

    (connection.inner if bench.sync else connection).add_notice_handler(hear)
    await connection.execute(NOTICES)
    await connection.execute('DROP TABLE IF EXISTS there_is_none')
    return seen


async def isolation(bench: PsycopgBench) -> object:
    connection = await bench.open(autocommit=False)
    await connection.set_isolation_level(psycopg.IsolationLevel.SERIALIZABLE)
    await connection.set_read_only(True)
    await connection.set_deferrable(True)
    inside = await (await bench.execute(connection, TRANSACTION)).fetchall()
    write = await fails(bench, lambda: bench.execute(connection, 'CREATE TABLE never (id int)'))
    await connection.rollback()
    await connection.set_isolation_level(None)
    await connection.set_read_only(None)
    await connection.set_deferrable(None)
    return [inside, write['sqlstate'], await (await bench.execute(connection, TRANSACTION)).fetchall()]


async def two_phase(bench: PsycopgBench) -> object:
    connection, neighbour = await bench.open(autocommit=False), await bench.open(autocommit=False)
    names = await connection.xid(1, 'matrix', 'psycopg') if bench.sync else connection.xid(1, 'matrix', 'psycopg')
    names = names.inner if bench.sync else names
    await connection.tpc_begin(names)
    await bench.execute(connection, 'DROP TABLE IF EXISTS python_tpc')
    await bench.execute(connection, 'CREATE TABLE python_tpc (id int)')
    await connection.tpc_prepare()
    waiting = [one.gtrid for one in await neighbour.tpc_recover() if one.bqual == 'psycopg']
    await neighbour.rollback()
    await neighbour.tpc_commit(names)
    return [waiting, await (await bench.execute(neighbour, 'SELECT count(*) FROM python_tpc')).fetchall()]


async def listen_notify(bench: PsycopgBench) -> object:
    listener, neighbour = await bench.open(), await bench.open()
    await listener.execute('LISTEN news_python')
    await others(bench)
    await neighbour.execute("NOTIFY news_python, 'first'")
    await neighbour.execute("SELECT pg_notify('other', 'not for us')")
    async with listener.transaction():
        await listener.execute('SELECT 1')
    await neighbour.execute('SELECT pg_notify(%s, %s)', ['news_python', 'second'])
    heard = [[one.channel, one.payload] async for one in listener.notifies(timeout=10, stop_after=2)]
    await listener.execute('UNLISTEN news_python')
    await neighbour.execute("NOTIFY news_python, 'third'")
    return [heard, [one.payload async for one in listener.notifies(timeout=0.2)]]


PSYCOPG: dict[str, Feature] = {
    'connect': connect,
    'simple-query': simple_query,
    'empty-query': empty_query,
    'parameters-text': parameters_text,
    'parameters-binary': parameters_binary,
    'unnamed-statement': unnamed_statement,
    'named-statement': named_statement,
    'same-name': same_name,
    'close-statement': close_statement,
    'batch': batch,
    'batch-error': batch_error,
    'rows-in-parts': rows_in_parts,
    'cancel': cancel,
    'notices': notices,
    'isolation': isolation,
    'two-phase': two_phase,
    'listen-notify': listen_notify,
    'large-object-api': unsupported('no interface to large objects'),
}
