"""Who may do what, and the exact sentences."""

from __future__ import annotations

import psycopg
import pytest
from proxy_under_test import Key, Proxy

from hatidata_agent import (
    AuthenticationError,
    ConnectionFailedError,
    HatiDataAgent,
    HatiDataError,
    PermissionDeniedError,
    QueryError,
)

INVALID_KEY = 'Authentication failed: invalid API key'


@pytest.mark.parametrize(
    ('sql', 'word'),
    [
        ("INSERT INTO {table} VALUES (1, 'a')", 'INSERT'),
        ("UPDATE {table} SET note = 'x'", 'UPDATE'),
        ('DELETE FROM {table}', 'DELETE'),
        ('DROP TABLE {table}', 'DDL'),
        ('CREATE TABLE {table}_2 (id int)', 'DDL'),
        ('ALTER TABLE {table} ADD COLUMN more text', 'DDL'),
        ('TRUNCATE {table}', 'DDL'),
        ("SELECT 1; INSERT INTO {table} VALUES (2, 'b')", 'INSERT'),
        ('WITH gone AS (DELETE FROM {table} RETURNING id) SELECT * FROM gone', 'DELETE'),
    ],
)
@pytest.mark.parametrize('method', ['query', 'execute'])
def test_a_readonly_key_reads_only(
    admin: HatiDataAgent, readonly: HatiDataAgent, table: str, sql: str, word: str, method: str
) -> None:
    admin.execute(f"INSERT INTO {table} VALUES (0, 'kept')")
    with pytest.raises(PermissionDeniedError) as raised:
        getattr(readonly, method)(sql.format(table=table))
    assert str(raised.value) == f'Permission denied: readonly scope cannot execute {word}'
    assert raised.value.sqlstate == '42501'
    assert isinstance(raised.value.__cause__, psycopg.errors.InsufficientPrivilege)
    assert readonly.query(f'SELECT * FROM {table}') == [{'id': 0, 'note': 'kept'}]


def test_the_same_with_bound_parameters(readonly: HatiDataAgent, table: str) -> None:
    with pytest.raises(PermissionDeniedError, match=r'^Permission denied: readonly scope cannot execute INSERT$'):
        readonly.execute(f'INSERT INTO {table} VALUES (%s, %s)', (1, 'a'))
    assert readonly.query(f'SELECT count(*) AS n FROM {table} WHERE id = %s', (1,)) == [{'n': 0}]


def test_an_admin_key_does_everything(proxy: Proxy, admin_key: Key, table: str) -> None:
    with proxy.agent(admin_key.secret) as agent:
        assert agent.execute(f"INSERT INTO {table} VALUES (1, 'a')") == 1
        assert agent.execute(f'CREATE TABLE {table}_copy AS SELECT * FROM {table}') == 1
        assert agent.execute(f'DROP TABLE {table}_copy') == -1


def test_a_key_works_as_password_too(proxy: Proxy, readonly_key: Key) -> None:
    with HatiDataAgent(host=proxy.host, port=proxy.port, password=readonly_key.secret) as agent:
        assert agent.query('SELECT 1 AS one') == [{'one': 1}]


@pytest.mark.parametrize('secret', ['hd_ro_wrong', 'nonsense', 'hd_admin_' + 'a' * 32, ' ', 'hd_local2'])
def test_a_wrong_key_is_refused(proxy: Proxy, secret: str) -> None:
    with pytest.raises(AuthenticationError) as raised:
        proxy.agent(secret).query('SELECT 1')
    assert str(raised.value) == INVALID_KEY
    assert raised.value.sqlstate == '28P01'
    assert isinstance(raised.value.__cause__, psycopg.OperationalError)


def test_rotation_kills_the_old_key_in_open_sessions_too(proxy: Proxy, admin: HatiDataAgent, readonly_key: Key) -> None:
    with proxy.agent(readonly_key.secret) as old:
        old.query('SELECT 1')
        new_secret = admin.query('SELECT rotate_api_key(%s)', (readonly_key.name,))[0]['api_key']
        with pytest.raises(AuthenticationError) as raised:
            old.query('SELECT 1')
        assert str(raised.value) == INVALID_KEY
        with pytest.raises(AuthenticationError):
            old.query('SELECT 1')
    assert new_secret.startswith('hd_ro_')
    assert new_secret != readonly_key.secret
    with proxy.agent(new_secret) as new:
        assert new.query('SELECT 1 AS one') == [{'one': 1}]
        with pytest.raises(PermissionDeniedError):
            new.execute('CREATE TABLE scope_kept (id int)')


def test_a_revoked_key_is_a_wrong_key(proxy: Proxy, admin: HatiDataAgent) -> None:
    secret = admin.query("SELECT create_api_key('sdk-revoked', 'admin', '')")[0]['api_key']
    admin.query("SELECT revoke_api_key('sdk-revoked')")
    with pytest.raises(AuthenticationError, match=f'^{INVALID_KEY}$'):
        proxy.agent(secret).query('SELECT 1')


@pytest.mark.parametrize(
    ('sql', 'sqlstate', 'kind'),
    [
        ('SELECT * FROM no_such_table', '42P01', QueryError),
        ('SELECT 1 / 0', '22012', QueryError),
        ('SELEC 1', '42601', QueryError),
        ("SELECT create_api_key('x', 'owner', '')", '22023', QueryError),
        ("SELECT rotate_api_key('nobody has this name')", '42704', QueryError),
    ],
)
def test_other_errors(admin: HatiDataAgent, sql: str, sqlstate: str, kind: type[HatiDataError]) -> None:
    with pytest.raises(kind) as raised:
        admin.query(sql)
    assert type(raised.value) is kind
    assert raised.value.sqlstate == sqlstate
    assert '\n' not in str(raised.value)
    assert admin.query('SELECT 1 AS one') == [{'one': 1}]


def test_keys_are_for_administrators(readonly: HatiDataAgent) -> None:
    with pytest.raises(PermissionDeniedError, match=r'^Permission denied: '):
        readonly.query("SELECT create_api_key('x', 'admin', '')")


def test_nobody_listens(proxy: Proxy) -> None:
    with pytest.raises(ConnectionFailedError) as raised:
        HatiDataAgent(host=proxy.host, port=1).query('SELECT 1')
    assert str(raised.value) == f'cannot connect to HatiData at {proxy.host}:1: Connection refused'
