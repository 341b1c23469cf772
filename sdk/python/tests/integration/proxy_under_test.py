"""What the fixtures hand to the tests."""

from __future__ import annotations

from dataclasses import dataclass

from hatidata_agent import HatiDataAgent


@dataclass(frozen=True)
class Proxy:
    host: str
    port: int

    def agent(self, api_key: str | None = None, agent_id: str = '') -> HatiDataAgent:
        return HatiDataAgent(host=self.host, port=self.port, agent_id=agent_id, api_key=api_key)


@dataclass(frozen=True)
class Key:
    """A key of this test alone; ``name`` is the agent it was made for."""

    name: str
    scope: str
    secret: str
