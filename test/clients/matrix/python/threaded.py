"""
Lets a synchronous driver be used by the features, which are written for an event loop: each call runs in a thread, and
what it returns is wrapped in turn when it is an object of the driver.
"""

from __future__ import annotations

import asyncio
from typing import Any


class Threaded:
    """`await threaded.method(…)`, `async with threaded.method(…)`, `async for row in threaded`."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self.inner, name)
        return (lambda *args, **options: _Call(attribute, args, options)) if callable(attribute) else attribute

    async def __aenter__(self) -> Any:
        return _wrapped(await asyncio.to_thread(self.inner.__enter__))

    async def __aexit__(self, *error: Any) -> Any:
        return await asyncio.to_thread(self.inner.__exit__, *error)

    async def __aiter__(self) -> Any:
        end = object()
        rows = iter(self.inner)
        while (row := await asyncio.to_thread(next, rows, end)) is not end:
            yield row


class _Call:
    """A call that has not been made: by `await`, `async with` or `async for`."""

    def __init__(self, function: Any, args: tuple[Any, ...], options: dict[str, Any]) -> None:
        self._function, self._args, self._options = function, args, options
        self._entered: Any = None

    def __await__(self) -> Any:
        return self._run().__await__()

    async def _run(self) -> Any:
        return _wrapped(await asyncio.to_thread(self._function, *self._args, **self._options))

    async def __aenter__(self) -> Any:
        self._entered = await asyncio.to_thread(self._function, *self._args, **self._options)
        return _wrapped(await asyncio.to_thread(self._entered.__enter__))

    async def __aexit__(self, *error: Any) -> Any:
        return await asyncio.to_thread(self._entered.__exit__, *error)

    async def __aiter__(self) -> Any:
        async for item in Threaded(await asyncio.to_thread(self._function, *self._args, **self._options)):
            yield item


def _wrapped(value: Any) -> Any:
    return Threaded(value) if type(value).__module__.partition('.')[0] in {'psycopg', 'psycopg2'} else value
