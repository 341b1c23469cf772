/** Pipelines as drivers and careless programs send them: twenty clients, two engine connections, nothing mixed up. */
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestProxy, type TestProxy } from '../fixtures/proxy.ts';
import { frontend as f, RawClient, show } from '../fixtures/raw-client.ts';
import { clientCount, Engine, sleep, smallPool } from './small-pool.ts';

let proxy: TestProxy;
let engine: Engine;

beforeAll(async () => {
  proxy = await startTestProxy({ pool: smallPool });
  const admin = await proxy.client();
  await admin.query('CREATE TABLE copied (id int)');
  engine = await Engine.look(proxy);
});
afterAll(async () => {
  await engine[Symbol.asyncDispose]();
  await proxy.stop();
});

const rounds = 1_000;

test('five concurrent queries on one connection of postgres.js, 1,000 rounds, beside nineteen others', async () => {
  const options = { host: '127.0.0.1', port: proxy.port, user: 'agent', pass: '', max: 1 };
  const all = Array.from({ length: clientCount }, () => postgres({ ...options, ssl: false }));
  const [sql, ...neighbours] = all as [postgres.Sql, ...postgres.Sql[]];
  const wrong: unknown[] = [];
  const five = async (on: postgres.Sql, who: number, round: number): Promise<void> => {
    const failing = round % 10 === 0;
    const [a, b, c, d, e] = await Promise.all([
      on`SELECT ${round}::int AS n, ${who}::int AS who`,
      on`SELECT g FROM generate_series(1, ${(round % 7) + 1}::int) AS g`,
      failing
        ? on`SELECT 1 / ${0}::int`.catch((error: { code: string }) => error.code)
        : on`SELECT ${`c${round}`}::text AS t`,
      on.unsafe(`SELECT ${round} AS simple`),
      // A text of its own in each round: prepared, and many more than a connection keeps.
      on.unsafe(`SELECT ${round} + $1::int AS own`, [who], { prepare: true }),
    ]);
    const got = [
      ...[a[0]?.['n'], a[0]?.['who'], b.length],
      failing ? c : (c as postgres.RowList<postgres.Row[]>)[0]?.['t'],
      ...[d[0]?.['simple'], e[0]?.['own']],
    ];
    const wanted = [
      round,
      who,
      (round % 7) + 1,
      failing ? '22012' : `c${round}`,
      round,
      round + who,
    ];
    if (JSON.stringify(got) !== JSON.stringify(wanted)) wrong.push([who, wanted, got]);
  };
  let isOver = false;
  const beside = neighbours.map(async (on, index) => {
    for (let round = 0; !isOver; round += 1) await five(on, index + 1, round % rounds);
  });
  for (let round = 0; round < rounds; round += 1) await five(sql, 0, round);
  isOver = true;
  await Promise.all(beside);
  expect(wrong).toEqual([]);
  await Promise.all(all.map((each) => each.end()));
});

