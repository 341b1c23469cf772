/** Large objects by the FunctionCall message, as libpq, psycopg2 and pgjdbc reach them, with two engine connections. */
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { interfaceFunctions } from '../../src/policy/large-objects.ts';
import { startTestProxy, type TestProxy } from '../fixtures/proxy.ts';
import { frontend as f, RawClient, show, type Received } from '../fixtures/raw-client.ts';
import { Engine, smallPool } from '../pool/small-pool.ts';

const [create, open, close, read, write, seek, creat, tell, unlink, truncate] = [
  ...[715, 952, 953, 954, 955, 956, 957, 958, 964, 1004],
] as const;
const [readWrite, fromStart] = [0x60000, 0];

let proxy: TestProxy;
let admin: pg.Client;
const raw: RawClient[] = [];

beforeAll(async () => {
  proxy = await startTestProxy({ pool: smallPool });
  admin = await proxy.client();
  await admin.query('CREATE SCHEMA s');
});
afterAll(async () => {
  for (const client of raw) client.close();
  await proxy.stop();
});

async function login(key = ''): Promise<RawClient> {
  const client = await RawClient.login(proxy.port, key);
  raw.push(client);
  return client;
}

async function keyWith(agent: string, scopes: string, limits?: string): Promise<string> {
  const more = limits === undefined ? '' : `, '', '${limits}'`;
  const { rows } = await admin.query<{ key: string }>(
    `SELECT create_api_key('${agent}', '${scopes}'${more}) AS key`,
  );
  return rows[0]!.key;
}

async function made(): Promise<number> {
  const { rows } = await admin.query<{ n: number }>(
    'SELECT count(*)::int AS n FROM pg_largeobject_metadata',
  );
  return rows[0]!.n;
}

/** What comes back up to the last of so many ReadyForQuery. */
async function exchange(client: RawClient, messages: Buffer[], readies: number): Promise<string[]> {
  client.send(...messages);
  const received: Received[] = [];
  for (let left = readies; left > 0; left -= 1) received.push(...(await client.untilReady()));
  return show(received);
}

/** The number that a call gives back. */
async function call(client: RawClient, oid: number, ...values: number[]): Promise<number> {
  client.send(f.functionCall(oid, ...values));
  const received = await client.untilReady();
  const answer = received.find(({ type }) => type === 'V');
  if (answer === undefined) throw new Error(show(received).join(' '));
  return answer.body.readInt32BE(4);
}

const number = (value: number): string => `V ${value.toString(16).padStart(8, '0')}`;
const hex = (text: string): string => `V ${Buffer.from(text).toString('hex')}`;
const refusedMessage = 'E 0A000 the FunctionCall message is not supported by HatiData';

test('the numbers are those of the functions', async () => {
  const { rows } = await admin.query<{ oid: number; proname: string }>(
    'SELECT oid::int4, proname FROM pg_proc WHERE oid = ANY ($1)',
    [[...interfaceFunctions.keys()]],
  );
  expect(new Map(rows.map(({ oid, proname }) => [oid, proname]))).toEqual(
    new Map([...interfaceFunctions].toSorted(([one], [other]) => one - other)),
  );
});

