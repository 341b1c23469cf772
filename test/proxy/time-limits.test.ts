/** Limits of time: what a client is told, what becomes of its transaction, and who is left alone. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Limits } from '../../src/config.ts';
import { startTestProxy, type TestProxy } from '../fixtures/proxy.ts';
import { frontend as f, RawClient, show } from '../fixtures/raw-client.ts';
import { limits, startBeside, type Beside } from '../instances/beside.ts';
import { codeOf, Engine, sleep, until } from '../pool/small-pool.ts';

/** Has the engine. */
let first: TestProxy;
let beside: Beside;
let proxy: TestProxy;

beforeAll(async () => {
  first = await startTestProxy();
});
afterEach(() => beside.stop());
afterAll(() => first.stop());

async function start(more: Partial<Limits>): Promise<RawClient> {
  beside = await startBeside(first, { limits: limits(more) });
  ({ proxy } = beside);
  return RawClient.login(proxy.port);
}

const shown = async (client: RawClient, ...messages: Buffer[]): Promise<string[]> => {
  client.send(...messages);
  return show(await client.untilReady());
};

test('idle in a transaction: 25P03, and it is rolled back', async () => {
  const client = await start({ idleInTransactionSeconds: 1 });
  const neighbour = await proxy.client();
  await neighbour.query('CREATE TABLE t (id int)');
  await shown(client, f.query('BEGIN; INSERT INTO t VALUES (1)'));
  const begun = performance.now();
  expect(show(await client.rest())).toEqual([
    'E 25P03 terminating connection: nothing was said in an open transaction for 1 s; it was rolled back',
  ]);
  expect(performance.now() - begun).toBeGreaterThan(950);
  expect(performance.now() - begun).toBeLessThan(2_000);
  expect((await neighbour.query('SELECT count(*)::int AS n FROM t')).rows).toEqual([{ n: 0 }]);
  await using engine = await Engine.look(first);
  await until(async () => (await engine.inTransaction()).length === 0);
  // An idle one without a transaction is left alone.
  await sleep(1_500);
  await neighbour.query('SELECT 1');
});

test('idle in a transaction: a batch without Sync, and a failed transaction, count; work does not', async () => {
  const client = await start({ idleInTransactionSeconds: 1 });
  const failed = await RawClient.login(proxy.port);
  const busy = await proxy.client();
  client.send(f.parse('', 'SELECT 1'), f.bind('', ''), f.execute(''), f.flush());
  await shown(failed, f.query('BEGIN; SELECT 1/0'));
  const working = (async () => {
    await busy.query('BEGIN');
    for (let round = 0; round < 5; round += 1) {
      await busy.query('SELECT 1');
      await sleep(600);
    }
    await busy.query('SELECT pg_sleep(2)');
    await busy.query('COMMIT');
  })();
  expect(show(await client.rest()).at(-1)).toMatch(/^E 25P03 /);
  expect(show(await failed.rest()).at(-1)).toMatch(/^E 25P03 /);
  await working;
});

test('an idle session: 57P05; a statement or a transaction is not idle', async () => {
  const client = await start({ idleSessionSeconds: 1, idleInTransactionSeconds: 0 });
  const inTransaction = await proxy.client();
  await inTransaction.query('BEGIN');
  const working = await proxy.client();
  const work = working.query('SELECT pg_sleep(2)');
  expect(show(await client.rest())).toEqual([
    'E 57P05 terminating connection: the session was idle for 1 s',
  ]);
  await work;
  await inTransaction.query('COMMIT');
});

