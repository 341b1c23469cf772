"""pgbench 18 in one of its modes. How fast it was is no part of what is seen."""

from __future__ import annotations

import re
from functools import partial

from matrix import Address, Unsupported
from tool import BIN, WORK, Feature, run, sql

# A thread each: when pgbench prepares, all clients of its thread wait for the answer, with their transactions open.
EIGHT_CLIENTS = ('-c', '8', '-j', '8')


def bench(address: Address, mode: str, *arguments: str) -> list[str]:
    """Lines that say what was done."""
    done = run(BIN / 'pgbench', '-n', '-M', mode, *arguments, address=address)
    if done.returncode != 0:
        raise RuntimeError(done.stderr or done.stdout)
    return re.findall(
        r'^number of (?:transactions actually processed|failed transactions).*$', done.stdout, re.MULTILINE
    )


def initialise(_mode: str, address: Address) -> object:
    counted = 'SELECT (SELECT count(*) FROM pgbench_accounts), (SELECT count(*) FROM pgbench_tellers)'
    sql(address, 'DROP TABLE IF EXISTS pgbench_accounts, pgbench_branches, pgbench_history, pgbench_tellers')
    seen: list[object] = []
    for steps in ('dtGvp', 'dtgvpf'):
        done = run(BIN / 'pgbench', '-i', '-I', steps, '--partitions=2', address=address)
        seen += [
            done.returncode,
            done.stdout,
            [line for line in done.stderr.splitlines() if 'NOTICE' in line],
            sql(address, counted),
        ]
    return seen


def tpcb_like(mode: str, address: Address) -> object:
    sql(address, 'TRUNCATE pgbench_history')
    before = balances(address)
    lines = bench(address, mode, *EIGHT_CLIENTS, '-t', '25')
    moved = [after - earlier for after, earlier in zip(balances(address), before, strict=True)]
    return [lines, moved.count(moved[0]) == 4]


def balances(address: Address) -> list[int]:
    sums = 'SELECT sum(abalance) FROM pgbench_accounts; SELECT sum(bbalance) FROM pgbench_branches'
    more = 'SELECT sum(tbalance) FROM pgbench_tellers; SELECT coalesce(sum(delta), 0) FROM pgbench_history'
    return [int(line) for line in sql(address, sums, more).split()]


def select_only(mode: str, address: Address) -> object:
    return bench(address, mode, '-S', '-C', *EIGHT_CLIENTS, '-t', '5')


def custom_script(mode: str, address: Address) -> object:
    sql(address, 'DROP TABLE IF EXISTS pgbench_seen', 'CREATE TABLE pgbench_seen (client int, own text, held int)')
    lines = scripted(
        address,
        mode,
        """
SELECT set_config('matrix.client', :client_id::text, false);
BEGIN;
SAVEPOINT a;
INSERT INTO pgbench_seen VALUES (:client_id, 'undone', 0);
ROLLBACK TO SAVEPOINT a;
SELECT pg_advisory_lock(480000 + :client_id);
INSERT INTO pgbench_seen SELECT :client_id, current_setting('matrix.client'), 0;
COMMIT;
SELECT current_setting('matrix.client') AS own \\gset
INSERT INTO pgbench_seen SELECT :client_id, :own, pg_advisory_unlock(480000 + :client_id)::int;
""",
    )
    counts = 'count(*), sum(held), count(*) FILTER (WHERE own <> client::text), count(DISTINCT client)'
    return [lines, sql(address, f'SELECT {counts} FROM pgbench_seen')]


def pipeline(mode: str, address: Address) -> object:
    if mode == 'simple':
        raise Unsupported('no pipelines in simple mode')
    return scripted(
        address,
        mode,
        """
\\startpipeline
BEGIN;
UPDATE pgbench_accounts SET abalance = abalance WHERE aid = 1 + :client_id;
SELECT abalance FROM pgbench_accounts WHERE aid = 1 + :client_id;
COMMIT;
\\syncpipeline
SELECT 1;
\\endpipeline
""",
    )


def retry_serialization(mode: str, address: Address) -> object:
    sql(
        address,
        'DROP TABLE IF EXISTS pgbench_count',
        'CREATE TABLE pgbench_count (n int)',
        'INSERT INTO pgbench_count VALUES (0)',
    )
    script = """
BEGIN ISOLATION LEVEL SERIALIZABLE;
UPDATE pgbench_count SET n = n + 1;
COMMIT;
"""
    lines = scripted(address, mode, script, '--max-tries=1000')
    return [[line for line in lines if 'retried' not in line], sql(address, 'SELECT n FROM pgbench_count')]


def scripted(address: Address, mode: str, script: str, *arguments: str) -> list[str]:
    path = WORK / f'pgbench-{mode}.sql'
    path.write_text(script)
    return bench(address, mode, '-f', str(path), *EIGHT_CLIENTS, '-t', '10', *arguments)


def pgbench(mode: str) -> dict[str, Feature]:
    return {
        'initialise': partial(initialise, mode),
        'tpcb-like': partial(tpcb_like, mode),
        'select-only': partial(select_only, mode),
        'custom-script': partial(custom_script, mode),
        'pipeline': partial(pipeline, mode),
        'retry-serialization': partial(retry_serialization, mode),
    }
