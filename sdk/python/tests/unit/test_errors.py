from __future__ import annotations

import pickle

import psycopg
import pytest

from hatidata_agent.errors import (
    AuthenticationError,
    ConnectionFailedError,
    HatiDataError,
    PermissionDeniedError,
    QueryError,
    connect_failed,
    query_failed,
)

PREFIX = 'connection failed: connection to server at "127.0.0.1", port 5439 failed: '
INVALID_KEY = 'Authentication failed: invalid API key'
CLOSED = 'server closed the connection unexpectedly\n\tThis probably means the server terminated abnormally'
REFUSED = 'Connection refused\n\tIs the server running on that host and accepting TCP/IP connections?'


def attempts(*texts: str) -> str:
    """As psycopg writes it when a name has several addresses."""
    lines = [f"- host: 'localhost', port: '5439', hostaddr: '::{n}': {text}" for n, text in enumerate(texts, 1)]
    return '\n'.join([texts[-1], 'Multiple connection attempts failed. All failures were:', *lines])


@pytest.mark.parametrize(
    ('text', 'kind', 'sentence', 'sqlstate', 'hint'),
    [
        (f'{PREFIX}FATAL:  {INVALID_KEY}', AuthenticationError, INVALID_KEY, '28P01', None),
        (
            f'{PREFIX}FATAL:  password authentication failed for user "a"\n',
            *(AuthenticationError, 'password authentication failed for user "a"', '28P01', None),
        ),
        (
            attempts(f'{PREFIX}{REFUSED}', f'{PREFIX}FATAL:  {INVALID_KEY}'),
            *(AuthenticationError, INVALID_KEY, '28P01', None),
        ),
        (
            attempts(f'{PREFIX}FATAL:  {INVALID_KEY}', f'{PREFIX}{REFUSED}'),
            *(AuthenticationError, INVALID_KEY, '28P01', None),
        ),
        (
            f'{PREFIX}FATAL:  TLS only\nHINT:  Connect with sslmode=require.',
            *(ConnectionFailedError, 'TLS only', None, 'Connect with sslmode=require.'),
        ),
        (
            f'{PREFIX}FATAL:  the limit is 5\nDETAIL:  five are here\nHINT:  Raise it.',
            *(ConnectionFailedError, 'the limit is 5', None, 'Raise it.'),
        ),
        (
            f'{PREFIX}{REFUSED}',
            *(ConnectionFailedError, 'cannot connect to HatiData at h:1: Connection refused', None, None),
        ),
        (
            "failed to resolve host 'h': [Errno -2] Name or service not known",
            ConnectionFailedError,
            "cannot connect to HatiData at h:1: failed to resolve host 'h': [Errno -2] Name or service not known",
            None,
            None,
        ),
    ],
)
def test_connect_failures(
    text: str, kind: type[HatiDataError], sentence: str, sqlstate: str | None, hint: str | None
) -> None:
    error = connect_failed(psycopg.OperationalError(text), 'h', 1)
    assert type(error) is kind
    assert str(error) == sentence
    assert (error.sqlstate, error.hint) == (sqlstate, hint)


@pytest.mark.parametrize(
    ('cause', 'kind'),
    [
        (psycopg.errors.InsufficientPrivilege('x'), PermissionDeniedError),
        (psycopg.errors.InvalidPassword('x'), AuthenticationError),
        (psycopg.errors.AdminShutdown('x'), ConnectionFailedError),
        (psycopg.errors.ConnectionFailure('x'), ConnectionFailedError),
        (psycopg.errors.UniqueViolation('x'), QueryError),
        (psycopg.errors.QueryCanceled('x'), QueryError),
        (psycopg.errors.CannotConnectNow('x'), QueryError),
        (psycopg.OperationalError('x'), ConnectionFailedError),
        (psycopg.ProgrammingError('x'), QueryError),
        (psycopg.DataError('x'), QueryError),
    ],
)
def test_statement_failures(cause: psycopg.Error, kind: type[HatiDataError]) -> None:
    error = query_failed(cause)
    assert type(error) is kind
    assert str(error) == 'x'
    assert error.sqlstate == cause.sqlstate


@pytest.mark.parametrize(
    ('text', 'kind', 'sentence'),
    [
        (f'consuming input failed: {INVALID_KEY}\n{CLOSED}', AuthenticationError, INVALID_KEY),
        (f'{INVALID_KEY}\n{CLOSED}', AuthenticationError, INVALID_KEY),
        (f'consuming input failed: {CLOSED}', ConnectionFailedError, 'server closed the connection unexpectedly'),
        ('the connection is lost', ConnectionFailedError, 'the connection is lost'),
    ],
)
def test_a_session_that_ended(text: str, kind: type[HatiDataError], sentence: str) -> None:
    error = query_failed(psycopg.OperationalError(text))
    assert type(error) is kind
    assert str(error) == sentence
    assert error.detail == text


def test_errors_can_be_pickled() -> None:
    error = pickle.loads(pickle.dumps(QueryError('sentence', sqlstate='22012', detail='d', hint='h')))
    assert (str(error), error.sqlstate, error.detail, error.hint) == ('sentence', '22012', 'd', 'h')