test('a statement: 57014 in our words, and the session goes on', async () => {
  const client = await start({ statementSeconds: 1 });
  const begun = performance.now();
  expect(await shown(client, f.query('SELECT pg_sleep(30)'))).toEqual([
    'T',
    'E 57014 canceling statement: it ran for more than 1 s',
    'Z I',
  ]);
  expect(performance.now() - begun).toBeLessThan(2_000);
  expect(
    await shown(
      client,
      f.parse('', 'SELECT pg_sleep(30)'),
      f.bind('', ''),
      f.execute(''),
      f.sync(),
    ),
  ).toEqual(['1', '2', 'E 57014 canceling statement: it ran for more than 1 s', 'Z I']);
  // What one ReadyForQuery answers is one statement.
  const four = Array.from({ length: 4 }, () => 'SELECT pg_sleep(0.5)');
  const batch = four.flatMap((text) => [f.parse('', text), f.bind('', ''), f.execute('')]);
  expect(await shown(client, ...batch, f.sync())).toContain(
    'E 57014 canceling statement: it ran for more than 1 s',
  );
  for (const text of four) expect(await shown(client, f.query(text))).toContain('C SELECT 1');
  const flushed = four.map((text) => [f.parse('', text), f.bind('', ''), f.execute(''), f.flush()]);
  for (const messages of flushed) {
    client.send(...messages);
    expect(show(await client.until('C'))).not.toContainEqual(expect.stringMatching(/^E/));
  }
  expect(await shown(client, f.sync())).toEqual(['Z I']);
  client.close();
});

test('a statement: the client may have less, not more, and can not catch it', async () => {
  const client = await start({ statementSeconds: 1 });
  await shown(client, f.query("SET statement_timeout = '200ms'"));
  expect(await shown(client, f.query('SELECT pg_sleep(30)'))).toContain(
    'E 57014 canceling statement due to statement timeout',
  );
  await shown(client, f.query('SET statement_timeout = 0'));
  expect(await shown(client, f.query('SELECT pg_sleep(30)'))).toContain(
    'E 57014 canceling statement: it ran for more than 1 s',
  );
  client.send(
    f.query(
      'DO $$ BEGIN LOOP BEGIN PERFORM pg_sleep(60); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END $$',
    ),
  );
  expect(show(await client.rest())).toEqual([
    'E 57014 canceling statement: it ran for more than 1 s',
  ]);
  await using engine = await Engine.look(first);
  await until(async () => (await engine.inTransaction()).length === 0);
}, 20_000);

test('a transaction: 25P04, however busy it is; one after the other is none', async () => {
  const client = await start({ transactionSeconds: 1 });
  const many = await proxy.client();
  const after = (async () => {
    for (let round = 0; round < 12; round += 1) {
      await many.query('BEGIN');
      await many.query('SELECT pg_sleep(0.1)');
      await many.query('COMMIT');
    }
  })();
  await shown(client, f.query('BEGIN'));
  const begun = performance.now();
  let last: string[] = [];
  while (!last.some((message) => message.startsWith('E'))) {
    client.send(f.query('SELECT pg_sleep(0.1)'));
    last = show(await client.until('Z').catch(() => client.rest()));
    if (last.length === 0) break;
    if (performance.now() - begun > 5_000) throw new Error('it went on');
  }
  expect(performance.now() - begun).toBeLessThan(2_500);
  await after;
  expect(await codeOf(many.query('SELECT pg_sleep(30)'))).toBe('25P04');
});

test('an old session: 57P01 at rest', async () => {
  const client = await start({ sessionSeconds: 1 });
  await shown(client, f.query('BEGIN'));
  await sleep(2_000);
  expect(await shown(client, f.query('SELECT 1'))).toContain('D 1');
  client.send(f.query('COMMIT'));
  expect(show(await client.rest())).toEqual([
    'C COMMIT',
    'Z I',
    'E 57P01 terminating connection: the session is more than 1 s old',
  ]);
});

test('what a client says while the proxy does not run is not silence', async () => {
  const client = await start({ idleInTransactionSeconds: 1 });
  await shown(client, f.query('BEGIN'));
  client.send(f.query('SELECT 1'));
  const begun = performance.now();
  while (performance.now() - begun < 3_000);
  expect(show(await client.untilReady())).toContain('D 1');
  client.close();
});
