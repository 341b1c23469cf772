"""The synchronous agent."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any

from hatidata_agent import memory, statements
from hatidata_agent.agent_base import AgentBase
from hatidata_agent.channel import Channel
from hatidata_agent.labels import ChainSteps, request_label
from hatidata_agent.settings import ConnectionSettings
from hatidata_agent.statements import Params, Row


class HatiDataAgent(AgentBase[Channel]):
    """An agent's connection to a HatiData proxy.

    It connects at the first call, runs in autocommit mode (``BEGIN`` and ``COMMIT`` are statements like any other),
    and connects anew when a call finds the connection closed; a statement is never sent twice.

    Thread-safety: an agent may be shared between threads, and their calls take turns on its one connection.
    A transaction or a reasoning chain belongs to whoever runs it, so threads that use those need an agent each.
    After ``fork`` a child process needs an agent of its own.
    """

    def _new_channel(self, settings: ConnectionSettings) -> Channel:
        return Channel(settings)

    def query(self, sql: str, params: Params | None = None, request_id: str | None = None) -> list[Row]:
        """Run a statement and return its rows, each a dict by column label (the last wins where two are equal).

        ``params`` fill ``%s`` or ``%(name)s`` placeholders and travel apart from the text. Without them the text is
        sent as it is and may hold several statements; the rows are the last one's. No result columns: ``[]``.
        ``request_id`` labels this statement in the proxy's records.
        """
        return self._channel.run(statements.query(sql, params), request_label(request_id))

    def execute(self, sql: str, params: Params | None = None) -> int:
        """Run a statement and return the number of rows it touched; -1 where there is none to tell, as for DDL."""
        return self._channel.run(statements.execute(sql, params))

    def get_context(self, table: str, search_query: str, top_k: int = 10) -> list[Row]:
        """The ``top_k`` rows of ``table`` that fit ``search_query`` best, by full-text search."""
        return self._channel.run(statements.get_context(table, search_query, top_k))

    def get_rag_context(self, table: str, embedding_col: str, vector: Sequence[float], top_k: int = 10) -> list[Row]:
        """The ``top_k`` rows of ``table`` whose embedding is most similar to ``vector``, most similar first."""
        return self._channel.run(statements.get_rag_context(table, embedding_col, vector, top_k))

    def reasoning_chain(self, request_id: str | None = None, parent_request_id: str | None = None) -> ReasoningChain:
        """A context manager whose ``query`` labels each statement with the request and a step number."""
        return ReasoningChain(self._channel, ChainSteps(request_id, parent_request_id))

    def store_memory(
        self,
        content: str,
        memory_type: str = 'fact',
        metadata: dict[str, Any] | None = None,
        importance: float = 0.5,
    ) -> str:
        """Keep something; returns its id of 32 hex digits. ``importance`` goes from 0 to 1."""
        return self._channel.run(memory.store_memory(self.agent_id, content, memory_type, metadata, importance))

    def search_memory(
        self,
        query: str,
        top_k: int = 10,
        memory_type: str | None = None,
        min_importance: float | None = None,
    ) -> list[Row]:
        """This agent's memories that contain any word of ``query`` (of more than two letters), in any case.

        The most important first, then the newest. A query without such words finds them all.
        """
        return self._channel.run(memory.search_memory(self.agent_id, query, top_k, memory_type, min_importance))

    def delete_memory(self, memory_id: str) -> bool:
        """Delete a memory; ``False`` if there is none of that id."""
        return self._channel.run(memory.delete_memory(memory_id))

    def get_state(self, key: str) -> Any:
        """The value that ``set_state`` kept under ``key`` for this agent, or ``None``."""
        return self._channel.run(memory.get_state(self.agent_id, key))

    def set_state(self, key: str, value: Any) -> None:
        """Keep a JSON value under ``key`` for this agent, in place of an earlier one."""
        self._channel.run(memory.set_state(self.agent_id, key, value))

    def close(self) -> None:
        """Close the connection, if there is one. A later call would open another."""
        self._channel.close()

    def __enter__(self) -> HatiDataAgent:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class ReasoningChain:
    """Statements that belong together; see ``HatiDataAgent.reasoning_chain``."""

    def __init__(self, channel: Channel, steps: ChainSteps) -> None:
        self._channel = channel
        self._steps = steps

    @property
    def request_id(self) -> str:
        return self._steps.request_id

    @property
    def parent_request_id(self) -> str | None:
        return self._steps.parent_request_id

    def query(self, sql: str, params: Params | None = None, step: int | None = None) -> list[Row]:
        """As ``HatiDataAgent.query``. ``step`` counts up from 0; a number given here is where it goes on."""
        return self._channel.run(statements.query(sql, params), self._steps.take(step))

    def __enter__(self) -> ReasoningChain:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._channel.unlabel()
