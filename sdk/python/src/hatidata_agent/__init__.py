"""Client of a HatiData proxy for AI agents, over the Postgres wire protocol.

>>> from hatidata_agent import HatiDataAgent
>>> agent = HatiDataAgent(host='localhost', port=5439, agent_id='analytics-agent')
>>> agent.query('SELECT count(*) AS n FROM products')
[{'n': 42}]
"""

from hatidata_agent.async_client import AsyncHatiDataAgent, AsyncReasoningChain
from hatidata_agent.client import HatiDataAgent, ReasoningChain
from hatidata_agent.errors import (
    AuthenticationError,
    ConnectionFailedError,
    HatiDataError,
    PermissionDeniedError,
    QueryError,
)

__version__ = '0.5.0'

__all__ = [
    'AsyncHatiDataAgent',
    'AsyncReasoningChain',
    'AuthenticationError',
    'ConnectionFailedError',
    'HatiDataAgent',
    'HatiDataError',
    'PermissionDeniedError',
    'QueryError',
    'ReasoningChain',
]
