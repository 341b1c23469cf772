/** Order of answers, transaction state and skipping, over the simple and the extended protocol. */
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestProxy, type TestProxy } from '../fixtures/proxy.ts';
import { frontend as f, RawClient, show } from '../fixtures/raw-client.ts';

let proxy: TestProxy;
let admin: pg.Client;
let readonlyKey: string;
const open: RawClient[] = [];

beforeAll(async () => {
  proxy = await startTestProxy();
  admin = await proxy.client();
  await admin.query('CREATE TABLE t (id int PRIMARY KEY, v text)');
  await admin.query("INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 10) i");
  readonlyKey = (await admin.query("SELECT create_api_key('reader', 'readonly', '')")).rows[0]
    .api_key;
});
afterAll(async () => {
  for (const client of open) client.close();
  await proxy.stop();
});

async function login(key = ''): Promise<RawClient> {
  const client = await RawClient.login(proxy.port, key);
  open.push(client);
  return client;
}

const denied = 'E 42501 Permission denied: readonly scope cannot execute';

/** One exchange: what is sent, and what comes back up to the last of its ReadyForQuery. */
async function exchange(client: RawClient, messages: Buffer[], readies = 1): Promise<string[]> {
  client.send(...messages);
  const received: string[] = [];
  for (let left = readies; left > 0; left -= 1) received.push(...show(await client.untilReady()));
  return received;
}

describe('a refused statement of a readonly key', () => {
  test('simple: an error, one ReadyForQuery, and the session goes on', async () => {
    const client = await login(readonlyKey);
    expect(await exchange(client, [f.query('DELETE FROM t')])).toEqual([`${denied} DELETE`, 'Z I']);
    expect(await exchange(client, [f.query('SELECT 1')])).toEqual([
      'T',
      'D 1',
      'C SELECT 1',
      'Z I',
    ]);
  });

  test('simple, in a transaction: it is aborted until ROLLBACK', async () => {
    const client = await login(readonlyKey);
    expect(await exchange(client, [f.query('BEGIN')])).toEqual(['C BEGIN', 'Z T']);
    expect(await exchange(client, [f.query('DELETE FROM t')])).toEqual([`${denied} DELETE`, 'Z E']);
    expect(await exchange(client, [f.query('SELECT 1')])).toEqual([
      'E 25P02 current transaction is aborted, commands ignored until end of transaction block',
      'Z E',
    ]);
    expect(await exchange(client, [f.query('ROLLBACK')])).toEqual(['C ROLLBACK', 'Z I']);
  });

  test('extended: everything up to Sync is skipped, one ReadyForQuery', async () => {
    const client = await login(readonlyKey);
    expect(
      await exchange(client, [
        f.parse('', 'DELETE FROM t'),
        f.bind('', ''),
        f.describe('P', ''),
        f.execute(''),
        f.sync(),
      ]),
    ).toEqual([`${denied} DELETE`, 'Z I']);
    expect(
      await exchange(client, [f.parse('', 'SELECT 2'), f.bind('', ''), f.execute(''), f.sync()]),
    ).toEqual(['1', '2', 'D 2', 'C SELECT 1', 'Z I']);
  });

  test('extended: answers before it are kept, and what is queued behind it never runs', async () => {
    const client = await login(readonlyKey);
    expect(
      await exchange(
        client,
        [
          f.parse('a', 'SELECT 1'),
          f.bind('', 'a'),
          f.execute(''),
          f.parse('b', 'DROP TABLE t'),
          f.bind('', 'b'),
          f.execute(''),
          f.parse('c', "SELECT set_config('default_transaction_read_only', 'off', false)"),
          f.bind('', 'c'),
          f.execute(''),
          f.sync(),
          f.query('SELECT 3'),
        ],
        2,
      ),
    ).toEqual([
      '1',
      '2',
      'D 1',
      'C SELECT 1',
      `${denied} DDL`,
      'Z I',
      'T',
      'D 3',
      'C SELECT 1',
      'Z I',
    ]);
  });

  test('a failed message of the engine comes first: the refusal behind it is skipped with the rest', async () => {
    const client = await login(readonlyKey);
    expect(
      await exchange(client, [
        f.parse('', 'SELECT nothing FROM t'),
        f.parse('x', 'DELETE FROM t'),
        f.execute(''),
        f.sync(),
      ]),
    ).toEqual(['E 42703 column "nothing" does not exist', 'Z I']);
  });

  test('the last Parse of the unnamed statement counts', async () => {
    const client = await login(readonlyKey);
    expect(
      await exchange(client, [
        f.parse('', 'SELECT 1'),
        f.parse('', 'DELETE FROM t'),
        f.bind('', ''),
        f.execute(''),
        f.sync(),
      ]),
    ).toEqual(['1', `${denied} DELETE`, 'Z I']);
  });

  test('stacked statements are refused as a whole', async () => {
    const client = await login(readonlyKey);
    expect(await exchange(client, [f.query('SELECT 1; DELETE FROM t')])).toEqual([
      `${denied} DELETE`,
      'Z I',
    ]);
  });
});

