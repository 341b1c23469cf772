from __future__ import annotations

import inspect

import psycopg
import pytest

from hatidata_agent import AsyncHatiDataAgent, HatiDataAgent
from hatidata_agent.settings import startup_options, wire_password


@pytest.mark.parametrize(
    ('value', 'escaped'),
    [
        ('plain', 'plain'),
        ('', ''),
        ('two words', r'two\ words'),
        ('back\\slash', r'back\\slash'),
        ('trailing\\', 'trailing\\\\'),
        (' -c work_mem=1', r'\ -c\ work_mem=1'),
        ('tab\tnew\nline\rfeed\f\v', 'tab\\\tnew\\\nline\\\rfeed\\\f\\\v'),
        ('it\'s "quoted"', 'it\'s\\ "quoted"'),
        ('ağent', 'ağent'),
    ],
)
def test_option_values_are_escaped(value: str, escaped: str) -> None:
    assert startup_options({'hatidata_agent_id': value}) == f'-c hatidata_agent_id={escaped}'


@pytest.mark.parametrize('name', ['agent_id', 'framework', 'priority'])
def test_nul_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f'hatidata_{name} contains a NUL'):
        HatiDataAgent(**{name: 'a\0b'})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ('password', 'api_key', 'sent'),
    [
        ('', None, 'hd_local'),
        ('hd_ro_1', None, 'hd_ro_1'),
        ('', 'hd_ro_1', 'hd_ro_1'),
        ('hd_ro_1', 'hd_ro_1', 'hd_ro_1'),
    ],
)
def test_the_key_is_the_password(password: str, api_key: str | None, sent: str) -> None:
    assert wire_password(password, api_key) == sent


@pytest.mark.parametrize(('password', 'api_key'), [('hd_ro_1', 'hd_ro_2'), ('', ''), ('hd_ro_1', '')])
def test_a_doubtful_key_is_refused_without_showing_it(password: str, api_key: str) -> None:
    with pytest.raises(ValueError, match='api_key') as raised:
        HatiDataAgent(password=password, api_key=api_key)
    assert 'hd_' not in str(raised.value)


@pytest.mark.parametrize('agent_class', [HatiDataAgent, AsyncHatiDataAgent])
def test_positional_order_is_the_public_one(agent_class: type) -> None:
    parameters = inspect.signature(agent_class).parameters.values()
    positional = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert positional == [
        *('host', 'port', 'agent_id', 'framework', 'database', 'user', 'password', 'priority', 'connect_timeout'),
    ]


def test_what_does_not_run_over_the_wire_is_not_an_argument() -> None:
    with pytest.raises(TypeError, match='cloud_key'):
        HatiDataAgent(cloud_key='x')  # type: ignore[call-arg]


def test_defaults_and_generated_identity() -> None:
    agent = HatiDataAgent()
    assert (agent.host, agent.port, agent.database, agent.user) == ('localhost', 5439, 'hatidata', 'agent')
    assert (agent.framework, agent.priority, agent.connect_timeout) == ('custom', 'normal', 10)
    assert agent.agent_id.startswith('agent-')
    assert int(agent.agent_id[6:], 16) >= 0
    assert len(agent.agent_id) == len('agent-') + 8
    assert agent.agent_id != HatiDataAgent().agent_id


def test_repr_shows_no_key() -> None:
    agent = HatiDataAgent(agent_id='a', api_key='hd_ro_secret')
    assert 'hd_ro_secret' not in repr(agent) + repr(agent._settings)


def test_parameters_are_ones_that_libpq_knows() -> None:
    agent = HatiDataAgent(agent_id="a b\\'c", api_key="k'\\ ey", sslmode='verify-full', sslrootcert='system')
    parameters = agent._settings.parameters()
    conninfo = psycopg.conninfo.make_conninfo(**parameters)
    parsed = psycopg.conninfo.conninfo_to_dict(conninfo)
    assert parsed == {name: str(value) for name, value in parameters.items()}
    assert parsed['password'] == "k'\\ ey"
    assert parsed['application_name'] == 'hatidata-agent/custom'
    assert 'sslmode' not in HatiDataAgent()._settings.parameters()
