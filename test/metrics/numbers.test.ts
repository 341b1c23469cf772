/** What clients do through a real proxy, and by how much each number grew. */
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Interval } from '../../src/cli/metrics-sample.ts';
import { frontend, RawClient } from '../fixtures/raw-client.ts';
import { startTestProxy, type TestProxy } from '../fixtures/proxy.ts';
import { scrape, scrapeText, until } from './scrape.ts';

let proxy: TestProxy;
let admin: pg.Client;
let readerKey: string;
let reader: pg.Client;

beforeAll(async () => {
  proxy = await startTestProxy();
  admin = await proxy.client();
  await admin.query('CREATE TABLE main.goods (id int, name text)');
  const { rows } = await admin.query("SELECT create_api_key('metered', 'readonly')");
  readerKey = rows[0].api_key;
  reader = await proxy.client(readerKey);
});
afterAll(() => proxy.stop());

/** How the numbers grew while `act` ran. */
async function during(act: () => Promise<unknown>): Promise<Interval> {
  const before = await scrape(proxy);
  await act();
  return new Interval(before, await scrape(proxy));
}

describe('statements', () => {
  test('each Query and each batch is one, with its time', async () => {
    const grown = await during(async () => {
      for (let count = 0; count < 5; count += 1) await admin.query('SELECT 1');
      for (let count = 0; count < 3; count += 1)
        await admin.query({ name: 'prepared', text: 'SELECT $1::int', values: [count] });
      await admin.query('SELECT pg_sleep(0.2)');
    });
    expect(grown.growth('hatidata_statement_seconds_count')).toBe(9);
    expect(grown.growth('hatidata_statement_seconds_sum')).toBeGreaterThan(0.2);
    expect(grown.growth('hatidata_statement_seconds_sum')).toBeLessThan(60);
    expect(grown.growth('hatidata_statement_seconds_bucket', 'le="0.1"')).toBeLessThanOrEqual(8);
    expect(grown.growth('hatidata_client_messages_total', 'type="query"')).toBe(6);
    expect(grown.growth('hatidata_client_messages_total', 'type="parse"')).toBe(1);
    expect(grown.growth('hatidata_client_messages_total', 'type="execute"')).toBe(3);
    expect(grown.growth('hatidata_client_messages_total', 'type="sync"')).toBe(3);
  });

  test('each of a pipeline, a refused and an own answer among them', async () => {
    const client = await RawClient.login(proxy.port, '');
    const grown = await during(async () => {
      client.send(
        frontend.query('SELECT 1'),
        frontend.query('SELCT'),
        frontend.parse('', 'SELECT 2'),
        frontend.bind('', ''),
        frontend.execute(''),
        frontend.sync(),
        frontend.query('SHOW hatidata_agent_id'),
      );
      for (let count = 0; count < 4; count += 1) await client.untilReady();
    });
    client.close();
    expect(grown.growth('hatidata_statement_seconds_count')).toBe(4);
    expect(grown.growth('hatidata_refusals_total')).toBe(1);
  });

  test('COPY from the client is one, also with the Syncs that the engine ignores', async () => {
    const client = await RawClient.login(proxy.port, '');
    const grown = await during(async () => {
      client.send(
        frontend.parse('', 'COPY main.goods FROM STDIN'),
        frontend.bind('', ''),
        frontend.execute(''),
        frontend.sync(),
      );
      await client.until('G');
      client.send(frontend.copyData('1\tone\n'), frontend.copyDone(), frontend.sync());
      await client.untilReady();
      client.send(frontend.query('SELECT 1'));
      await client.untilReady();
    });
    client.close();
    expect(grown.growth('hatidata_statement_seconds_count')).toBe(2);
  });

  test('by what they do and what was decided', async () => {
    const grown = await during(async () => {
      await reader.query('SELECT 1; SELECT 2');
      await expect(reader.query('DELETE FROM main.goods')).rejects.toThrow('Permission denied');
      await expect(reader.query('DELET')).rejects.toThrow('syntax error');
      await admin.query('WITH gone AS (DELETE FROM main.goods RETURNING id) SELECT * FROM gone');
      await admin.query('SHOW hatidata_agent_id');
    });
    const judged = (name: string, decision: string): number =>
      grown.growth('hatidata_judged_statements_total', `class="${name}",decision="${decision}"`);
    expect(judged('read', 'forward')).toBe(2);
    expect(judged('write', 'refuse')).toBe(1);
    expect(judged('unread', 'refuse')).toBe(1);
    expect(judged('write', 'forward')).toBe(1);
    expect(judged('setting', 'answer')).toBe(1);
    expect(grown.growth('hatidata_judged_statements_total')).toBe(6);
    const refused = (code: string): number =>
      grown.growth('hatidata_refusals_total', `code="${code}"`);
    expect(refused('readonly_scope')).toBe(1);
    expect(refused('syntax_error')).toBe(1);
    expect(grown.growth('hatidata_refusals_total', 'blame="policy"')).toBe(1);
    expect(grown.growth('hatidata_refusals_total')).toBe(2);
  });

  test('steps are timed for one in seventeen', async () => {
    const grown = await during(async () => {
      for (let count = 0; count < 170; count += 1) await reader.query('SELECT 3');
    });
    for (const step of ['admit', 'read', 'standIn', 'identify', 'authorize', 'route'])
      expect(grown.growth('hatidata_step_seconds_count', `step="${step}"`)).toBe(10);
  });

  test('known texts are hits', async () => {
    const grown = await during(async () => {
      for (let count = 0; count < 4; count += 1) await reader.query('SELECT 404 AS first_seen');
    });
    expect(grown.growth('hatidata_statement_cache_total', 'result="miss"')).toBe(1);
    expect(grown.growth('hatidata_statement_cache_total', 'result="hit"')).toBe(3);
    expect(grown.growth('hatidata_statement_cache_bytes')).toBeGreaterThan(0);
    expect(grown.growth('hatidata_statement_cache_entries')).toBe(1);
  });

  test('bytes, both ways on both sides', async () => {
    const grown = await during(() => admin.query("SELECT repeat('x', 100000)"));
    const bytes = (peer: string, direction: string): number =>
      grown.growth('hatidata_bytes_total', `peer="${peer}",direction="${direction}"`);
    // 'Q', length, text, NUL.
    expect(bytes('client', 'in')).toBe(5 + "SELECT repeat('x', 100000)".length + 1);
    expect(bytes('engine', 'out')).toBe(bytes('client', 'in'));
    expect(bytes('engine', 'in')).toBeGreaterThan(100_000);
    expect(bytes('client', 'out')).toBe(bytes('engine', 'in'));
  });
});