describe('an admin key', () => {
  test('makes, writes and reads one, while others use the connections', async () => {
    const client = await login();
    const loid = await call(client, creat, readWrite);
    const others = await Promise.all(Array.from({ length: 10 }, () => proxy.client()));
    const busy = Promise.all(others.map((each) => each.query('SELECT pg_sleep(0.02)')));
    expect(await exchange(client, [f.query('BEGIN')], 1)).toEqual(['C BEGIN', 'Z T']);
    const descriptor = await call(client, open, loid, readWrite);
    expect(
      await exchange(
        client,
        [
          f.functionCall(write, descriptor, Buffer.from('written')),
          f.functionCall(tell, descriptor),
          f.functionCall(truncate, descriptor, 5),
          f.functionCall(seek, descriptor, 0, fromStart),
          f.functionCall(read, descriptor, 100),
          f.functionCall(close, descriptor),
          f.query('COMMIT'),
        ],
        7,
      ),
    ).toEqual([
      ...[number(7), 'Z T', number(7), 'Z T', number(0), 'Z T', number(0), 'Z T'],
      ...[hex('writt'), 'Z T', number(0), 'Z T', 'C COMMIT', 'Z I'],
    ]);
    await busy;
    const { rows } = await admin.query('SELECT convert_from(lo_get($1), $2) AS text', [
      loid,
      'UTF8',
    ]);
    expect(rows).toEqual([{ text: 'writt' }]);
    expect(await call(client, unlink, loid)).toBe(1);
    await Promise.all(others.map((each) => each.end()));
  });

  test('a descriptor ends with its transaction, and no other session can use it', async () => {
    const [client, other] = [await login(), await login()];
    const loid = await call(client, create, 0);
    await exchange(client, [f.query('BEGIN')], 1);
    const descriptor = await call(client, open, loid, readWrite);
    const bad = [`E 42704 invalid large-object descriptor: ${descriptor}`, 'Z I'];
    const reading = f.functionCall(read, descriptor, 1);
    expect(await exchange(other, [reading], 1)).toEqual(bad);
    await exchange(client, [f.query('COMMIT')], 1);
    expect(await exchange(client, [reading], 1)).toEqual(bad);
    // Both engine connections.
    expect(await exchange(other, [reading, reading], 2)).toEqual([...bad, ...bad]);
  });

  test('what it began is rolled back with its transaction', async () => {
    const client = await login();
    const begin = [f.query('BEGIN'), f.functionCall(create, 4_711), f.query('ROLLBACK')];
    expect(await exchange(client, begin, 3)).toEqual([
      ...['C BEGIN', 'Z T', number(4_711), 'Z T', 'C ROLLBACK', 'Z I'],
    ]);
    const { rows } = await admin.query('SELECT FROM pg_largeobject_metadata WHERE oid = 4711');
    expect(rows).toEqual([]);
  });

  test('cannot call anything else, whatever it is', async () => {
    const client = await login();
    const { rows } = await admin.query<{ oid: number }>('SELECT oid::int4 FROM pg_proc');
    const others = rows.map(({ oid }) => oid).filter((oid) => !interfaceFunctions.has(oid));
    expect(others.length).toBeGreaterThan(3_000);
    const seen = await exchange(
      client,
      [...others, 0, -1].map((oid) => f.functionCall(oid, '/etc/passwd')),
      others.length + 2,
    );
    expect(new Set(seen)).toEqual(new Set([refusedMessage, 'Z I']));
  });

  test('a call that fails or is refused aborts the transaction, and those behind it', async () => {
    const client = await login();
    const { rows } = await admin.query<{ oid: number }>(
      "SELECT 'pg_read_file(text)'::regprocedure::oid::int4 AS oid",
    );
    const readFile = f.functionCall(rows[0]!.oid, '/etc/passwd');
    const aborted =
      'E 25P02 current transaction is aborted, commands ignored until end of transaction block';
    const calls = [f.query('BEGIN'), readFile, f.functionCall(create, 0), f.query('ROLLBACK')];
    expect(await exchange(client, calls, 4)).toEqual([
      ...['C BEGIN', 'Z T', refusedMessage, 'Z E', aborted, 'Z E', 'C ROLLBACK', 'Z I'],
    ]);
  });

  test('in a batch it is skipped behind an error, and refused otherwise: PostgreSQL 18 would lose it', async () => {
    const client = await login();
    const batch = (text: string): Buffer[] => [
      ...[f.parse('', text), f.bind('', ''), f.execute(''), f.functionCall(create, 4_712)],
    ];
    expect(await exchange(client, [...batch('SELECT 1/0'), f.sync()], 1)).toEqual([
      // Worked out when it is bound.
      ...['1', 'E 22012 division by zero', 'Z I'],
    ]);
    expect(await exchange(client, [...batch('SELECT 1'), f.sync()], 2)).toEqual([
      ...['1', '2', 'D 1', 'C SELECT 1'],
      expect.stringMatching(/^E 08P01 .*FunctionCall between/),
      ...['Z I', 'Z I'],
    ]);
    expect(await exchange(client, [f.query('SELECT 2')], 1)).toEqual([
      ...['T', 'D 2', 'C SELECT 1', 'Z I'],
    ]);
  });
});

describe('every other key', () => {
  test.each<[who: string, scopes: string, limits: string | undefined, name: string]>([
    ['readonly', 'readonly', undefined, 'readonly scope'],
    ['one that writes', 'query:*', undefined, 'this key'],
    ['one with limits', 'admin', '{"schemas":["s"]}', 'this key'],
  ])('%s cannot call any of them', async (who, scopes, limits, name) => {
    const client = await login(await keyWith(who, scopes, limits));
    const before = await made();
    const oids = [...interfaceFunctions.keys()];
    const calls = oids.map((oid) => f.functionCall(oid, 0, 0));
    const refused = [...interfaceFunctions.values()].flatMap((each) => [
      `E 42501 Permission denied: ${name} cannot call function ${each}`,
      'Z I',
    ]);
    expect(await exchange(client, calls, oids.length)).toEqual(refused);
    // Behind a statement that is under way, where the engine answers in our place.
    const slow = f.query('SELECT count(*) FROM generate_series(1, 300000)');
    expect(await exchange(client, [slow, calls[0]!], 2)).toEqual([
      ...['T', 'D 300000', 'C SELECT 1', 'Z I', ...refused.slice(0, 2)],
    ]);
    expect(await exchange(client, [f.functionCall(2_078)], 1)).toEqual([refusedMessage, 'Z I']);
    expect(await made()).toBe(before);
  });
});

test('a message without a function ends the session', async () => {
  const client = await login();
  client.send(Buffer.from([0x46, 0, 0, 0, 6, 0, 0]));
  expect(show(await client.rest())).toEqual([
    'E 08P01 protocol violation: malformed FunctionCall message',
  ]);
});

test('no engine connection is left in a transaction', async () => {
  await using engine = await Engine.look(proxy);
  for (const client of raw) client.close();
  await expect.poll(() => engine.inTransaction()).toEqual([]);
});
