"""The control-plane client of the public `hatidata-agent` package, unmodified, against the control plane.

Runs in a virtual environment of its own; `test_public_control_plane.py` reads what it prints, one JSON document. What a
version does not have is not in it.
"""

from __future__ import annotations

import importlib.metadata
import inspect
import json
import sys
from typing import Any

import requests
from hatidata_agent import ControlPlaneClient

base_url, email, password = sys.argv[1:4]
report: dict[str, Any] = {'version': importlib.metadata.version('hatidata-agent')}


def refused(action: Any, *arguments: Any) -> list[Any]:
    """Status and body of the error that the client raises."""
    try:
        return [200, action(*arguments)]
    except requests.HTTPError as error:
        return [error.response.status_code, error.response.json()]


client = ControlPlaneClient(base_url=base_url, email=email, password=password)
report['health'] = client.health_check()
report['login'] = client.login()
report['org_id'] = client.org_id
# Its ways of asking, which its methods are made of; the paths are of what is built.
report['me'] = client._abs_get('/v1/auth/me')
report['organization'] = client._get('')
report['users'] = client._get('/users', {'limit': 1})
report['environments'] = client._get('/environments')

# Logs in by itself at its first request.
lazy = ControlPlaneClient(base_url=base_url, email=email, password=password, include_meta=True)
report['lazy'] = lazy._abs_get('/v1/health')
report['with_meta'] = lazy._request_with_meta('GET', '/environments')
report['wrong_password'] = refused(ControlPlaneClient(base_url=base_url, email=email, password='no such one').login)
report['away'] = ControlPlaneClient(base_url='http://127.0.0.1:1').health_check()

if hasattr(client, '_env_post'):
    env_id = report['environments']['data'][0]['env_id']
    client.env_id = env_id
    created = client._env_post('/api-keys', {'name': 'public-sdk', 'scopes': ['key:*', 'environment:read']})
    report['created'] = created
    by_key = ControlPlaneClient(base_url=base_url, api_key=created['key'], org_id=client.org_id, env_id=env_id)
    report['key_me'] = by_key._abs_get('/v1/auth/me')
    report['listed'] = by_key._env_get('/api-keys', {'limit': 200})
    rotated = by_key._env_post(f'/api-keys/{created["key_id"]}/rotate', {'grace_period_hours': 1})
    report['rotated'] = rotated
    again = ControlPlaneClient(base_url=base_url, api_key=rotated['new_key'], org_id=client.org_id, env_id=env_id)
    report['both'] = [each._abs_get('/v1/health')['status'] for each in (by_key, again)]
    report['revoked'] = client._env_delete(f'/api-keys/{created["key_id"]}')
    report['after'] = [refused(each._abs_get, '/v1/health') for each in (by_key, again)]

trace = ControlPlaneClient.build_cot_session('agent', client.org_id, [{'type': 'thought', 'content': {'n': 1}}])
session_id, traces = trace
arguments = {
    'agent_id': 'agent',
    'content': 'a fact',
    'query': 'fact',
    'memory_id': 'm1',
    'name': 'pii',
    'concept': 'personal data',
    'trigger_id': 't1',
    'text': 'some text',
    'tables': ['products'],
    'branch_id': 'b1',
    'traces': traces,
    'session_id': session_id,
    'target_role': 'admin',
    'reason': 'on call',
    'agent_name': 'agent',
    'key_id': 'k1',
}
methods = [
    (name, method)
    for name, method in inspect.getmembers(client, inspect.ismethod)
    if not name.startswith('_') and name not in ('login', 'health_check')
]
report['not_built'] = {
    name: refused(
        method,
        *(
            arguments[each.name]
            for each in inspect.signature(method).parameters.values()
            if each.default is inspect.Parameter.empty and each.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
        ),
    )
    for name, method in methods
}

json.dump(report, sys.stdout)
