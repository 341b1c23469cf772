"""COPY, values and metadata by psycopg 3."""

from __future__ import annotations

import datetime
import decimal
import math
import uuid
from typing import Any

import psycopg
from psycopg.types.composite import CompositeInfo, register_composite
from psycopg.types.enum import EnumInfo
from psycopg.types.json import Json, Jsonb

from matrix import Feature
from psycopg_bench import PsycopgBench
from steps import COPY_BINARY_ROWS, COPY_ROWS, COPY_SUMS, copy_lines, fails, table


async def copy_in(bench: PsycopgBench) -> object:
    name = await table(bench, 'copy_in', 'id int, note text')
    connection = await bench.open()
    cursor = await bench.execute(connection, 'SELECT 1')
    async with cursor.copy(f'COPY {name} FROM STDIN') as copy:
        for line in copy_lines(5_000):
            await copy.write(line)
        for number in range(5_001, 10_001):
            await copy.write_row((number, f'note é {number}'))
    return [cursor.rowcount, cursor.statusmessage, await (await bench.execute(connection, COPY_SUMS + name)).fetchall()]


async def copy_out(bench: PsycopgBench) -> object:
    cursor = await bench.execute(await bench.open(), 'SELECT 1')
    async with cursor.copy(f'COPY ({COPY_ROWS}) TO STDOUT') as copy:
        text = b''.join([bytes(part) async for part in copy]).decode()
    async with cursor.copy(f'COPY ({COPY_ROWS}) TO STDOUT') as copy:
        rows = [row async for row in copy.rows()]
    return [text == ''.join(copy_lines(10_000)), len(rows), rows[-1]]


async def copy_binary(bench: PsycopgBench) -> object:
    name = await table(bench, 'copy_binary', 'id int, note text')
    cursor = await bench.execute(await bench.open(), 'SELECT 1')

    async def taken(source: str) -> bytes:
        async with cursor.copy(f'COPY {source} TO STDOUT (FORMAT binary)') as copy:
            return b''.join([bytes(part) async for part in copy])

    given = await taken(f'({COPY_BINARY_ROWS})')
    async with cursor.copy(f'COPY {name} FROM STDIN (FORMAT binary)') as copy:
        await copy.write(given)
    return [len(given), await taken(name) == given]


async def copy_failed(bench: PsycopgBench) -> object:
    name = await table(bench, 'copy_failed', 'id int, note text')
    connection = await bench.open()
    cursor = await bench.execute(connection, 'SELECT 1')

    async def broken() -> None:
        async with cursor.copy(f'COPY {name} FROM STDIN') as copy:
            await copy.write('1\tfine\nnot a number\tbroken\n')

    async def given_up() -> None:
        async with cursor.copy(f'COPY {name} FROM STDIN') as copy:
            await copy.write('1\tnever\n')
            raise ValueError('given up')

    seen = [await fails(bench, broken), await fails(bench, given_up)]
    return [seen, await (await bench.execute(connection, f'SELECT count(*) FROM {name}')).fetchall()]


def round_trip(*values: tuple[str, Any]) -> Feature:
    """`(type, value)`: what `SELECT %s::type` gives back."""

    async def feature(bench: PsycopgBench) -> object:
        connection = await bench.open()
        seen = []
        for type_name, value in values:
            sql = f'SELECT %s::{type_name}, %s::{type_name}::text'
            cursor = await bench.execute(connection, sql, [value, value])
            assert cursor.description
            seen.append([type_name, repr(await cursor.fetchone()), cursor.description[0].type_code])
        return seen

    return feature


async def own_types(bench: PsycopgBench) -> object:
    connection = await bench.open()
    await connection.execute('DROP TYPE IF EXISTS python_item, python_mood')
    await connection.execute("CREATE TYPE python_mood AS ENUM ('sad', 'happy')")
    await connection.execute('CREATE TYPE python_item AS (name text, price numeric, mood python_mood)')
    inner = connection.inner if bench.sync else connection
    kinds = []
    for kind, name in ((EnumInfo, 'python_mood'), (CompositeInfo, 'python_item')):
        found = kind.fetch(inner, name)
        kinds.append(found if bench.sync else await found)
    mood, item = kinds
    mood.register(inner)
    register_composite(item, inner)
    sql = "SELECT row('pen', 1.50, 'happy')::python_item, ARRAY['sad', 'happy']::python_mood[]"
    return [mood.labels, item.field_names, repr(await (await bench.execute(connection, sql)).fetchall())]


async def metadata(bench: PsycopgBench) -> object:
    name = await table(bench, 'metadata', 'id int PRIMARY KEY, price numeric(8, 2) NOT NULL, note varchar(20)')
    cursor = await bench.execute(await bench.open(), f'SELECT *, price * 2 AS twice FROM {name}')
    described = [(one.name, one.type_code, one.precision, one.scale, one.display_size) for one in cursor.description]
    result = cursor.pgresult
    return [described, [(result.ftablecol(column), result.ftable(column) > 0) for column in range(4)]]


DEEP = {'b': 1, 'a': [True, None, {'nested': '"é\n"'}]}

PSYCOPG_VALUES: dict[str, Feature] = {
    'copy-in': copy_in,
    'copy-out': copy_out,
    'copy-binary': copy_binary,
    'copy-failed': copy_failed,
    'null-values': round_trip(('text', None), ('int', None), ('jsonb', None), ('timestamptz', None), ('int[]', None)),
    'arrays': round_trip(
        ('int[]', [1, None, -3]),
        ('text[]', ['plain', 'with "quotes"', "it's", 'a,b', '{}', None, '']),
        ('int[]', [[1, 2], [3, 4]]),
        ('numeric[]', [decimal.Decimal('1.50'), decimal.Decimal('NaN')]),
    ),
    'json': round_trip(('json', Json(DEEP)), ('jsonb', Jsonb(DEEP)), ('jsonb', Jsonb([]))),
    'timestamps': round_trip(
        ('timestamptz', datetime.datetime(2026, 2, 28, 23, 59, 59, 123456, datetime.UTC)),
        ('timestamp', datetime.datetime(2026, 2, 28, 23, 59, 59, 123456)),
        ('date', datetime.date(1, 1, 1)),
        ('time', datetime.time(23, 59, 59, 999999)),
        ('interval', datetime.timedelta(days=-3, seconds=4, microseconds=5)),
    ),
    'numerics': round_trip(
        ('smallint', -32768),
        ('int', 2147483647),
        ('bigint', 9223372036854775807),
        ('numeric', decimal.Decimal('123456789012345678901234567890.123456789')),
        ('numeric', decimal.Decimal('NaN')),
        ('float8', 0.1),
        ('float8', -math.inf),
    ),
    'bytes-uuid': round_trip(
        ('bytea', bytes(range(256))), ('bytea', b''), ('uuid', uuid.UUID('b5c3f1d2-0000-4abc-8def-0123456789ab'))
    ),
    'own-types': own_types,
    'metadata': metadata,
}

VERSION = psycopg.__version__
