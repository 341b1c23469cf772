from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import Iterator
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from proxy_address import INVALID_KEY, ProxyAddress
from waiting import is_running, wait_until

VALUES = (
    *(7, -(2**40), 1.5, Decimal('12345678901234567890.123'), "it's \\ é", b'\x00\xff', True, None),
    *([1, None, 3], uuid.UUID(int=5), datetime(2026, 1, 31, 8, tzinfo=timezone.utc)),
)
TYPES = ('int', 'bigint', 'float8', 'numeric', 'text', 'bytea', 'bool', 'text', 'int[]', 'uuid', 'timestamptz')


@pytest.fixture
def connection(proxy: ProxyAddress, admin_key: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(**proxy.keywords(admin_key), autocommit=True) as connection:
        yield connection


@pytest.mark.parametrize('binary', [False, True])
def test_parameters_and_results(connection: psycopg.Connection[Any], binary: bool) -> None:
    mark = '%b' if binary else '%s'
    sql = 'SELECT ' + ', '.join(f'{mark}::{name}' for name in TYPES)
    assert connection.execute(sql.encode(), VALUES, binary=binary).fetchone() == VALUES


@pytest.mark.parametrize('binary', [False, True])
def test_key_functions_take_parameters(administrator: psycopg.Connection[Any], binary: bool) -> None:
    name = f'psycopg-{uuid.uuid4().hex[:8]}'
    mark = '%b' if binary else '%s'
    cursor = administrator.execute(
        f'SELECT create_api_key({mark}, {mark}, {mark})'.encode(), (name, 'readonly', 'x'), binary=binary
    )
    assert cursor.description is not None
    assert cursor.description[0].name == 'api_key'
    assert cursor.fetchone()[0].startswith('hd_ro_')
    listed = administrator.execute(
        f'SELECT agent_id, scope, last_used_at FROM _hatidata_keys.active_keys WHERE agent_id = {mark}'.encode(),
        (name,),
        binary=binary,
    )
    assert listed.fetchall() == [(name, 'readonly', None)]
    administrator.execute(f'SELECT revoke_api_key({mark})'.encode(), (name,), binary=binary)


def test_prepared_statements(
    connection: psycopg.Connection[Any], administrator: psycopg.Connection[Any]
) -> None:
    for n in range(10):
        assert connection.execute('SELECT %s::int + 1', (n,), prepare=True).fetchone() == (n + 1,)
    # What the proxy keeps for this client; pg_prepared_statements shows what SQL prepared.
    kept = 'SELECT prepared_statements FROM _hatidata_status.clients WHERE client_id = %s'
    assert administrator.execute(kept, (connection.info.backend_pid,)).fetchone() == (1,)


def test_pipeline(connection: psycopg.Connection[Any], table: str) -> None:
    with connection.pipeline(), connection.cursor() as cursor:
        cursor.executemany(f'INSERT INTO {table} VALUES (%s, %s)', [(n, f'note {n}') for n in range(1, 201)])
        counted = connection.execute(f'SELECT count(*) FROM {table}')
        asked = [connection.execute('SELECT %s::int', (n,)) for n in range(20)]
    assert counted.fetchone() == (201,)
    assert [cursor.fetchone() for cursor in asked] == [(n,) for n in range(20)]


def test_a_pipeline_stops_at_its_error(connection: psycopg.Connection[Any], table: str) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero), connection.pipeline() as pipeline:
        connection.execute(f"INSERT INTO {table} VALUES (1, 'undone by the error before Sync')")
        connection.execute('SELECT 1 / 0')
        pipeline.sync()
    assert connection.execute(f'SELECT * FROM {table}').fetchall() == [(0, 'kept')]


def test_a_refusal_in_a_pipeline(proxy: ProxyAddress, readonly_key: str, table: str) -> None:
    with psycopg.connect(**proxy.keywords(readonly_key), autocommit=True) as connection:
        first, refused, skipped = (connection.cursor() for _ in range(3))
        # Whichever of these comes behind the error's arrival raises it.
        with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.pipeline() as pipeline:
            first.execute('SELECT 1')
            refused.execute(f'DELETE FROM {table} WHERE id = %s', (0,))
            skipped.execute('SELECT 2')
            pipeline.sync()
        assert first.fetchone() == (1,)
        with pytest.raises(psycopg.Error):
            skipped.fetchone()
        assert connection.execute(f'SELECT * FROM {table}').fetchall() == [(0, 'kept')]


