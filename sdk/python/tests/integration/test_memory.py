from __future__ import annotations

import re
from typing import Any

import pytest
from proxy_under_test import Key, Proxy

from hatidata_agent import HatiDataAgent, PermissionDeniedError

COLUMNS = [
    *('memory_id', 'agent_id', 'content', 'memory_type', 'importance', 'metadata', 'created_at', 'last_accessed_at'),
]


def contents(rows: list[dict[str, Any]]) -> list[str]:
    return [row['content'] for row in rows]


def test_a_memory_comes_back(admin: HatiDataAgent) -> None:
    memory_id = admin.store_memory('The warehouse is in Oslo', 'observation', {'source': "it's me"}, 0.9)
    assert re.fullmatch('[0-9a-f]{32}', memory_id)
    (row,) = admin.search_memory('OSLO')
    assert list(row) == COLUMNS
    assert (row['memory_id'], row['agent_id'], row['importance']) == (memory_id, admin.agent_id, 0.9)
    assert (row['memory_type'], row['metadata']) == ('observation', '{"source": "it\'s me"}')
    assert re.fullmatch(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ', row['created_at'])
    assert admin.delete_memory(memory_id) is True
    assert admin.delete_memory(memory_id) is False
    assert admin.search_memory('oslo') == []


def test_search(admin: HatiDataAgent) -> None:
    admin.store_memory('red apples', importance=0.2)
    admin.store_memory('green apples, 100% sure', importance=0.8)
    admin.store_memory('green_pears', memory_type='observation')
    assert contents(admin.search_memory('apples')) == ['green apples, 100% sure', 'red apples']
    assert contents(admin.search_memory('red pears')) == ['green_pears', 'red apples']
    assert contents(admin.search_memory('apples', min_importance=0.5)) == ['green apples, 100% sure']
    assert contents(admin.search_memory('green', memory_type='observation')) == ['green_pears']
    assert len(admin.search_memory('is of')) == 3
    assert len(admin.search_memory('', top_k=2)) == 2
    assert contents(admin.search_memory('100%')) == ['green apples, 100% sure']
    assert admin.search_memory('%%%') == admin.search_memory('r_d') == admin.search_memory('\\\\\\') == []
    assert admin.search_memory("x' OR '1'='1") == []


def test_memories_belong_to_an_agent(proxy: Proxy, admin: HatiDataAgent) -> None:
    admin.store_memory('mine alone')
    with proxy.agent(agent_id="other' OR true --") as other:
        assert other.search_memory('mine') == []


@pytest.mark.parametrize('value', [{'step': 3, 'ü': [None, 1.5]}, [1], 'text', 0, False, None, "it's"])
def test_state_comes_back(admin: HatiDataAgent, value: Any) -> None:
    assert admin.get_state("key's") is None
    admin.set_state("key's", 'before')
    admin.set_state("key's", value)
    assert admin.get_state("key's") == value
    (row,) = admin.query(
        'SELECT version FROM _hatidata_memory_local.agent_state WHERE agent_id = %s AND key = %s',
        (admin.agent_id, "key's"),
    )
    assert row == {'version': 2}


def test_a_readonly_key_remembers_but_does_not_learn(proxy: Proxy, admin: HatiDataAgent, readonly_key: Key) -> None:
    memory_id = admin.store_memory('shared fact')
    admin.set_state('mode', 'on')
    with proxy.agent(readonly_key.secret, admin.agent_id) as agent:
        assert contents(agent.search_memory('shared')) == ['shared fact']
        assert agent.get_state('mode') == 'on'
        for write, verb in (
            (lambda: agent.store_memory('more'), 'INSERT'),
            (lambda: agent.set_state('mode', 'off'), 'INSERT'),
            (lambda: agent.delete_memory(memory_id), 'DELETE'),
        ):
            with pytest.raises(PermissionDeniedError, match=f'^Permission denied: .* cannot execute {verb}$'):
                write()
    assert admin.get_state('mode') == 'on'
