/** Twenty clients, two engine connections: what a session has follows it, and nothing of it is seen by another. */
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestProxy, testConfig, type TestProxy } from '../fixtures/proxy.ts';
import { frontend as f, RawClient, show } from '../fixtures/raw-client.ts';

const pool = { ...testConfig('').pool, readers: 2, writers: 2 };
let proxy: TestProxy;
let admin: pg.Client;

beforeAll(async () => {
  proxy = await startTestProxy({ pool });
  admin = await proxy.client();
  await admin.query(`CREATE TABLE t (id serial PRIMARY KEY, name text);
    INSERT INTO t (name) VALUES ('one'), ('two');
    CREATE SCHEMA other; CREATE TABLE other.t (id int, name text); INSERT INTO other.t VALUES (9, 'other')`);
});
afterAll(() => proxy.stop());

const value = async (client: pg.Client, text: string): Promise<unknown> =>
  Object.values((await client.query(text)).rows[0] as object)[0];
const backend = (client: pg.Client): Promise<unknown> => value(client, 'SELECT pg_backend_pid()');

async function clients(count: number, key = ''): Promise<pg.Client[]> {
  return Promise.all(Array.from({ length: count }, () => proxy.client(key)));
}

async function ended(all: readonly pg.Client[]): Promise<void> {
  await Promise.all(all.map((client) => client.end()));
}

async function readonlyKey(agent: string): Promise<string> {
  return String(await value(admin, `SELECT create_api_key('${agent}', 'readonly')`));
}

describe('sharing', () => {
  test('twenty clients run on two engine connections', async () => {
    const all = await clients(20);
    const seen = new Set(
      (
        await Promise.all(all.map(async (client) => [await backend(client), await backend(client)]))
      ).flat(),
    );
    expect(seen.size).toBeLessThanOrEqual(2);
    await ended(all);
  });

  test('a transaction keeps its connection, and its work is its own', async () => {
    const [one, two] = (await clients(2)) as [pg.Client, pg.Client];
    await one.query('BEGIN');
    const pid = await backend(one);
    await one.query("INSERT INTO t (name) VALUES ('uncommitted')");
    expect(await backend(two)).not.toBe(pid);
    expect(await value(two, "SELECT count(*)::int FROM t WHERE name = 'uncommitted'")).toBe(0);
    await two.query('COMMIT');
    expect(await backend(one)).toBe(pid);
    await one.query('ROLLBACK');
    await ended([one, two]);
  });
});

