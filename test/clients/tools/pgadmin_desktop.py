"""pgAdmin in desktop mode without its window: the application as installed; clicks are HTTP calls."""

from __future__ import annotations

import builtins
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg


class Desktop:
    """One server, connected with a key. Its answers, and every error that a query of pgAdmin met on the way."""

    def __init__(self, directory: Path, port: int, key: str) -> None:
        self.errors: list[str] = []
        self.queries = 0
        self._port, self._key = port, key
        application = _application(directory)
        self._watch_queries()
        self._browser = application.test_client()
        self._browser.get('/browser/')
        self._rules = [
            (found[1], found[2], rule.rule, re.findall(r'<(?:int|string):(\w+)>', rule.rule))
            for rule in application.url_map.iter_rules()
            if 'GET' in (rule.methods or ())
            and rule.endpoint.startswith('NODE-')
            and (found := re.match(r'/browser/([\w-]+)/(\w+)/', rule.rule))
        ]
        self.database: int = self._connect()

    def get(self, path: str) -> Any:
        return self._answer(self._browser.get(path))

    def post(self, path: str, body: Any = None) -> Any:
        return self._answer(self._browser.post(path, json=body))

    def nodes(self, kind: str, parents: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
        """The nodes of a kind under these parents: their labels, and their ids after those of the parents."""
        data = self.get('/'.join(['/browser', kind, 'nodes', *map(str, parents), ''])).get('data') or []
        listed = [data] if isinstance(data, dict) else data
        return {str(node['label']): (*parents, int(node['_id'])) for node in listed}

    def tabs(self, kind: str, ids: tuple[int, ...]) -> Iterator[str]:
        """Where the tabs of a node are: properties, SQL, statistics, dependencies, dependents."""
        for of, verb, rule, names in self._rules:
            if of == kind and verb in TABS and len(names) == len(ids) and rule.endswith('>'):
                yield re.sub(r'<\w+:\w+>', '{}', rule).format(*ids)

    def _connect(self) -> int:
        server = {
            'name': 'proxy',
            'host': '127.0.0.1',
            'port': self._port,
            'username': 'agent',
            'role': '',
            'db': 'hatidata',
            'connection_params': [{'name': 'sslmode', 'keyword': 'sslmode', 'value': 'disable'}],
            'connect_now': False,
        }
        self.post('/browser/server/obj/1/', server)
        answer = self._browser.post('/browser/server/connect/1/1', data={'password': self._key})
        assert answer.status_code == 200, answer.get_data(as_text=True)
        database = int(answer.get_json()['data']['did'])
        self.post(f'/browser/database/connect/1/1/{database}')
        return database

    def _answer(self, response: Any) -> Any:
        # 406: a tab that nodes of this kind do not have.
        text = response.get_data(as_text=True)
        assert response.status_code == 200 or (response.status_code == 406 and 'Unimplemented' in text), text[:500]
        return response.get_json()

    def _watch_queries(self) -> None:
        from pgadmin.utils.driver.psycopg3.cursor import AsyncDictCursor, DictCursor

        run, run_later = DictCursor.execute, AsyncDictCursor._execute

        def execute(cursor: Any, query: Any, *rest: Any, **named: Any) -> Any:
            self.queries += 1
            try:
                return run(cursor, query, *rest, **named)
            except psycopg.Error as error:
                self.errors.append(str(error).splitlines()[0])
                raise

        async def execute_later(cursor: Any, query: Any, *rest: Any, **named: Any) -> Any:
            self.queries += 1
            try:
                return await run_later(cursor, query, *rest, **named)
            except psycopg.Error as error:
                self.errors.append(str(error).splitlines()[0])
                raise

        DictCursor.execute, AsyncDictCursor._execute = execute, execute_later


TABS = ('obj', 'sql', 'stats', 'dependency', 'dependent')


def _application(directory: Path) -> Any:
    """Everything that pgAdmin keeps is in the directory, whatever the machine has of it."""
    import importlib.util

    found = importlib.util.find_spec('pgadmin4')
    assert found is not None
    assert found.submodule_search_locations
    sys.path.insert(0, next(iter(found.submodule_search_locations)))
    os.environ['PGADMIN_TEST'] = '1'
    builtins.SERVER_MODE = False  # type: ignore[attr-defined]
    import config

    config.SERVER_MODE = False
    config.DATA_DIR = str(directory)
    for name, file in {
        'SQLITE_PATH': 'pgadmin.db',
        'TEST_SQLITE_PATH': 'pgadmin.db',
        'LOG_FILE': 'pgadmin.log',
        'SESSION_DB_PATH': 'sessions',
        'STORAGE_DIR': 'storage',
        'AZURE_CREDENTIAL_CACHE_DIR': 'azure',
        'KERBEROS_CCACHE_DIR': 'kerberos',
    }.items():
        setattr(config, name, str(directory / file))
    config.MASTER_PASSWORD_REQUIRED = False
    config.USE_OS_SECRET_STORAGE = False
    config.UPGRADE_CHECK_ENABLED = False
    config.WTF_CSRF_ENABLED = False
    config.CONSOLE_LOG_LEVEL = 50
    from pgadmin import create_app

    application = create_app()
    application.config['WTF_CSRF_ENABLED'] = False
    application.PGADMIN_INT_KEY = ''
    application.PGADMIN_RUNTIME = False
    application.run_before_app_start()
    return application
