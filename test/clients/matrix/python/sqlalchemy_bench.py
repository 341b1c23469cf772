"""SQLAlchemy over psycopg 3: what the driver below does is not asked again."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import socket
from typing import Any

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from matrix import Address

VERSION = sa.__version__


class SqlAlchemyBench:
    def __init__(self, address: Address) -> None:
        self.address = address
        self._engines: list[sa.Engine] = []
        self._opened: list[sa.Connection] = []

    def engine(self, password: str | None = None, **options: Any) -> sa.Engine:
        address = self.address
        url = sa.URL.create(
            'postgresql+psycopg',
            address.user,
            password or address.password,
            address.host,
            address.port,
            address.database,
            {'sslmode': 'disable'},
        )
        engine = sa.create_engine(url, poolclass=NullPool, **options)
        self._engines.append(engine)
        return engine

    async def open(self, password: str | None = None, **options: Any) -> sa.Connection:
        connection = await asyncio.to_thread(self.engine(password, **options).connect)
        self._opened.append(connection)
        return connection

    async def client(self, password: str | None = None) -> SqlAlchemyClient:
        return SqlAlchemyClient(await self.open(password, isolation_level='AUTOCOMMIT'))

    def fault(self, error: BaseException) -> dict[str, Any]:
        cause = getattr(error, 'orig', None)
        diagnosis = getattr(cause, 'diag', None)
        return {
            'kind': type(error).__name__,
            'sqlstate': getattr(cause, 'sqlstate', None),
            'message': (diagnosis and diagnosis.message_primary) or str(cause or error),
            'detail': diagnosis and diagnosis.message_detail,
            'constraint': diagnosis and diagnosis.constraint_name,
        }

    async def close(self) -> None:
        for connection in self._opened:
            with contextlib.suppress(sa.exc.DBAPIError):
                connection.close()
        for engine in self._engines:
            engine.dispose()


class SqlAlchemyClient:
    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection

    async def query(self, sql: str, *parameters: Any) -> list[list[Any]]:
        named = None
        if parameters:
            sql = re.sub(r'\$(\d+)', r'%(p\1)s', sql.replace('%', '%%'))
            named = {f'p{number}': value for number, value in enumerate(parameters, 1)}
        return await asyncio.to_thread(self._query, sql, named)

    def _query(self, sql: str, parameters: dict[str, Any] | None) -> list[list[Any]]:
        result = self.connection.exec_driver_sql(sql, parameters)
        return [list(row) for row in result] if result.returns_rows else []

    async def end(self) -> None:
        await asyncio.to_thread(self.connection.close)

    def destroy(self) -> None:
        raw = self.connection.connection.driver_connection
        assert raw
        with socket.socket(fileno=os.dup(raw.fileno())) as own:
            own.shutdown(socket.SHUT_RDWR)


def rows_table(name: str) -> sa.Table:
    columns = (sa.Column('id', sa.Integer, sa.Identity(), primary_key=True), sa.Column('note', sa.String(40)))
    return sa.Table(f'python_{name}', sa.MetaData(), *columns)


async def made(bench: SqlAlchemyBench, rows: sa.Table) -> sa.Engine:
    engine = bench.engine()
    await asyncio.to_thread(rows.metadata.drop_all, engine)
    await asyncio.to_thread(rows.metadata.create_all, engine)
    return engine
