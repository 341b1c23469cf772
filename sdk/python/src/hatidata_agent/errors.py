"""What can go wrong, with the server's own sentence as the text of the exception."""

from __future__ import annotations

import re

import psycopg


class HatiDataError(Exception):
    """Base of all errors of this package.

    ``str(error)`` is exactly the sentence the server sent, without prefixes. ``sqlstate`` is PostgreSQL's
    five-character code (``None`` when the fault was found on this side), ``detail`` and ``hint`` are the server's,
    and ``__cause__`` is the psycopg error.
    """

    def __init__(
        self,
        message: str,
        *,
        sqlstate: str | None = None,
        detail: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate
        self.detail = detail
        self.hint = hint


class ConnectionFailedError(HatiDataError):
    """The proxy could not be reached, turned the connection away, or the connection was lost."""


class AuthenticationError(HatiDataError):
    """The API key is wrong, revoked, rotated away or expired (SQLSTATE class 28)."""


class QueryError(HatiDataError):
    """A statement failed; the session is still usable."""


class PermissionDeniedError(QueryError):
    """The key's scope does not allow the statement (SQLSTATE 42501)."""


# Shutdown by the operator, a crash, an idle session ended: the session is gone, the statement isn't to blame.
_SESSION_ENDED = frozenset({'57P01', '57P02', '57P04', '57P05'})


def query_failed(error: psycopg.Error) -> HatiDataError:
    """Translate what psycopg raised while a statement ran. Raise the result ``from`` the psycopg error."""
    sqlstate = error.sqlstate
    if sqlstate is None and isinstance(error, psycopg.OperationalError):
        return _connection_lost(str(error).strip())
    message = error.diag.message_primary or str(error).strip()
    return _class_of(sqlstate)(
        message,
        sqlstate=sqlstate,
        detail=error.diag.message_detail,
        hint=error.diag.message_hint,
    )


def _class_of(sqlstate: str | None) -> type[HatiDataError]:
    if sqlstate is None:
        # Found on this side: parameters that don't fit the text, a value that Python cannot hold.
        return QueryError
    if sqlstate.startswith('28'):
        return AuthenticationError
    if sqlstate == '42501':
        return PermissionDeniedError
    if sqlstate.startswith('08') or sqlstate in _SESSION_ENDED:
        return ConnectionFailedError
    return QueryError


def copy_refused() -> QueryError:
    return QueryError(
        'query() and execute() cannot carry the data of a COPY',
        hint='Use a client that streams, such as psql with \\copy.',
    )


# libpq hands over a refused connection as text only: "connection to server at … failed: FATAL:  <sentence>", then
# perhaps DETAIL and HINT lines; psycopg puts a line of its own around each address it tried.
_REFUSAL = re.compile(r'(?:FATAL|ERROR|PANIC):  (?P<sentence>[^\n]*)(?P<rest>(?:\n(?:DETAIL|HINT):  [^\n]*)*)')
_FIELD = re.compile(r'\n(DETAIL|HINT):  ([^\n]*)')

# The SQLSTATE of a refused or ended connection does not always get through libpq, so here, and only here, the text
# must tell a wrong key from a server that has no room: HatiData's sentence, and PostgreSQL's own.
_WRONG_KEY = re.compile(r'Authentication failed: |password authentication failed ')


def connect_failed(error: psycopg.Error, host: str, port: int) -> HatiDataError:
    """Translate what psycopg raised while connecting. Raise the result ``from`` the psycopg error."""
    text = str(error).strip()
    refusals = list(_REFUSAL.finditer(text))
    if not refusals:
        return ConnectionFailedError(
            f'cannot connect to HatiData at {host}:{port}: {_reason(text)}',
            sqlstate=error.sqlstate,
            detail=text,
        )
    # An address that nobody listens on may come before or after the one that answered.
    refusal = refusals[-1]
    fields = dict(_FIELD.findall(refusal['rest']))
    detail, hint = fields.get('DETAIL'), fields.get('HINT')
    if _WRONG_KEY.match(refusal['sentence']):
        return AuthenticationError(refusal['sentence'], sqlstate='28P01', detail=detail, hint=hint)
    return ConnectionFailedError(refusal['sentence'], sqlstate=error.sqlstate, detail=detail, hint=hint)


def _reason(text: str) -> str:
    """The last thing that failed, in one line, without libpq's advice (indented lines)."""
    lines = [line for line in text.splitlines() if line and not line[0].isspace()]
    return re.sub(r'^.* failed: ', '', lines[-1]) if lines else 'no reason given'


def _connection_lost(text: str) -> HatiDataError:
    """The server's last words, where it had any, come before libpq's own and after a prefix of psycopg's."""
    sentence = re.sub(r'^(?:consuming input|sending query|flushing) failed: ', '', text.split('\n', 1)[0])
    if _WRONG_KEY.match(sentence):
        return AuthenticationError(sentence, sqlstate='28P01', detail=text)
    return ConnectionFailedError(sentence, detail=text)
