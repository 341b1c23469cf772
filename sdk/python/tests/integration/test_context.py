from __future__ import annotations

import pytest

from hatidata_agent import HatiDataAgent, QueryError


def test_context_is_found_by_full_text(admin: HatiDataAgent, readonly: HatiDataAgent, table: str) -> None:
    admin.execute(
        f'INSERT INTO {table} VALUES (%s, %s), (%s, %s), (%s, %s)',
        (1, 'enterprise customers in Norway', 2, "the agent's enterprise account", 3, 'a bicycle'),
    )
    found = readonly.get_context(table, 'enterprise', top_k=5)
    assert sorted(row['id'] for row in found) == [1, 2]
    assert set(found[0]) >= {'id', 'note'}
    assert [row['id'] for row in readonly.get_context(table, "agent's enterprise", top_k=1)] == [2]
    assert readonly.get_context(table, 'enterprise', top_k=1)[0]['id'] in (1, 2)
    assert readonly.get_context(table, "'; DROP TABLE x; --", top_k=5) == []


def test_rag_context_is_ordered_by_similarity(admin: HatiDataAgent, readonly: HatiDataAgent, table: str) -> None:
    admin.execute(f'ALTER TABLE {table} ADD COLUMN embedding double precision[]')
    rows = [(1, [1.0, 0.0]), (2, [0.7, 0.7]), (3, [0.0, 1.0])]
    for number, vector in rows:
        admin.execute(f'INSERT INTO {table} (id, embedding) VALUES (%s, %s)', (number, vector))
    assert [row['id'] for row in readonly.get_rag_context(table, 'embedding', [0.1, 0.9], top_k=2)] == [3, 2]
    assert [row['id'] for row in readonly.get_rag_context(table, 'embedding', [1, 0], top_k=1)] == [1]


@pytest.mark.parametrize('name', ['no_such_table', "x'; DROP TABLE products; --"])
def test_an_unknown_table(readonly: HatiDataAgent, name: str) -> None:
    with pytest.raises(QueryError) as raised:
        readonly.get_context(name, 'anything')
    assert raised.value.sqlstate is not None
    assert readonly.query('SELECT count(*) > 0 AS kept FROM products') == [{'kept': True}]