describe('an implicit transaction of an admin', () => {
  test('is undone when a message in it is refused', async () => {
    const client = await login();
    expect(
      await exchange(client, [
        f.parse('', "INSERT INTO t VALUES (100, 'x')"),
        f.bind('', ''),
        f.execute(''),
        f.parse('', "COPY t TO '/tmp/x'"),
        f.sync(),
      ]),
    ).toEqual(['1', '2', 'C INSERT 0 1', expect.stringMatching(/^E 42501/), 'Z I']);
    expect(await exchange(client, [f.query('SELECT count(*) FROM t WHERE id = 100')])).toContain(
      'D 0',
    );
  });
});

describe('our own statements in the extended protocol', () => {
  test('stand in order between those of the engine', async () => {
    const client = await login();
    const answers = await exchange(client, [
      f.parse('', 'SELECT 1'),
      f.bind('', ''),
      f.execute(''),
      f.parse('show', 'SHOW hatidata_request_id'),
      f.describe('S', 'show'),
      f.bind('p', 'show'),
      f.execute('p'),
      f.parse('', 'SELECT 2'),
      f.bind('', ''),
      f.execute(''),
      f.sync(),
    ]);
    expect(answers).toEqual([
      '1',
      '2',
      'D 1',
      'C SELECT 1',
      '1',
      't',
      'T',
      '2',
      'D ',
      'C SHOW',
      '1',
      '2',
      'D 2',
      'C SELECT 1',
      'Z I',
    ]);
  });

  test('a key is not made behind an error, nor in a failed transaction', async () => {
    const client = await login();
    await exchange(client, [
      f.parse('', 'SELECT nothing'),
      f.parse('k', "SELECT create_api_key('never', 'admin', '')"),
      f.bind('', 'k'),
      f.execute(''),
      f.sync(),
    ]);
    await exchange(client, [f.query('BEGIN')]);
    await exchange(client, [f.query('SELECT nothing')]);
    expect(
      await exchange(client, [f.query("SELECT create_api_key('never', 'admin', '')")]),
    ).toEqual([expect.stringMatching(/^E 25P02/), 'Z E']);
    expect(
      await exchange(client, [
        f.parse('', "SELECT create_api_key('never', 'admin', '')"),
        f.sync(),
      ]),
    ).toEqual([expect.stringMatching(/^E 25P02/), 'Z E']);
    await exchange(client, [f.query('ROLLBACK')]);
    expect(
      await exchange(client, [
        f.query("SELECT agent_id FROM _hatidata_keys.active_keys WHERE agent_id = 'never'"),
      ]),
    ).toEqual(['T', 'C SELECT 0', 'Z I']);
  });

  test('a mistake of ours aborts the transaction like one of the engine', async () => {
    const client = await login();
    await exchange(client, [f.query('BEGIN')]);
    expect(await exchange(client, [f.query("SELECT rotate_api_key('nobody')")])).toEqual([
      'E 42704 agent "nobody" has no active key',
      'Z E',
    ]);
    expect(await exchange(client, [f.query('ROLLBACK')])).toEqual(['C ROLLBACK', 'Z I']);
  });

  test('can be closed in a failed transaction', async () => {
    const client = await login();
    await exchange(client, [f.parse('k', 'SHOW hatidata_agent_id'), f.sync()]);
    await exchange(client, [f.query('BEGIN')]);
    await exchange(client, [f.query('SELECT nothing')]);
    expect(await exchange(client, [f.close('S', 'k'), f.sync()])).toEqual(['3', 'Z E']);
    expect(await exchange(client, [f.query('ROLLBACK')])).toEqual(['C ROLLBACK', 'Z I']);
  });

  test('row limits suspend the portal', async () => {
    const client = await login();
    expect(
      await exchange(client, [
        f.parse('', 'SELECT agent_id FROM _hatidata_keys.active_keys ORDER BY 1'),
        f.bind('', ''),
        f.execute('', 1),
        f.execute('', 1),
        f.sync(),
      ]),
    ).toEqual(['1', '2', 'D reader', 's', 'C SELECT 0', 'Z I']);
  });

  test('names: taken, unknown, closed', async () => {
    const client = await login();
    const key = "SELECT revoke_api_key('nobody')";
    expect(await exchange(client, [f.parse('n', key), f.sync()])).toEqual(['1', 'Z I']);
    expect(await exchange(client, [f.parse('n', key), f.sync()])).toEqual([
      'E 42P05 prepared statement "n" already exists',
      'Z I',
    ]);
    expect(await exchange(client, [f.parse('n', 'SELECT 1'), f.sync()])).toEqual([
      'E 42P05 prepared statement "n" already exists',
      'Z I',
    ]);
    expect(await exchange(client, [f.close('S', 'n'), f.parse('n', 'SELECT 1'), f.sync()])).toEqual(
      ['3', '1', 'Z I'],
    );
    expect(await exchange(client, [f.bind('', 'unknown'), f.sync()])).toEqual([
      'E 26000 prepared statement "unknown" does not exist',
      'Z I',
    ]);
  });
});

