"""Statements, transactions and notifications by psycopg2."""

from __future__ import annotations

import asyncio

import psycopg2
import psycopg2.extensions
import psycopg2.extras

from matrix import Feature, unsupported
from psycopg2_bench import Psycopg2Bench, query_rows
from steps import (
    CONNECTED,
    NOTICES,
    TRANSACTION,
    fails,
    others,
)


async def connect(bench: Psycopg2Bench) -> object:
    connection = await bench.open()
    names = 'server_version client_encoding is_superuser session_authorization DateStyle TimeZone integer_datetimes'
    shown = [connection.get_parameter_status(name) for name in names.split()]
    return [query_rows(connection, CONNECTED), shown, connection.server_version, connection.info.protocol_version]


async def simple_query(bench: Psycopg2Bench) -> object:
    connection = await bench.open()
    cursor = connection.cursor()
    cursor.execute("CREATE TEMPORARY TABLE t (i int); INSERT INTO t VALUES (1), (2); SELECT 'x' AS b, NULL AS c")
    return [cursor.statusmessage, cursor.rowcount, cursor.fetchall(), repr(cursor.description)]


async def empty_query(bench: Psycopg2Bench) -> object:
    connection = await bench.open()
    fault = await fails(bench, lambda: asyncio.to_thread(query_rows, connection, ' '))
    return [fault['message'], query_rows(connection, 'SELECT 1')]


async def batch(bench: Psycopg2Bench) -> object:
    connection = await bench.open()
    query_rows(connection, 'CREATE TEMPORARY TABLE many (id int, note text)')
    rows = [(number, f'n{number}') for number in range(500)]
    with connection.cursor() as cursor:
        psycopg2.extras.execute_batch(cursor, 'INSERT INTO many VALUES (%s, %s)', rows)
        psycopg2.extras.execute_values(cursor, 'INSERT INTO many VALUES %s', rows)
    return query_rows(connection, 'SELECT count(*), sum(id), count(DISTINCT note) FROM many')


async def batch_error(bench: Psycopg2Bench) -> object:
    connection = await bench.open()
    query_rows(connection, 'CREATE TEMPORARY TABLE given (id int)')

    def work() -> None:
        with connection.cursor() as cursor:
            psycopg2.extras.execute_batch(cursor, 'INSERT INTO given VALUES (10/%s)', [(1,), (0,), (2,)])

    fault = await fails(bench, lambda: asyncio.to_thread(work))
    return [fault['sqlstate'], query_rows(connection, 'SELECT * FROM given')]


async def rows_in_parts(bench: Psycopg2Bench) -> object:
    connection = await bench.open()
    connection.autocommit = False
    with connection.cursor('parts', scrollable=True) as cursor:
        cursor.execute('SELECT generate_series(1, %s)', [1000])
        seen = [len(cursor.fetchmany(300))]
        cursor.scroll(-100)
        seen += [cursor.fetchone()[0], len(cursor.fetchall())]
    connection.commit()
    return seen


async def cancel(bench: Psycopg2Bench) -> object:
    connection, neighbour = await bench.open(), await bench.open()
    bystander = asyncio.create_task(asyncio.to_thread(query_rows, neighbour, 'SELECT 1 FROM pg_sleep(0.5)'))
    ended = asyncio.create_task(fails(bench, lambda: asyncio.to_thread(query_rows, connection, 'SELECT pg_sleep(60)')))
    while not ended.done():
        # One that comes too early does nothing.
        await asyncio.to_thread(connection.cancel)
        await asyncio.wait([ended], timeout=0.05)
    fault = await ended
    return [fault['sqlstate'], fault['message'], await bystander, query_rows(connection, 'SELECT 1')]


async def notices(bench: Psycopg2Bench) -> object:
    connection = await bench.open()
    query_rows(connection, NOTICES)
    query_rows(connection, 'DROP TABLE IF EXISTS there_is_none')
    return connection.notices


async def isolation(bench: Psycopg2Bench) -> object:
    connection = await bench.open()
    connection.set_session('SERIALIZABLE', readonly=True, deferrable=True, autocommit=False)
    inside = query_rows(connection, TRANSACTION)
    write = await fails(bench, lambda: asyncio.to_thread(query_rows, connection, 'CREATE TABLE never (id int)'))
    connection.rollback()
    connection.set_session('DEFAULT', readonly='DEFAULT', deferrable='DEFAULT', autocommit=True)
    return [inside, write['sqlstate'], query_rows(connection, TRANSACTION)]


async def two_phase(bench: Psycopg2Bench) -> object:
    connection, neighbour = await bench.open(), await bench.open()
    connection.autocommit = neighbour.autocommit = False
    names = connection.xid(1, 'matrix', 'psycopg2')
    connection.tpc_begin(names)
    query_rows(connection, 'DROP TABLE IF EXISTS python_tpc2')
    query_rows(connection, 'CREATE TABLE python_tpc2 (id int)')
    connection.tpc_prepare()
    waiting = [one.gtrid for one in neighbour.tpc_recover() if one.bqual == 'psycopg2']
    neighbour.rollback()
    neighbour.tpc_commit(names)
    return [waiting, query_rows(neighbour, 'SELECT count(*) FROM python_tpc2')]


async def listen_notify(bench: Psycopg2Bench) -> object:
    listener, neighbour = await bench.open(), await bench.open()
    query_rows(listener, 'LISTEN news_python')
    await others(bench)
    query_rows(neighbour, "NOTIFY news_python, 'first'")
    query_rows(neighbour, "SELECT pg_notify('other', 'not for us')")
    query_rows(neighbour, 'SELECT pg_notify(%s, %s)', ['news_python', 'second'])
    while len(listener.notifies) < 2:
        await asyncio.sleep(0.01)
        listener.poll()
    query_rows(listener, 'UNLISTEN news_python')
    query_rows(neighbour, "NOTIFY news_python, 'third'")
    query_rows(listener, 'SELECT 1')
    return [[one.channel, one.payload] for one in listener.notifies]


NO_EXTENDED = 'no extended protocol'


PSYCOPG2: dict[str, Feature] = {
    'connect': connect,
    'simple-query': simple_query,
    'empty-query': empty_query,
    'parameters-text': unsupported('parameters are written into the text'),
    'parameters-binary': unsupported(NO_EXTENDED),
    'unnamed-statement': unsupported(NO_EXTENDED),
    'named-statement': unsupported(NO_EXTENDED),
    'same-name': unsupported(NO_EXTENDED),
    'close-statement': unsupported(NO_EXTENDED),
    'batch': batch,
    'batch-error': batch_error,
    'rows-in-parts': rows_in_parts,
    'cancel': cancel,
    'notices': notices,
    'isolation': isolation,
    'two-phase': two_phase,
    'listen-notify': listen_notify,
}
