/** What happens to one session in a fast lane is not felt by the others: their answers are right, and come in time. */
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { codeOf, sleep, until } from '../pool/small-pool.ts';
import { askBeside, cancel, socketOf, startLaneStage, type LaneStage } from './lane.ts';

let stage: LaneStage;
let clients: pg.Client[];
let other: pg.Client;

beforeAll(async () => {
  stage = await startLaneStage();
  clients = await Promise.all(Array.from({ length: 12 }, () => stage.client()));
});
afterAll(() => stage.stop());
beforeEach(async () => {
  other = await stage.client();
  other.on('error', () => undefined);
});

/** Asks until the proxy takes it for short. */
async function makeShort(text: string, values: unknown[]): Promise<void> {
  for (let round = 0; round < 30; round += 1) await other.query(text, values);
}

const counting = 'SELECT count(*)::int AS n FROM generate_series(1, $1::int)';

test('one that turns out slow', async () => {
  const before = await stage.count('closings', 'slow');
  await askBeside(clients, async () => {
    for (let round = 0; round < 3; round += 1) {
      await makeShort(counting, [10]);
      const { rows } = await other.query(counting, [3_000_000]);
      expect(rows).toEqual([{ n: 3_000_000 }]);
    }
  });
  expect(await stage.count('closings', 'slow')).toBeGreaterThan(before);
});

test('one that waits for a lock', async () => {
  await stage.admin.query('CREATE TABLE main.locked (n int); INSERT INTO main.locked VALUES (1)');
  await askBeside(clients, async () => {
    await makeShort('SELECT n FROM main.locked', []);
    await stage.admin.query('BEGIN; LOCK TABLE main.locked');
    const waiting = other.query('SELECT n FROM main.locked');
    await sleep(1_000);
    await stage.admin.query('COMMIT');
    expect((await waiting).rows).toEqual([{ n: 1 }]);
  });
});

test('a large result', async () => {
  const text = "SELECT repeat('x', $1::int) AS long FROM generate_series(1, $2::int)";
  await askBeside(clients, async () => {
    await makeShort(text, [1, 1]);
    const { rows } = await other.query(text, [1_000_000, 50]);
    expect(rows).toHaveLength(50);
    for (const { long } of rows) expect(long).toHaveLength(1_000_000);
  });
});

test('a client that stops reading', async () => {
  const text = "SELECT repeat('x', $1::int) AS long FROM generate_series(1, $2::int)";
  await askBeside(clients, async () => {
    await makeShort(text, [1, 1]);
    const stream = socketOf(other);
    const query = other.query(text, [1_000_000, 20]);
    stream.pause();
    await sleep(1_000);
    stream.resume();
    expect((await query).rows).toHaveLength(20);
  });
});

test('clients that go in the middle', async () => {
  const before = await stage.count('closings', 'cancelled');
  await askBeside(clients, async () => {
    for (let round = 0; round < 40; round += 1) {
      const leaving = await stage.client();
      leaving.on('error', () => undefined);
      await leaving.query(counting, [10]);
      const asked = leaving.query(counting, [10 + (round % 2) * 500_000]).catch(() => undefined);
      await sleep(round % 5);
      socketOf(leaving).destroy();
      await asked;
    }
  });
  expect(await stage.count('closings', 'cancelled')).toBeGreaterThan(before);
});

test('cancels, at random', async () => {
  const outcomes = new Set<string>();
  await askBeside(clients, async () => {
    for (let round = 0; round < 60; round += 1) {
      const asked = codeOf(other.query(counting, [round % 3 === 0 ? 2_000_000 : 10]));
      await sleep(Math.random() * 5);
      await cancel(stage.proxy.port, other);
      outcomes.add(await asked);
    }
  });
  for (const each of outcomes) expect(['no error', '57014']).toContain(each);
  expect(outcomes).toContain('57014');
});

test('a connection of the lane that is killed: who was at work hears of it, nobody else', async () => {
  const superuser = new pg.Client(stage.proxy.direct('control'));
  await superuser.connect();
  const survivors = clients;
  let killed = 0;
  const failed: string[] = [];
  let isOver = false;
  const asking = survivors.map(async (client) => {
    client.on('error', () => undefined);
    while (!isOver) {
      const code = await codeOf(client.query('SELECT id FROM main.lane WHERE id = $1', [5]));
      if (code === 'no error') continue;
      failed.push(code);
      return;
    }
  });
  await until(async () => (await stage.count('statements')) > 0);
  for (let round = 0; round < 5; round += 1) {
    await sleep(100);
    const { rowCount } = await superuser.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'hatidata_reader'",
    );
    killed += rowCount ?? 0;
  }
  await sleep(200);
  isOver = true;
  await Promise.all(asking);
  await superuser.end();
  expect(failed.length).toBeLessThanOrEqual(killed);
  for (const code of failed) expect(code).toMatch(/^(57P01|08006|Error: .*)/);
});
