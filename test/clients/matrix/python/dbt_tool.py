"""dbt with dbt-postgres on the small project in ../dbt, through its own runner."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from dbt.cli.main import dbtRunner

from matrix import Address
from tool import WORK, Feature, environment, sql

os.environ |= {'DO_NOT_TRACK': '1', 'DBT_SEND_ANONYMOUS_USAGE_STATS': 'false', 'DBT_VERSION_CHECK': 'false'}
PROJECT = WORK / 'dbt'


def dbt(address: Address, *arguments: str) -> list[object]:
    """Name and status of everything that it ran."""
    if not PROJECT.exists():
        shutil.copytree(Path(__file__).parent.parent / 'dbt', PROJECT)
    settings = environment(address)
    os.environ |= {name: settings[name] for name in settings if name.startswith('PG')}
    done = dbtRunner().invoke(
        [*arguments, '--quiet', '--log-level', 'none', '--project-dir', str(PROJECT), '--profiles-dir', str(PROJECT)]
    )
    if done.exception is not None:
        raise done.exception
    return sorted(
        [one.node.name, str(one.status), one.failures]
        for one in getattr(done.result, 'results', [])
        if hasattr(one, 'node')
    )


def seed(address: Address) -> object:
    sql(address, 'DROP SCHEMA IF EXISTS dbt_matrix CASCADE')
    first = dbt(address, 'seed')
    return [first, dbt(address, 'seed'), sql(address, 'TABLE dbt_matrix.raw_orders')]


def models(address: Address) -> object:
    first = dbt(address, 'run')
    again = dbt(address, 'run')
    rows = sql(address, 'SELECT * FROM dbt_matrix.customers ORDER BY 1', 'SELECT * FROM dbt_matrix.daily ORDER BY 1')
    return [first, again, rows]


def tests(address: Address) -> object:
    return dbt(address, 'test')


def snapshot(address: Address) -> object:
    first = dbt(address, 'snapshot')
    sql(address, 'UPDATE dbt_matrix.raw_orders SET amount = 11 WHERE id = 1')
    again = dbt(address, 'snapshot')
    counted = 'SELECT id, amount, dbt_valid_to IS NULL FROM dbt_matrix.order_history ORDER BY 1, 2'
    return [first, again, sql(address, counted)]


def catalog(address: Address) -> object:
    dbt(address, 'docs', 'generate')
    nodes = json.loads((PROJECT / 'target' / 'catalog.json').read_text())['nodes']
    return {
        name: [node['metadata']['type'], {key: one['type'] for key, one in node['columns'].items()}]
        for name, node in sorted(nodes.items())
    }


DBT: dict[str, Feature] = {'seed': seed, 'models': models, 'tests': tests, 'snapshot': snapshot, 'catalog': catalog}
