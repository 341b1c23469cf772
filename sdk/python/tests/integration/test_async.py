"""The asynchronous twin: the paths that are not shared with the synchronous one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Callable, TypeVar

import pytest
from proxy_under_test import Key, Proxy

from hatidata_agent import AsyncHatiDataAgent, AuthenticationError, PermissionDeniedError, QueryError

T = TypeVar('T')


def run(proxy: Proxy, use: Callable[[AsyncHatiDataAgent], Awaitable[T]], api_key: str | None = None) -> T:
    async def main() -> T:
        agent = AsyncHatiDataAgent(host=proxy.host, port=proxy.port, api_key=api_key)
        async with agent:
            return await use(agent)

    return asyncio.run(main())


def test_query_execute_and_turns(proxy: Proxy, table: str) -> None:
    async def use(agent: AsyncHatiDataAgent) -> None:
        assert await agent.execute(f'INSERT INTO {table} VALUES (%s, %s)', (1, 'a')) == 1
        assert await agent.query(f'SELECT * FROM {table}') == [{'id': 1, 'note': 'a'}]
        assert await agent.query('SELECT 1 AS a; SELECT 2 AS b') == [{'b': 2}]
        asked = (agent.query('SHOW hatidata_request_id', request_id=f'task-{n}') for n in range(10))
        assert await asyncio.gather(*asked) == [[{'hatidata_request_id': f'task-{n}'}] for n in range(10)]

    run(proxy, use)


def test_chain(proxy: Proxy) -> None:
    async def use(agent: AsyncHatiDataAgent) -> None:
        async with agent.reasoning_chain('req-9') as chain:
            assert chain.request_id == 'req-9'
            assert await chain.query('SHOW hatidata_request_id') == [{'hatidata_request_id': 'req-9'}]
            assert await chain.query('SHOW hatidata_reasoning_step') == [{'hatidata_reasoning_step': '1'}]
        assert await agent.query('SHOW hatidata_request_id') == [{'hatidata_request_id': ''}]

    run(proxy, use)


def test_memory_and_state(proxy: Proxy) -> None:
    async def use(agent: AsyncHatiDataAgent) -> None:
        memory_id = await agent.store_memory('an asynchronous fact')
        assert [row['memory_id'] for row in await agent.search_memory('asynchronous')] == [memory_id]
        assert await agent.delete_memory(memory_id) is True
        await agent.set_state('k', {'a': 1})
        assert await agent.get_state('k') == {'a': 1}

    run(proxy, use)


def test_context(proxy: Proxy, table: str) -> None:
    async def use(agent: AsyncHatiDataAgent) -> None:
        await agent.execute(f'ALTER TABLE {table} ADD COLUMN embedding double precision[]')
        await agent.execute(f"INSERT INTO {table} VALUES (1, 'a bicycle', ARRAY[1, 0])")
        assert [row['id'] for row in await agent.get_context(table, 'bicycle')] == [1]
        assert [row['id'] for row in await agent.get_rag_context(table, 'embedding', [1, 0])] == [1]

    run(proxy, use)


def test_errors(proxy: Proxy, readonly_key: Key, table: str) -> None:
    async def use(agent: AsyncHatiDataAgent) -> None:
        with pytest.raises(PermissionDeniedError, match=r'^Permission denied: readonly scope cannot execute DDL$'):
            await agent.execute(f'DROP TABLE {table}')
        with pytest.raises(QueryError, match='cannot carry the data of a COPY'):
            await agent.execute('COPY (SELECT 1) TO STDOUT')
        assert await agent.query('SELECT 1 AS one') == [{'one': 1}]

    run(proxy, use, readonly_key.secret)
    with pytest.raises(AuthenticationError, match=r'^Authentication failed: invalid API key$'):
        run(proxy, lambda agent: agent.query('SELECT 1'), 'hd_ro_wrong')


def test_a_cancelled_task_cancels_its_statement(proxy: Proxy) -> None:
    async def use(agent: AsyncHatiDataAgent) -> None:
        sleeping = asyncio.create_task(agent.query('SELECT pg_sleep(60)'))
        async with AsyncHatiDataAgent(host=proxy.host, port=proxy.port) as observer:
            running = "SELECT 1 FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)' AND state = 'active'"
            while not await observer.query(running):
                await asyncio.sleep(0.02)
            sleeping.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sleeping
            while await observer.query(running):
                await asyncio.sleep(0.02)
        assert await agent.query('SELECT 1 AS one') == [{'one': 1}]

    run(proxy, use)