describe('by hand', () => {
  const types = (messages: Parameters<typeof show>[0]): string =>
    show(messages)
      .map((line) => (line.startsWith('Z') ? line : line[0]))
      .join(' ');

  test('Flush only: each answer comes without a Sync, and the transaction is open until it', async () => {
    const raw = await RawClient.login(proxy.port);
    for (let round = 0; round < 20; round += 1) {
      const name = round % 2 === 0 ? '' : `flush${round}`;
      raw.send(f.parse(name, 'INSERT INTO copied VALUES (1) RETURNING id'), f.flush());
      expect(types(await raw.until('1'))).toBe('1');
      raw.send(f.bind('', name), f.flush());
      expect(types(await raw.until('2'))).toBe('2');
      raw.send(f.describe('P', ''), f.execute(''), f.flush());
      expect(types(await raw.until('C'))).toBe('T D C');
    }
    const other = await proxy.client();
    expect((await other.query('SELECT count(*)::int AS n FROM copied')).rows).toEqual([{ n: 0 }]);
    raw.send(f.sync());
    expect(types(await raw.untilReady())).toBe('Z I');
    expect((await other.query('SELECT count(*)::int AS n FROM copied')).rows).toEqual([{ n: 20 }]);
    await other.query('TRUNCATE copied');
    await other.end();
    raw.close();
  });

  test('Sync omitted, and a Query instead: what PostgreSQL 18 would lose is refused', async () => {
    const neighbours = await Promise.all(Array.from({ length: clientCount }, () => proxy.client()));
    for (let round = 0; round < 10; round += 1) {
      const raw = await RawClient.login(proxy.port);
      raw.send(f.parse('', 'INSERT INTO copied VALUES (2)'), f.bind('', ''), f.execute(''));
      raw.send(f.query('SELECT 1'));
      // PostgreSQL: 'T D C Z T', then 'Z I' for the Sync, and nothing of it is kept.
      expect(types(await raw.untilReady())).toBe('1 2 C E Z I');
      raw.send(f.query('SELECT 1'));
      expect(types(await raw.untilReady())).toBe('T D C Z I');
      raw.send(f.sync());
      expect(types(await raw.untilReady())).toBe('Z I');
      await Promise.all(
        neighbours.map(async (client) => {
          const { rows } = await client.query('SELECT count(*)::int AS n FROM copied');
          expect(rows).toEqual([{ n: 0 }]);
        }),
      );
      await expect.poll(() => engine.inTransaction()).toEqual([]);
      raw.close();
    }
    await Promise.all(neighbours.map((client) => client.end()));
  });

  test('Sync omitted, and gone: the batch is taken back', async () => {
    for (let round = 0; round < clientCount; round += 1) {
      const careless = await RawClient.login(proxy.port);
      careless.send(f.parse('', 'INSERT INTO copied VALUES (3)'), f.bind('', ''), f.execute(''));
      careless.send(f.flush());
      await careless.until('C');
      careless.close();
    }
    const other = await proxy.client();
    expect((await other.query('SELECT count(*)::int AS n FROM copied')).rows).toEqual([{ n: 0 }]);
    await other.end();
  });

  test('a COPY in whose data is sent ahead, with another batch behind it', async () => {
    const raw = await RawClient.login(proxy.port);
    const copy = [f.parse('', 'COPY copied FROM STDIN'), f.bind('', ''), f.execute('')];
    const after = [f.parse('', 'SELECT 7'), f.bind('', ''), f.execute(''), f.sync()];
    for (let round = 0; round < 5; round += 1) {
      raw.send(...copy, f.copyData('4\n'), f.copyDone(), f.sync(), ...after);
      expect(types(await raw.untilReady())).toBe('1 2 G C Z I');
      expect(types(await raw.untilReady())).toBe('1 2 D C Z I');
    }
    raw.close();
  });

  test('a COPY in that the messages behind it break ends the connection, as without us', async () => {
    const copy = [f.parse('', 'COPY copied FROM STDIN'), f.bind('', ''), f.execute(''), f.sync()];
    const batch = [f.parse('', 'SELECT 7'), f.bind('', ''), f.execute(''), f.sync()];
    const raw = await RawClient.login(proxy.port);
    raw.send(...copy, ...batch, ...batch);
    expect(types(await raw.rest())).toBe('1 2 G E');
    const next = await RawClient.login(proxy.port);
    next.send(...batch);
    expect(types(await next.untilReady())).toBe('1 2 D C Z I');
    next.close();
  });

  test('a refusal without a connection ends at its Sync, whatever happens between the two', async () => {
    const raw = await RawClient.login(proxy.port);
    raw.send(f.query('CREATE TEMP TABLE pinned (id int)'));
    await raw.untilReady();
    for (let round = 0; round < 20; round += 1) {
      raw.send(f.query(`SET my.round = '${round}'`));
      await raw.untilReady();
      // The proxy asks the engine for the setting now.
      raw.send(f.parse('', 'this is no SQL'));
      await raw.until('E');
      await sleep(10);
      raw.send(f.sync());
      expect(types(await raw.untilReady())).toBe('Z I');
      raw.send(f.query('SHOW my.round'));
      expect(types(await raw.untilReady())).toBe('T D C Z I');
    }
    raw.close();
  });

  test('PREPARE, then gone: the name is free for the next, on every connection', async () => {
    for (let round = 0; round < clientCount; round += 1) {
      const raw = await RawClient.login(proxy.port);
      raw.send(f.query(`PREPARE left_behind AS SELECT ${round}`));
      expect(types(await raw.untilReady())).toBe('C Z I');
      raw.send(f.query('EXECUTE left_behind'));
      expect(show(await raw.untilReady())).toContain(`D ${round}`);
      if (round % 2 === 0) raw.close();
      else {
        raw.send(f.terminate());
        await raw.rest();
      }
    }
    const raw = await RawClient.login(proxy.port);
    raw.send(f.query('EXECUTE left_behind'));
    expect(show(await raw.untilReady())[0]).toMatch(/^E 26000/);
    raw.close();
  });
});
