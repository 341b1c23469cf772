/** `_hatidata_status`: what an operator sees of sessions, pools, connections and statements, and who may. */
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { frontend as f, RawClient, show } from '../fixtures/raw-client.ts';
import { codeOf, smallPool, until } from '../pool/small-pool.ts';
import { clientNamed, Operator, type Row } from './operator.ts';

const fixture = (name: string): string =>
  fileURLToPath(new URL(`../../fixtures/tls/test-only.${name}.pem`, import.meta.url));
const [certPath, keyPath] = [fixture('cert'), fixture('key')];

const operator = new Operator({ pool: smallPool, tls: { certPath, keyPath } });
const local = 'local-administrator';

describe('clients', () => {
  test('a session is there as long as it lives, with who it is and from where', async () => {
    const secret = await operator.key('counted', 'readonly');
    const one = await operator.client('first', secret);
    await one.query({ name: 'kept', text: 'SELECT 1' });
    expect(await operator.row(clientNamed, ['first'])).toMatchObject({
      instance: process.pid,
      client_id: (one as unknown as { processID: number }).processID,
      principal: 'key',
      key_id: expect.any(String),
      agent: 'counted',
      scope: 'readonly',
      source: '127.0.0.1',
      tls: null,
      state: 'idle',
      pool: 'reader',
      engine_pid: null,
      pin_reason: null,
      prepared_statements: 1,
    });
    expect(JSON.stringify(await operator.rows('TABLE _hatidata_status.clients'))).not.toContain(
      secret,
    );
    await one.end();
    await until(async () => (await operator.rows(clientNamed, ['first'])).length === 0);
  });

  test('TLS is named', async () => {
    const one = await operator.proxy.client('', {
      application_name: 'secure',
      ssl: { rejectUnauthorized: false },
    });
    await one.query("SELECT repeat('x', 100000)");
    const seen = (await operator.row(clientNamed, ['secure']))!;
    expect(seen['tls']).toMatch(/^TLSv1\.[23]$/);
    expect(Number(seen['bytes_out'])).toBeGreaterThan(100_000);
    expect(Number(seen['bytes_in'])).toBeGreaterThan(30);
    await one.end();
  });

  test('states: a transaction, a failed one, a statement that runs, a pin', async () => {
    const one = await operator.client('states');
    const stateOf = async (): Promise<unknown> =>
      (await operator.row(clientNamed, ['states']))!['state'];
    await one.query('BEGIN');
    const inside = await operator.row(clientNamed, ['states']);
    expect(inside).toMatchObject({ state: 'idle in transaction', pool: 'writer' });
    expect(inside!['engine_pid']).toBe(
      (await one.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows[0]!.pid,
    );
    expect(await codeOf(one.query('SELECT 1/0'))).toBe('22012');
    // The engine sends the error some time before it says that it is ready.
    await until(async () => (await stateOf()) === 'idle in transaction (aborted)');
    await one.query('ROLLBACK');
    const sleeping = one.query('SELECT pg_sleep(2)');
    await until(async () => (await stateOf()) === 'active');
    await sleeping;
    expect(await stateOf()).toBe('idle');
    await one.query('CREATE TEMP TABLE mine (a int)');
    await one.query('LISTEN news');
    expect(await operator.row(clientNamed, ['states'])).toMatchObject({
      state: 'idle',
      pin_reason: 'temporary_table, listen',
      pin_detail: 'a temporary table, LISTEN',
      engine_pid: expect.any(Number),
    });
    await one.query('DISCARD ALL');
    // It takes the name of the application back, too.
    expect(
      await operator.row('SELECT * FROM _hatidata_status.clients WHERE client_id = $1', [
        inside!['client_id'],
      ]),
    ).toMatchObject({ pin_reason: null, engine_pid: null });
    await one.end();
  });

  test('who waits for a connection is seen to, by those who need none', async () => {
    const [one, two, three] = [
      await operator.client('one'),
      await operator.client('two'),
      await operator.client('three'),
    ];
    await one.query('BEGIN');
    await two.query('CREATE TEMP TABLE kept (a int)');
    const waiting = three.query('SELECT 3 AS three');
    await until(async () => (await operator.row(clientNamed, ['three']))!['state'] === 'waiting');
    expect(
      await operator.row("SELECT * FROM _hatidata_status.pools WHERE pool = 'writer'"),
    ).toMatchObject({
      mode: 'auto',
      size: 2,
      in_use: 1,
      pinned: 1,
      idle: 0,
      waiting: 1,
      engine_away: false,
    });
    const longest = await operator.row(
      'SELECT max(longest_wait_seconds) AS s FROM _hatidata_status.pools',
    );
    expect(longest!['s']).toBeGreaterThan(0);
    expect(
      await operator.rows(`SELECT s.state, c.application_name, s.pin_reason, s.agent, c.engine_pid = s.engine_pid AS same
        FROM _hatidata_status.servers s JOIN _hatidata_status.clients c USING (client_id)
        WHERE s.pool = 'writer' ORDER BY 1`),
    ).toEqual([
      { state: 'in_use', application_name: 'one', pin_reason: null, agent: local, same: true },
      {
        state: 'pinned',
        application_name: 'two',
        pin_reason: 'temporary_table',
        agent: local,
        same: true,
      },
    ]);
    await one.query('COMMIT');
    expect((await waiting).rows).toEqual([{ three: 3 }]);
    const after = await operator.row("SELECT * FROM _hatidata_status.pools WHERE pool = 'writer'");
    expect(after).toMatchObject({ waiting: 0, pinned: 1, longest_wait_seconds: 0 });
    expect(Number(after!['waited'])).toBeGreaterThan(0);
    for (const each of [one, two, three]) await each.end();
  });
});

describe('every form of a read', () => {
  test('conditions, joins, counts, WITH, TABLE, the catalogues', async () => {
    const form = async (text: string, values: unknown[] = []): Promise<unknown> =>
      (await operator.admin.query({ text, values, rowMode: 'array' })).rows;
    expect(await form('SELECT pool FROM _hatidata_status.pools ORDER BY pool DESC')).toEqual([
      ['writer'],
      ['reader'],
    ]);
    expect(
      await form(
        'WITH c AS (TABLE _hatidata_status.clients) SELECT count(*) FROM c WHERE agent = $1 AND application_name = $2 AND since < now() + make_interval(secs => 1)',
        // Two clocks. Those of the test before may still be on their way out.
        [local, 'operator'],
      ),
    ).toEqual([['1']]);
    expect(
      await form(`SELECT c.relname, k.agent_id FROM pg_catalog.pg_class c
        LEFT JOIN _hatidata_keys.active_keys k ON k.agent_id = 'counted'
        JOIN _hatidata_status.pools p ON p.pool = 'reader' WHERE c.relname = 'pg_class'`),
    ).toEqual([['pg_class', 'counted']]);
    expect(
      await form("SELECT max(connected_at) > '2020-01-01' FROM _hatidata_status.clients"),
    ).toEqual([[true]]);
  });

  test('a prepared statement shows what is, each time, in binary as in text', async () => {
    const raw = await RawClient.login(operator.proxy.port);
    const text =
      'SELECT count(*)::int4 AS n FROM _hatidata_status.clients WHERE application_name = $1';
    raw.send(f.parse('counting', text), f.describe('S', 'counting'), f.sync());
    expect(show(await raw.untilReady())).toEqual(['1', 't', 'T', 'Z I']);
    const count = async (isBinary: boolean): Promise<Buffer> => {
      raw.send(f.bind('', 'counting', ['fresh'], isBinary), f.execute(''), f.sync());
      const answers = await raw.untilReady();
      expect(answers.map(({ type }) => type).join('')).toBe('2DCZ');
      return answers[1]!.body.subarray(6);
    };
    expect((await count(false)).toString()).toBe('0');
    const fresh = await operator.client('fresh');
    expect((await count(false)).toString()).toBe('1');
    expect((await count(true)).readInt32BE()).toBe(1);
    await fresh.end();
    await until(async () => (await count(true)).readInt32BE() === 0);
    raw.close();
  });

  test('the columns of each relation are those that the proxy fills', async () => {
    for (const name of ['clients', 'pools', 'servers', 'statements']) {
      const { fields, rows: all } = await operator.admin.query<Row>(
        `TABLE _hatidata_status.${name}`,
      );
      const empty = fields.filter((field) => all.every((each) => each[field.name] === null));
      const mayBe = ['key_id', 'tls', 'pin_reason', 'pin_detail', 'engine_pid', 'client_id'];
      expect(all.length).toBeGreaterThan(0);
      expect(empty.map((field) => field.name).filter((field) => !mayBe.includes(field))).toEqual(
        [],
      );
    }
  });
});