describe('settings', () => {
  test('follow the session from one connection to the next', async () => {
    const all = await clients(8, await readonlyKey('settings'));
    const expected = all.map(() => ({ tz: 'UTC', path: 'main' }));
    for (const [index, client] of all.entries()) {
      expected[index] = { tz: `Etc/GMT+${index}`, path: index % 2 === 0 ? 'other' : 'main' };
      await client.query(
        `SET TimeZone = 'Etc/GMT+${index}'; SET search_path = ${expected[index].path}`,
      );
    }
    const wrong: unknown[] = [];
    await Promise.all(
      all.map(async (client, index) => {
        for (let round = 0; round < 25; round += 1) {
          const want = expected[index]!;
          if ((round + index) % 5 === 0) {
            want.tz = `Etc/GMT-${(round + index) % 12}`;
            await client.query(`BEGIN; SET TimeZone = '${want.tz}'; COMMIT`);
          } else if ((round + index) % 7 === 0) {
            await client.query("BEGIN; SET TimeZone = 'Asia/Tokyo'; ROLLBACK");
          }
          const { rows } = await client.query(
            "SELECT current_setting('TimeZone') AS tz, current_setting('search_path') AS path, (SELECT count(*)::int FROM t) AS n",
          );
          const n = want.path === 'other' ? 1 : 2;
          if (JSON.stringify(rows[0]) !== JSON.stringify({ ...want, n }))
            wrong.push([want, rows[0]]);
        }
      }),
    );
    expect(wrong).toEqual([]);
    await ended(all);
  });

  test.each([
    ['RESET', 'SET work_mem = 65', 'RESET work_mem', 'work_mem'],
    ['RESET ALL', "SET my.v = 'x'", 'RESET ALL', 'my.v'],
    ['DISCARD ALL', "SELECT set_config('my.w', 'x', false)", 'DISCARD ALL', 'my.w'],
    [
      'ROLLBACK TO',
      'SELECT 1',
      "BEGIN; SAVEPOINT a; SET my.s = 'x'; ROLLBACK TO a; COMMIT",
      'my.s',
    ],
    ['SET LOCAL', 'SELECT 1', "BEGIN; SET LOCAL my.l = 'x'; COMMIT", 'my.l'],
    ['a failed SET', 'SELECT 1', 'SET work_mem = 1', 'work_mem'],
  ])('%s', async (_name, first, second, setting) => {
    const [one, two, fresh] = (await clients(3)) as [pg.Client, pg.Client, pg.Client];
    const current = `SELECT current_setting('${setting}', true)`;
    const usual = await value(fresh, current);
    await one.query(first);
    await one.query(second).catch(() => undefined);
    for (const client of [one, two, fresh, one])
      expect((await value(client, current)) || null).toBe(usual || null);
    await ended([one, two, fresh]);
  });

  test('what a trigger does to its session is not seen by another', async () => {
    await admin.query(`CREATE TABLE marked (id int);
      CREATE FUNCTION mark() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        PERFORM set_config('my.mark', 'trigger', false), pg_advisory_lock(77);
        CREATE TEMP TABLE IF NOT EXISTS leftover (id int); RETURN NEW; END $$;
      CREATE TRIGGER m BEFORE INSERT ON marked FOR EACH ROW EXECUTE FUNCTION mark()`);
    const [one, two] = (await clients(2)) as [pg.Client, pg.Client];
    const pids = new Set<unknown>();
    for (let round = 0; round < 6; round += 1) {
      await one.query('INSERT INTO marked VALUES (1)');
      await two.query('BEGIN');
      pids.add(await backend(two));
      expect((await value(two, "SELECT current_setting('my.mark', true)")) || null).toBeNull();
      expect(await value(two, "SELECT to_regclass('pg_temp.leftover')")).toBeNull();
      const locks =
        "SELECT count(*)::int FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()";
      expect(await value(two, locks)).toBe(0);
      await two.query('COMMIT');
    }
    await ended([one, two]);
  });

  test('application_name is each client’s own', async () => {
    const [one, two] = await Promise.all(
      ['first', 'second'].map((application_name) => proxy.client('', { application_name })),
    );
    for (let round = 0; round < 3; round += 1) {
      expect(await value(one!, 'SHOW application_name')).toMatch(/ first$/);
      expect(await value(two!, 'SHOW application_name')).toMatch(/ second$/);
      await one!.query('DISCARD ALL');
    }
    await ended([one!, two!]);
  });
});

