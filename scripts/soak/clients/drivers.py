"""psycopg (pipeline, cursors, COPY) and asyncpg (prepared, transactions) for the soak run.

Tells what happens as lines of JSON. The number of a write is asked for (`begin`) and comes on standard input; the end of standard
input is the end of the run.
"""

import asyncio
import json
import random
import sys

import asyncpg
import psycopg

PORT, KEY, FIRST = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
ADDRESS = {"host": "127.0.0.1", "port": PORT, "user": "agent", "password": KEY}
ending = asyncio.Event()
numbers = {FIRST: asyncio.Queue(), FIRST + 1: asyncio.Queue()}
counts = {"count": 0, "connects": 0}


class WrongAnswer(Exception):
    pass


class Over(Exception):
    pass


def tell(**event):
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


def same(what, got, wanted):
    counts["count"] += 1
    if got != wanted:
        raise WrongAnswer(f"{what}: {got!r}, and not {wanted!r}")


async def begin(client):
    if ending.is_set():
        raise Over
    tell(event="begin", id=client)
    number = await numbers[client].get()
    if number is None:
        raise Over
    return number


async def with_psycopg(client):
    counts["connects"] += 1
    connection = await psycopg.AsyncConnection.connect(
        **ADDRESS, dbname="hatidata", sslmode="disable", autocommit=True
    )
    async with connection:
        connection.prepare_threshold = 2
        await connection.execute(f"SET my.client = 'psycopg {client}'")
        for turn in range(20):
            if ending.is_set():
                return
            async with connection.pipeline():
                cursors = [
                    await connection.execute("SELECT %s::int, %s::int", (client, n)) for n in range(8)
                ]
            same("pipeline", [await c.fetchone() for c in cursors], [(client, n) for n in range(8)])
            cursor = await connection.execute("SELECT current_setting('my.client')")
            same("setting", await cursor.fetchone(), (f"psycopg {client}",))
            write = await begin(client)
            async with connection.transaction():
                await connection.execute("INSERT INTO ledger VALUES (%s, %s)", (client, write))
                async with connection.cursor(name="held") as named:
                    await named.execute("SELECT i FROM generate_series(1, 100) AS i")
                    same("cursor", len(await named.fetchmany(60)), 60)
                if turn % 3 == 0:
                    raise psycopg.Rollback()
            tell(event="rolledBack" if turn % 3 == 0 else "committed", id=client)
            async with connection.cursor() as cursor, cursor.copy(
                "COPY (SELECT %s::int, i FROM generate_series(1, 50) AS i) TO STDOUT", (client,)
            ) as copy:
                rows = [bytes(row) async for row in copy]
                same("COPY", b"".join(rows).count(f"{client}\t".encode()), 50)
            await asyncio.sleep(random.random() / 5)
    tell(event="work", kind="psycopg")


async def with_asyncpg(client):
    counts["connects"] += 1
    connection = await asyncpg.connect(**ADDRESS, database="hatidata", ssl=False, timeout=40)
    try:
        await connection.execute(f"SET my.client = 'asyncpg {client}'")
        own = await connection.prepare(f"SELECT {client} + $1::int")
        for turn in range(20):
            if ending.is_set():
                return
            same("prepared", await own.fetchval(turn, timeout=40), client + turn)
            setting = await connection.fetchval("SELECT current_setting('my.client')", timeout=40)
            same("setting", setting, f"asyncpg {client}")
            owner = await connection.fetchval("SELECT owner FROM own_rows WHERE id = $1", client)
            same("own row", owner, f"owner {client}")
            write = await begin(client)
            transaction = connection.transaction()
            await transaction.start()
            await connection.executemany("INSERT INTO ledger VALUES ($1, $2)", [(client, write)])
            async for _ in connection.cursor("SELECT generate_series(1, 30)", prefetch=10):
                counts["count"] += 1
            if turn % 3 == 0:
                await transaction.rollback()
                tell(event="rolledBack", id=client)
            else:
                await transaction.commit()
                tell(event="committed", id=client)
            await asyncio.sleep(random.random() / 5)
    finally:
        connection.terminate()
    tell(event="work", kind="asyncpg")


async def keep_at(work, client):
    while not ending.is_set():
        try:
            await asyncio.wait_for(work(client), 120)
        except Over:
            return
        except WrongAnswer as error:
            tell(event="wrong", message=str(error))
        except TimeoutError:
            tell(event="wrong", message=f"{work.__name__}: not over within 120 s")
        except Exception as error:
            code = getattr(error, "sqlstate", None)
            lost = (OSError, psycopg.OperationalError, asyncpg.InterfaceError)
            # psycopg lets its own Rollback out where the connection is lost before it could be sent.
            lost = lost + (asyncpg.ConnectionDoesNotExistError, psycopg.Rollback)
            # asyncpg says so of a query that begins when the server has said goodbye and not hung up yet.
            lost = lost + (asyncpg.InternalClientError,)
            if code in (None, "08003") and isinstance(error, lost):
                code = "LOST"
            text = f"{work.__name__} {type(error).__name__}: {error}"
            tell(event="error", code=code, message=text[:500])
            await asyncio.sleep(0.2)


async def read_numbers():
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    while line := await reader.readline():
        client, write = map(int, line.split())
        numbers[client].put_nowait(write)
    ending.set()
    for queue in numbers.values():
        queue.put_nowait(None)


async def tell_counts():
    while not ending.is_set():
        await asyncio.sleep(1)
        tell(event="statements", **counts)
        counts.update(count=0, connects=0)


async def main():
    await asyncio.gather(
        read_numbers(),
        tell_counts(),
        keep_at(with_psycopg, FIRST),
        keep_at(with_asyncpg, FIRST + 1),
    )


asyncio.run(main())
