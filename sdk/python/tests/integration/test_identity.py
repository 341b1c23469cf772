"""Who the proxy and the engine take the agent for, and what a statement is labelled with."""

from __future__ import annotations

import pytest
from proxy_under_test import Proxy

from hatidata_agent import HatiDataAgent, QueryError

NAMES = ('hatidata_request_id', 'hatidata_reasoning_step', 'hatidata_parent_request_id')


@pytest.mark.parametrize(
    'agent_id',
    ['plain', 'two words', 'back\\slash', 'ends in \\', "quote's", 'a -c hatidata_priority=critical', 'ağent 智能体'],
)
def test_the_agent_id_arrives_as_it_is(proxy: Proxy, agent_id: str) -> None:
    with proxy.agent(agent_id=agent_id) as agent:
        assert agent.query('SHOW hatidata_agent_id') == [{'hatidata_agent_id': agent_id}]
        assert agent.query('SHOW hatidata_priority') == [{'hatidata_priority': 'normal'}]


def test_framework_and_priority(proxy: Proxy) -> None:
    with HatiDataAgent(host=proxy.host, port=proxy.port, framework='crew ai', priority='high') as agent:
        assert agent.query('SHOW hatidata_framework') == [{'hatidata_framework': 'crew ai'}]
        assert agent.query('SHOW hatidata_priority') == [{'hatidata_priority': 'high'}]


def labels(agent: HatiDataAgent) -> dict[str, str]:
    """What the proxy holds now. Sent on the bare connection: the agent itself would empty the labels first."""
    connection = agent._channel._connection
    assert connection is not None
    return {name: str((connection.execute(f'SHOW {name}'.encode()).fetchone() or {})[name]) for name in NAMES}


def test_labels_of_a_query(admin: HatiDataAgent) -> None:
    request_id = "it's a \\ request"
    assert admin.query('SELECT 1 AS one', request_id=request_id) == [{'one': 1}]
    assert labels(admin)['hatidata_request_id'] == request_id
    admin.query('SELECT 1')
    assert labels(admin)['hatidata_request_id'] == ''


def test_labels_of_a_chain(admin: HatiDataAgent) -> None:
    with admin.reasoning_chain('req-1', parent_request_id='req-0') as chain:
        assert chain.query('SELECT %s::int AS n', (5,)) == [{'n': 5}]
        assert labels(admin) == dict(zip(NAMES, ('req-1', '0', 'req-0')))
        chain.query('SELECT 1')
        assert labels(admin)['hatidata_reasoning_step'] == '1'
        chain.query('SELECT 1', step=7)
        assert labels(admin)['hatidata_reasoning_step'] == '7'
        with admin.reasoning_chain(parent_request_id=chain.request_id) as inner:
            inner.query('SELECT 1')
            assert labels(admin) == dict(zip(NAMES, (inner.request_id, '0', 'req-1')))
        chain.query('SELECT 1')
        assert labels(admin) == dict(zip(NAMES, ('req-1', '8', 'req-0')))
    assert labels(admin) == dict.fromkeys(NAMES, '')


def test_a_chain_lets_errors_through_and_cleans_up(admin: HatiDataAgent) -> None:
    def fail() -> None:
        with admin.reasoning_chain('req-2') as chain:
            chain.query('SELECT 1 / 0')

    with pytest.raises(QueryError, match='division by zero'):
        fail()
    assert labels(admin) == dict.fromkeys(NAMES, '')


def test_a_readonly_key_may_label(readonly: HatiDataAgent) -> None:
    with readonly.reasoning_chain() as chain:
        assert chain.query('SELECT 1 AS one') == [{'one': 1}]