describe('sessions', () => {
  test('by state', async () => {
    const states = async (): Promise<Record<string, number>> => {
      const sample = await scrape(proxy);
      return Object.fromEntries(
        ['arriving', 'idle', 'active', 'in_transaction', 'failed_transaction'].map((state) => [
          state,
          sample.sum('hatidata_sessions', `state="${state}"`),
        ]),
      );
    };
    await until(async () => (await states())['idle'] === 2);
    const others = await Promise.all([proxy.client(), proxy.client(), proxy.client()]);
    await others[0].query('BEGIN');
    await others[1].query('BEGIN');
    await others[1].query('SELEC').catch(() => undefined);
    const cancelled = expect(others[2].query('SELECT pg_sleep(60)')).rejects.toMatchObject({
      code: '57014',
    });
    const silent = new RawClient(proxy.port);
    // pg tells of an error before it has read ReadyForQuery.
    await expect.poll(states, { timeout: 60_000 }).toEqual({
      arriving: 1,
      idle: 2,
      active: 1,
      in_transaction: 1,
      failed_transaction: 1,
    });
    silent.close();
    // It is active before the engine has it.
    const cancel = 'SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE $1';
    await until(async () => (await admin.query(cancel, ['SELECT pg_sleep(60)%'])).rowCount === 1);
    await cancelled;
    for (const client of others) await client.end();
    await expect
      .poll(async () => Object.values(await states()), { timeout: 60_000 })
      .toEqual([0, 2, 0, 0, 0]);
  });

  test('that were ended by us, and why', async () => {
    const { rows } = await admin.query("SELECT create_api_key('short-lived', 'readonly')");
    const client = await proxy.client(rows[0].api_key);
    const grown = await during(async () => {
      const ended = new Promise((resolve) => client.once('end', resolve));
      await admin.query("SELECT revoke_api_key('short-lived')");
      await ended;
    });
    const code = 'code="invalid_api_key",blame="client"';
    expect(grown.growth('hatidata_sessions_ended_total', code)).toBe(1);
    expect(grown.growth('hatidata_sessions_ended_total')).toBe(1);
  });
});

describe('logins', () => {
  test('by outcome, with what verifying cost', async () => {
    const { rows } = await admin.query("SELECT create_api_key('newcomer', 'readonly')");
    const key: string = rows[0].api_key;
    const wrong = `${key.slice(0, -4)}0000`;
    const grown = await during(async () => {
      await (await proxy.client(key)).end();
      await (await proxy.client(key)).end();
      await (await proxy.client()).end();
      await expect(proxy.client(wrong)).rejects.toThrow('invalid API key');
    });
    const logins = (outcome: string): number =>
      grown.growth('hatidata_logins_total', `outcome="${outcome}"`);
    expect([logins('accepted'), logins('local'), logins('refused')]).toEqual([2, 1, 1]);
    expect(grown.growth('hatidata_key_cache_total', 'result="miss"')).toBe(2);
    expect(grown.growth('hatidata_key_cache_total', 'result="hit"')).toBe(1);
    expect(grown.growth('hatidata_key_verification_seconds_count')).toBe(2);
    expect(grown.growth('hatidata_key_verification_seconds_sum')).toBeGreaterThan(0.002);
    expect(grown.growth('hatidata_connections_refused_total', 'code="invalid_api_key"')).toBe(1);
    expect(grown.growth('hatidata_sessions_opened_total')).toBe(3);
    expect((await scrape(proxy)).sum('hatidata_key_verifications_waiting')).toBe(0);
  });

  test('refused before anybody asks who it is', async () => {
    const grown = await during(async () => {
      const client = new RawClient(proxy.port);
      client.send(frontend.startup({ user: 'x', replication: 'true' }));
      await client.rest();
    });
    expect(grown.growth('hatidata_connections_refused_total', 'code="feature_not_supported"')).toBe(
      1,
    );
    expect(grown.growth('hatidata_logins_total')).toBe(0);
  });
});

