"""Fixtures of the client suites. `test/clients/run` starts the proxy and says where it is."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from proxy_address import ProxyAddress


@pytest.fixture(scope='session')
def proxy() -> ProxyAddress:
    port = os.environ.get('HATIDATA_TEST_PORT')
    if port is None:
        pytest.fail('HATIDATA_TEST_PORT is not set; run test/clients/run')
    return ProxyAddress(os.environ.get('HATIDATA_TEST_HOST', 'localhost'), int(port))


@pytest.fixture(scope='session')
def administrator(proxy: ProxyAddress) -> Iterator[psycopg.Connection[Any]]:
    """The local administrator, without a key."""
    with psycopg.connect(**proxy.keywords(), autocommit=True) as connection:
        yield connection


@pytest.fixture(scope='session')
def admin_key(administrator: psycopg.Connection[Any]) -> Iterator[str]:
    yield from _key(administrator, 'admin')


@pytest.fixture(scope='session')
def readonly_key(administrator: psycopg.Connection[Any]) -> Iterator[str]:
    yield from _key(administrator, 'readonly')


def _key(administrator: psycopg.Connection[Any], scope: str) -> Iterator[str]:
    name = f'clients-{scope}-{uuid.uuid4().hex[:8]}'
    row = administrator.execute('SELECT create_api_key(%s, %s, %s)', (name, scope, 'client suites')).fetchone()
    assert row is not None
    yield row[0]
    administrator.execute('SELECT revoke_api_key(%s)', (name,))


@pytest.fixture
def table(administrator: psycopg.Connection[Any]) -> Iterator[str]:
    """Name of a table (id integer PRIMARY KEY, note text) with one row."""
    name = f'clients_{uuid.uuid4().hex[:8]}'
    administrator.execute(f'CREATE TABLE {name} (id integer PRIMARY KEY, note text)')
    administrator.execute(f"INSERT INTO {name} VALUES (0, 'kept')")
    yield name
    administrator.execute(f'DROP TABLE IF EXISTS {name}')
