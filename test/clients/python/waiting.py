"""Waiting for what is certain to come, without a time that a slow machine could miss."""

from __future__ import annotations

import time
from collections.abc import Callable

import psycopg
import pytest


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f'{what} did not happen within a minute')
        time.sleep(0.02)


def is_running(observer: psycopg.Connection[tuple[object, ...]], sql: str) -> bool:
    """Whether the engine runs exactly this text now. The observer's scope must be the one that runs it."""
    sessions = "SELECT 1 FROM pg_stat_activity WHERE query = %s AND state = 'active'"
    return observer.execute(sessions, (sql,)).fetchone() is not None
