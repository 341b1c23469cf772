"""psql as a person uses it. HOME is the one that `hati init` wrote its .pgpass to."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from proxy_address import INVALID_KEY, ProxyAddress


@pytest.fixture(scope='session')
def psql() -> str:
    path = shutil.which('psql')
    if path is None:
        pytest.fail('psql is not installed (Debian and Ubuntu: apt-get install postgresql-client)')
    return path


@pytest.fixture
def arguments(psql: str, proxy: ProxyAddress) -> list[str]:
    where = ['-h', proxy.host, '-p', str(proxy.port), '-U', 'agent', '-d', 'hatidata']
    return [psql, '--no-psqlrc', '--no-password', *where]


def environment(password: str | None = None) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith('PG')}
    return (
        kept
        | {'PAGER': 'cat', 'TERM': 'dumb', 'LC_ALL': 'C.UTF-8'}
        | ({} if password is None else {'PGPASSWORD': password})
    )


def run(
    arguments: list[str], script: str, password: str | None = None, form: str = '-At'
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*arguments, form], input=script, env=environment(password), capture_output=True, text=True, check=False
    )


def test_without_a_key(arguments: list[str]) -> None:
    """`psql -h localhost -p 5439`, and nothing else, works after `hati init`."""
    finished = run(arguments, 'SELECT count(*) > 0 FROM products;')
    assert (finished.stdout, finished.stderr, finished.returncode) == ('t\n', '', 0)


@pytest.mark.parametrize('scope', [None, 'admin', 'readonly'])
@pytest.mark.parametrize(
    ('command', 'expected'),
    [
        (r'\d', r'main\|products\|table\|'),
        (r'\d+', r'main\|products\|table\|'),
        (r'\dt', r'main\|products\|table\|'),
        (r'\d products', r'"products_pkey" PRIMARY KEY'),
        (r'\d+ products', r'price\|numeric\(10,2\)'),
        (r'\dn', r'main\|'),
        (r'\df', None),
        (r'\df pg_catalog.lower', r'pg_catalog\|lower\|text\|text\|func'),
        (r'\di', r'products_pkey'),
        (r'\dv', None),
        (r'\l', r'^hatidata\|'),
        (r'\du', None),
        (r'\dT', None),
        (r'\dx', r'plpgsql'),
        (r'\dp products', r'main\|products\|table\|'),
        (r'\conninfo', None),
        (r'\encoding', r'^UTF8$'),
    ],
)
def test_backslash_commands(
    arguments: list[str], command: str, expected: str | None, scope: str | None, request: pytest.FixtureRequest
) -> None:
    key = None if scope is None else request.getfixturevalue(f'{scope}_key')
    finished = run(arguments, f'{command}\n', key, form='-A')
    assert 'ERROR' not in finished.stderr
    assert finished.returncode == 0
    if expected is not None:
        assert re.search(expected, finished.stdout, re.MULTILINE), finished.stdout


def test_copy_both_ways(arguments: list[str], admin_key: str, table: str, tmp_path: Path) -> None:
    given, taken = tmp_path / 'given.csv', tmp_path / 'taken.csv'
    given.write_text(''.join(f'{n},"note, {n} é"\n' for n in range(1, 5001)))
    script = rf"""
        \copy {table} FROM '{given}' CSV
        \copy (SELECT * FROM {table} WHERE id > 0 ORDER BY id) TO '{taken}' CSV
        SELECT count(*) FROM {table};
    """
    finished = run(arguments, script, admin_key)
    assert (finished.stdout, finished.stderr) == ('COPY 5000\nCOPY 5000\n5001\n', '')
    assert taken.read_text() == given.read_text()


def test_copy_with_a_readonly_key(arguments: list[str], readonly_key: str, table: str, tmp_path: Path) -> None:
    given, taken = tmp_path / 'given.csv', tmp_path / 'taken.csv'
    given.write_text('1,a\n')
    script = rf"""
        \copy {table} FROM '{given}' CSV
        \copy {table} TO '{taken}' CSV
    """
    finished = run(arguments, script, readonly_key)
    assert finished.stderr.startswith('ERROR:  Permission denied: readonly scope cannot execute COPY\n')
    assert taken.read_text() == '0,kept\n'


def test_a_broken_copy_line(arguments: list[str], table: str, tmp_path: Path) -> None:
    given = tmp_path / 'given.csv'
    given.write_text('1,a\nnot a number,b\n')
    finished = run(arguments, f"\\copy {table} FROM '{given}' CSV\nSELECT note FROM {table};\n")
    assert 'invalid input syntax for type integer: "not a number"' in finished.stderr
    assert 'line 2' in finished.stderr
    assert finished.stdout == 'kept\n'


def test_an_error_inside_a_transaction(arguments: list[str], table: str) -> None:
    script = f"""
        \\set VERBOSITY sqlstate
        BEGIN;
        DELETE FROM {table};
        SELECT 1 / 0;
        SELECT 'ignored';
        COMMIT;
        SELECT note FROM {table};
    """
    finished = run(arguments, script)
    assert finished.stderr == 'ERROR:  22012\nERROR:  25P02\n'
    assert finished.stdout == 'BEGIN\nDELETE 1\nROLLBACK\nkept\n'


def test_a_refusal_inside_a_transaction(arguments: list[str], readonly_key: str, table: str) -> None:
    script = f"""
        \\set VERBOSITY sqlstate
        BEGIN;
        SELECT note FROM {table};
        DROP TABLE {table};
        SELECT 'ignored';
        ROLLBACK;
        SELECT 'alive';
    """
    finished = run(arguments, script, readonly_key)
    assert finished.stderr == 'ERROR:  42501\nERROR:  25P02\n'
    assert finished.stdout == 'BEGIN\nkept\nROLLBACK\nalive\n'


def test_stacked_statements_are_one_transaction(arguments: list[str], table: str) -> None:
    finished = run([*arguments, '-c', f'DELETE FROM {table}; SELECT 1 / 0'], '')
    assert 'division by zero' in finished.stderr
    assert run(arguments, f'SELECT note FROM {table};').stdout == 'kept\n'


def test_a_wrong_key(arguments: list[str]) -> None:
    finished = run(arguments, 'SELECT 1;', 'hd_ro_wrong')
    assert finished.returncode == 2
    assert finished.stderr.endswith(f'FATAL:  {INVALID_KEY}\n')


class Terminal:
    """psql at a terminal of its own."""

    def __init__(self, process: subprocess.Popen[bytes], descriptor: int) -> None:
        self.process = process
        self._descriptor = descriptor
        self._seen = ''

    def type(self, text: str) -> None:
        os.write(self._descriptor, text.encode())

    def interrupt(self) -> None:
        self.process.send_signal(signal.SIGINT)

    def wait_for(self, text: str, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Read until the text has appeared; what came before it is forgotten."""
        # Far above what any machine needs, far below the sleep that must not be waited for.
        deadline = time.monotonic() + 30
        while text not in self._seen:
            if time.monotonic() > deadline:
                pytest.fail(f'{text!r} did not appear; psql said {self._seen!r}')
            if select.select([self._descriptor], [], [], 0.5)[0]:
                self._seen += os.read(self._descriptor, 4096).decode()
            else:
                meanwhile()
        self._seen = self._seen.partition(text)[2]


