"""asyncpg, which prepares every statement and reads and writes binary values."""

from __future__ import annotations

import contextlib
from typing import Any

import asyncpg

from matrix import Address

VERSION = asyncpg.__version__


class AsyncpgBench:
    def __init__(self, address: Address) -> None:
        self.address = address
        self._opened: list[Any] = []

    async def open(self, **options: Any) -> Any:
        chosen = {
            'host': self.address.host,
            'port': self.address.port,
            'user': self.address.user,
            'password': self.address.password,
            'database': self.address.database,
            'ssl': False,
        }
        connection = await asyncpg.connect(**(chosen | options))
        self._opened.append(connection)
        return connection

    async def client(self, password: str | None = None) -> AsyncpgClient:
        return AsyncpgClient(await self.open(**({} if password is None else {'password': password})))

    def fault(self, error: BaseException) -> dict[str, Any]:
        return {
            'severity': getattr(error, 'severity', None),
            'sqlstate': getattr(error, 'sqlstate', None),
            'message': getattr(error, 'message', None) or str(error),
            'detail': getattr(error, 'detail', None),
            'table': getattr(error, 'table_name', None),
            'constraint': getattr(error, 'constraint_name', None),
            'position': getattr(error, 'position', None),
        }

    async def close(self) -> None:
        for connection in self._opened:
            with contextlib.suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
                await connection.close(timeout=2)


class AsyncpgClient:
    def __init__(self, connection: Any) -> None:
        self.connection = connection

    async def query(self, sql: str, *parameters: Any) -> list[list[Any]]:
        return [list(row) for row in await self.connection.fetch(sql, *parameters)]

    async def end(self) -> None:
        await self.connection.close()

    def destroy(self) -> None:
        self.connection.terminate()
