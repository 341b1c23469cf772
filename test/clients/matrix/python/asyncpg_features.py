"""Statements, transactions and notifications by asyncpg."""

from __future__ import annotations

import asyncio
import contextlib

from asyncpg_bench import AsyncpgBench
from matrix import Feature, unsupported
from steps import (
    CONNECTED,
    NOTICES,
    TRANSACTION,
    expect_that,
    fails,
    others,
)


async def connect(bench: AsyncpgBench) -> object:
    connection = await bench.open()
    names = 'server_version server_encoding client_encoding is_superuser session_authorization TimeZone in_hot_standby'
    settings = connection.get_settings()
    return [
        [list(row) for row in await connection.fetch(CONNECTED)],
        [getattr(settings, name) for name in names.split()],
        repr(connection.get_server_version()),
    ]


async def simple_query(bench: AsyncpgBench) -> object:
    connection = await bench.open()
    status = await connection.execute('SELECT 1; CREATE TEMPORARY TABLE t (i int); INSERT INTO t VALUES (1), (2)')
    return [status, await connection.fetchval('SELECT count(*) FROM t')]


async def parameters_binary(bench: AsyncpgBench) -> object:
    connection = await bench.open()
    row = await connection.fetchrow('SELECT $1::bytea, $2::int, $3::float8, $4::bool', b'\x00\x01\xff', 7, 2.5, True)
    return repr(list(row))


async def unnamed_statement(bench: AsyncpgBench) -> object:
    """Without its cache, as its users are told to do behind a pooler; by its second connection parameters too."""
    connection = await bench.open(statement_cache_size=0)
    seen = []
    for number in range(5):
        seen.append(await connection.fetchval('SELECT $1::int * 2', number))
        await connection.execute('SELECT 1')
        seen.append(await connection.fetchval('SELECT upper($1)', f'n{number}'))
        if number % 2 == 0:
            await others(bench)
    return seen


async def named_statement(bench: AsyncpgBench) -> object:
    connection = await bench.open()
    statement = await connection.prepare('SELECT $1::int + 1', name='ours')
    seen = [repr(statement.get_parameters()), repr(statement.get_attributes())]
    for number in range(5):
        async with connection.transaction():
            seen.append(await statement.fetchval(number))
        await others(bench)
        seen.append(await statement.fetchval(-number))
    return seen


async def same_name(bench: AsyncpgBench) -> object:
    """Its own names hold a count of the process, so the names here are the caller's."""
    one, two = await bench.open(), await bench.open()
    first = await one.prepare('SELECT $1::int', name='same')
    second = await two.prepare("SELECT 'two ' || $1", name='same')
    return [[await first.fetchval(number), await second.fetchval('x')] for number in range(4)]


async def close_statement(bench: AsyncpgBench) -> object:
    """A cache of two: what falls out of it is closed with the next statement."""
    connection = await bench.open(statement_cache_size=2)
    return [await connection.fetchval(f'SELECT {number % 4} + $1::int', number) for number in range(12)]


async def batch(bench: AsyncpgBench) -> object:
    connection = await bench.open()
    await connection.execute('CREATE TEMPORARY TABLE many (id int, note text)')
    rows = [(number, f'n{number}') for number in range(500)]
    await connection.executemany('INSERT INTO many VALUES ($1, $2)', rows)
    back = await connection.fetchmany('INSERT INTO many VALUES ($1, $2) RETURNING id', rows)
    expect_that([row[0] for row in back] == list(range(500)), 'each answer belongs to its question')
    return repr(await connection.fetch('SELECT count(*), sum(id), count(DISTINCT note) FROM many'))


async def batch_error(bench: AsyncpgBench) -> object:
    connection = await bench.open()
    await connection.execute('CREATE TEMPORARY TABLE given (id int)')
    insert = 'INSERT INTO given VALUES (10/$1::int)'
    fault = await fails(bench, lambda: connection.executemany(insert, [(1,), (0,), (2,)]))
    # It is atomic: one Sync at the end.
    return [fault['sqlstate'], repr(await connection.fetch('SELECT * FROM given'))]


async def rows_in_parts(bench: AsyncpgBench) -> object:
    connection = await bench.open()
    async with connection.transaction():
        cursor = await connection.cursor('SELECT generate_series(1, $1::int)', 1000)
        seen = [len(await cursor.fetch(300)), await cursor.forward(100), (await cursor.fetchrow())[0]]
        # Two portals at once.
        async for row in connection.cursor('SELECT generate_series(1, 25)', prefetch=10):
            seen.append(row[0])
        seen.append(len(await cursor.fetch(1000)))
    return seen


async def cancel(bench: AsyncpgBench) -> object:
    connection, neighbour = await bench.open(), await bench.open()
    bystander = asyncio.create_task(neighbour.fetchval('SELECT 1 FROM pg_sleep(0.5)'))
    # It sends a cancel request when its time is over, and waits for what becomes of it.
    try:
        await connection.fetch('SELECT pg_sleep(60)', timeout=1)
    except TimeoutError:
        ended = 'timeout'
    running = asyncio.create_task(connection.fetch('SELECT pg_sleep(61)'))
    await asyncio.sleep(1)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    return [ended, await bystander, await connection.fetchval('SELECT 1')]


async def notices(bench: AsyncpgBench) -> object:
    connection = await bench.open()
    seen: list[object] = []
    connection.add_log_listener(
        lambda _, one: seen.append([one.severity, one.sqlstate, one.message, one.detail, one.hint])
    )
    await connection.execute(NOTICES)
    await connection.execute('DROP TABLE IF EXISTS there_is_none')
    return seen


async def isolation(bench: AsyncpgBench) -> object:
    connection = await bench.open()
    transaction = connection.transaction(isolation='serializable', readonly=True, deferrable=True)
    await transaction.start()
    inside = repr(await connection.fetch(TRANSACTION))
    write = await fails(bench, lambda: connection.execute('CREATE TABLE never (id int)'))
    await transaction.rollback()
    return [inside, write['sqlstate'], repr(await connection.fetch(TRANSACTION))]


async def listen_notify(bench: AsyncpgBench) -> object:
    listener, neighbour = await bench.open(), await bench.open()
    heard: list[object] = []
    second = asyncio.Event()

    def hear(_connection: object, _pid: int, channel: str, payload: str) -> None:
        heard.append([channel, payload])
        if payload == 'second':
            second.set()

    await listener.add_listener('news_python', hear)
    await others(bench)
    await neighbour.execute("NOTIFY news_python, 'first'")
    await neighbour.execute("SELECT pg_notify('other', 'not for us')")
    async with listener.transaction():
        await listener.fetchval('SELECT 1')
    await neighbour.execute('SELECT pg_notify($1, $2)', 'news_python', 'second')
    await second.wait()
    await listener.remove_listener('news_python', hear)
    await neighbour.execute("NOTIFY news_python, 'third'")
    await listener.fetchval('SELECT 1')
    # RESET as its pool does it between two users.
    await listener.reset()
    return [heard, await listener.fetchval('SELECT 1')]


ASYNCPG: dict[str, Feature] = {
    'connect': connect,
    'simple-query': simple_query,
    'empty-query': unsupported('it can not read the answer'),
    'parameters-text': unsupported('binary format only'),
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
    'listen-notify': listen_notify,
}
