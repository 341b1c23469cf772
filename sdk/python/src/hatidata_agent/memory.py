"""Agent memory and state: plain tables in the user's own database, shared with every other client that knows them.

Schema, tables and columns are those of the public ``hatidata-agent`` package. Times are text in UTC
(``2026-01-31T08:00:00Z``), metadata and state values are JSON text. Reading never creates anything, so a readonly
key can read; writing creates what is missing and nothing else.
"""

from __future__ import annotations

import json
import operator
import re
import uuid
from typing import Any

from psycopg import sql

from hatidata_agent.errors import QueryError
from hatidata_agent.statements import Operation, Row, Statement

_UTC_NOW = sql.SQL("""to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')""")

_TABLES_EXIST = Statement(
    b"""
    SELECT to_regclass('_hatidata_memory_local.agent_memories') IS NOT NULL
       AND to_regclass('_hatidata_memory_local.agent_state') IS NOT NULL AS present
    """
)

_CREATE = (
    Statement(b'CREATE SCHEMA IF NOT EXISTS _hatidata_memory_local'),
    Statement(
        sql.SQL("""
        CREATE TABLE IF NOT EXISTS _hatidata_memory_local.agent_memories (
            memory_id        varchar PRIMARY KEY,
            agent_id         varchar NOT NULL,
            content          text NOT NULL,
            memory_type      varchar NOT NULL DEFAULT 'fact',
            importance       double precision DEFAULT 0.5,
            metadata         varchar,
            created_at       varchar DEFAULT {now},
            last_accessed_at varchar DEFAULT {now}
        )
        """).format(now=_UTC_NOW)
    ),
    Statement(
        sql.SQL("""
        CREATE TABLE IF NOT EXISTS _hatidata_memory_local.agent_state (
            agent_id   varchar NOT NULL,
            key        varchar NOT NULL,
            value      varchar NOT NULL,
            version    bigint DEFAULT 1,
            updated_at varchar DEFAULT {now},
            PRIMARY KEY (agent_id, key)
        )
        """).format(now=_UTC_NOW)
    ),
)

# IF NOT EXISTS looks before it inserts, so two agents that start together can still collide on these.
_CREATED_MEANWHILE = frozenset({'23505', '42P06', '42P07', '42710'})

_INSERT_MEMORY = b"""
    INSERT INTO _hatidata_memory_local.agent_memories
        (memory_id, agent_id, content, memory_type, importance, metadata)
    VALUES (%s, %s, %s, %s, %s, %s)
"""

_SEARCH = b"""
    SELECT memory_id, agent_id, content, memory_type, importance, metadata, created_at, last_accessed_at
      FROM _hatidata_memory_local.agent_memories
     WHERE agent_id = %(agent_id)s
       AND (%(patterns)s::text[] IS NULL OR content ILIKE ANY (%(patterns)s::text[]))
       AND (%(memory_type)s::text IS NULL OR memory_type = %(memory_type)s::text)
       AND (%(min_importance)s::double precision IS NULL OR importance >= %(min_importance)s::double precision)
     ORDER BY importance DESC NULLS LAST, created_at DESC, memory_id
     LIMIT %(top_k)s::bigint
"""

_DELETE_MEMORY = b'DELETE FROM _hatidata_memory_local.agent_memories WHERE memory_id = %s'

_GET_STATE = b'SELECT value FROM _hatidata_memory_local.agent_state WHERE agent_id = %s AND key = %s'

_SET_STATE = sql.SQL("""
    INSERT INTO _hatidata_memory_local.agent_state AS state (agent_id, key, value)
    VALUES (%s, %s, %s)
    ON CONFLICT (agent_id, key) DO UPDATE
       SET value = EXCLUDED.value, version = state.version + 1, updated_at = {now}
""").format(now=_UTC_NOW)


def store_memory(
    agent_id: str, content: str, memory_type: str, metadata: dict[str, Any] | None, importance: float
) -> Operation[str]:
    memory_id = uuid.uuid4().hex
    document = None if metadata is None else json.dumps(metadata)
    yield from _create_missing()
    yield Statement(_INSERT_MEMORY, (memory_id, agent_id, content, memory_type, float(importance), document))
    return memory_id


def search_memory(
    agent_id: str, text: str, top_k: int, memory_type: str | None, min_importance: float | None
) -> Operation[list[Row]]:
    params = {
        'agent_id': agent_id,
        'patterns': _patterns(text),
        'memory_type': memory_type,
        'min_importance': min_importance,
        'top_k': operator.index(top_k),
    }
    if not (yield from _tables_exist()):
        return []
    outcome = yield Statement(_SEARCH, params)
    return outcome.rows


def delete_memory(memory_id: str) -> Operation[bool]:
    if not (yield from _tables_exist()):
        return False
    outcome = yield Statement(_DELETE_MEMORY, (memory_id,))
    return outcome.rowcount > 0


def get_state(agent_id: str, key: str) -> Operation[Any]:
    if not (yield from _tables_exist()):
        return None
    outcome = yield Statement(_GET_STATE, (agent_id, key))
    if not outcome.rows:
        return None
    value = outcome.rows[0]['value']
    try:
        return json.loads(value)
    except ValueError:
        # Somebody wrote plain text there by SQL.
        return value


def set_state(agent_id: str, key: str, value: Any) -> Operation[None]:
    document = json.dumps(value)
    yield from _create_missing()
    yield Statement(_SET_STATE, (agent_id, key, document))


def _tables_exist() -> Operation[bool]:
    outcome = yield _TABLES_EXIST
    return outcome.rows[0]['present'] is True


def _create_missing() -> Operation[None]:
    if (yield from _tables_exist()):
        return
    for statement in _CREATE:
        try:
            yield statement
        except QueryError as error:
            if error.sqlstate not in _CREATED_MEANWHILE:
                raise


def _patterns(text: str) -> list[str] | None:
    """One LIKE pattern for each word of more than two letters, its own wildcards taken literally."""
    words = [re.sub(r'([\\%_])', r'\\\1', word) for word in text.split() if len(word) > 2]
    return [f'%{word}%' for word in words] or None
