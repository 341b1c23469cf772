"""The walk-through of agent RBAC with the public `hatidata-agent` package, unmodified, the key as `password`.

Runs in a virtual environment of its own; `test_public_sdk.py` reads what it prints, one JSON document.
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
from typing import Any

from hatidata_agent import HatiDataAgent
from hatidata_agent.langchain import HatiDataSQLDatabase

host, port = sys.argv[1], int(sys.argv[2])
report: dict[str, Any] = {'version': importlib.metadata.version('hatidata-agent')}


def agent(name: str, key: str = '') -> HatiDataAgent:
    return HatiDataAgent(host=host, port=port, agent_id=name, password=key)


def sentence(action: Any) -> str:
    try:
        action()
    except Exception as error:
        return str(error).strip()
    return 'nothing was raised'


admin = agent('admin')
readonly_key = admin.query("SELECT create_api_key('analytics-agent', 'readonly', 'Reports')")[0]['api_key']
admin_key = admin.query("SELECT create_api_key('pipeline-agent', 'admin', 'Loads')")[0]['api_key']
try:
    report['prefixes'] = [readonly_key[:6], admin_key[:9]]

    analytics = agent('analytics-agent', readonly_key)
    report['count'] = analytics.query('SELECT count(*) AS total FROM products')[0]['total']
    report['insert'] = sentence(lambda: analytics.execute("INSERT INTO products (id, name) VALUES (2001, 'Fan')"))
    report['drop'] = sentence(lambda: analytics.execute('DROP TABLE products'))
    report['context'] = [row['name'] for row in analytics.get_context('products', 'webcam', top_k=3)]

    database = HatiDataSQLDatabase(host=host, port=port, password=readonly_key)
    report['tables'] = database.get_usable_table_names()
    report['table_info'] = database.get_table_info(['products'])

    pipeline = agent('pipeline-agent', admin_key)
    report['written'] = pipeline.execute('INSERT INTO products (id, name) VALUES (%s, %s)', (2001, "Fan's"))
    report['deleted'] = pipeline.execute('DELETE FROM products WHERE id = %s', (2001,))
    report['created'] = pipeline.execute('CREATE TABLE public_sdk_staging AS SELECT 1 AS one')
    report['dropped'] = pipeline.execute('DROP TABLE public_sdk_staging')

    with pipeline.reasoning_chain('req-public', parent_request_id='req-parent') as chain:
        report['chain'] = [
            chain.query('SHOW hatidata_request_id')[0]['hatidata_request_id'],
            chain.query('SHOW hatidata_reasoning_step', step=4)[0]['hatidata_reasoning_step'],
            chain.query('SHOW hatidata_parent_request_id')[0]['hatidata_parent_request_id'],
        ]
    report['after_chain'] = pipeline.query('SHOW hatidata_request_id')[0]['hatidata_request_id']
    report['labelled'] = pipeline.query('SELECT 1 AS one', request_id='req-single')

    memory_id = pipeline.store_memory('The warehouse is in Oslo', metadata={'source': 'manual'}, importance=0.8)
    pipeline.store_memory('Invoices are due in thirty days')
    (found,) = pipeline.search_memory('OSLO', min_importance=0.5)
    report['memory'] = [found['memory_id'] == memory_id, found['content'], found['importance'], found['metadata']]
    report['memory_deleted'] = [pipeline.delete_memory(memory_id), pipeline.delete_memory(memory_id)]
    # Its set_state fails on its own side, on any server: a `%Y` of its text is taken for a placeholder.
    state = 'INSERT INTO _hatidata_memory_local.agent_state (agent_id, key, value) VALUES (%s, %s, %s)'
    pipeline.execute(state, (pipeline.agent_id, 'step', '{"n": 2}'))
    report['state'] = [pipeline.get_state('step'), pipeline.get_state('unknown')]

    new_key = admin.query("SELECT rotate_api_key('analytics-agent')")[0]['api_key']
    # psycopg2 says that the session was ended, not why; the next call connects again and hears it.
    report['open_session'] = [sentence(lambda: analytics.query('SELECT 1')) for _ in range(2)]
    report['old_key'] = sentence(lambda: agent('analytics-agent', readonly_key).query('SELECT 1'))
    report['new_key'] = agent('analytics-agent', new_key).query('SELECT 1 AS one')
    report['keys'] = [
        [row['agent_id'], row['scope'], str(row['created_at'])]
        for row in admin.query(
            'SELECT agent_id, scope, created_at, last_used_at FROM _hatidata_keys.active_keys '
            "WHERE agent_id IN ('analytics-agent', 'pipeline-agent') ORDER BY created_at DESC"
        )
    ]
finally:
    for name in ('analytics-agent', 'pipeline-agent'):
        admin.query('SELECT revoke_api_key(%s)', (name,))
    admin.execute('DROP SCHEMA IF EXISTS _hatidata_memory_local CASCADE')

print(json.dumps(report))
