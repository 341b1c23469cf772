/** Sockets destroyed at the worst moments, 400 times, on two engine connections; a canary must never notice. */
import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestProxy, type TestProxy } from '../fixtures/proxy.ts';
import { frontend as f, RawClient } from '../fixtures/raw-client.ts';
import { clientCount, Engine, sleep, smallPool, until, value } from './small-pool.ts';

let proxy: TestProxy;
let engine: Engine;

beforeAll(async () => {
  proxy = await startTestProxy({ pool: smallPool });
  const admin = await proxy.client();
  await admin.query(`CREATE TABLE canary (n int); CREATE TABLE foreign_work (n int);
    INSERT INTO foreign_work SELECT 0 FROM generate_series(1, 20000)`);
  await admin.end();
  engine = await Engine.look(proxy);
});
afterAll(async () => {
  await engine[Symbol.asyncDispose]();
  await proxy.stop();
});

const insert = [
  f.parse('left', 'INSERT INTO foreign_work VALUES (1)'),
  f.bind('', 'left'),
  f.execute(''),
];
const slow = [
  f.parse('', 'SELECT pg_sleep(5), count(*) FROM foreign_work'),
  f.bind('', ''),
  f.execute(''),
];
const copyOut = "COPY (SELECT repeat('x', 1000) FROM generate_series(1, 50000)) TO STDOUT";

/** What is sent before the socket is destroyed. Nothing of it may be done, or be seen by others, afterwards. */
const moments: readonly (readonly [name: string, ...messages: Buffer[]])[] = [
  ['mid-query', f.query('SELECT pg_sleep(5)')],
  ['mid-query that writes', f.query('INSERT INTO foreign_work SELECT 1 FROM pg_sleep(5)')],
  [
    'mid-transaction',
    f.query('BEGIN; INSERT INTO foreign_work VALUES (1); LOCK TABLE foreign_work'),
  ],
  [
    'mid-transaction that failed',
    f.query('BEGIN'),
    f.query('INSERT INTO foreign_work VALUES (1)'),
    f.query('SELECT 1/0'),
  ],
  [
    'a transaction with settings',
    f.query(
      "BEGIN; SET TimeZone = 'Asia/Tokyo'; SET my.foreign = 'x'; INSERT INTO foreign_work VALUES (1)",
    ),
  ],
  ['settings', f.query("SET TimeZone = 'Asia/Tokyo'; SET my.foreign = 'x'")],
  ['mid-COPY in', f.query('COPY foreign_work FROM STDIN'), f.copyData('1\n')],
  [
    'mid-COPY in, extended',
    f.parse('', 'COPY foreign_work FROM STDIN'),
    f.bind('', ''),
    f.execute(''),
    f.copyData('1\n1'),
  ],
  ['mid-COPY out', f.query(copyOut)],
  ['mid-COPY out, extended', f.parse('', copyOut), f.bind('', ''), f.execute(''), f.sync()],
  ['mid-pipeline without Sync', ...insert],
  ['mid-pipeline with Flush', ...insert, f.flush()],
  [
    'mid-pipeline, several Syncs ahead',
    ...slow,
    f.sync(),
    ...insert,
    f.sync(),
    ...insert,
    f.sync(),
  ],
  [
    'a temporary table, a lock, LISTEN',
    f.query('CREATE TEMP TABLE left_over (n int); SELECT pg_advisory_lock(99); LISTEN gossip'),
  ],
  [
    'PREPARE and a cursor',
    f.query('PREPARE left_by_sql AS SELECT 1; DECLARE held CURSOR WITH HOLD FOR SELECT 1'),
  ],
  [
    'half of a message',
    f.query('BEGIN; INSERT INTO foreign_work VALUES (1)'),
    f.query('COMMIT').subarray(0, 4),
  ],
];

const look = `SELECT json_build_array(current_setting('TimeZone'), nullif(current_setting('my.foreign', true), ''),
  to_regclass('pg_temp.left_over'), (SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'left%'),
  (SELECT count(*) FROM pg_cursors WHERE name = 'held'), (SELECT count(*) FROM pg_listening_channels()),
  (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()),
  pg_current_xact_id_if_assigned(), (SELECT count(*) FROM foreign_work WHERE n = 1))::text`;

/** @returns what it saw that it should not have. */
async function canary(client: pg.Client, isOver: () => boolean): Promise<unknown[]> {
  const clean = `["UTC", null, null, 0, 0, 0, 0, null, 0]`;
  const wrong: unknown[] = [];
  client.on('notification', (message) => wrong.push(message));
  client.on('end', () => wrong.push('ended'));
  await client.query("SET TimeZone = 'UTC'");
  for (let round = 0; !isOver(); round += 1) {
    try {
      const seen = await value(client, look);
      if (seen !== clean) wrong.push(seen);
      await client.query('BEGIN');
      await client.query('INSERT INTO canary VALUES ($1)', [round]);
      await client.query(round % 2 === 0 ? 'COMMIT' : 'ROLLBACK');
      const there = await value(client, 'SELECT count(*)::int FROM canary');
      if (there !== Math.floor(round / 2) + 1) wrong.push([round, there]);
      await client.query("SELECT pg_notify('gossip', 'x')");
    } catch (error) {
      wrong.push(String(error));
      await client.query('ROLLBACK').catch(() => undefined);
    }
  }
  return wrong;
}

test('400 sockets destroyed in the middle of something', async () => {
  let isOver = false;
  const watching = canary(await proxy.client(), () => isOver);
  let left = 400;
  await Promise.all(
    Array.from({ length: clientCount - 1 }, async () => {
      while (left > 0) {
        left -= 1;
        const [, ...messages] = moments[left % moments.length]!;
        const raw = await RawClient.login(proxy.port);
        raw.send(...messages);
        // Some die while they wait for a connection, some on it, some in the answer.
        await sleep((left * 7) % 60);
        if (left % 3 === 0) raw.socket.resetAndDestroy();
        else raw.close();
      }
    }),
  );
  isOver = true;
  expect([...new Set(await watching)]).toEqual([]);
  await until(async () => (await engine.writers()).length <= 2);
  expect(await engine.inTransaction()).toEqual([]);
});

const cases = moments.map(([name, ...messages]) => ({ name, messages }));

test.each(cases)('$name, and the next one finds two clean connections', async ({ messages }) => {
  const dying = await Promise.all([0, 1].map(() => RawClient.login(proxy.port)));
  for (const raw of dying) raw.send(...messages);
  await sleep(50);
  for (const raw of dying) raw.close();
  const two = await Promise.all([proxy.client(), proxy.client()]);
  const began = Date.now();
  await Promise.all(two.map((client) => client.query('BEGIN')));
  for (const client of two) {
    const seen = JSON.parse(String(await value(client, look))) as unknown[];
    expect(seen.slice(1)).toEqual([null, null, 0, 0, 0, 0, null, 0]);
    expect(seen[0]).not.toBe('Asia/Tokyo');
  }
  expect(Date.now() - began).toBeLessThan(4_000);
  await Promise.all(two.map((client) => client.query('COMMIT')));
  await Promise.all(two.map((client) => client.end()));
  await until(async () => (await engine.writers()).length <= 2);
});
