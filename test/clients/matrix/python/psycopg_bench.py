"""psycopg 3 in four ways: sync, async, with binary values and prepared statements, pipelined."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import socket
from typing import Any

import psycopg

from matrix import Address
from threaded import Threaded


class PsycopgBench:
    def __init__(self, address: Address, *, sync: bool = False, binary: bool = False, pipeline: bool = False) -> None:
        self.address = address
        self.sync, self.binary, self.pipeline = sync, binary, pipeline
        self._opened: list[Any] = []

    async def open(self, **options: Any) -> Any:
        """A connection in autocommit; statements are prepared at once where the way is binary."""
        chosen = {'autocommit': True, 'prepare_threshold': 0 if self.binary else 5} | options
        keywords = self.address.libpq() | chosen
        if self.sync:
            connection = Threaded(await asyncio.to_thread(lambda: psycopg.connect(**keywords)))
        else:
            connection = await psycopg.AsyncConnection.connect(**keywords)
        self._opened.append(connection)
        return connection

    async def client(self, password: str | None = None) -> PsycopgClient:
        options = {} if password is None else {'password': password}
        return PsycopgClient(self, await self.open(**options))

    async def execute(self, connection: Any, sql: str, parameters: Any = None) -> Any:
        """The cursor, in the format of this way."""
        cursor = connection.cursor(binary=self.binary)
        if self.sync:
            cursor = await cursor
        await cursor.execute(sql, parameters)
        return cursor

    def fault(self, error: BaseException) -> dict[str, Any]:
        if not isinstance(error, psycopg.Error):
            return {'sqlstate': None, 'message': str(error)}
        diagnosis = error.diag
        return {
            'severity': diagnosis.severity,
            'sqlstate': error.sqlstate,
            'message': diagnosis.message_primary or str(error),
            'detail': diagnosis.message_detail,
            'table': diagnosis.table_name,
            'constraint': diagnosis.constraint_name,
            'position': diagnosis.statement_position,
        }

    async def close(self) -> None:
        for connection in self._opened:
            with contextlib.suppress(psycopg.Error, OSError):
                await connection.close()


class PsycopgClient:
    def __init__(self, bench: PsycopgBench, connection: Any) -> None:
        self._bench, self.connection = bench, connection

    async def query(self, sql: str, *parameters: Any) -> list[list[Any]]:
        named = None
        if parameters:
            sql = re.sub(r'\$(\d+)', r'%(p\1)s', sql.replace('%', '%%'))
            named = {f'p{number}': value for number, value in enumerate(parameters, 1)}
        if not self._bench.pipeline:
            cursor = await self._bench.execute(self.connection, sql, named)
            return await _rows(cursor)
        async with self.connection.pipeline():
            cursor = await self._bench.execute(self.connection, sql, named)
            return await _rows(cursor)

    async def end(self) -> None:
        await self.connection.close()

    def destroy(self) -> None:
        descriptor = os.dup(self.connection.fileno() if not self._bench.sync else self.connection.inner.fileno())
        with socket.socket(fileno=descriptor) as own:
            own.shutdown(socket.SHUT_RDWR)


async def _rows(cursor: Any) -> list[list[Any]]:
    # A result that is still in the pipeline has no description yet.
    try:
        return [list(row) for row in await cursor.fetchall()]
    except psycopg.ProgrammingError as error:
        if error.sqlstate is not None:
            raise
        return []
