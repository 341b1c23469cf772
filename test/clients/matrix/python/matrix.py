"""Runs one driver's features against both targets and prints a report for each (scripts/compatibility/report.ts)."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

FEATURE_SECONDS = 30


class Unsupported(Exception):
    """The driver has no such thing; the message says what is missing."""


@dataclass(frozen=True)
class Address:
    host: str
    port: int
    user: str
    password: str
    database: str

    def libpq(self) -> dict[str, Any]:
        return {
            'host': self.host,
            'port': self.port,
            'user': self.user,
            'password': self.password,
            'dbname': self.database,
            'sslmode': 'disable',
        }


class Client(Protocol):
    """One connection without transactions of its own, one statement at a time. Parameters are $1…"""

    async def query(self, sql: str, *parameters: Any) -> list[list[Any]]: ...

    async def end(self) -> None: ...

    def destroy(self) -> None:
        """Ends the socket without a word to the server."""


class Bench(Protocol):
    """One driver at one target. What a feature leaves open is closed after it."""

    address: Address

    async def client(self, password: str | None = None) -> Client: ...

    def fault(self, error: BaseException) -> dict[str, Any]:
        """Fields of the server's error; at least sqlstate and message."""

    async def close(self) -> None: ...


Feature = Callable[[Any], Awaitable[Any]]


def unsupported(why: str) -> Feature:
    async def feature(_bench: Bench) -> None:
        raise Unsupported(why)

    return feature


def address_of(target: str) -> Address:
    url = urlsplit(os.environ[f'HATI_MATRIX_{target.upper()}'])
    return Address(url.hostname or '', url.port or 0, url.username or '', unquote(url.password or ''), url.path[1:])


async def run_driver(
    driver: str, version: str, make_bench: Callable[[Address], Bench], features: Mapping[str, Feature]
) -> None:
    for feature, run in features.items():
        for target in ('direct', 'proxy'):
            bench = make_bench(address_of(target))
            result, detail = await _run_once(bench, run)
            print_report(driver, version, target, feature, result, detail)


def print_report(driver: str, version: str, target: str, feature: str, result: str, detail: str) -> None:
    report = {
        'driver': driver,
        'version': version,
        'target': target,
        'feature': feature,
        'result': result,
        'detail': detail,
    }
    sys.stdout.write(json.dumps(report) + '\n')
    sys.stdout.flush()


async def _run_once(bench: Bench, run: Feature) -> tuple[str, str]:
    try:
        seen = await asyncio.wait_for(run(bench), FEATURE_SECONDS)
        return 'ok', json.dumps(seen, default=repr, ensure_ascii=False)
    except Unsupported as reason:
        return 'unsupported', str(reason)
    except Exception as error:  # whatever a driver raises is what the report is about
        while isinstance(error, ExceptionGroup):
            error = error.exceptions[0]
        fault = bench.fault(error)
        return 'fail', f'{fault.get("sqlstate") or type(error).__name__} {fault.get("message") or error}'
    finally:
        await bench.close()