describe('prepared statements', () => {
  test('of one name and different texts', async () => {
    const all = await clients(6);
    for (let round = 0; round < 10; round += 1) {
      const answers = await Promise.all(
        all.map((client, index) =>
          client.query({
            name: 'same',
            text: `SELECT ${index} AS n, $1::int AS r`,
            values: [round],
          }),
        ),
      );
      expect(answers.map(({ rows }) => rows[0])).toEqual(all.map((_, n) => ({ n, r: round })));
    }
    await ended(all);
  });

  test('are read under the settings of the session that prepares them', async () => {
    const [one, two] = (await clients(2)) as [pg.Client, pg.Client];
    await one.query('SET DateStyle = ISO, DMY');
    await two.query('SET DateStyle = ISO, MDY');
    const query = { name: 'd', text: "SELECT extract(month FROM '02/01/2020'::date)::int AS m" };
    for (let round = 0; round < 4; round += 1) {
      expect((await one.query(query)).rows).toEqual([{ m: 1 }]);
      expect((await two.query(query)).rows).toEqual([{ m: 2 }]);
    }
    await ended([one, two]);
  });

  test('the unnamed one lives until the next, on whichever connection', async () => {
    const raw = await Promise.all([0, 1, 2, 3].map(() => RawClient.login(proxy.port)));
    for (const [index, client] of raw.entries()) {
      client.send(f.parse('', `SELECT ${index}`), f.describe('S', ''), f.sync());
      await client.untilReady();
    }
    for (const [index, client] of raw.entries()) {
      for (let round = 0; round < 2; round += 1) {
        client.send(f.bind('', ''), f.execute(''), f.sync());
        const answer = await client.untilReady();
        expect(
          answer
            .find(({ type }) => type === 'D')
            ?.body.subarray(6)
            .toString(),
        ).toBe(String(index));
      }
    }
    for (const client of raw) {
      client.send(f.query('SELECT 1'));
      await client.untilReady();
      client.send(f.bind('', ''), f.sync());
      expect(show(await client.untilReady())).toEqual([expect.stringMatching(/^E 26000/), 'Z I']);
      client.close();
    }
  });

  test('the unnamed one is prepared again where another session had a Query refused', async () => {
    const pairs = await Promise.all([0, 1].map(() => RawClient.login(proxy.port)));
    const [one, two] = pairs as [RawClient, RawClient];
    const answer = async (client: RawClient, ...messages: Buffer[]): Promise<string[]> => {
      client.send(...messages, f.sync());
      return show(await client.untilReady());
    };
    const run = (name: string): Buffer[] => [f.bind('', name), f.execute('')];
    await answer(two, f.parse('begin', 'BEGIN'), f.parse('end', 'ROLLBACK'));
    await answer(one, f.parse('', 'SELECT 1'));
    // On the same connection, and without a Query that goes to the engine.
    await answer(two, ...run('begin'));
    two.send(f.query('SELEC'));
    expect(show(await two.untilReady())).toEqual([expect.stringMatching(/^E 42601/), 'Z E']);
    await answer(two, ...run('end'));
    expect(await answer(one, ...run(''))).toEqual(['2', 'D 1', 'C SELECT 1', 'Z I']);
    for (const client of pairs) client.close();
  });

  test('DEALLOCATE and EXECUTE name what the protocol prepared', async () => {
    const [one, two] = (await clients(2)) as [pg.Client, pg.Client];
    const statement = { name: 'p', text: 'SELECT 7 AS n' };
    for (const client of [one, two]) await client.query(statement);
    expect((await one.query('EXECUTE p')).rows).toEqual([{ n: 7 }]);
    expect((await one.query('DEALLOCATE p')).command).toBe('DEALLOCATE');
    await expect(one.query('EXECUTE p')).rejects.toMatchObject({ code: '26000' });
    expect((await two.query('DEALLOCATE p')).command).toBe('DEALLOCATE');
    await expect(two.query('DEALLOCATE p')).rejects.toMatchObject({ code: '26000' });
    await ended([one, two]);
    const three = await proxy.client();
    await three.query(statement);
    await three.query('DEALLOCATE ALL');
    await expect(three.query('EXECUTE p')).rejects.toMatchObject({ code: '26000' });
    await three.end();
  });

  test('Parse of a taken name, Close, Close of a failed Parse', async () => {
    const raw = await RawClient.login(proxy.port);
    const ask = async (...messages: Buffer[]): Promise<string[]> => {
      raw.send(...messages, f.sync());
      return show(await raw.untilReady());
    };
    expect(await ask(f.parse('s', 'SELECT 1'))).toEqual(['1', 'Z I']);
    expect(await ask(f.parse('s', 'SELECT 2'))).toEqual([expect.stringMatching(/^E 42P05/), 'Z I']);
    expect(await ask(f.close('S', 's'), f.parse('s', 'SELECT 2'))).toEqual(['3', '1', 'Z I']);
    expect(await ask(f.parse('bad', 'SELECT * FROM nowhere'))).toEqual([
      expect.stringMatching(/^E 42P01/),
      'Z I',
    ]);
    expect(await ask(f.bind('', 'bad'))).toEqual([expect.stringMatching(/^E 26000/), 'Z I']);
    expect(await ask(f.close('S', 'bad'))).toEqual(['3', 'Z I']);
    // A Close that an error discards did not happen.
    expect(await ask(f.bind('', 'bad'), f.close('S', 's'))).toEqual([
      expect.stringMatching(/^E 26000/),
      'Z I',
    ]);
    expect((await ask(f.bind('', 's'), f.execute('')))[0]).toBe('2');
    expect(await ask(f.parse('again', 'SELECT 2'), f.parse('third', 'SELECT 2'))).toEqual([
      '1',
      '1',
      'Z I',
    ]);
    raw.close();
  });

  test('a Parse that an error discards is made good in the next batch of a pipeline', async () => {
    const raw = await RawClient.login(proxy.port);
    raw.send(f.parse('s', 'SELECT 5'), f.sync());
    await raw.untilReady();
    // Whoever takes both connections makes the next use prepare it again.
    const [one, two] = (await clients(2)) as [pg.Client, pg.Client];
    await Promise.all([one.query('BEGIN'), two.query('BEGIN')]);
    await one.query('DISCARD PLANS');
    await Promise.all([one.query('COMMIT'), two.query('COMMIT')]);
    const broken = [f.parse('', 'SELECT 1/0'), f.bind('', ''), f.execute('')];
    raw.send(...broken, f.bind('', 's'), f.sync(), f.bind('', 's'), f.execute(''), f.sync());
    expect(show(await raw.untilReady()).at(-2)).toMatch(/^E 22012/);
    expect(show(await raw.untilReady()).map((line) => line[0])).toEqual(['2', 'D', 'C', 'Z']);
    raw.close();
    await ended([one, two]);
  });

  test('hundreds of them are more than a connection keeps, and all can be used', async () => {
    const client = await proxy.client();
    for (let round = 0; round < 2; round += 1) {
      for (let n = 0; n < 700; n += 1) {
        const { rows } = await client.query({ name: `many${n}`, text: `SELECT ${n} AS n` });
        expect(rows[0].n).toBe(n);
      }
    }
    await client.end();
  });

  test('without end they are refused, and the session lives', async () => {
    const raw = await RawClient.login(proxy.port);
    let refused: string | undefined;
    for (let batch = 0; batch < 60 && refused === undefined; batch += 1) {
      const names = Array.from({ length: 250 }, (_, n) => `p${batch}_${n}`);
      raw.send(...names.map((name) => f.parse(name, 'SELECT 1')), f.sync());
      refused = show(await raw.untilReady()).find((line) => line.startsWith('E'));
    }
    expect(refused).toMatch(/^E 53400/);
    raw.send(f.close('S', 'p0_0'), f.parse('one', 'SELECT 1'), f.sync());
    expect(show(await raw.untilReady())).toEqual(['3', '1', 'Z I']);
    raw.close();
  });
});

