/** Ways round the proxy that were found by attacking it. Each ran once; none may run again. */
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestProxy, type TestProxy } from '../fixtures/proxy.ts';
import { frontend as f, RawClient, show } from '../fixtures/raw-client.ts';

let proxy: TestProxy;
let admin: pg.Client;
let readonlyKey: string;
let reader: pg.Client;
const open: RawClient[] = [];

beforeAll(async () => {
  proxy = await startTestProxy();
  admin = await proxy.client();
  await admin.query(`
    CREATE TABLE t (id int PRIMARY KEY, v text);
    INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 10) i;
    CREATE TABLE log (what text);
    CREATE FUNCTION sd(text) RETURNS int LANGUAGE plpgsql SECURITY DEFINER AS
      $$ BEGIN INSERT INTO log VALUES ($1); RETURN 1; END $$;
    CREATE FUNCTION lower(varchar) RETURNS text LANGUAGE plpgsql SECURITY DEFINER AS
      $$ BEGIN INSERT INTO log VALUES ($1); RETURN $1; END $$;
    CREATE FUNCTION checked(text) RETURNS bool LANGUAGE plpgsql SECURITY DEFINER AS
      $$ BEGIN INSERT INTO log VALUES ($1); RETURN true; END $$;
    CREATE DOMAIN dom AS text CHECK (checked(VALUE));`);
  readonlyKey = (await admin.query("SELECT create_api_key('reader', 'readonly')")).rows[0].api_key;
  reader = await proxy.client(readonlyKey);
  // What was just made is known to the proxy from now on.
  await new Promise((resolve) => setTimeout(resolve, 2_500));
});
afterAll(async () => {
  for (const client of open) client.close();
  await proxy.stop();
});

async function login(key = '', parameters: Record<string, string> = {}): Promise<RawClient> {
  const client = await RawClient.login(proxy.port, key, parameters);
  open.push(client);
  return client;
}

async function count(text: string): Promise<number> {
  return (await admin.query(`SELECT count(*)::int AS n FROM ${text}`)).rows[0].n;
}

describe('a readonly key', () => {
  test.each([
    // A column that does not exist is a function that is called.
    "SELECT x.sd FROM unnest(array['w']) x",
    'SELECT x.pg_terminate_backend FROM unnest(array[1]) x',
    'SELECT x.pg_advisory_lock FROM unnest(array[1::bigint]) x',
    "SELECT x.ts_stat FROM unnest(array['select to_tsvector(set_config(''default_transaction_read_only'',''off'',false))']) x",
    'SELECT x.pg_stat_get_activity::text FROM (SELECT pg_backend_pid()) y(p), LATERAL unnest(array[y.p]) x',
    'SELECT x.pg_sleep FROM unnest(array[0.1::float8]) x',
    // A user's function that fits better than the built-in one, and what a cast runs.
    "SELECT lower('A'::varchar)",
    "SELECT 'x'::dom",
    "SELECT pg_input_is_valid('x', 'dom')",
    // The exception that pg_dump needs.
    `WITH pg_settings AS (SELECT 'default_transaction_read_only' AS name)
     SELECT set_config(name, 'off', false) FROM pg_settings WHERE name = 'default_transaction_read_only'`,
    // A comment at the end of a statement that we print again.
    "select 1 -- x\n; SET application_name = 'a'; select 'b\n; set default_transaction_read_only=off; notify ch; --'",
  ])('does not get through: %s', async (text) => {
    const before = await count('log');
    await reader.query(text).catch(() => undefined);
    await reader.query({ text, values: [], name: '' }).catch(() => undefined);
    expect(await count('log')).toBe(before);
    expect((await reader.query('SHOW default_transaction_read_only')).rows).toEqual([
      { default_transaction_read_only: 'on' },
    ]);
  });

  test('cannot have a parameter converted to a domain by its OID', async () => {
    const { rows } = await admin.query("SELECT 'dom'::regtype::oid AS oid");
    const before = await count('log');
    const client = await login(readonlyKey);
    client.send(
      f.parse('', 'SELECT $1', [Number(rows[0].oid)]),
      f.bind('', '', ['x']),
      f.execute(''),
      f.sync(),
    );
    expect(show(await client.untilReady())).toEqual([
      expect.stringMatching(/^E 42501 Permission denied: readonly scope cannot convert/),
      'Z I',
    ]);
    expect(await count('log')).toBe(before);
  });

  test('is refused most of them by the first lock', async () => {
    for (const text of [
      "SELECT x.sd FROM unnest(array['w']) x",
      "SELECT lower('A'::varchar)",
      "SELECT 'x'::dom",
    ]) {
      await expect(reader.query(text), text).rejects.toThrow(/^Permission denied: readonly scope/);
    }
  });
});

