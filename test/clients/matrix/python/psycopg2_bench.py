"""psycopg2, which sends everything as text in simple queries."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import socket
from typing import Any

import psycopg2
import psycopg2.extensions
import psycopg2.extras

from matrix import Address

VERSION = psycopg2.__version__.split(' ')[0]


class Psycopg2Bench:
    def __init__(self, address: Address) -> None:
        self.address = address
        self._opened: list[Any] = []

    async def open(self, password: str | None = None) -> Any:
        keywords = self.address.libpq() | ({} if password is None else {'password': password})
        connection = await asyncio.to_thread(lambda: psycopg2.connect(**keywords))
        connection.autocommit = True
        self._opened.append(connection)
        return connection

    async def client(self, password: str | None = None) -> Psycopg2Client:
        return Psycopg2Client(await self.open(password))

    def fault(self, error: BaseException) -> dict[str, Any]:
        if not isinstance(error, psycopg2.Error):
            return {'sqlstate': None, 'message': str(error)}
        diagnosis = error.diag
        return {
            'severity': diagnosis.severity,
            'sqlstate': error.pgcode,
            'message': diagnosis.message_primary or str(error),
            'detail': diagnosis.message_detail,
            'table': diagnosis.table_name,
            'constraint': diagnosis.constraint_name,
            'position': diagnosis.statement_position,
        }

    async def close(self) -> None:
        for connection in self._opened:
            with contextlib.suppress(psycopg2.Error):
                connection.close()


class Psycopg2Client:
    def __init__(self, connection: Any) -> None:
        self.connection = connection

    async def query(self, sql: str, *parameters: Any) -> list[list[Any]]:
        named = None
        if parameters:
            sql = re.sub(r'\$(\d+)', r'%(p\1)s', sql.replace('%', '%%'))
            named = {f'p{number}': value for number, value in enumerate(parameters, 1)}
        return await asyncio.to_thread(query_rows, self.connection, sql, named)

    async def end(self) -> None:
        self.connection.close()

    def destroy(self) -> None:
        with socket.socket(fileno=os.dup(self.connection.fileno())) as own:
            own.shutdown(socket.SHUT_RDWR)


def query_rows(connection: Any, sql: str, parameters: Any = None) -> list[list[Any]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return [list(row) for row in cursor.fetchall()] if cursor.description else []
