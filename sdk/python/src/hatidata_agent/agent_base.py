"""What the synchronous and the asynchronous agent have in common: who they are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Generic, TypeVar

from hatidata_agent.settings import ConnectionSettings, agent_identity, wire_password

ChannelT = TypeVar('ChannelT')


class AgentBase(ABC, Generic[ChannelT]):
    """Holds the settings, and the channel made of them. Constructing does no I/O."""

    def __init__(
        self,
        host: str = 'localhost',
        port: int = 5439,
        agent_id: str = '',
        framework: str = 'custom',
        database: str = 'hatidata',
        user: str = 'agent',
        password: str = '',
        priority: str = 'normal',
        connect_timeout: int = 10,
        *,
        api_key: str | None = None,
        sslmode: str | None = None,
        sslrootcert: str | None = None,
    ) -> None:
        """
        :param host: name or address of the proxy.
        :param port: its port.
        :param agent_id: the name this agent is recorded under; ``agent-`` and 8 hex digits when left out.
        :param framework: the agent framework: custom, langchain, crewai, autogen …
        :param database: name of the database.
        :param user: for display only; the key says who you are.
        :param password: the API key, under the name Postgres clients use.
        :param priority: low, normal, high or critical.
        :param connect_timeout: in seconds.
        :param api_key: the API key. Neither this nor ``password``: the local administrator of a proxy in dev mode.
        :param sslmode: as in libpq (disable, prefer, require, verify-ca, verify-full); its default is prefer.
        :param sslrootcert: file with the certificates to trust, or ``system``.
        :raises ValueError: ``api_key`` and ``password`` differ, ``api_key`` is empty, a name contains a NUL character.
        """
        self._settings = ConnectionSettings(
            host=host,
            port=port,
            agent_id=agent_identity(agent_id),
            framework=framework,
            database=database,
            user=user,
            password=wire_password(password, api_key),
            priority=priority,
            connect_timeout=connect_timeout,
            sslmode=sslmode,
            sslrootcert=sslrootcert,
        )
        self._channel = self._new_channel(self._settings)

    @abstractmethod
    def _new_channel(self, settings: ConnectionSettings) -> ChannelT: ...

    @property
    def host(self) -> str:
        return self._settings.host

    @property
    def port(self) -> int:
        return self._settings.port

    @property
    def agent_id(self) -> str:
        return self._settings.agent_id

    @property
    def framework(self) -> str:
        return self._settings.framework

    @property
    def database(self) -> str:
        return self._settings.database

    @property
    def user(self) -> str:
        return self._settings.user

    @property
    def priority(self) -> str:
        return self._settings.priority

    @property
    def connect_timeout(self) -> int:
        return self._settings.connect_timeout

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(host={self.host!r}, port={self.port!r}, agent_id={self.agent_id!r}, '
            f'framework={self.framework!r}, database={self.database!r})'
        )