describe('what ties a session to a connection', () => {
  test.each([
    [
      'a temporary table',
      'CREATE TEMP TABLE mine (id int)',
      "SELECT to_regclass('pg_temp.mine')::text",
      'mine',
    ],
    [
      'PREPARE',
      'PREPARE mine AS SELECT 1',
      "SELECT name FROM pg_prepared_statements WHERE name = 'mine'",
      'mine',
    ],
    [
      'an advisory lock',
      'SELECT pg_advisory_lock(4711)',
      "SELECT objid::int FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()",
      4711,
    ],
    [
      'a cursor WITH HOLD',
      'DECLARE mine CURSOR WITH HOLD FOR SELECT 1',
      "SELECT name FROM pg_cursors WHERE name = 'mine'",
      'mine',
    ],
    ['LISTEN', 'LISTEN mine', 'SELECT pg_listening_channels()', 'mine'],
    [
      'DO',
      "DO $$ BEGIN PERFORM set_config('my.do', 'mine', false); END $$",
      "SELECT nullif(current_setting('my.do', true), '')",
      'mine',
    ],
  ])('%s', async (_name, make, look, found) => {
    const lookAt = async (client: pg.Client): Promise<unknown> => {
      const row = (await client.query({ text: look, rowMode: 'array' })).rows[0] as
        | unknown[]
        | undefined;
      return row?.[0] ?? null;
    };
    const [one, two, three] = (await clients(3)) as [pg.Client, pg.Client, pg.Client];
    await one.query(make);
    const pid = await backend(one);
    for (let round = 0; round < 3; round += 1) {
      expect(await lookAt(two)).toBeNull();
      expect(await lookAt(three)).toBeNull();
      expect(await lookAt(one)).toBe(found);
      expect(await backend(one)).toBe(pid);
    }
    await one.query('DISCARD ALL');
    expect(await lookAt(one)).toBeNull();
    await two.query(make);
    await two.end();
    expect(await lookAt(three)).toBeNull();
    expect(await lookAt(one)).toBeNull();
    await ended([one, three]);
  });

  test('a notification reaches the one who listens', async () => {
    const [one, two] = (await clients(2)) as [pg.Client, pg.Client];
    const heard: (string | undefined)[] = [];
    one.on('notification', ({ payload }) => heard.push(payload));
    two.on('notification', ({ payload }) => heard.push(`two ${payload}`));
    await one.query('LISTEN news');
    for (const news of ['a', 'b']) await two.query(`SELECT pg_notify('news', '${news}')`);
    while (heard.length < 2) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(heard).toEqual(['a', 'b']);
    await ended([one, two]);
  });

  test('sequences tell a session of its own numbers or of none', async () => {
    const [one, two] = (await clients(2)) as [pg.Client, pg.Client];
    await one.query("INSERT INTO t (name) VALUES ('seq')");
    await expect(two.query('SELECT lastval()')).rejects.toMatchObject({ code: '55000' });
    await ended([one, two]);
  });
});

