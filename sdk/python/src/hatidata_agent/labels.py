"""The trace labels of a session: which request and which reasoning step its statements belong to. Pure.

The proxy keeps them with the session and writes them to its records. They are set before a labelled statement and
emptied before the next one that carries none, so that no statement is recorded under a request it isn't part of.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from psycopg import sql
from psycopg.pq import TransactionStatus

from hatidata_agent.statements import Operation, Statement, T

Labels = Mapping[str, str]

UNLABELLED: Labels = {}

_REQUEST = 'hatidata_request_id'
_STEP = 'hatidata_reasoning_step'
_PARENT = 'hatidata_parent_request_id'


def request_label(request_id: str | None) -> Labels:
    return {_REQUEST: request_id} if request_id else UNLABELLED


class SessionLabels:
    """What one connection carries now. Owned by an agent, used under its lock."""

    def __init__(self) -> None:
        self._set: set[str] = set()

    def forget(self) -> None:
        """A new connection carries none."""
        self._set.clear()

    def around(self, operation: Operation[T], wanted: Labels, status: TransactionStatus) -> Operation[T]:
        """The operation, with the labels it needs set before it."""
        # In a failed transaction any SET fails too, and would keep a ROLLBACK from ever being sent.
        if status != TransactionStatus.INERROR:
            yield from self._change_to(wanted)
        return (yield from operation)

    def _change_to(self, wanted: Labels) -> Operation[None]:
        # What comes after a yield runs only if the statement succeeded.
        for name in sorted(self._set - wanted.keys()):
            yield _set(name, '')
            self._set.discard(name)
        for name, value in wanted.items():
            yield _set(name, value)
            self._set.add(name)


def _set(name: str, value: str) -> Statement:
    # SET takes no bound parameters.
    return Statement(sql.SQL('SET {} = {}').format(sql.Identifier(name), value))


class ChainSteps:
    """Numbers the statements of a reasoning chain, from 0; an explicit number is where counting goes on."""

    def __init__(self, request_id: str | None, parent_request_id: str | None) -> None:
        self.request_id = request_id or f'req-{uuid.uuid4().hex[:12]}'
        self.parent_request_id = parent_request_id
        self._next = 0

    def take(self, step: int | None) -> Labels:
        number = self._next if step is None else step
        self._next = number + 1
        labels = {_REQUEST: self.request_id, _STEP: str(number)}
        if self.parent_request_id:
            labels[_PARENT] = self.parent_request_id
        return labels
