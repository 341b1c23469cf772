"""Agent RBAC, step by step: a readonly key and an admin key, what each may do, and what rotation does to the old one.

Start a proxy with ``hati init``, then run::

    python agent_rbac.py [host] [port]

Host and port may also come from HATIDATA_HOST and HATIDATA_PORT.
"""

import os
import sys

from hatidata_agent import HatiDataAgent

host = sys.argv[1] if len(sys.argv) > 1 else os.environ.get('HATIDATA_HOST', 'localhost')
port = int(sys.argv[2] if len(sys.argv) > 2 else os.environ.get('HATIDATA_PORT', '5439'))

# 1. Without a key: the local administrator of a proxy in dev mode.
admin = HatiDataAgent(host=host, port=port, agent_id='admin', framework='setup')

# 2. One key for each agent. The whole key is shown this once and cannot be read again.
row = admin.query("SELECT create_api_key('analytics-agent', 'readonly', 'Dashboards and reports')")[0]
analytics_key = row['api_key']
print(f'analytics-agent key: {analytics_key[:12]}...')

row = admin.query("SELECT create_api_key('pipeline-agent', 'admin', 'Loads and transforms data')")[0]
pipeline_key = row['api_key']
print(f'pipeline-agent key: {pipeline_key[:12]}...')

# 3. The readonly agent reads …
analytics = HatiDataAgent(host=host, port=port, agent_id='analytics-agent', api_key=analytics_key)
count = analytics.query('SELECT count(*) AS total FROM products')[0]['total']
print(f'SELECT allowed: {count} products')

# … and nothing else.
try:
    analytics.execute("INSERT INTO products (id, name, price) VALUES (1001, 'Desk Fan', 39.90)")
    print('INSERT was not blocked')
except Exception as error:
    print(f'INSERT blocked: {error}')

try:
    analytics.execute('DROP TABLE products')
    print('DROP was not blocked')
except Exception as error:
    print(f'DROP blocked: {error}')

# 4. The admin agent does all of it.
pipeline = HatiDataAgent(host=host, port=port, agent_id='pipeline-agent', api_key=pipeline_key)
written = pipeline.execute("INSERT INTO products (id, name, price) VALUES (1001, 'Desk Fan', 39.90)")
print(f'INSERT allowed: {written} row')
pipeline.execute('CREATE TABLE products_staging AS SELECT * FROM products')
pipeline.execute('DROP TABLE products_staging')
print('CREATE and DROP allowed')

# 5. Rotation: the old key is dead at once, in open sessions too.
row = admin.query("SELECT rotate_api_key('analytics-agent')")[0]
new_key = row['api_key']
print(f'rotated analytics-agent key: {new_key[:12]}...')

try:
    stale = HatiDataAgent(host=host, port=port, agent_id='analytics-agent', api_key=analytics_key)
    stale.query('SELECT 1')
    print('the old key was not rejected')
except Exception as error:
    print(f'old key rejected: {error}')

fresh = HatiDataAgent(host=host, port=port, agent_id='analytics-agent', api_key=new_key)
count = fresh.query('SELECT count(*) AS total FROM products')[0]['total']
print(f'new key works: {count} products')

# 6. Who has a key.
keys = admin.query(
    'SELECT agent_id, scope, created_at, last_used_at FROM _hatidata_keys.active_keys ORDER BY created_at DESC'
)
for key in keys:
    print(f'{key["agent_id"]:<16} {key["scope"]:<9} created {key["created_at"]:%Y-%m-%d %H:%M:%S}')

# 7. Leave things as they were, so that this file can be run again.
pipeline.execute('DELETE FROM products WHERE id = 1001')
admin.query("SELECT revoke_api_key('analytics-agent')")
admin.query("SELECT revoke_api_key('pipeline-agent')")
for agent in (analytics, pipeline, fresh, admin):
    agent.close()
