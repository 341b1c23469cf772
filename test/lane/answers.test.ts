/** Many sessions on one fast lane: each gets its own answers, in order, whole and once. */
import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ask, startLaneStage, ways, type LaneStage, type Way } from './lane.ts';

const clientCount = 16;
const rounds = 200;

let stage: LaneStage;
let clients: pg.Client[];

beforeAll(async () => {
  stage = await startLaneStage();
  clients = await Promise.all(Array.from({ length: clientCount }, () => stage.client()));
});
afterAll(() => stage.stop());

test.each(Object.keys(ways) as Way[])('%s', async (way) => {
  const before = await stage.count('statements');
  await Promise.all(clients.map((client) => ask(client, way, (asked) => asked === rounds)));
  // How many, depends on how busy the machine is.
  expect(await stage.count('statements')).toBeGreaterThan(before + rounds);
});

test('an error is its own', async () => {
  await Promise.all(
    clients.map(async (client, at) => {
      for (let round = 0; round < rounds; round += 1) {
        const by = (at + round) % 3;
        const query = client.query({
          name: 'byZero',
          text: 'SELECT 12 / $1::int AS n',
          values: [by],
        });
        if (by === 0) await expect(query).rejects.toMatchObject({ code: '22012' });
        else expect((await query).rows).toEqual([{ n: 12 / by }]);
      }
    }),
  );
});

test('a text that does not parse is its own, too', async () => {
  await Promise.all(
    clients.map(async (client, at) => {
      for (let round = 0; round < rounds; round += 1) {
        if ((at + round) % 4 === 0)
          await expect(
            client.query('SELECT nothing FROM main.lane WHERE id = $1', [1]),
          ).rejects.toMatchObject({
            code: '42703',
          });
        else expect(await ask(client, 'extended', (asked) => asked === 1)).toHaveLength(1);
      }
    }),
  );
});

test('what is set by one is not seen by another', async () => {
  await Promise.all(
    clients.map(async (client, at) => {
      await client.query(`SET TimeZone = 'Etc/GMT+${at % 4}'`);
      for (let round = 0; round < rounds / 4; round += 1) {
        const { rows } = await client.query('SELECT to_char($1::timestamptz, $2) AS hour', [
          '2020-01-01 12:00:00Z',
          'HH24',
        ]);
        expect(rows).toEqual([{ hour: String(12 - (at % 4)).padStart(2, '0') }]);
      }
      await client.query('RESET TimeZone');
    }),
  );
});

test('a transaction is no rider', async () => {
  await Promise.all(
    clients.map(async (client) => {
      for (let round = 0; round < 20; round += 1) {
        await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
        const first = await client.query('SELECT pg_current_snapshot()::text AS s');
        await ask(client, 'prepared', (asked) => asked === 2);
        const second = await client.query('SELECT pg_current_snapshot()::text AS s');
        expect(second.rows).toEqual(first.rows);
        await client.query('COMMIT');
      }
    }),
  );
});
