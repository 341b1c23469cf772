"""What the agents send, and what they get back: types, and the SQL that isn't the caller's. Pure."""

from __future__ import annotations

import math
import operator
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar, Union

from psycopg import sql

Row = dict[str, Any]
Params = Union[Sequence[Any], Mapping[str, Any]]


@dataclass(frozen=True)
class Statement:
    """A text with ``%s`` or ``%(name)s`` placeholders; without ``params`` it is sent as it is."""

    text: bytes | sql.Composed
    params: Params | None = None


class Outcome(NamedTuple):
    """The last result of a text: ``rows`` is empty and ``rowcount`` -1 where there are none."""

    rows: list[Row]
    rowcount: int


T = TypeVar('T')

# One method of an agent: statements go out, outcomes (or a thrown HatiDataError) come in, the return value is the
# method's. The synchronous and the asynchronous client differ only in how they carry the statements to the server.
Operation = Generator[Statement, Outcome, T]


def caller_statement(text: str, params: Params | None = None) -> Statement:
    # libpq takes a C string: whatever comes after a NUL would be dropped without a word.
    if '\0' in text:
        raise ValueError('the SQL text contains a NUL character')
    return Statement(text.encode('utf-8'), params)


def nothing() -> Operation[None]:
    yield from ()


def query(text: str, params: Params | None = None) -> Operation[list[Row]]:
    outcome = yield caller_statement(text, params)
    return outcome.rows


def execute(text: str, params: Params | None = None) -> Operation[int]:
    outcome = yield caller_statement(text, params)
    return outcome.rowcount


def get_context(table: str, search_query: str, top_k: int) -> Operation[list[Row]]:
    outcome = yield Statement(
        sql.SQL('SELECT * FROM hatidata_context({}, {}, {})').format(table, search_query, operator.index(top_k))
    )
    return outcome.rows


def get_rag_context(table: str, embedding_col: str, vector: Sequence[float], top_k: int) -> Operation[list[Row]]:
    # Constants, not parameters: the proxy expands the call while it reads the text.
    outcome = yield Statement(
        sql.SQL('SELECT * FROM hatidata_rag_context({}, {}, [{}], {})').format(
            table,
            embedding_col,
            sql.SQL(', ').join(sql.SQL('{}').format(_component(value)) for value in vector),
            operator.index(top_k),
        )
    )
    return outcome.rows


def _component(value: float) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f'a vector cannot contain {number}')
    return number
