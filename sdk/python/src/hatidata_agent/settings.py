"""Constructor arguments to libpq connection parameters. Pure; nothing here opens a socket."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass, field
from typing import Any

# Libpq gives up by itself when a server asks for a password and there is none, so "no key" has a spelling. A proxy
# in dev mode takes it, from loopback only, for its local administrator; every other proxy refuses it.
NO_KEY = 'hd_local'


@dataclass(frozen=True)
class ConnectionSettings:
    """Where to connect and as whom. ``password`` is what goes over the wire and never shows in ``repr``."""

    host: str
    port: int
    agent_id: str
    framework: str
    database: str
    user: str
    password: str = field(repr=False)
    priority: str
    connect_timeout: int
    sslmode: str | None
    sslrootcert: str | None

    def parameters(self) -> dict[str, Any]:
        """Keyword arguments of ``psycopg.connect``.

        The password is always given, so neither PGPASSWORD nor ~/.pgpass can make an agent somebody else.
        """
        given = {
            'host': self.host,
            'port': self.port,
            'dbname': self.database,
            'user': self.user,
            'password': self.password,
            'connect_timeout': self.connect_timeout,
            'sslmode': self.sslmode,
            'sslrootcert': self.sslrootcert,
            'application_name': f'hatidata-agent/{self.framework}',
            'client_encoding': 'UTF8',
            'options': startup_options(
                {
                    'hatidata_agent_id': self.agent_id,
                    'hatidata_framework': self.framework,
                    'hatidata_priority': self.priority,
                }
            ),
        }
        return {name: value for name, value in given.items() if value is not None}


def wire_password(password: str, api_key: str | None) -> str:
    """The password to send: the API key under either name, or the spelling of "no key".

    :raises ValueError: the two differ, or ``api_key`` is an empty text (a secret that failed to load must not turn
        an agent into the local administrator).
    """
    if api_key == '':
        raise ValueError('api_key is empty; leave it out to connect without a key')
    if api_key and password and api_key != password:
        raise ValueError('api_key and password are two names of the same secret, but differ')
    return api_key or password or NO_KEY


def agent_identity(agent_id: str) -> str:
    return agent_id or f'agent-{uuid.uuid4().hex[:8]}'


def startup_options(values: dict[str, str]) -> str:
    """The ``options`` startup parameter, ``-c name=value`` each.

    The server splits it at white space; a backslash takes the character after it literally.
    https://www.postgresql.org/docs/18/libpq-connect.html#LIBPQ-CONNECT-OPTIONS
    """
    return ' '.join(f'-c {name}={_escape(name, value)}' for name, value in values.items())


def _escape(name: str, value: str) -> str:
    if '\0' in value:
        raise ValueError(f'{name} contains a NUL character')
    return re.sub(r'([\\ \t\n\v\f\r])', r'\\\1', value)
