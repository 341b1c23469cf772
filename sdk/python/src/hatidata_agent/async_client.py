"""The asynchronous agent."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any

from hatidata_agent import memory, statements
from hatidata_agent.agent_base import AgentBase
from hatidata_agent.async_channel import AsyncChannel
from hatidata_agent.labels import ChainSteps, request_label
from hatidata_agent.settings import ConnectionSettings
from hatidata_agent.statements import Params, Row


class AsyncHatiDataAgent(AgentBase[AsyncChannel]):
    """``HatiDataAgent`` for asyncio: the same constructor, the same methods, each to be awaited.

    An agent may be shared between tasks of one event loop, and their calls take turns on its one connection.
    A transaction or a reasoning chain belongs to whoever runs it, so tasks that use those need an agent each.
    """

    def _new_channel(self, settings: ConnectionSettings) -> AsyncChannel:
        return AsyncChannel(settings)

    async def query(self, sql: str, params: Params | None = None, request_id: str | None = None) -> list[Row]:
        """See ``HatiDataAgent.query``."""
        return await self._channel.run(statements.query(sql, params), request_label(request_id))

    async def execute(self, sql: str, params: Params | None = None) -> int:
        """See ``HatiDataAgent.execute``."""
        return await self._channel.run(statements.execute(sql, params))

    async def get_context(self, table: str, search_query: str, top_k: int = 10) -> list[Row]:
        """See ``HatiDataAgent.get_context``."""
        return await self._channel.run(statements.get_context(table, search_query, top_k))

    async def get_rag_context(
        self, table: str, embedding_col: str, vector: Sequence[float], top_k: int = 10
    ) -> list[Row]:
        """See ``HatiDataAgent.get_rag_context``."""
        return await self._channel.run(statements.get_rag_context(table, embedding_col, vector, top_k))

    def reasoning_chain(
        self, request_id: str | None = None, parent_request_id: str | None = None
    ) -> AsyncReasoningChain:
        """See ``HatiDataAgent.reasoning_chain``."""
        return AsyncReasoningChain(self._channel, ChainSteps(request_id, parent_request_id))

    async def store_memory(
        self,
        content: str,
        memory_type: str = 'fact',
        metadata: dict[str, Any] | None = None,
        importance: float = 0.5,
    ) -> str:
        """See ``HatiDataAgent.store_memory``."""
        return await self._channel.run(memory.store_memory(self.agent_id, content, memory_type, metadata, importance))

    async def search_memory(
        self,
        query: str,
        top_k: int = 10,
        memory_type: str | None = None,
        min_importance: float | None = None,
    ) -> list[Row]:
        """See ``HatiDataAgent.search_memory``."""
        return await self._channel.run(memory.search_memory(self.agent_id, query, top_k, memory_type, min_importance))

    async def delete_memory(self, memory_id: str) -> bool:
        """See ``HatiDataAgent.delete_memory``."""
        return await self._channel.run(memory.delete_memory(memory_id))

    async def get_state(self, key: str) -> Any:
        """See ``HatiDataAgent.get_state``."""
        return await self._channel.run(memory.get_state(self.agent_id, key))

    async def set_state(self, key: str, value: Any) -> None:
        """See ``HatiDataAgent.set_state``."""
        await self._channel.run(memory.set_state(self.agent_id, key, value))

    async def close(self) -> None:
        """See ``HatiDataAgent.close``."""
        await self._channel.close()

    async def __aenter__(self) -> AsyncHatiDataAgent:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()


class AsyncReasoningChain:
    """Statements that belong together; see ``HatiDataAgent.reasoning_chain``."""

    def __init__(self, channel: AsyncChannel, steps: ChainSteps) -> None:
        self._channel = channel
        self._steps = steps

    @property
    def request_id(self) -> str:
        return self._steps.request_id

    @property
    def parent_request_id(self) -> str | None:
        return self._steps.parent_request_id

    async def query(self, sql: str, params: Params | None = None, step: int | None = None) -> list[Row]:
        """See ``ReasoningChain.query``."""
        return await self._channel.run(statements.query(sql, params), self._steps.take(step))

    async def __aenter__(self) -> AsyncReasoningChain:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._channel.unlabel()