@contextmanager
def terminal(arguments: list[str], password: str | None) -> Iterator[Terminal]:
    outer, inner = pty.openpty()
    process = subprocess.Popen(
        [*arguments, '-At', '--no-readline'],
        env=environment(password),
        stdin=inner,
        stdout=inner,
        stderr=inner,
        start_new_session=True,
    )
    os.close(inner)
    try:
        yield Terminal(process, outer)
    finally:
        process.kill()
        process.wait()
        os.close(outer)


LONG_READ = 'select count(*) from generate_series(1, 1000000) a, generate_series(1, 1000000) b;'


@pytest.mark.parametrize(
    ('scope', 'sql'),
    [(None, 'select pg_sleep(60);'), ('admin', 'select pg_sleep(60);'), ('readonly', LONG_READ)],
)
def test_interrupting_a_statement(
    arguments: list[str], scope: str | None, sql: str, request: pytest.FixtureRequest
) -> None:
    key = None if scope is None else request.getfixturevalue(f'{scope}_key')
    with terminal(arguments, key) as session:
        session.wait_for('hatidata=')
        session.type(f'{sql}\n')
        # A readonly key may not see what the engine runs, so Ctrl-C comes until it finds the statement running;
        # at the prompt it only starts a new line.
        session.wait_for('ERROR:  canceling statement due to user request', meanwhile=session.interrupt)
        session.type("select 'still ' || 'here';\n")
        session.wait_for('still here\r\n')
        session.type('\\q\n')
        assert session.process.wait(timeout=30) == 0
