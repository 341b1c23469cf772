"""pgcli: what its completion reads, by its own classes, and its command line."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from pgcli.pgexecute import PGExecute

from matrix import Address
from tool import Feature, run, sql

OWN = "('main', 'public')"


def completion_metadata(address: Address) -> object:
    sql(
        address,
        'DROP TABLE IF EXISTS pgcli_items, pgcli_owners',
        'CREATE TABLE pgcli_owners (id int PRIMARY KEY)',
        'CREATE TABLE pgcli_items (id int PRIMARY KEY, owner int REFERENCES pgcli_owners, note text DEFAULT 1)',
    )
    executor = PGExecute(
        address.database, address.user, address.password, address.host, str(address.port), sslmode='disable'
    )
    mine = [one for one in executor.table_columns() if one[1].startswith('pgcli_')]
    keys = [repr(one) for one in executor.foreignkeys() if one.childtable.startswith('pgcli_')]
    functions = [one for one in executor.functions() if one.schema_name == 'pg_catalog']
    seen = [
        executor.search_path(),
        # How many temporary schemas there are depends on who was connected before.
        sorted(one for one in executor.schemata() if not re.match(r'pg_(toast_)?temp_\d', one)),
        [one for one in executor.tables() if one[1].startswith('pgcli_')],
        list(executor.views()) != [],
        mine,
        keys,
        len(functions) > 1000,
        len(list(executor.datatypes())) > 50,
        executor.databases(),
    ]
    statements = 'SELECT 1 AS a; SELECT 2/0; \\d pgcli_items'
    for title, rows, headers, status, _, success, _ in executor.run(
        statements, exception_formatter=str, on_error_resume=True
    ):
        seen.append([title, list(rows) if rows else None, headers, str(status), success])
    executor.conn.close()
    return seen


def command_line(address: Address) -> object:
    pgcli = Path(sys.executable).with_name('pgcli')
    arguments = ['--less-chatty', '-c', 'SELECT 1 AS one', '-c', '\\dt pgcli_*', '-c', 'SELECT 1/0']
    done = run(pgcli, *arguments, address=address)
    return [done.returncode, re.sub(r'Time: .*', 'Time', done.stdout), done.stderr.splitlines()[-1:]]


PGCLI: dict[str, Feature] = {'completion-metadata': completion_metadata, 'command-line': command_line}
