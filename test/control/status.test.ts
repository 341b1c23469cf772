/** How rows of this process come to the views of `_hatidata_status` in the control store. */
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SystemConnection } from '../../src/control/system/connection.ts';
import { StoreSystemRelations } from '../../src/control/system/relations.ts';
import { settingsAhead } from '../../src/control/system/settings-ahead.ts';
import { systemRole } from '../../src/database/system-role.ts';
import { adminAuthority } from '../../src/policy/authority.ts';
import type { Principal, StatusRow } from '../../src/ports.ts';
import { analyse } from '../../src/sql/analyse.ts';
import { loadParser } from '../../src/sql/parse.ts';
import { EngineError } from '../../src/wire/engine-error.ts';
import { startTestProxy, type TestProxy } from '../fixtures/proxy.ts';

let proxy: TestProxy;
let connection: SystemConnection;
let clients: StatusRow[] = [];
let asked: string[] = [];

beforeAll(async () => {
  await loadParser();
  proxy = await startTestProxy();
  connection = new SystemConnection(proxy.direct('control'), systemRole);
});
afterAll(async () => {
  await connection.close();
  await proxy.stop();
});

const source =
  (name: string, rows: () => readonly StatusRow[] = () => []) =>
  (): readonly StatusRow[] => {
    asked.push(name);
    return rows();
  };

const operator: Principal = {
  kind: 'localAdministrator',
  agent: 'tester',
  authority: adminAuthority,
};

async function read(text: string): Promise<string> {
  asked = [];
  const relations = new StoreSystemRelations({
    connection,
    flushUses: () => {
      asked.push('keys');
      return Promise.resolve();
    },
    status: {
      clients: source('clients', () => clients),
      pools: source('pools'),
      servers: source('servers'),
      statements: source('statements'),
    },
  });
  return (await relations.query(analyse(text).statements[0]!, operator)).toString('latin1');
}

test('only what a statement names is asked for', async () => {
  await read('SELECT 1 FROM _hatidata_status.clients, _hatidata_status.servers');
  expect(asked).toEqual(['clients', 'servers']);
  await read('TABLE _hatidata_keys.active_keys');
  expect(asked).toEqual(['keys']);
});

test('ten thousand clients', async () => {
  clients = Array.from({ length: 10_000 }, (_, at) => ({
    client_id: at,
    agent: 'a'.repeat(60),
    application_name: 'b'.repeat(63),
    source: '2001:db8::1',
    since: new Date().toISOString(),
    connected_at: new Date().toISOString(),
    bytes_in: 2 ** 50,
  }));
  expect(await read('SELECT count(*), max(bytes_in) FROM _hatidata_status.clients')).toMatch(
    /10000.*1125899906842624/s,
  );
  const all = await read('TABLE _hatidata_status.clients');
  expect(all).toContain('SELECT 10000');
});

test.each([
  ['half of a pair', 'a\ud800b', 'a\ufffdb'],
  ['NUL', 'a\0b', 'ab'],
  ['quotes', `'";\\`, `'";\\`],
  ['what is no ASCII', 'Ünï ☃ 😀', 'Ünï ☃ 😀'],
])('text that jsonb would not take: %s', async (_, given, shown) => {
  clients = [{ client_id: 1, application_name: given }];
  const answer = await read('SELECT application_name FROM _hatidata_status.clients');
  expect(Buffer.from(answer, 'latin1').toString()).toContain(shown);
});

test('what does not fit a column is an error, not an empty relation', async () => {
  clients = [{ client_id: 'not a number' }];
  await expect(read('TABLE _hatidata_status.clients')).rejects.toThrow(EngineError);
});

test('without a proxy that fills them, the views are an error, and not empty', async () => {
  const client = new pg.Client(proxy.direct('control'));
  await client.connect();
  const bare = client.query('TABLE _hatidata_status.clients');
  await expect(bare).rejects.toThrow('unrecognized configuration parameter');
  await client.end();
});

test('what clients say of themselves is a bound value, never SQL', async () => {
  const rows = [{ application_name: 'sentinel' }];
  const messages = await settingsAhead(
    analyse('TABLE _hatidata_status.clients').statements[0]!,
    operator,
    {
      clients: () => rows,
      pools: () => [],
      servers: () => [],
      statements: () => [],
    },
  );
  const found: string[] = [];
  for (let rest = messages!; rest.length > 0;) {
    const length = 1 + rest.readInt32BE(1);
    const message = rest.subarray(0, length);
    if (message.includes('sentinel')) found.push(String.fromCharCode(message[0]!));
    rest = rest.subarray(length);
  }
  expect(found).toEqual(['B']);
});
