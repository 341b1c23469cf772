"""Where the proxy under test listens and how the clients reach it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

# The documented spelling of "no key", for client libraries that refuse to send nothing.
NO_KEY = 'hd_local'

INVALID_KEY = 'Authentication failed: invalid API key'


@dataclass(frozen=True)
class ProxyAddress:
    host: str
    port: int

    def keywords(self, password: str = NO_KEY) -> dict[str, str | int]:
        """For libpq-based libraries."""
        return {'host': self.host, 'port': self.port, 'dbname': 'hatidata', 'user': 'agent', 'password': password}

    def url(self, scheme: str, password: str = NO_KEY) -> str:
        return f'{scheme}://agent:{quote(password)}@{self.host}:{self.port}/hatidata'
