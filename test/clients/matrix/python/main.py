"""The Python drivers of the matrix. `scripts/compatibility.ts` starts this and reads what it prints."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from asyncpg_bench import VERSION as ASYNCPG_VERSION
from asyncpg_bench import AsyncpgBench
from asyncpg_features import ASYNCPG
from asyncpg_values import ASYNCPG_VALUES
from common import COMMON
from matrix import run_driver
from psycopg2_bench import VERSION as PSYCOPG2_VERSION
from psycopg2_bench import Psycopg2Bench
from psycopg2_features import PSYCOPG2
from psycopg2_values import PSYCOPG2_VALUES
from psycopg_bench import PsycopgBench
from psycopg_features import PSYCOPG
from psycopg_values import PSYCOPG_VALUES, VERSION
from session_features import SESSION
from sqlalchemy_bench import VERSION as SQLALCHEMY_VERSION
from sqlalchemy_bench import SqlAlchemyBench
from sqlalchemy_features import SQLALCHEMY
from sqlalchemy_values import SQLALCHEMY_VALUES


async def main() -> None:
    # Each client may wait for the others, as those of a synchronous driver do in threads.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(max_workers=32))
    psycopg_ways = {
        'psycopg 3 (sync)': {'sync': True},
        'psycopg 3 (async)': {},
        'psycopg 3 (binary)': {'binary': True},
        'psycopg 3 (pipeline)': {'pipeline': True},
    }
    for name, way in psycopg_ways.items():
        features = COMMON | SESSION | PSYCOPG | PSYCOPG_VALUES
        await run_driver(name, VERSION, partial(PsycopgBench, **way), features)
    await run_driver('psycopg2', PSYCOPG2_VERSION, Psycopg2Bench, COMMON | SESSION | PSYCOPG2 | PSYCOPG2_VALUES)
    await run_driver('asyncpg', ASYNCPG_VERSION, AsyncpgBench, COMMON | SESSION | ASYNCPG | ASYNCPG_VALUES)
    await run_driver(
        'SQLAlchemy', SQLALCHEMY_VERSION, SqlAlchemyBench, COMMON | SESSION | SQLALCHEMY | SQLALCHEMY_VALUES
    )


asyncio.run(main())
