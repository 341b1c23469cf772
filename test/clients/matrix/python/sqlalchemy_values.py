"""Types and inspection by SQLAlchemy."""

from __future__ import annotations

import datetime
import decimal
import enum
import uuid
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from matrix import Feature
from sqlalchemy_bench import SqlAlchemyBench, made
from steps import table


def round_trip(*values: tuple[Any, Any]) -> Feature:
    async def feature(bench: SqlAlchemyBench) -> object:
        columns = [sa.Column(f'c{number}', type_) for number, (type_, _) in enumerate(values)]
        rows = sa.Table('python_sa_values', sa.MetaData(), *columns)
        engine = await made(bench, rows)
        with engine.begin() as connection:
            connection.execute(rows.insert(), {f'c{number}': value for number, (_, value) in enumerate(values)})
            return repr(connection.execute(rows.select()).all())

    return feature


class Mood(enum.Enum):
    sad = 1
    happy = 2


async def own_types(bench: SqlAlchemyBench) -> object:
    metadata = sa.MetaData()
    mood = pg.ENUM(Mood, name='python_sa_mood', metadata=metadata)
    rows = sa.Table('python_sa_moods', metadata, sa.Column('mood', mood), sa.Column('moods', pg.ARRAY(mood)))
    engine = await made(bench, rows)
    with engine.begin() as connection:
        connection.execute(rows.insert(), {'mood': Mood.sad, 'moods': [Mood.happy, Mood.sad]})
        return [repr(connection.execute(rows.select()).all()), repr(sa.inspect(connection).get_enums())]


async def metadata(bench: SqlAlchemyBench) -> object:
    parent = await table(bench, 'sa_parent', "id int PRIMARY KEY, email varchar(80) UNIQUE CHECK (email <> '')")
    child = await table(
        bench,
        'sa_child',
        f'id serial PRIMARY KEY, owner int NOT NULL REFERENCES {parent}, price numeric(8, 2) DEFAULT 0',
    )
    client = await bench.client()
    await client.query(f'CREATE INDEX python_sa_index ON {child} (owner) WHERE price > 0')
    await client.query(f"COMMENT ON TABLE {child} IS 'a comment'")
    inspector = sa.inspect(bench.engine())
    seen = [
        repr(getattr(inspector, f'get_{what}')(child))
        for what in ('columns', 'pk_constraint', 'foreign_keys', 'indexes', 'unique_constraints', 'table_comment')
    ]
    seen += [repr(inspector.get_check_constraints(parent)), repr(inspector.get_unique_constraints(parent))]
    reflected = sa.MetaData()
    reflected.reflect(bench.engine(), only=[child])
    seen += [sorted(reflected.tables), inspector.get_schema_names()]
    await client.query(f'DROP TABLE {child}, {parent}')
    return seen


DEEP = {'b': 1, 'a': [True, None, {'nested': '"é\n"'}]}

SQLALCHEMY_VALUES: dict[str, Feature] = {
    'null-values': round_trip(
        (sa.Text, None), (sa.Integer, None), (pg.JSONB(none_as_null=True), None), (sa.DateTime, None)
    ),
    'arrays': round_trip(
        (pg.ARRAY(sa.Integer), [1, None, -3]),
        (pg.ARRAY(sa.Text), ['plain', 'with "quotes"', "it's", 'a,b', '{}', None, '']),
        (pg.ARRAY(sa.Integer, dimensions=2), [[1, 2], [3, 4]]),
    ),
    'json': round_trip((sa.JSON, DEEP), (pg.JSONB, DEEP), (pg.JSONB, [])),
    'timestamps': round_trip(
        (sa.DateTime(timezone=True), datetime.datetime(2026, 2, 28, 23, 59, 59, 123456, datetime.UTC)),
        (sa.DateTime, datetime.datetime(2026, 2, 28, 23, 59, 59, 123456)),
        (sa.Date, datetime.date(1, 1, 1)),
        (sa.Time, datetime.time(23, 59, 59, 999999)),
        (sa.Interval, datetime.timedelta(days=-3, seconds=4, microseconds=5)),
    ),
    'numerics': round_trip(
        (sa.SmallInteger, -32768),
        (sa.BigInteger, 9223372036854775807),
        (sa.Numeric, decimal.Decimal('123456789012345678901234567890.123456789')),
        (sa.Double, 0.1),
    ),
    'bytes-uuid': round_trip(
        (sa.LargeBinary, bytes(range(256))),
        (sa.LargeBinary, b''),
        (sa.Uuid, uuid.UUID('b5c3f1d2-0000-4abc-8def-0123456789ab')),
    ),
    'own-types': own_types,
    'metadata': metadata,
}
