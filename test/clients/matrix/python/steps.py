"""What several features do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any
from weakref import WeakKeyDictionary

from matrix import Bench, Client


def expect_that(holds: bool, what: str) -> None:
    if not holds:
        raise AssertionError(f'not so: {what}')


async def fails(bench: Bench, work: Callable[[], Awaitable[Any]]) -> dict[str, Any]:
    """The error that the work ends with."""
    try:
        await work()
    except Exception as error:  # the drivers have no base in common
        return bench.fault(error)
    raise AssertionError('it did not fail')


async def table(bench: Bench, name: str, columns: str) -> str:
    """A fresh table. Its name is the same for both targets, which run one after the other."""
    client = await bench.client()
    whole = f'python_{name}'
    await client.query(f'DROP TABLE IF EXISTS {whole}')
    await client.query(f'CREATE TABLE {whole} ({columns})')
    await client.end()
    return whole


async def others(bench: Bench) -> None:
    """
    Neighbours with transactions and settings of their own: where engine connections are shared, the client under test
    has another one afterwards, or would find there what they left. They stay as long as the feature runs.
    """
    clients = _neighbours.get(bench)
    if clients is None:
        clients = _neighbours[bench] = [await bench.client(), await bench.client()]
    async with asyncio.TaskGroup() as tasks:
        for client in clients:
            tasks.create_task(_work(client))


_neighbours: WeakKeyDictionary[Bench, list[Client]] = WeakKeyDictionary()


async def _work(client: Client) -> None:
    await client.query("SET work_mem = '9MB'")
    await client.query("SET matrix.own = 'a neighbour''s'")
    await client.query('BEGIN')
    await client.query('SELECT $1::text', 'a neighbour')
    await client.query('SELECT pg_sleep(0.01)')
    await client.query('COMMIT')


def copy_lines(count: int) -> Iterator[str]:
    """The rows of the COPY features in text format."""
    for index in range(1, count + 1):
        yield f'{index}\tnote é {index}\n'


COPY_SUMS = "SELECT count(*)::int, sum(id)::int, md5(string_agg(note, ',' ORDER BY id)) FROM "
COPY_ROWS = "SELECT n::int, 'note é ' || n FROM generate_series(1, 10000) n"
COPY_BINARY_ROWS = "SELECT n::int, repeat('é', n) FROM generate_series(1, 500) n"

NOTICES = """DO $$ BEGIN
  RAISE NOTICE 'one 1' USING DETAIL = 'a detail', HINT = 'a hint';
  RAISE WARNING 'two' USING ERRCODE = '01234';
END $$"""

CONNECTED = """SELECT current_database()::text, session_user::text, current_user::text,
                      current_setting('server_version'), pg_is_in_recovery()"""

TRANSACTION = "SELECT current_setting('transaction_isolation'), current_setting('transaction_read_only')"
