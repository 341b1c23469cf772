"""The tools of the matrix. `scripts/compatibility.ts` starts this and reads what it prints."""

from __future__ import annotations

from importlib.metadata import version

from dbt_tool import DBT
from langchain_tool import LANGCHAIN
from pgbench_tool import pgbench
from pgcli_tool import PGCLI
from psql_tool import PSQL
from tool import run_tool, version_of

run_tool('psql', version_of('psql'), PSQL)
for mode in ('simple', 'extended', 'prepared'):
    run_tool(f'pgbench ({mode})', version_of('pgbench'), pgbench(mode))
run_tool('pgcli', version('pgcli'), PGCLI)
run_tool('dbt-postgres', version('dbt-postgres'), DBT)
run_tool('LangChain SQLDatabase', version('langchain-community'), LANGCHAIN)
