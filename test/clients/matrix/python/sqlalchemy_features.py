"""Transactions, statements and batches by SQLAlchemy."""

from __future__ import annotations

import asyncio
import datetime

import sqlalchemy as sa

from matrix import Feature, unsupported
from sqlalchemy_bench import SqlAlchemyBench, made, rows_table
from steps import CONNECTED, TRANSACTION, expect_that, fails, others

BELOW = 'the driver below does it'


async def connect(bench: SqlAlchemyBench) -> object:
    connection = await bench.open()
    dialect = connection.dialect
    rows = [list(row) for row in connection.exec_driver_sql(CONNECTED)]
    return [rows, dialect.server_version_info, dialect.default_schema_name, connection.get_isolation_level()]


async def parameters_text(bench: SqlAlchemyBench) -> object:
    connection = await bench.open()
    asked = sa.select(
        sa.literal("it's"), sa.literal(7), sa.literal(datetime.date(2026, 1, 31)), sa.literal(True), sa.func.upper('x')
    )
    return repr(connection.execute(asked).all())


async def named_statement(bench: SqlAlchemyBench) -> object:
    """The driver below prepares what it has seen five times; transactions are SQLAlchemy's own."""
    connection = await bench.open()
    seen = []
    asked = sa.text('SELECT CAST(:n AS int) + 1')
    for number in range(12):
        with connection.begin():
            seen.append(connection.execute(asked, {'n': number}).scalar())
        if number % 4 == 0:
            await others(bench)
    return seen


async def unnamed_statement(bench: SqlAlchemyBench) -> object:
    connection = await bench.open(connect_args={'prepare_threshold': None})
    seen = []
    for number in range(8):
        with connection.begin():
            seen.append(connection.execute(sa.select(sa.literal(number) * 2)).scalar())
        if number % 4 == 0:
            await others(bench)
    return seen


async def batch(bench: SqlAlchemyBench) -> object:
    """insertmanyvalues, with the generated keys in the order of the rows."""
    rows = rows_table('sa_batch')
    engine = await made(bench, rows)
    with engine.begin() as connection:
        inserted = connection.execute(
            rows.insert().returning(rows.c.id, rows.c.note, sort_by_parameter_order=True),
            [{'note': f'n{number}'} for number in range(3000)],
        ).all()
        expect_that([row.note for row in inserted] == [f'n{number}' for number in range(3000)], 'in order')
        changed = connection.execute(
            rows.update().where(rows.c.id == sa.bindparam('key')).values(note=sa.bindparam('new')),
            [{'key': row.id, 'new': 'changed'} for row in inserted[:200]],
        )
        return [changed.rowcount, connection.scalar(sa.select(sa.func.count(sa.distinct(rows.c.note))))]


async def batch_error(bench: SqlAlchemyBench) -> object:
    rows = rows_table('sa_error')
    engine = await made(bench, rows)
    same = [{'id': 1, 'note': 'a'}, {'id': 2, 'note': 'b'}, {'id': 1, 'note': 'c'}]

    async def work() -> None:
        with engine.begin() as connection:
            connection.execute(rows.insert(), same)

    fault = await fails(bench, work)
    with engine.connect() as connection:
        return [fault, connection.scalar(sa.select(sa.func.count()).select_from(rows))]


async def rows_in_parts(bench: SqlAlchemyBench) -> object:
    connection = await bench.open()
    asked = sa.text('SELECT generate_series(1, :n)')
    streamed = connection.execution_options(yield_per=300).execute(asked, {'n': 1000})
    seen = [len(part) for part in streamed.partitions()]
    connection.rollback()
    return seen


async def savepoint(bench: SqlAlchemyBench) -> object:
    rows = rows_table('sa_savepoint')
    engine = await made(bench, rows)
    with engine.begin() as connection:
        connection.execute(rows.insert(), {'id': 1, 'note': 'kept'})

        async def nested() -> None:
            with connection.begin_nested():
                connection.execute(rows.insert(), {'id': 1, 'note': 'twice'})

        fault = await fails(bench, nested)
        with connection.begin_nested():
            connection.execute(rows.insert(), {'id': 2, 'note': 'after'})
    with engine.connect() as connection:
        return [fault['sqlstate'], repr(connection.execute(rows.select().order_by(rows.c.id)).all())]


async def isolation(bench: SqlAlchemyBench) -> object:
    connection = await bench.open()
    plain = connection.exec_driver_sql(TRANSACTION).all()
    connection.rollback()
    connection = connection.execution_options(
        isolation_level='SERIALIZABLE', postgresql_readonly=True, postgresql_deferrable=True
    )
    inside = connection.exec_driver_sql(TRANSACTION).all()
    write = await fails(bench, lambda: asyncio.to_thread(connection.exec_driver_sql, 'CREATE TABLE never (id int)'))
    connection.rollback()
    return [repr(inside), write['sqlstate'], repr(plain)]


async def two_phase(bench: SqlAlchemyBench) -> object:
    rows = rows_table('sa_two_phase')
    engine = await made(bench, rows)
    with engine.connect() as connection:
        transaction = connection.begin_twophase(xid='sqlalchemy')
        connection.execute(rows.insert(), {'note': 'prepared'})
        transaction.prepare()
        with engine.connect() as neighbour:
            waiting = 'sqlalchemy' in map(str, neighbour.recover_twophase())
        transaction.commit()
        return [repr(waiting), connection.scalar(sa.select(sa.func.count()).select_from(rows))]


SQLALCHEMY: dict[str, Feature] = {
    'connect': connect,
    'simple-query': unsupported('one statement at a time'),
    'empty-query': unsupported(BELOW),
    'parameters-text': parameters_text,
    'parameters-binary': unsupported(BELOW),
    'unnamed-statement': unnamed_statement,
    'named-statement': named_statement,
    'same-name': unsupported(BELOW),
    'close-statement': unsupported(BELOW),
    'batch': batch,
    'batch-error': batch_error,
    'rows-in-parts': rows_in_parts,
    'cancel': unsupported(BELOW),
    'notices': unsupported(BELOW),
    'savepoint': savepoint,
    'isolation': isolation,
    'two-phase': two_phase,
    'listen-notify': unsupported(BELOW),
    'copy-in': unsupported(BELOW),
    'copy-out': unsupported(BELOW),
    'copy-binary': unsupported(BELOW),
    'copy-failed': unsupported(BELOW),
    'large-object-api': unsupported(BELOW),
}
