"""The walk-through of agent RBAC, run as a user runs it.

The analytics agent's key was made first and rotated last, so it comes first in the list, newest first.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from proxy_under_test import Proxy

EXAMPLE = Path(__file__).parents[2] / 'examples' / 'agent_rbac.py'

EXPECTED = r"""
analytics-agent key: hd_ro_\w{6}\.\.\.
pipeline-agent key: hd_admin_\w{3}\.\.\.
SELECT allowed: (?P<before>\d+) products
INSERT blocked: Permission denied: readonly scope cannot execute INSERT
DROP blocked: Permission denied: readonly scope cannot execute DDL
INSERT allowed: 1 row
CREATE and DROP allowed
rotated analytics-agent key: hd_ro_\w{6}\.\.\.
old key rejected: Authentication failed: invalid API key
new key works: (?P<after>\d+) products
analytics-agent +readonly +created \d{4}-\d\d-\d\d \d\d:\d\d:\d\d
pipeline-agent +admin +created \d{4}-\d\d-\d\d \d\d:\d\d:\d\d
"""


def test_the_walkthrough_prints_what_it_should(proxy: Proxy) -> None:
    finished = subprocess.run(
        [sys.executable, '-W', 'error', EXAMPLE, proxy.host, str(proxy.port)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.stderr == ''
    assert finished.returncode == 0
    match = re.fullmatch(EXPECTED.strip(), finished.stdout.strip())
    assert match, finished.stdout
    assert int(match['after']) == int(match['before']) + 1
