from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from proxy_address import INVALID_KEY, ProxyAddress

Use = Callable[[asyncpg.Connection], Awaitable[None]]


def run(proxy: ProxyAddress, use: Use, **more: Any) -> None:
    async def main() -> None:
        connection = await asyncpg.connect(host=proxy.host, port=proxy.port, user='agent', database='hatidata', **more)
        try:
            await use(connection)
        finally:
            await connection.close()

    asyncio.run(main())


def test_without_a_key(proxy: ProxyAddress, table: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """asyncpg sends an empty password when it knows none."""
    monkeypatch.setenv('PGPASSFILE', str(tmp_path / 'none'))

    async def use(connection: asyncpg.Connection) -> None:
        assert await connection.execute(f"INSERT INTO {table} VALUES (1, 'a')") == 'INSERT 0 1'
        assert [tuple(row) for row in await connection.fetch(f'SELECT * FROM {table} WHERE id > $1', 0)] == [(1, 'a')]

    run(proxy, use)


def test_types_in_binary(proxy: ProxyAddress, admin_key: str) -> None:
    values = (7, Decimal('1.50'), "it's é", b'\x00\xff', [1, None], datetime(2026, 1, 31, 8, tzinfo=timezone.utc))

    async def use(connection: asyncpg.Connection) -> None:
        sql = 'SELECT $1::int, $2::numeric, $3::text, $4::bytea, $5::int[], $6::timestamptz'
        assert tuple(await connection.fetchrow(sql, *values)) == values
        assert await connection.fetchval('SELECT \'{"a": 1}\'::jsonb') == '{"a": 1}'
        # An enum makes asyncpg ask the catalogues what it is.
        await connection.execute("CREATE TYPE mood_of_clients AS ENUM ('calm', 'busy')")
        try:
            assert await connection.fetchval("SELECT 'busy'::mood_of_clients") == 'busy'
        finally:
            await connection.execute('DROP TYPE mood_of_clients')

    run(proxy, use, password=admin_key)


def test_statements_cursors_and_transactions(proxy: ProxyAddress, admin_key: str, table: str) -> None:
    async def use(connection: asyncpg.Connection) -> None:
        await connection.executemany(f'INSERT INTO {table} VALUES ($1, $2)', [(n, str(n)) for n in range(1, 101)])
        statement = await connection.prepare(f'SELECT note FROM {table} WHERE id = $1')
        assert [await statement.fetchval(n) for n in (1, 50, 100)] == ['1', '50', '100']
        async with connection.transaction():
            found = [row['id'] async for row in connection.cursor(f'SELECT id FROM {table} ORDER BY id', prefetch=7)]
        assert found == list(range(101))
        with pytest.raises(asyncpg.UniqueViolationError):
            async with connection.transaction():
                await connection.execute(f'DELETE FROM {table} WHERE id = 5')
                await connection.execute(f'INSERT INTO {table} VALUES (0)')
        assert await connection.fetchval(f'SELECT count(*) FROM {table}') == 101

    run(proxy, use, password=admin_key)


def test_statements_that_others_gave_the_same_name(proxy: ProxyAddress, admin_key: str) -> None:
    """asyncpg reads rows by what Describe says of EXECUTE."""

    def check(sql: str, rows: list[tuple[Any, ...]]) -> None:
        async def use(connection: asyncpg.Connection) -> None:
            # asyncpg closes it when nobody holds it any more.
            statement = await connection.prepare(sql, name='by_name')
            assert [tuple(row) for row in await connection.fetch('EXECUTE by_name')] == rows
            assert [tuple(row) for row in await statement.fetch()] == rows

        run(proxy, use, password=admin_key)

    check('SELECT 1 AS one', [(1,)])
    check("SELECT 'x'::text AS another, 2 AS more", [('x', 2)])


def test_copy_in_binary(proxy: ProxyAddress, admin_key: str, table: str, tmp_path: Any) -> None:
    async def use(connection: asyncpg.Connection) -> None:
        rows = [(n, f'note {n}') for n in range(1, 1001)]
        assert await connection.copy_records_to_table(table, records=rows) == 'COPY 1000'
        out = tmp_path / 'out.csv'
        query = f'SELECT id FROM {table} WHERE id <= 3 ORDER BY id'
        assert await connection.copy_from_query(query, output=out, format='csv') == 'COPY 4'
        assert out.read_text() == '0\n1\n2\n3\n'

    run(proxy, use, password=admin_key)


def test_a_timeout_cancels_and_the_session_goes_on(proxy: ProxyAddress, admin_key: str) -> None:
    async def use(connection: asyncpg.Connection) -> None:
        with pytest.raises(asyncio.TimeoutError):
            await connection.execute('SELECT pg_sleep(63)', timeout=0.3)
        assert await connection.fetchval('SELECT 1') == 1
        assert await connection.fetch("SELECT 1 FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(63)'") == []

    run(proxy, use, password=admin_key)


def test_a_readonly_key_reads_only(proxy: ProxyAddress, readonly_key: str, table: str) -> None:
    async def use(connection: asyncpg.Connection) -> None:
        for sql, word, arguments in (
            (f'INSERT INTO {table} VALUES ($1, $2)', 'INSERT', (1, 'a')),
            (f'DROP TABLE {table}', 'DDL', ()),
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError) as raised:
                await connection.execute(sql, *arguments)
            assert raised.value.message == f'Permission denied: readonly scope cannot execute {word}'
        assert await connection.fetchval(f'SELECT note FROM {table} WHERE id = $1', 0) == 'kept'

    run(proxy, use, password=readonly_key)


@pytest.mark.parametrize('scope', ['admin', 'readonly'])
def test_a_pool_resets_its_connections(
    proxy: ProxyAddress, scope: str, table: str, request: pytest.FixtureRequest
) -> None:
    key = request.getfixturevalue(f'{scope}_key')

    async def main() -> None:
        url = proxy.url('postgresql', key)
        async with asyncpg.create_pool(url, min_size=1, max_size=4) as pool:
            for _ in range(3):
                answers = await asyncio.gather(*(pool.fetchval('SELECT $1::int', n) for n in range(20)))
                assert answers == list(range(20))
            async with pool.acquire() as connection:
                await connection.execute("SET application_name = 'left behind'")
            async with pool.acquire() as connection:
                assert await connection.fetchval('SHOW application_name') != 'left behind'

    asyncio.run(main())


def test_a_wrong_key(proxy: ProxyAddress) -> None:
    async def use(connection: asyncpg.Connection) -> None:
        pytest.fail('the key was accepted')

    with pytest.raises(asyncpg.InvalidPasswordError) as raised:
        run(proxy, use, password='hd_ro_wrong')
    assert str(raised.value) == INVALID_KEY
