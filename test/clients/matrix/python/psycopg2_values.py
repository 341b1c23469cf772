"""COPY, values and metadata by psycopg2."""

from __future__ import annotations

import asyncio
import datetime
import decimal
import io
import math
import uuid
from typing import Any

import psycopg2
import psycopg2.extensions
import psycopg2.extras

from matrix import Feature
from psycopg2_bench import Psycopg2Bench, query_rows
from steps import (
    COPY_BINARY_ROWS,
    COPY_ROWS,
    COPY_SUMS,
    copy_lines,
    fails,
    table,
)


async def copy_in(bench: Psycopg2Bench) -> object:
    name = await table(bench, 'copy_in', 'id int, note text')
    connection = await bench.open()
    with connection.cursor() as cursor:
        cursor.copy_expert(f'COPY {name} FROM STDIN', io.StringIO(''.join(copy_lines(10_000))))
        return [cursor.rowcount, query_rows(connection, COPY_SUMS + name)]


async def copy_out(bench: Psycopg2Bench) -> object:
    taken = io.StringIO()
    with (await bench.open()).cursor() as cursor:
        cursor.copy_expert(f'COPY ({COPY_ROWS}) TO STDOUT', taken)
        return [cursor.rowcount, taken.getvalue() == ''.join(copy_lines(10_000))]


async def copy_binary(bench: Psycopg2Bench) -> object:
    name = await table(bench, 'copy_binary', 'id int, note text')
    given, taken = io.BytesIO(), io.BytesIO()
    with (await bench.open()).cursor() as cursor:
        cursor.copy_expert(f'COPY ({COPY_BINARY_ROWS}) TO STDOUT (FORMAT binary)', given)
        given.seek(0)
        cursor.copy_expert(f'COPY {name} FROM STDIN (FORMAT binary)', given)
        cursor.copy_expert(f'COPY {name} TO STDOUT (FORMAT binary)', taken)
    return [len(given.getvalue()), taken.getvalue() == given.getvalue()]


class GivesUp(io.StringIO):
    def read(self, _size: int | None = -1) -> str:
        raise OSError('given up')


async def copy_failed(bench: Psycopg2Bench) -> object:
    name = await table(bench, 'copy_failed', 'id int, note text')
    connection = await bench.open()

    def copied(source: io.StringIO) -> None:
        with connection.cursor() as cursor:
            cursor.copy_expert(f'COPY {name} FROM STDIN', source)

    broken = io.StringIO('1\tfine\nnot a number\tbroken\n')
    seen = [
        await fails(bench, lambda: asyncio.to_thread(copied, broken)),
        await fails(bench, lambda: asyncio.to_thread(copied, GivesUp())),
    ]
    return [seen[0], seen[1]['sqlstate'], query_rows(connection, f'SELECT count(*) FROM {name}')]


async def large_object_api(bench: Psycopg2Bench) -> object:
    connection = await bench.open()
    connection.autocommit = False
    large = connection.lobject(0, 'wb')
    large.write(b'ab' * 20_000)
    large.close()
    again = connection.lobject(large.oid, 'rb')
    again.seek(10_000)
    read = len(again.read(15_000))
    again.unlink()
    connection.commit()
    return read


def round_trip(*values: tuple[str, Any]) -> Feature:
    async def feature(bench: Psycopg2Bench) -> object:
        connection = await bench.open()
        psycopg2.extras.register_uuid(conn_or_curs=connection)
        seen = []
        for type_name, value in values:
            with connection.cursor() as cursor:
                cursor.execute(f'SELECT CAST(%s AS {type_name}), CAST(CAST(%s AS {type_name}) AS text)', [value, value])
                row = [bytes(one) if isinstance(one, memoryview) else one for one in cursor.fetchone()]
                seen.append([type_name, repr(row), cursor.description[0].type_code])
        return seen

    return feature


async def own_types(bench: Psycopg2Bench) -> object:
    connection = await bench.open()
    query_rows(connection, 'DROP TYPE IF EXISTS python_thing; CREATE TYPE python_thing AS (name text, price numeric)')
    psycopg2.extras.register_composite('python_thing', connection)
    return repr(query_rows(connection, "SELECT row('pen', 1.50)::python_thing, ARRAY[row('ink', 2)::python_thing]"))


async def metadata(bench: Psycopg2Bench) -> object:
    name = await table(bench, 'metadata', 'id int PRIMARY KEY, price numeric(8, 2) NOT NULL, note varchar(20)')
    with (await bench.open()).cursor() as cursor:
        cursor.execute(f'SELECT *, price * 2 AS twice FROM {name}')
        return [[*column[:6], column.table_column, (column.table_oid or 0) > 0] for column in cursor.description]


DEEP = {'b': 1, 'a': [True, None, {'nested': '"é\n"'}]}

PSYCOPG2_VALUES: dict[str, Feature] = {
    'copy-in': copy_in,
    'copy-out': copy_out,
    'copy-binary': copy_binary,
    'copy-failed': copy_failed,
    'large-object-api': large_object_api,
    'null-values': round_trip(('text', None), ('int', None), ('jsonb', None), ('timestamptz', None), ('int[]', None)),
    'arrays': round_trip(
        ('int[]', [1, None, -3]),
        ('text[]', ['plain', 'with "quotes"', "it's", 'a,b', '{}', None, '']),
        ('int[]', [[1, 2], [3, 4]]),
    ),
    'json': round_trip(('json', psycopg2.extras.Json(DEEP)), ('jsonb', psycopg2.extras.Json(DEEP))),
    'timestamps': round_trip(
        ('timestamptz', datetime.datetime(2026, 2, 28, 23, 59, 59, 123456, datetime.UTC)),
        ('timestamp', datetime.datetime(2026, 2, 28, 23, 59, 59, 123456)),
        ('date', datetime.date(1, 1, 1)),
        ('time', datetime.time(23, 59, 59, 999999)),
        ('interval', datetime.timedelta(days=-3, seconds=4, microseconds=5)),
    ),
    'numerics': round_trip(
        ('smallint', -32768),
        ('bigint', 9223372036854775807),
        ('numeric', decimal.Decimal('123456789012345678901234567890.123456789')),
        ('numeric', decimal.Decimal('NaN')),
        ('float8', 0.1),
        ('float8', math.inf),
    ),
    'bytes-uuid': round_trip(
        ('bytea', bytes(range(256))), ('bytea', b''), ('uuid', uuid.UUID('b5c3f1d2-0000-4abc-8def-0123456789ab'))
    ),
    'own-types': own_types,
    'metadata': metadata,
}
