"""These tests run against a proxy in dev mode: HATIDATA_TEST_PORT says where (and HATIDATA_TEST_HOST)."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator

import pytest
from proxy_under_test import Key, Proxy

from hatidata_agent import HatiDataAgent


@pytest.fixture(scope='session')
def proxy() -> Proxy:
    port = os.environ.get('HATIDATA_TEST_PORT')
    if port is None:
        pytest.fail('HATIDATA_TEST_PORT is not set: the integration tests need a running proxy in dev mode')
    return Proxy(os.environ.get('HATIDATA_TEST_HOST', 'localhost'), int(port))


@pytest.fixture
def admin(proxy: Proxy) -> Iterator[HatiDataAgent]:
    """The local administrator: no key."""
    with proxy.agent(agent_id=f'admin-{uuid.uuid4().hex[:8]}') as agent:
        yield agent


@pytest.fixture
def admin_key(admin: HatiDataAgent) -> Iterator[Key]:
    yield from _key(admin, 'admin')


@pytest.fixture
def readonly_key(admin: HatiDataAgent) -> Iterator[Key]:
    yield from _key(admin, 'readonly')


def _key(admin: HatiDataAgent, scope: str) -> Iterator[Key]:
    name = f'{scope}-{uuid.uuid4().hex[:8]}'
    secret = admin.query('SELECT create_api_key(%s, %s, %s)', (name, scope, 'SDK test'))[0]['api_key']
    yield Key(name, scope, secret)
    admin.query('SELECT revoke_api_key(%s)', (name,))


@pytest.fixture
def readonly(proxy: Proxy, readonly_key: Key) -> Iterator[HatiDataAgent]:
    with proxy.agent(readonly_key.secret, readonly_key.name) as agent:
        yield agent


@pytest.fixture
def table(admin: HatiDataAgent) -> Iterator[str]:
    """Name of an empty table (id integer PRIMARY KEY, note text)."""
    name = f'sdk_{uuid.uuid4().hex[:8]}'
    admin.execute(f'CREATE TABLE {name} (id integer PRIMARY KEY, note text)')
    yield name
    admin.execute(f'DROP TABLE {name}')
