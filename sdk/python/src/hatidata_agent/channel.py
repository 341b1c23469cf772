"""Carries statements to the proxy, one connection, one thread at a time."""

from __future__ import annotations

import threading
from contextlib import suppress

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row

from hatidata_agent.errors import HatiDataError, connect_failed, copy_refused, query_failed
from hatidata_agent.labels import UNLABELLED, Labels, SessionLabels
from hatidata_agent.settings import ConnectionSettings
from hatidata_agent.statements import Operation, Outcome, Row, Statement, T, nothing


class Channel:
    """Owns the connection: opened by the first ``run``, and again by one that finds it closed."""

    def __init__(self, settings: ConnectionSettings) -> None:
        self._settings = settings
        self._parameters = settings.parameters()
        self._labels = SessionLabels()
        self._connection: psycopg.Connection[Row] | None = None
        # Held for a whole operation, so that labels and the statement they belong to stay together.
        self._turn = threading.RLock()

    def run(self, operation: Operation[T], labels: Labels = UNLABELLED) -> T:
        with self._turn:
            connection = self._connected()
            steps = self._labels.around(operation, labels, connection.info.transaction_status)
            try:
                statement = next(steps)
                while True:
                    try:
                        outcome = _send(connection, statement)
                    except HatiDataError as error:
                        statement = steps.throw(error)
                    else:
                        statement = steps.send(outcome)
            except StopIteration as finished:
                result: T = finished.value
                return result

    def unlabel(self) -> None:
        """Empty the labels now, if there is a session to do it in. The next statement would see to it as well."""
        with self._turn, suppress(HatiDataError):
            if self._connection is not None and not self._connection.closed:
                self.run(nothing())

    def close(self) -> None:
        with self._turn:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _connected(self) -> psycopg.Connection[Row]:
        if self._connection is None or self._connection.closed:
            self._labels.forget()
            try:
                # Statements prepared behind the caller's back would fail when somebody else alters a table.
                self._connection = psycopg.connect(
                    **self._parameters, autocommit=True, prepare_threshold=None, row_factory=dict_row
                )
            except psycopg.Error as error:
                raise connect_failed(error, self._settings.host, self._settings.port) from error
        return self._connection


def _send(connection: psycopg.Connection[Row], statement: Statement) -> Outcome:
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement.text, statement.params)
            while cursor.nextset():
                pass
            return Outcome(cursor.fetchall() if cursor.description else [], cursor.rowcount)
    except psycopg.Error as error:
        if connection.info.transaction_status == TransactionStatus.ACTIVE:
            # The connection waits for data that will never come; the next operation gets a new one.
            connection.close()
            raise copy_refused() from error
        raise query_failed(error) from error