describe('when all connections are in use', () => {
  test('who waits gets one in turn, and can give up', async () => {
    const [one, two, three, four] = (await clients(4)) as [
      pg.Client,
      pg.Client,
      pg.Client,
      pg.Client,
    ];
    await Promise.all([one.query('BEGIN'), two.query('BEGIN')]);
    await Promise.all([one.query('SELECT 1'), two.query('SELECT 1')]);
    const waiting = three.query('SELECT 3 AS n');
    const cancelled = expect(four.query('SELECT 4')).rejects.toMatchObject({ code: '57014' });
    await new Promise((resolve) => setTimeout(resolve, 100));
    await cancelOf(four);
    await cancelled;
    await one.query('COMMIT');
    expect((await waiting).rows).toEqual([{ n: 3 }]);
    expect((await four.query('SELECT 5 AS n')).rows).toEqual([{ n: 5 }]);
    await two.query('COMMIT');
    await ended([one, two, three, four]);
  });

  test('of several keys, each has some turns in a row: a connection fits one of them', async () => {
    const keys = await Promise.all(
      ['turn-a', 'turn-b', 'turn-c', 'turn-d'].map((agent) => readonlyKey(agent)),
    );
    const crowd = await Promise.all(
      keys.flatMap((each) => [1, 2, 3, 4].map(() => proxy.client(each))),
    );
    const opened = async (): Promise<number> =>
      Number(await value(admin, "SELECT opened FROM _hatidata_status.pools WHERE pool = 'reader'"));
    const before = await opened();
    const finished: number[] = [];
    await Promise.all(
      crowd.map(async (client, n) => {
        for (let round = 0; round < 25; round += 1) await client.query('SELECT 1');
        finished.push(n % keys.length);
      }),
    );
    // 400 statements; with a turn for each key after the other nearly every one would open a connection.
    expect((await opened()) - before).toBeLessThan(100);
    expect(new Set(finished).size).toBe(keys.length);
    await ended(crowd);
  });

  test('not for ever', async () => {
    const short = await startTestProxy({ pool: { ...pool, writers: 1, queueSeconds: 1 } });
    const [one, two] = [await short.client(), await short.client()];
    await one.query('BEGIN');
    await expect(two.query('SELECT 1')).rejects.toMatchObject({ code: '53300' });
    const prepared = two.query({ name: 'x', text: 'SELECT 1' });
    await expect(prepared).rejects.toMatchObject({ code: '53300' });
    await one.query('COMMIT');
    expect((await two.query('SELECT 2 AS n')).rows).toEqual([{ n: 2 }]);
    await short.stop();
  });

  test('nor while the engine is full, and has no connection for us', async () => {
    const short = await startTestProxy({ pool: { ...pool, writers: 2, queueSeconds: 1 } });
    const superuser = new pg.Client(short.direct('superuser'));
    await superuser.connect();
    const [one, two] = [await short.client(), await short.client()];
    await superuser.query('ALTER ROLE hatidata_writer CONNECTION LIMIT 1');
    await superuser.end();
    await one.query('BEGIN');
    await expect(two.query('SELECT 1')).rejects.toMatchObject({ code: '53300' });
    await one.query('COMMIT');
    expect((await two.query('SELECT 2 AS n')).rows).toEqual([{ n: 2 }]);
    await short.stop();
  });
});

describe('modes', () => {
  test('transaction: what would keep a connection is refused with the reason', async () => {
    const strict = await startTestProxy({ pool: { ...pool, mode: 'transaction' } });
    const client = await strict.client();
    const refused = {
      code: '0A000',
      message: expect.stringContaining('pool.mode is "transaction"'),
    };
    await expect(client.query('CREATE TEMP TABLE x (id int)')).rejects.toMatchObject(refused);
    await expect(client.query({ name: 'l', text: 'LISTEN x' })).rejects.toMatchObject(refused);
    await client.query("SET TimeZone = 'Asia/Tokyo'");
    expect((await client.query('SHOW TimeZone')).rows).toEqual([{ TimeZone: 'Asia/Tokyo' }]);
    await strict.stop();
  });

  test('session: each client has its own', async () => {
    const own = await startTestProxy({ pool: { ...pool, mode: 'session' } });
    const all = await Promise.all([own.client(), own.client(), own.client()]);
    expect(new Set(await Promise.all(all.map(backend))).size).toBe(3);
    await own.stop();
  });
});

/** As a driver does it: on a connection of its own. */
async function cancelOf(client: pg.Client): Promise<void> {
  const { processID, secretKey } = client as unknown as { processID: number; secretKey: number };
  const { cancelRequest } = await import('../../src/wire/frontend-messages.ts');
  const secret = Buffer.alloc(4);
  secret.writeInt32BE(secretKey);
  const raw = new RawClient(proxy.port);
  raw.send(cancelRequest(processID, secret));
  await raw.next();
}