@pytest.mark.parametrize('form', ['', ' (FORMAT binary)'])
def test_copy_both_ways(connection: psycopg.Connection[Any], table: str, form: str) -> None:
    rows = [(n, f'tab\t line\n é {n}') for n in range(1, 1001)]
    with connection.cursor() as cursor:
        with cursor.copy(f'COPY {table} FROM STDIN{form}'.encode()) as copy:
            copy.set_types(['int4', 'text'])
            for row in rows:
                copy.write_row(row)
        assert cursor.rowcount == 1000
        with cursor.copy(f'COPY (SELECT * FROM {table} WHERE id > 0 ORDER BY id) TO STDOUT{form}'.encode()) as copy:
            copy.set_types(['int4', 'text'])
            assert list(copy.rows()) == rows


def test_a_copy_given_up_half_way(connection: psycopg.Connection[Any], table: str) -> None:
    with connection.cursor() as cursor:
        with pytest.raises(KeyError), cursor.copy(f'COPY {table} FROM STDIN'.encode()) as copy:
            copy.write_row((1, 'never'))
            raise KeyError
        assert cursor.execute(f'SELECT * FROM {table}').fetchall() == [(0, 'kept')]


def test_a_server_side_cursor(connection: psycopg.Connection[Any]) -> None:
    with connection.transaction(), connection.cursor('numbers', scrollable=True) as cursor:
        cursor.execute('SELECT * FROM generate_series(1, 1000)')
        assert cursor.fetchmany(3) == [(1,), (2,), (3,)]
        cursor.scroll(500, mode='absolute')
        assert cursor.fetchone() == (501,)


def test_nested_transactions(connection: psycopg.Connection[Any], table: str) -> None:
    with connection.transaction():
        connection.execute(f"INSERT INTO {table} VALUES (1, 'outer')")
        with pytest.raises(psycopg.errors.UniqueViolation), connection.transaction():
            connection.execute(f"INSERT INTO {table} VALUES (2, 'inner')")
            connection.execute(f"INSERT INTO {table} VALUES (2, 'again')")
    assert connection.execute(f'SELECT id FROM {table} ORDER BY id').fetchall() == [(0,), (1,)]


def test_cancel(connection: psycopg.Connection[Any], administrator: psycopg.Connection[Any]) -> None:
    def cancel() -> None:
        wait_until(lambda: is_running(administrator, 'SELECT pg_sleep(62)'), 'the sleep')
        connection.cancel_safe()

    thread = threading.Thread(target=cancel)
    thread.start()
    with pytest.raises(psycopg.errors.QueryCanceled, match='canceling statement due to user request'):
        connection.execute('SELECT pg_sleep(62)')
    thread.join()
    assert connection.execute('SELECT 1').fetchone() == (1,)


def test_async(proxy: ProxyAddress, admin_key: str, readonly_key: str, table: str) -> None:
    async def main() -> None:
        async with await psycopg.AsyncConnection.connect(**proxy.keywords(admin_key), autocommit=True) as connection:
            async with connection.pipeline():
                cursors = [await connection.execute('SELECT %s::int', (n,)) for n in range(10)]
            assert [await cursor.fetchone() for cursor in cursors] == [(n,) for n in range(10)]
            await connection.execute(f'INSERT INTO {table} VALUES (%s, %s)', (1, 'async'))
        keywords = proxy.keywords(readonly_key)
        async with await psycopg.AsyncConnection.connect(**keywords, autocommit=True) as connection:
            cursor = await connection.execute(f'SELECT note FROM {table} WHERE id = %s', (1,), binary=True)
            assert await cursor.fetchall() == [('async',)]
            with pytest.raises(psycopg.errors.InsufficientPrivilege) as raised:
                await connection.execute(f'DELETE FROM {table} WHERE id = %s', (1,))
            assert raised.value.diag.message_primary == 'Permission denied: readonly scope cannot execute DELETE'
            assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE

    asyncio.run(main())


def test_a_wrong_key(proxy: ProxyAddress) -> None:
    with pytest.raises(psycopg.OperationalError) as raised:
        psycopg.connect(**proxy.keywords('hd_admin_wrong'))
    assert str(raised.value).endswith(f'FATAL:  {INVALID_KEY}')


def test_what_the_server_says_it_is(connection: psycopg.Connection[Any]) -> None:
    status = connection.info.parameter_status
    assert status('client_encoding') == 'UTF8'
    assert status('standard_conforming_strings') == 'on'
    assert connection.info.server_version >= 150000
