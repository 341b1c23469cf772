"""How a tool is run as its user runs it, and how its features are reported."""

from __future__ import annotations

import json
import os
import subprocess
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path

from matrix import Address, Unsupported, address_of, print_report

WORK = Path(os.environ['HATI_MATRIX_WORK'])
BIN = next(WORK.glob('wheel/*/pginstall18/bin'))

Feature = Callable[[Address], object]


def run_tool(name: str, version: str, features: Mapping[str, Feature]) -> None:
    for feature, run in features.items():
        for target in ('direct', 'proxy'):
            result, detail = _run_once(run, address_of(target))
            print_report(name, version, target, feature, result, detail)


def _run_once(run: Feature, address: Address) -> tuple[str, str]:
    try:
        return 'ok', json.dumps(run(address), default=repr, ensure_ascii=False)
    except Unsupported as reason:
        return 'unsupported', str(reason)
    except Exception as error:  # whatever a tool raises is what the report is about
        traceback.print_exc()
        return 'fail', f'{type(error).__name__} {error}'


def environment(address: Address) -> dict[str, str]:
    """libpq's own settings; the tool is given no others."""
    return dict(os.environ) | {
        'PGHOST': address.host,
        'PGPORT': str(address.port),
        'PGUSER': address.user,
        'PGPASSWORD': address.password,
        'PGDATABASE': address.database,
        'PGSSLMODE': 'disable',
        'PAGER': 'cat',
        'TERM': 'dumb',
    }


def run(program: Path | str, *arguments: str, address: Address, script: str = '') -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(program), *arguments],
        input=script,
        env=environment(address),
        cwd=WORK,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def version_of(program: str) -> str:
    """ "psql (PostgreSQL) 18.4" """
    return subprocess.run([BIN / program, '--version'], capture_output=True, text=True, check=True).stdout.split()[2]


def sql(address: Address, *statements: str) -> str:
    """For what a feature needs beforehand or looks at afterwards."""
    script = ''.join(f'{statement};\n' for statement in statements)
    done = run(BIN / 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', address=address, script=script)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return done.stdout
