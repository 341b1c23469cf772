from __future__ import annotations

import threading
from decimal import Decimal
from typing import Any

import pytest

from hatidata_agent import HatiDataAgent, QueryError


@pytest.mark.parametrize(
    ('sql', 'params', 'rows'),
    [
        ('SELECT 1 AS a, 2 AS a', None, [{'a': 2}]),
        ('SELECT 1 AS a; SELECT 2 AS b', None, [{'b': 2}]),
        ("SELECT '100%' AS p", None, [{'p': '100%'}]),
        ("SELECT %s::text AS s, '%%' AS p", ("it's %s",), [{'s': "it's %s", 'p': '%'}]),
        ('SELECT %(x)s::int AS x, %(x)s::int + 1 AS y', {'x': 1}, [{'x': 1, 'y': 2}]),
        ('SELECT NULL::text AS n, true AS t, 1.50::numeric AS d', None, [{'n': None, 't': True, 'd': Decimal('1.50')}]),
        ('SELECT %s::int[] AS a', ([1, None],), [{'a': [1, None]}]),
        ('SELECT 1 AS one WHERE false', None, []),
        ("SET search_path TO 'main', 'public'", None, []),
    ],
)
def test_rows(admin: HatiDataAgent, sql: str, params: Any, rows: list[dict[str, Any]]) -> None:
    assert admin.query(sql, params) == rows


def test_row_counts(admin: HatiDataAgent, table: str) -> None:
    assert admin.execute(f"INSERT INTO {table} VALUES (1, 'a'), (2, 'b'), (3, NULL)") == 3
    assert admin.execute(f'UPDATE {table} SET note = %s WHERE id > %s', ('c', 1)) == 2
    assert admin.execute(f'DELETE FROM {table} WHERE id = %s', (99,)) == 0
    assert admin.execute(f'ALTER TABLE {table} ADD COLUMN extra text') == -1
    assert admin.query(f'SELECT * FROM {table} ORDER BY id')[1] == {'id': 2, 'note': 'c', 'extra': None}


def test_a_table_altered_by_somebody_else_does_not_break_a_repeated_query(
    admin: HatiDataAgent, readonly: HatiDataAgent, table: str
) -> None:
    for _ in range(8):
        readonly.query(f'SELECT * FROM {table} WHERE id = %s', (1,))
    admin.execute(f'ALTER TABLE {table} ADD COLUMN extra text')
    admin.execute(f'INSERT INTO {table} VALUES (1)')
    assert readonly.query(f'SELECT * FROM {table} WHERE id = %s', (1,)) == [{'id': 1, 'note': None, 'extra': None}]


def test_autocommit_and_transactions(admin: HatiDataAgent, readonly: HatiDataAgent, table: str) -> None:
    count = f'SELECT count(*) AS n FROM {table}'
    admin.execute(f'INSERT INTO {table} VALUES (1)')
    assert readonly.query(count) == [{'n': 1}]
    admin.execute('BEGIN')
    admin.execute(f'INSERT INTO {table} VALUES (2)')
    assert readonly.query(count) == [{'n': 1}]
    admin.execute('ROLLBACK')
    assert admin.query(count) == [{'n': 1}]


def test_a_failed_transaction_ends_with_rollback(admin: HatiDataAgent, table: str) -> None:
    with admin.reasoning_chain() as chain:
        admin.execute('BEGIN')
        with pytest.raises(QueryError, match='division by zero'):
            chain.query('SELECT 1 / 0')
        with pytest.raises(QueryError) as raised:
            admin.query('SELECT 1')
        assert raised.value.sqlstate == '25P02'
        admin.execute('ROLLBACK')
    assert admin.query(f'SELECT count(*) AS n FROM {table}') == [{'n': 0}]


@pytest.mark.parametrize('sql', ['COPY (SELECT 1) TO STDOUT', 'COPY {table} FROM STDIN'])
def test_copy_is_refused_and_the_agent_goes_on(admin: HatiDataAgent, table: str, sql: str) -> None:
    with pytest.raises(QueryError, match='cannot carry the data of a COPY'):
        admin.execute(sql.format(table=table))
    assert admin.query('SELECT 1 AS one') == [{'one': 1}]


def test_threads_take_turns(admin: HatiDataAgent) -> None:
    """What a statement is labelled with is set by a statement before it; nobody gets in between."""
    seen: list[tuple[str, str]] = []

    def ask(name: str) -> None:
        for n in range(20):
            request_id = f'{name}-{n}'
            rows = admin.query('SHOW hatidata_request_id', request_id=request_id)
            seen.append((request_id, rows[0]['hatidata_request_id']))

    threads = [threading.Thread(target=ask, args=(f'thread-{number}',)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 80
    assert all(sent == found for sent, found in seen)


def test_close_is_repeatable_and_not_final(admin: HatiDataAgent) -> None:
    admin.query('SELECT 1')
    admin.close()
    admin.close()
    assert admin.query('SELECT 1 AS one') == [{'one': 1}]
