"""COPY, values and metadata by asyncpg."""

from __future__ import annotations

import datetime
import decimal
import io
import json
import math
import uuid
from typing import Any

from asyncpg_bench import AsyncpgBench
from matrix import Feature, unsupported
from steps import (
    COPY_BINARY_ROWS,
    COPY_ROWS,
    COPY_SUMS,
    copy_lines,
    fails,
    table,
)


async def copy_in(bench: AsyncpgBench) -> object:
    name = await table(bench, 'copy_in', 'id int, note text')
    connection = await bench.open()
    text = io.BytesIO(''.join(copy_lines(10_000)).encode())
    return [await connection.copy_to_table(name, source=text), repr(await connection.fetch(COPY_SUMS + name))]


async def copy_out(bench: AsyncpgBench) -> object:
    taken = io.BytesIO()
    status = await (await bench.open()).copy_from_query(COPY_ROWS, output=taken)
    return [status, taken.getvalue().decode() == ''.join(copy_lines(10_000))]


async def copy_binary(bench: AsyncpgBench) -> object:
    name = await table(bench, 'copy_binary', 'id int, note text')
    connection = await bench.open()
    given, taken = io.BytesIO(), io.BytesIO()
    await connection.copy_from_query(COPY_BINARY_ROWS, output=given, format='binary')
    given.seek(0)
    await connection.copy_to_table(name, source=given, format='binary')
    await connection.copy_from_table(name, output=taken, format='binary')
    records = await connection.copy_records_to_table(name, records=[(number, 'more') for number in range(100)])
    return [len(given.getvalue()), taken.getvalue() == given.getvalue(), records]


async def copy_failed(bench: AsyncpgBench) -> object:
    name = await table(bench, 'copy_failed', 'id int, note text')
    connection = await bench.open()

    async def gives_up() -> Any:
        yield b'1\tnever\n'
        raise ValueError('given up')

    broken = io.BytesIO(b'1\tfine\nnot a number\tbroken\n')
    seen = [
        await fails(bench, lambda: connection.copy_to_table(name, source=broken)),
        await fails(bench, lambda: connection.copy_to_table(name, source=gives_up())),
    ]
    return [seen, await connection.fetchval(f'SELECT count(*) FROM {name}')]


def round_trip(*values: tuple[str, Any]) -> Feature:
    async def feature(bench: AsyncpgBench) -> object:
        connection = await bench.open()
        seen = []
        for type_name, value in values:
            row = await connection.fetchrow(f'SELECT $1::{type_name}, $1::{type_name}::text', value)
            seen.append([type_name, repr(list(row))])
        return seen

    return feature


async def own_types(bench: AsyncpgBench) -> object:
    connection = await bench.open()
    await connection.execute(
        "DROP TYPE IF EXISTS python_part, python_state; CREATE TYPE python_state AS ENUM ('new', 'old');"
        'CREATE TYPE python_part AS (name text, price numeric, state python_state)'
    )
    # It asks the catalogue for types that it does not know; for arrays and composites by a recursive query.
    sql = "SELECT $1::python_part, ARRAY[$1::python_part], 'new'::python_state, ARRAY['old']::python_state[]"
    return repr(list(await connection.fetchrow(sql, ('pen', decimal.Decimal('1.50'), 'new'))))


async def metadata(bench: AsyncpgBench) -> object:
    name = await table(bench, 'metadata', 'id int PRIMARY KEY, price numeric(8, 2) NOT NULL, note varchar(20)')
    statement = await (await bench.open()).prepare(f'SELECT *, price * 2 AS twice FROM {name} WHERE id = $1')
    return [repr(statement.get_attributes()), repr(statement.get_parameters()), await statement.explain(1) != []]


DEEP = json.dumps({'b': 1, 'a': [True, None, {'nested': '"é\n"'}]})

ASYNCPG_VALUES: dict[str, Feature] = {
    'copy-in': copy_in,
    'copy-out': copy_out,
    'copy-binary': copy_binary,
    'copy-failed': copy_failed,
    'large-object-api': unsupported('no interface to large objects'),
    'null-values': round_trip(('text', None), ('int', None), ('jsonb', None), ('timestamptz', None), ('int[]', None)),
    'arrays': round_trip(
        ('int[]', [1, None, -3]),
        ('text[]', ['plain', 'with "quotes"', "it's", 'a,b', '{}', None, '']),
        ('int[]', [[1, 2], [3, 4]]),
        ('numeric[]', [decimal.Decimal('1.50'), decimal.Decimal('NaN')]),
    ),
    'json': round_trip(('json', DEEP), ('jsonb', DEEP), ('jsonb', '[]')),
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
