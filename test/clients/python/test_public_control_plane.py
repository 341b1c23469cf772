"""`ControlPlaneClient` of the public `hatidata-agent` package, its two newest versions, unmodified."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

ERROR_FIELDS = {'code', 'message', 'details', 'request_id', 'status', 'timestamp'}


def walk(version: str) -> dict[str, Any]:
    python = Path(os.environ['HATIDATA_TEST_VENVS']) / f'public-{version}' / 'bin' / 'python'
    script = Path(__file__).with_name('public_sdk_control_plane.py')
    password = Path(os.environ['HATIDATA_TEST_OWNER_PASSWORD']).read_text().strip()
    finished = subprocess.run(
        [python, script, os.environ['HATIDATA_TEST_API'], 'owner@hatidata.local', password],
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    report: dict[str, Any] = json.loads(finished.stdout)
    assert report['version'] == version
    return report


@pytest.mark.parametrize(('version', 'unbuilt'), [('0.4.0', 32), ('0.3.2', 24)])
def test_the_control_plane_client(version: str, unbuilt: int) -> None:
    report = walk(version)
    assert report['health'] is True
    assert report['away'] is False
    login = report['login']
    assert login['token'] == login['access_token']
    assert login['user']['email'] == 'owner@hatidata.local'
    assert login['user']['role'] == 'owner'
    assert report['org_id'] == login['org']['id']
    assert (report['me']['user_id'], report['me']['org_id']) == (login['user']['id'], login['org']['id'])
    assert report['organization']['org_id'] == login['org']['id']
    assert [user['role'] for user in report['users']['data']] == ['owner']
    assert report['environments']['pagination'] == {'cursor': None, 'has_more': False, 'total': 1}
    assert report['lazy']['status'] == 'ok'
    assert report['with_meta'] == report['environments']
    assert_error(report['wrong_password'], 401, 'UNAUTHORIZED', 'login_refused')
    if version == '0.4.0':
        assert_key(report)

    # Agent memory, triggers, branches, chains of thought, temporary access, agent keys.
    assert len(report['not_built']) == unbuilt
    for answer in report['not_built'].values():
        assert_error(answer, 404, 'NOT_FOUND', 'route_unknown')


def assert_key(report: dict[str, Any]) -> None:
    created, rotated, revoked = report['created'], report['rotated'], report['revoked']
    assert re.fullmatch(r'hd_(live|test)_[a-z0-9]{32}', created['key'])
    me = report['key_me']
    assert (me['key_id'], me['org_id'], me['role']) == (created['key_id'], report['org_id'], 'service_account')
    assert [key['prefix'] for key in report['listed']['data'] if key['name'] == 'public-sdk'] == [created['prefix']]
    assert rotated['key_id'] == created['key_id']
    assert rotated['grace_period_hours'] == 1
    assert report['both'] == ['ok', 'ok']
    assert (revoked['key_id'], revoked['revoked']) == (created['key_id'], True)
    for answer in report['after']:
        assert_error(answer, 401, 'UNAUTHORIZED', 'credential_invalid')


def assert_error(answer: list[Any], status: int, code: str, reason: str) -> None:
    assert answer[0] == status
    error = answer[1]['error']
    assert set(error) == ERROR_FIELDS
    assert (error['status'], error['code'], error['details']['reason']) == (status, code, reason)