describe('copy', () => {
  test('in, with the Sync that a client sends before it knows', async () => {
    const client = await login();
    client.send(f.parse('', 'COPY t FROM STDIN'), f.bind('', ''), f.execute(''), f.sync());
    expect(show(await client.until('G'))).toEqual(['1', '2', 'G']);
    client.send(f.copyData('200\tcopied\n'), f.copyDone(), f.sync());
    expect(show(await client.untilReady())).toEqual(['C COPY 1', 'Z I']);
    expect(await exchange(client, [f.query('DELETE FROM t WHERE id = 200')])).toEqual([
      'C DELETE 1',
      'Z I',
    ]);
  });

  test('in, left in the middle', async () => {
    const client = await login();
    client.send(f.query('COPY t FROM STDIN'));
    await client.until('G');
    client.send(f.copyData('300\tlost\n'), f.terminate());
    await client.rest();
    // Nothing holds the table any more, and nothing was copied.
    await admin.query("SET lock_timeout = '10s'");
    await admin.query('BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE; COMMIT');
    expect((await admin.query('SELECT count(*)::int AS n FROM t WHERE id = 300')).rows).toEqual([
      { n: 0 },
    ]);
  });

  test('out', async () => {
    const client = await login(readonlyKey);
    client.send(f.query('COPY (SELECT id FROM t ORDER BY id LIMIT 2) TO STDOUT'));
    expect(show(await client.untilReady())).toEqual(['H', 'd', 'd', 'c', 'C COPY 2', 'Z I']);
  });
});

test('what was sent before Terminate is answered', async () => {
  const client = await login();
  client.send(
    f.query("SELECT repeat('x', 200000), pg_sleep(0.1)"),
    f.query('SELECT 2'),
    f.terminate(),
  );
  const seen = show(await client.rest());
  expect(seen.filter((line) => line.startsWith('C'))).toEqual(['C SELECT 1', 'C SELECT 1']);
  expect(seen.at(-1)).toBe('Z I');
});

describe('messages that are not allowed', () => {
  test('FunctionCall is refused and the session goes on', async () => {
    const client = await login();
    expect(await exchange(client, [f.functionCall(2077)])).toEqual([
      'E 0A000 the FunctionCall message is not supported by HatiData',
      'Z I',
    ]);
  });

  test.each<[string, Buffer, string]>([
    ['an unknown type', Buffer.from([0x79, 0, 0, 0, 4]), '08P01'],
    ['a password after the login', f.password('again'), '08P01'],
    ['a length of 2 GB', Buffer.from([0x51, 0x7f, 0xff, 0xff, 0xff]), '08P01'],
    ['a length over the limit', Buffer.from([0x51, 0x3f, 0xff, 0xff, 0xff]), '54000'],
    ['a Query without terminator', Buffer.from([0x51, 0, 0, 0, 5, 0x61]), '08P01'],
    ['a NUL inside a Query', f.query('SELECT 1\0; DROP TABLE t'), '08P01'],
    ['trailing bytes in Parse', Buffer.from([0x50, 0, 0, 0, 10, 0, 0, 0, 0, 1, 1]), '08P01'],
  ])('%s ends the session with a reason', async (_, bytes, sqlstate) => {
    const client = await login();
    client.send(bytes);
    const rest = show(await client.rest());
    expect(rest).toHaveLength(1);
    expect(rest[0]).toContain(`E ${sqlstate}`);
  });

  test('text that is not UTF-8 is refused', async () => {
    const client = await login();
    const bytes = Buffer.concat([f.query('SELECT x')]);
    bytes[bytes.length - 2] = 0xc3;
    expect(await exchange(client, [bytes])).toEqual([expect.stringMatching(/^E 22021/), 'Z I']);
  });

  test.each(['', ';', ';;', '-- nothing', '/* nothing */'])(
    'the empty text %j is answered',
    async (text) => {
      const client = await login(readonlyKey);
      expect(await exchange(client, [f.query(text)])).toEqual(['I', 'Z I']);
    },
  );
});

describe('pipelines', () => {
  test('many statements at once come back in order', async () => {
    const client = await login(readonlyKey);
    const count = 500;
    const messages = Array.from({ length: count }, (_, i) => [
      f.parse('', `SELECT ${i}`),
      f.bind('', ''),
      f.execute(''),
      f.sync(),
    ]).flat();
    const answers = await exchange(client, messages, count);
    expect(answers.filter((each) => each.startsWith('D'))).toEqual(
      Array.from({ length: count }, (_, i) => `D ${i}`),
    );
  });

  test('one byte at a time', async () => {
    const client = await login(readonlyKey);
    for (const byte of f.query('DELETE FROM t')) client.send(Buffer.of(byte));
    expect(show(await client.untilReady())).toEqual([`${denied} DELETE`, 'Z I']);
  });
});
