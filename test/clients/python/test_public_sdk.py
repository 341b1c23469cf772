"""The public `hatidata-agent` package, its two newest versions, unmodified: `run` installs each into its own place."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from proxy_address import INVALID_KEY, ProxyAddress

VERSIONS = ('0.4.0', '0.3.2')


@pytest.mark.parametrize('version', VERSIONS)
def test_the_walkthrough(proxy: ProxyAddress, version: str) -> None:
    python = Path(os.environ['HATIDATA_TEST_VENVS']) / f'public-{version}' / 'bin' / 'python'
    script = Path(__file__).with_name('public_sdk_walkthrough.py')
    finished = subprocess.run(
        [python, script, proxy.host, str(proxy.port)], capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stderr
    report = json.loads(finished.stdout)
    assert report['version'] == version
    assert report['prefixes'] == ['hd_ro_', 'hd_admin_']
    assert report['count'] > 0
    assert report['insert'] == 'Permission denied: readonly scope cannot execute INSERT'
    assert report['drop'] == 'Permission denied: readonly scope cannot execute DDL'
    assert report['context'] == ['Webcam, 1080p']
    assert 'products' in report['tables']
    assert report['table_info'].startswith('CREATE TABLE products (\n  id integer NOT NULL,\n  name text NOT NULL,')
    assert [report[act] for act in ('written', 'deleted', 'created', 'dropped')] == [1, 1, 1, -1]
    assert report['chain'] == ['req-public', '4', 'req-parent']
    assert report['after_chain'] == ''
    assert report['labelled'] == [{'one': 1}]
    assert report['memory'] == [True, 'The warehouse is in Oslo', 0.8, '{"source": "manual"}']
    assert report['memory_deleted'] == [True, False]
    assert report['state'] == [{'n': 2}, None]
    assert report['open_session'][0] != 'nothing was raised'
    assert report['open_session'][1].endswith(f'FATAL:  {INVALID_KEY}')
    assert report['old_key'].endswith(f'FATAL:  {INVALID_KEY}')
    assert report['new_key'] == [{'one': 1}]
    # Made first, but rotated last.
    assert [key[:2] for key in report['keys']] == [['analytics-agent', 'readonly'], ['pipeline-agent', 'admin']]
    assert all(re.fullmatch(r'\d{4}-\d\d-\d\d \d\d:\d\d:\d\d', created) for *_, created in report['keys'])