describe('SET application_name among other statements', () => {
  test('loses none of them', async () => {
    await admin.query(
      "begin -- start\n; set application_name='n' -- name\n; insert into t values (500, 'kept') /* x */; commit",
    );
    expect(await count('t WHERE id = 500')).toBe(1);
    expect((await admin.query('SHOW application_name')).rows[0].application_name).toContain(' n');
  });
});

describe('the startup packet', () => {
  test.each(['x.y=1 -c work_mem=2000000 -c z.z', 'a b', "x'y", 'x=y', ''])(
    'a parameter named %j is no way to others',
    async (name) => {
      const client = new RawClient(proxy.port);
      client.send(f.startup({ user: 'agent', [name]: '1' }), f.password(readonlyKey));
      expect(show(await client.rest()).at(-1)).toMatch(/^E (42501|08P01)/);
    },
  );

  test('a value that the engine refuses is told as such', async () => {
    const client = new RawClient(proxy.port);
    client.send(f.startup({ user: 'agent', options: '-c datestyle=foo' }), f.password(''));
    expect(show(await client.rest()).at(-1)).toMatch(/^E (22023|42501)/);
  });
});

describe('refusals in the middle of a batch', () => {
  test('a portal with the name of our stand-in changes nothing', async () => {
    const client = await login(readonlyKey);
    client.send(f.query('begin; declare "refused by HatiData" cursor for select 1'));
    await client.untilReady();
    client.send(f.query('drop table t'));
    expect(show(await client.untilReady())).toEqual([
      'E 42501 Permission denied: readonly scope cannot execute DDL',
      'Z E',
    ]);
  });

  test('a refused Query behind an error is skipped like everything else, up to Sync', async () => {
    const client = await login();
    client.send(
      f.execute('nope'),
      f.query('SET ROLE x'),
      f.parse('', "INSERT INTO t VALUES (600, 'x')"),
      f.bind('', ''),
      f.execute(''),
      f.sync(),
      f.query('SELECT 1'),
    );
    expect(show(await client.untilReady())).toEqual([
      'E 34000 portal "nope" does not exist',
      'Z I',
    ]);
    expect(show(await client.untilReady())).toEqual(['T', 'D 1', 'C SELECT 1', 'Z I']);
    expect(await count('t WHERE id = 600')).toBe(0);
  });

  test('a refused Query undoes the batch before it that has no Sync', async () => {
    const client = await login();
    client.send(
      f.parse('', "INSERT INTO t VALUES (601, 'x')"),
      f.bind('', ''),
      f.execute(''),
      f.flush(),
    );
    await client.until('C');
    client.send(f.query('SET ROLE x'));
    expect(show(await client.untilReady())).toEqual([expect.stringMatching(/^E 42501/), 'Z I']);
    client.send(f.sync());
    expect(show(await client.untilReady())).toEqual(['Z I']);
    expect(await count('t WHERE id = 601')).toBe(0);
  });

  test('a statement of ours as a Query between extended messages is refused', async () => {
    const client = await login();
    client.send(f.parse('', "INSERT INTO t VALUES (602, 'x')"), f.bind('', ''), f.execute(''));
    client.send(f.query("SELECT create_api_key('between', 'admin')"));
    expect(show(await client.untilReady()).slice(-2)).toEqual([
      expect.stringMatching(/^E 08P01/),
      'Z I',
    ]);
    expect(await count('(SELECT 1) x')).toBe(1);
    expect(
      (
        await admin.query(
          "SELECT agent_id FROM _hatidata_keys.active_keys WHERE agent_id = 'between'",
        )
      ).rows,
    ).toEqual([]);
  });

  test('DISCARD ALL ends our prepared statements, too', async () => {
    const client = await login();
    client.send(f.parse('s1', 'SHOW hatidata_agent_id'), f.sync());
    await client.untilReady();
    client.send(f.query('DISCARD ALL'));
    await client.untilReady();
    client.send(f.parse('s1', 'SELECT 1'), f.sync());
    expect(show(await client.untilReady())).toEqual(['1', 'Z I']);
  });
});