test('the parts and the process', async () => {
  const first = await scrape(proxy);
  await until(
    async () =>
      new Interval(first, await scrape(proxy)).growth('hatidata_catalogue_refreshes_total', 'ok') >
      0,
  );
  const sample = await scrape(proxy);
  expect(sample.sum('hatidata_catalogue_age_seconds')).toBeLessThan(60);
  expect(sample.sum('hatidata_catalogue_refreshes_total', 'failed')).toBe(0);
  expect(sample.sum('hatidata_control_store_reachable')).toBe(1);
  expect(sample.sum('hatidata_parser_in_process')).toBe(1);
  expect(sample.sum('hatidata_parser_waiting')).toBe(0);
  expect(sample.sum('hatidata_event_loop_delay_seconds_count')).toBeGreaterThan(0);
  expect(sample.sum('hatidata_build_info', `node="${process.versions.node}"`)).toBe(1);
  expect(sample.sum('process_resident_memory_bytes')).toBeGreaterThan(10_000_000);
  expect(sample.sum('process_open_fds')).toBeGreaterThan(5);
});

test('a text that breaks the parser replaces its thread', async () => {
  const bomb = `SELECT 1${'+1'.repeat(200_000)}`;
  const grown = await during(() =>
    expect(reader.query(bomb)).rejects.toMatchObject({ code: '54001' }),
  );
  expect(grown.growth('hatidata_refusals_total', 'code="statement_too_complex"')).toBe(1);
  expect(grown.growth('hatidata_parser_threads_replaced_total')).toBe(1);
});

test('the text is of the format: every line, rising buckets, no sample twice', async () => {
  const lines = (await scrapeText(proxy)).split('\n').filter((line) => line !== '');
  expect(lines.length).toBeGreaterThan(200);
  const samples = lines.filter((line) => !line.startsWith('#'));
  for (const line of samples)
    expect(line).toMatch(/^[a-z_]+(?:\{[a-z]+="[^"\\]*"(?:,[a-z]+="[^"\\]*")*\})? [\d.e+-]+$/);
  const names = samples.map((line) => line.slice(0, line.lastIndexOf(' ')));
  expect(new Set(names).size).toBe(names.length);
  const counts = (await scrape(proxy))
    .buckets('hatidata_statement_seconds')
    .map(([, count]) => count);
  expect(counts).toEqual(counts.toSorted((a, b) => a - b));
  expect(counts.at(-1)).toBe((await scrape(proxy)).sum('hatidata_statement_seconds_count'));
});

test('nothing that a client sent is in it', async () => {
  const canaries = [
    'canaryagent',
    'canaryuser',
    'canarydatabase',
    'canaryapp',
    'canaryliteral',
    'canarytable',
    'canarypassword',
    'canaryrequest',
  ];
  const [agent, user, database, app, literal, table, password, request] = canaries;
  const { rows } = await admin.query(`SELECT create_api_key('${agent}', 'readonly')`);
  const key: string = rows[0].api_key;
  const client = await proxy.client(key, {
    user,
    database,
    application_name: app,
    options: `-c hatidata_request_id=${request}`,
  });
  await client.query('SELECT $1::text', [literal]);
  await client.query(`SELECT '${literal}'`);
  await expect(client.query(`SELECT * FROM ${table}`)).rejects.toThrow(table);
  await expect(client.query(`DELETE FROM ${table} WHERE x = '${literal}'`)).rejects.toThrow(
    'Permission denied',
  );
  await expect(client.query(`SELEC '${literal}'`)).rejects.toThrow('syntax error');
  await client.query(`SET ${table}.x = '${literal}'`);
  await expect(proxy.client(password)).rejects.toThrow('invalid API key');
  await expect(proxy.client(key, { options: `-c ${table}=${literal}` })).rejects.toThrow('');
  const told = [await scrapeText(proxy)];
  for (const path of ['/ready', '/health', `/${literal}`])
    told.push(
      await (
        await fetch(new URL(path, `http://127.0.0.1:${proxy.running.metricsAddresses![0]!.port}`))
      ).text(),
    );
  for (const secret of [...canaries, key, key.slice(17), readerKey, 'metered'])
    expect(told.join('\n')).not.toContain(secret);
});
