from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from typing import Any

import psycopg
import psycopg2
import psycopg2.errors
import psycopg2.extras
import pytest

from proxy_address import INVALID_KEY, ProxyAddress
from waiting import is_running, wait_until


@pytest.fixture
def connection(proxy: ProxyAddress, admin_key: str, table: str) -> Iterator[Any]:
    # Closed before the table is dropped, or its open transaction would keep the lock.
    with closing(psycopg2.connect(**proxy.keywords(admin_key))) as connection:
        yield connection


def test_parameters_and_types(connection: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s, %s::numeric, %s, '100%%'", ("it's \\ é", Decimal('1.50'), [1, None]))
        assert cursor.fetchone() == ("it's \\ é", Decimal('1.50'), [1, None], '100%')


def test_rows_in_bulk_and_a_named_cursor(connection: Any, table: str) -> None:
    with connection.cursor() as cursor:
        psycopg2.extras.execute_values(
            cursor, f'INSERT INTO {table} VALUES %s', [(n, f'note {n}') for n in range(1, 501)], page_size=100
        )
    with connection.cursor('numbers') as cursor:
        cursor.itersize = 50
        cursor.execute(f'SELECT id FROM {table} ORDER BY id')
        assert [row[0] for row in cursor] == list(range(501))


def test_copy_both_ways(connection: Any, table: str) -> None:
    lines = ''.join(f'{n}\tline {n}\n' for n in range(1, 2001))
    with connection.cursor() as cursor:
        cursor.copy_expert(f'COPY {table} FROM STDIN', io.StringIO(lines))
        assert cursor.rowcount == 2000
        out = io.StringIO()
        cursor.copy_expert(f'COPY (SELECT * FROM {table} WHERE id > 0 ORDER BY id) TO STDOUT', out)
    assert out.getvalue() == lines


def test_a_transaction_is_undone_by_an_error(connection: Any, table: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {table} VALUES (1, 'gone')")
        with pytest.raises(psycopg2.errors.UniqueViolation):
            cursor.execute(f'INSERT INTO {table} VALUES (0)')
        with pytest.raises(psycopg2.errors.InFailedSqlTransaction):
            cursor.execute('SELECT 1')
        connection.rollback()
        cursor.execute(f'SELECT * FROM {table}')
        assert cursor.fetchall() == [(0, 'kept')]


def test_cancel(connection: Any, administrator: psycopg.Connection[Any]) -> None:
    def cancel() -> None:
        wait_until(lambda: is_running(administrator, 'SELECT pg_sleep(61)'), 'the sleep')
        connection.cancel()

    thread = threading.Thread(target=cancel)
    with connection.cursor() as cursor:
        thread.start()
        with pytest.raises(psycopg2.errors.QueryCanceled, match='canceling statement due to user request'):
            cursor.execute('SELECT pg_sleep(61)')
        thread.join()
        connection.rollback()
        cursor.execute('SELECT 1')
        assert cursor.fetchone() == (1,)


@pytest.mark.parametrize(
    ('sql', 'word'), [("INSERT INTO {table} VALUES (1, 'a')", 'INSERT'), ('DROP TABLE {table}', 'DDL')]
)
def test_a_readonly_key_reads_only(proxy: ProxyAddress, readonly_key: str, table: str, sql: str, word: str) -> None:
    with closing(psycopg2.connect(**proxy.keywords(readonly_key))) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        with pytest.raises(psycopg2.errors.InsufficientPrivilege) as raised:
            cursor.execute(sql.format(table=table))
        assert raised.value.diag.message_primary == f'Permission denied: readonly scope cannot execute {word}'
        cursor.execute(f'SELECT * FROM {table}')
        assert cursor.fetchall() == [(0, 'kept')]


def test_a_wrong_key(proxy: ProxyAddress) -> None:
    with pytest.raises(psycopg2.OperationalError) as raised:
        psycopg2.connect(**proxy.keywords('hd_ro_wrong'))
    assert str(raised.value).strip().endswith(f'FATAL:  {INVALID_KEY}')


def test_notices_and_session_settings(connection: Any) -> None:
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute('DROP TABLE IF EXISTS no_such_table_here')
        assert connection.notices == ['NOTICE:  table "no_such_table_here" does not exist, skipping\n']
        cursor.execute("SET TIME ZONE 'UTC'; SHOW TimeZone")
        assert cursor.fetchone() == ('UTC',)
        assert connection.get_parameter_status('TimeZone') == 'UTC'
        assert connection.encoding == 'UTF8'