/** Backends at work for agents, whoever's they are. */
async function agentsAtWork(): Promise<number> {
  return count("pg_stat_activity WHERE application_name LIKE 'hati:victim%'");
}

async function eventually(check: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 100; tries += 1) {
    if (await check()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('it did not come to be');
}

const long = 'SELECT count(*) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b';

describe('a session that is over', () => {
  test('runs nothing more of what was sent ahead', async () => {
    const key = (await admin.query("SELECT create_api_key('victim', 'admin')")).rows[0].api_key;
    const client = await login(key);
    client.send(
      f.query('SELECT pg_sleep(60)'),
      f.query("INSERT INTO t VALUES (700, 'late')"),
      f.query('SELECT pg_sleep(1)'),
      f.query("INSERT INTO t VALUES (701, 'later')"),
    );
    await eventually(async () => (await agentsAtWork()) === 1);
    await admin.query("SELECT revoke_api_key('victim')");
    expect(show(await client.rest()).at(-1)).toBe('E 28P01 Authentication failed: invalid API key');
    await eventually(async () => (await agentsAtWork()) === 0);
    expect(await count('t WHERE id IN (700, 701)')).toBe(0);
  });

  test.each(['disconnect', 'Terminate'])('leaves no backend behind after %s', async (how) => {
    const key = (await admin.query("SELECT create_api_key('victim', 'readonly')")).rows[0].api_key;
    const client = await login(key);
    client.send(f.query(long), f.query(long));
    if (how === 'Terminate') client.send(f.terminate());
    await eventually(async () => (await agentsAtWork()) === 1);
    client.close();
    // What was sent before Terminate is PostgreSQL's to finish, but not beyond the key.
    await admin.query("SELECT revoke_api_key('victim')");
    await eventually(async () => (await agentsAtWork()) === 0);
  });

  test('is told why even in the middle of a large answer', async () => {
    const key = (await admin.query("SELECT create_api_key('victim', 'readonly')")).rows[0].api_key;
    const client = await login(key);
    client.send(f.query("SELECT repeat('x', 1000000) FROM generate_series(1, 100000)"));
    await client.until('D');
    const rest = client.rest();
    await admin.query("SELECT revoke_api_key('victim')");
    const last = (await rest).at(-1);
    // Either its last bytes were these words, or it was cut off in the middle, perhaps of the very next row; never a success.
    expect([undefined, 'D', 'E']).toContain(last?.type);
    if (last?.type === 'E')
      expect(show([last])).toEqual(['E 28P01 Authentication failed: invalid API key']);
    await eventually(async () => (await agentsAtWork()) === 0);
  });
});

describe('a client that does not read', () => {
  test('gets no more refusals made than its socket holds', async () => {
    const client = await login(readonlyKey);
    client.socket.pause();
    const flood = Buffer.concat(Array.from({ length: 2_000 }, () => f.query('DROP TABLE t')));
    for (let round = 0; round < 600; round += 1) client.socket.write(flood);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    // The neighbour is served meanwhile, and most of the flood is still in the client's own buffers.
    expect((await reader.query('SELECT 1 AS x')).rows).toEqual([{ x: 1 }]);
    expect(client.socket.writableLength).toBeGreaterThan(0);
    const lines = proxy
      .logged()
      .split('\n')
      .filter((line) => line.includes('readonly_scope'));
    expect(lines.length).toBeLessThan(1_000);
    client.close();
  });
});

describe("an admin key does not borrow the superuser's rights", () => {
  test.each([
    ['a function', "CREATE FUNCTION bait() RETURNS int LANGUAGE sql AS 'SELECT 1'"],
    ['a trusted extension', 'CREATE EXTENSION citext'],
  ])('by names in its temporary schema while it makes %s', async (_what, makes) => {
    const attacker = await proxy.client();
    await attacker.query(`
      CREATE SCHEMA IF NOT EXISTS trap;
      CREATE TABLE IF NOT EXISTS trap.caught (who text);
      CREATE OR REPLACE FUNCTION trap.run() RETURNS name LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO trap.caught SELECT current_user;
        RETURN 'hatidata_writer'; END $$`);
    await attacker.query(`
      CREATE TEMP VIEW pg_roles AS SELECT 10::oid AS oid, trap.run() AS rolname;
      CREATE TEMP VIEW pg_proc AS SELECT oid, trap.run() AS proname, 'i'::"char" AS provolatile FROM pg_catalog.pg_proc;
      CREATE TEMP VIEW pg_aggregate AS SELECT 1::oid AS aggfnoid, trap.run() AS x;
      CREATE DOMAIN pg_temp.regprocedure AS text CHECK (trap.run() IS NOT NULL);
      CREATE DOMAIN pg_temp.bool AS pg_catalog.bool CHECK (trap.run() IS NOT NULL)`);
    await attacker.query(makes);
    expect((await admin.query('SELECT * FROM trap.caught')).rows).toEqual([]);
    const { rows } = await admin.query(
      "SELECT rolname FROM pg_roles WHERE rolsuper AND rolname LIKE 'hatidata%'",
    );
    expect(rows).toEqual([{ rolname: 'hatidata_superuser' }]);
    await attacker.end();
  });
});

test('code that lifts READ ONLY for a readonly session ends it', async () => {
  await admin.query(`CREATE FUNCTION lift() RETURNS text LANGUAGE plpgsql IMMUTABLE AS
    $$ BEGIN RETURN set_config('default_transaction_read_only', 'off', false); END $$`);
  const client = await login(readonlyKey);
  client.send(f.query('SELECT lift()'));
  const seen = show(await client.rest());
  expect(seen.at(-1)).toMatch(/default_transaction_read_only/);
});

describe('the unnamed portal of a Query that failed', () => {
  const bound = [f.parse('', 'BEGIN'), f.bind('', ''), f.execute('')];
  // PostgreSQL 18.4 crashes for everybody when one of these reaches it.
  test.each<[string, Buffer[]]>([
    ['executed', [f.execute(''), f.sync()]],
    ['described', [f.describe('P', ''), f.sync()]],
    ['executed behind a Bind that failed', [f.bind('', 'none'), f.sync(), f.execute(''), f.sync()]],
    [
      'executed behind a Bind that was discarded',
      [f.bind('x', 'none'), f.bind('', ''), f.sync(), f.execute(''), f.sync()],
    ],
    [
      'executed behind a Bind that failed, of what resets settings',
      [f.bind('', 'reset'), f.sync(), f.execute(''), f.sync()],
    ],
  ])('%s', async (_how, messages) => {
    const before = await admin.query('SELECT pg_postmaster_start_time() AS t');
    for (const key of ['', readonlyKey]) {
      const raw = await login(key);
      raw.send(f.parse('reset', 'RESET ALL'), ...bound, f.sync());
      expect(show(await raw.untilReady())).toEqual([
        '1',
        '1',
        '2',
        expect.stringMatching(/^C/),
        'Z T',
      ]);
      raw.send(f.query('ROLLBACK TO s'));
      expect(show(await raw.untilReady())).toEqual([expect.stringMatching(/^E 3B001/), 'Z E']);
      raw.send(f.query('SELECT 1 FROM t'));
      expect(show(await raw.untilReady())).toEqual([expect.stringMatching(/^E 25P02/), 'Z E']);
      raw.send(...messages);
      const batches = messages.filter((message) => message[0] === 0x53).length;
      let last: string[] = [];
      for (let batch = 0; batch < batches; batch += 1) last = show(await raw.untilReady());
      expect(last).toEqual([expect.stringMatching(/^E 34000/), 'Z E']);
      raw.send(f.query('ROLLBACK'), f.query('SELECT 1'));
      expect(show(await raw.untilReady()).at(-1)).toBe('Z I');
      expect(show(await raw.untilReady())).toContain('D 1');
    }
    const after = await admin.query('SELECT pg_postmaster_start_time() AS t');
    expect(after.rows).toEqual(before.rows);
  });

  test('one that was bound is executed, also across a Sync, and again until it is used up', async () => {
    const raw = await login(readonlyKey);
    raw.send(f.query('BEGIN'));
    await raw.untilReady();
    raw.send(f.parse('', 'SELECT generate_series(1, 3)'), f.bind('', ''), f.sync());
    raw.send(f.describe('P', ''), f.execute('', 1), f.sync(), f.execute(''), f.sync());
    expect(show(await raw.untilReady())).toEqual(['1', '2', 'Z T']);
    expect(show(await raw.untilReady())).toEqual(['T', 'D 1', 's', 'Z T']);
    expect(show(await raw.untilReady())).toEqual([
      'D 2',
      'D 3',
      expect.stringMatching(/^C/),
      'Z T',
    ]);
    raw.send(f.query('ROLLBACK'));
    await raw.untilReady();
  });
});
