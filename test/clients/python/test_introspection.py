"""What libraries ask of the catalogue with a readonly key: SQLAlchemy's inspection, and types of one's own."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import asyncpg
import psycopg
import pytest
from psycopg.types.composite import CompositeInfo
from psycopg.types.enum import EnumInfo
from psycopg.types.range import RangeInfo
from sqlalchemy import Inspector, MetaData, create_engine, inspect
from sqlalchemy.ext.asyncio import create_async_engine

from proxy_address import ProxyAddress


@pytest.fixture(scope='module')
def schema(administrator: psycopg.Connection[Any]) -> Iterator[str]:
    """One object of each kind that is listed."""
    name = f'inspected_{uuid.uuid4().hex[:8]}'
    administrator.execute(f"""
        CREATE SCHEMA {name};
        CREATE TYPE {name}.mood AS ENUM ('sad', 'happy');
        CREATE TYPE {name}.place AS (street text, number integer);
        CREATE TYPE {name}.prices AS RANGE (subtype = numeric);
        CREATE DOMAIN {name}.percent AS numeric(5, 2) CONSTRAINT of_a_hundred CHECK (VALUE BETWEEN 0 AND 100);
        CREATE TABLE {name}.customers (
          id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email varchar(80) CONSTRAINT one_email UNIQUE,
          mood {name}.mood DEFAULT 'happy', home {name}.place, share {name}.percent, fair {name}.prices,
          CONSTRAINT has_at CHECK (position('@' IN email) > 0));
        COMMENT ON TABLE {name}.customers IS 'who buys';
        CREATE INDEX lower_email ON {name}.customers (lower(email)) WHERE mood <> 'sad';
        CREATE TABLE {name}.orders (
          customer integer CONSTRAINT who_ordered REFERENCES {name}.customers ON DELETE CASCADE, net numeric);
        CREATE TABLE {name}.measures (day date) PARTITION BY RANGE (day);
        CREATE TABLE {name}.measures_rest PARTITION OF {name}.measures DEFAULT;
        CREATE VIEW {name}.happy AS SELECT id FROM {name}.customers WHERE mood = 'happy';
        CREATE MATERIALIZED VIEW {name}.totals AS SELECT sum(net) AS total FROM {name}.orders;
        CREATE SEQUENCE {name}.tickets;
        INSERT INTO {name}.customers (email, home, share, fair) VALUES ('a@b', ROW('Rue É', 7), 12.5, '[1,2)');
    """)
    yield name
    administrator.execute(f'DROP SCHEMA {name} CASCADE')


# Each method of the inspector, and a word that its answer must have.
ASKED: dict[str, tuple[Callable[[Inspector, str], Any], str]] = {
    'get_schema_names': (lambda inspector, _: inspector.get_schema_names(), 'inspected_'),
    'get_table_names': (lambda inspector, schema: inspector.get_table_names(schema), 'measures'),
    'get_view_names': (lambda inspector, schema: inspector.get_view_names(schema), 'happy'),
    'get_materialized_view_names': (lambda inspector, schema: inspector.get_materialized_view_names(schema), 'totals'),
    'get_sequence_names': (lambda inspector, schema: inspector.get_sequence_names(schema), 'tickets'),
    'get_view_definition': (lambda inspector, schema: inspector.get_view_definition('happy', schema), 'SELECT'),
    'get_enums': (lambda inspector, schema: inspector.get_enums(schema), 'sad'),
    'get_domains': (lambda inspector, schema: inspector.get_domains(schema), 'of_a_hundred'),
    'get_multi_columns': (lambda inspector, schema: inspector.get_multi_columns(schema), 'email'),
    'get_multi_pk_constraint': (lambda inspector, schema: inspector.get_multi_pk_constraint(schema), 'customers_pkey'),
    'get_multi_foreign_keys': (lambda inspector, schema: inspector.get_multi_foreign_keys(schema), 'who_ordered'),
    'get_multi_indexes': (lambda inspector, schema: inspector.get_multi_indexes(schema), 'lower_email'),
    'get_multi_unique_constraints': (
        lambda inspector, schema: inspector.get_multi_unique_constraints(schema),
        'one_email',
    ),
    'get_multi_check_constraints': (lambda inspector, schema: inspector.get_multi_check_constraints(schema), 'has_at'),
    'get_multi_table_comment': (lambda inspector, schema: inspector.get_multi_table_comment(schema), 'who buys'),
    'get_multi_table_options': (
        lambda inspector, schema: inspector.get_multi_table_options(schema),
        'postgresql_inherits',
    ),
    'has_table': (lambda inspector, schema: inspector.has_table('orders', schema), 'True'),
    'has_index': (lambda inspector, schema: inspector.has_index('customers', 'lower_email', schema), 'True'),
    'has_sequence': (lambda inspector, schema: inspector.has_sequence('tickets', schema), 'True'),
}


# SQLAlchemy knows no composite and no range types of one's own.
@pytest.mark.filterwarnings('ignore:Did not recognize type')
@pytest.mark.parametrize('asked', ASKED)
@pytest.mark.parametrize('driver', ['psycopg', 'psycopg2'])
def test_inspection(proxy: ProxyAddress, readonly_key: str, schema: str, driver: str, asked: str) -> None:
    engine = create_engine(proxy.url(f'postgresql+{driver}', readonly_key))
    ask, word = ASKED[asked]
    try:
        assert word in str(ask(inspect(engine), schema))
    finally:
        engine.dispose()


@pytest.mark.filterwarnings('ignore:Did not recognize type')
@pytest.mark.parametrize('driver', ['psycopg', 'psycopg2'])
def test_reflection_of_a_whole_schema(proxy: ProxyAddress, readonly_key: str, schema: str, driver: str) -> None:
    engine = create_engine(proxy.url(f'postgresql+{driver}', readonly_key))
    try:
        reflected = MetaData()
        reflected.reflect(engine, schema=schema, views=True)
    finally:
        engine.dispose()
    assert set(reflected.tables) == {
        f'{schema}.{name}' for name in ('customers', 'orders', 'measures', 'measures_rest', 'happy', 'totals')
    }
    assert [key.target_fullname for key in reflected.tables[f'{schema}.orders'].foreign_keys] == [
        f'{schema}.customers.id'
    ]


@pytest.mark.filterwarnings('ignore:Did not recognize type')
def test_reflection_by_the_asynchronous_engine(proxy: ProxyAddress, readonly_key: str, schema: str) -> None:
    async def main() -> None:
        engine = create_async_engine(proxy.url('postgresql+asyncpg', readonly_key))
        try:
            async with engine.connect() as connection:
                reflected = MetaData()
                await connection.run_sync(lambda sync: reflected.reflect(sync, schema=schema))
        finally:
            await engine.dispose()
        assert f'{schema}.orders' in reflected.tables

    asyncio.run(main())


def test_types_of_ones_own_in_psycopg(proxy: ProxyAddress, readonly_key: str, schema: str) -> None:
    with psycopg.connect(**proxy.keywords(readonly_key)) as connection:
        mood = EnumInfo.fetch(connection, f'{schema}.mood')
        place = CompositeInfo.fetch(connection, f'{schema}.place')
        prices = RangeInfo.fetch(connection, f'{schema}.prices')
    assert mood is not None
    assert list(mood.labels) == ['sad', 'happy']
    assert place is not None
    assert list(place.field_names) == ['street', 'number']
    assert prices is not None
    assert prices.subtype_oid == 1700


def test_types_of_ones_own_in_asyncpg(proxy: ProxyAddress, readonly_key: str, schema: str) -> None:
    """asyncpg looks unknown types up by a recursive query, and reads their values in binary."""

    async def main() -> asyncpg.Record | None:
        connection = await asyncpg.connect(proxy.url('postgresql', readonly_key))
        try:
            return await connection.fetchrow(
                f'SELECT mood, home, share, fair, ARRAY[mood] AS moods FROM {schema}.customers'
            )
        finally:
            await connection.close()

    row = asyncio.run(main())
    assert row is not None
    assert (row['mood'], tuple(row['home']), row['moods']) == ('happy', ('Rue É', 7), ['happy'])
    assert (str(row['share']), str(row['fair'].lower)) == ('12.50', '1')
