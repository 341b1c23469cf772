"""Reflection and the ORM, as BI tools and frameworks use them."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator

import pytest
from sqlalchemy import (
    Column,
    ForeignKey,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
    create_engine,
    inspect,
    select,
    text,
)
from sqlalchemy.engine import Engine
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from proxy_address import ProxyAddress

DRIVERS = ['psycopg', 'psycopg2']


@pytest.fixture(params=DRIVERS)
def admin_engine(request: pytest.FixtureRequest, proxy: ProxyAddress, admin_key: str) -> Iterator[Engine]:
    engine = create_engine(proxy.url(f'postgresql+{request.param}', admin_key))
    yield engine
    engine.dispose()


@pytest.fixture
def schema(admin_engine: Engine) -> Iterator[tuple[str, str]]:
    """Names of two tables, the second with a foreign key to the first."""
    suffix = uuid.uuid4().hex[:8]
    metadata = MetaData()
    parent = Table(
        f'author_{suffix}',
        metadata,
        Column('id', Integer, primary_key=True),
        Column('name', String(80), nullable=False, index=True, comment='as printed'),
    )
    child = Table(
        f'book_{suffix}',
        metadata,
        Column('id', Integer, primary_key=True),
        Column('author_id', ForeignKey(parent.c.id)),
        Column('price', Numeric(10, 2), server_default=text('1.50')),
    )
    metadata.create_all(admin_engine)
    yield parent.name, child.name
    metadata.drop_all(admin_engine)


@pytest.mark.parametrize('scope', ['admin', 'readonly'])
@pytest.mark.parametrize('driver', DRIVERS)
def test_reflection(
    proxy: ProxyAddress, driver: str, scope: str, schema: tuple[str, str], request: pytest.FixtureRequest
) -> None:
    parent, child = schema
    engine = create_engine(proxy.url(f'postgresql+{driver}', request.getfixturevalue(f'{scope}_key')))
    try:
        inspector = inspect(engine)
        assert {parent, child, 'products'} <= set(inspector.get_table_names())
        assert [column['name'] for column in inspector.get_columns(parent)] == ['id', 'name']
        assert str(inspector.get_columns(child)[2]['type']) == 'NUMERIC(10, 2)'
        assert inspector.get_pk_constraint(parent)['constrained_columns'] == ['id']
        assert inspector.get_foreign_keys(child)[0]['referred_table'] == parent
        assert inspector.get_indexes(parent)[0]['column_names'] == ['name']
        assert isinstance(inspector.get_view_names(), list)
        reflected = MetaData()
        reflected.reflect(engine, only=[parent, child])
        assert reflected.tables[parent].c['name'].comment == 'as printed'
    finally:
        engine.dispose()


def test_the_orm_writes_and_reads(admin_engine: Engine) -> None:
    class Base(DeclarativeBase):
        pass

    class Note(Base):
        __tablename__ = f'note_{uuid.uuid4().hex[:8]}'
        id: Mapped[int] = mapped_column(primary_key=True)
        body: Mapped[str]

    Base.metadata.create_all(admin_engine)
    try:
        with Session(admin_engine) as session:
            session.add_all([Note(body=f'note {n}') for n in range(50)])
            session.commit()
            assert len(session.scalars(select(Note).where(Note.body.like('note 1%'))).all()) == 11
            session.scalars(select(Note)).first().body = 'changed'
            session.rollback()
            assert session.scalars(select(Note).where(Note.body == 'changed')).all() == []
    finally:
        Base.metadata.drop_all(admin_engine)


@pytest.mark.parametrize('driver', DRIVERS)
def test_a_readonly_key_reads_only(proxy: ProxyAddress, driver: str, readonly_key: str) -> None:
    engine = create_engine(proxy.url(f'postgresql+{driver}', readonly_key))
    try:
        with engine.connect() as connection:
            with pytest.raises(ProgrammingError, match='Permission denied: readonly scope cannot execute INSERT'):
                connection.execute(text("INSERT INTO products (id, name) VALUES (:id, 'x')"), {'id': 9001})
            connection.rollback()
            assert connection.execute(text('SELECT count(*) > 0 FROM products')).scalar_one() is True
    finally:
        engine.dispose()


def test_the_asynchronous_engine(proxy: ProxyAddress, readonly_key: str) -> None:
    async def main() -> None:
        engine = create_async_engine(proxy.url('postgresql+asyncpg', readonly_key))
        try:
            async with engine.connect() as connection:
                names = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
                assert 'products' in names
                total = await connection.execute(text('SELECT count(*) FROM products WHERE id > :id'), {'id': 0})
                assert total.scalar_one() > 0
        finally:
            await engine.dispose()

    asyncio.run(main())
