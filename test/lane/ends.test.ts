/** A session whose statement is in a lane, as others see it, and as it ends. */
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { codeOf, sleep, until } from '../pool/small-pool.ts';
import { askBeside, cancel, startLaneStage, type LaneStage } from './lane.ts';

let stage: LaneStage;
let clients: pg.Client[];
let superuser: pg.Client;

beforeAll(async () => {
  stage = await startLaneStage();
  clients = await Promise.all(Array.from({ length: 4 }, () => stage.client()));
  superuser = new pg.Client(stage.proxy.direct('superuser'));
  await superuser.connect();
});
afterAll(async () => {
  await superuser.end();
  await stage.stop();
});

/** Each row takes its time; of 12,000 bytes PostgreSQL sends 8,192 and keeps the rest until there is more. */
const slowRows = `SELECT repeat('x', $1::int) AS long, (SELECT count(*) FROM generate_series(1, $2::int + g))
  FROM generate_series(1, $3::int) g`;

async function agent(name: string): Promise<pg.Client> {
  const { rows } = await stage.admin.query("SELECT create_api_key($1, 'readonly') AS key", [name]);
  const client = await stage.proxy.client(String(rows[0].key));
  client.on('error', () => undefined);
  return client;
}

interface AtWork {
  readonly pid: number;
  readonly in_lane: boolean;
}

const atWork = async (): Promise<AtWork | undefined> => {
  const { rows } = await superuser.query<AtWork>(
    `SELECT pid, application_name = 'hati lane' AS in_lane FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid()
        AND query LIKE '%generate\\_series(1, $3::int)%' AND clock_timestamp() - query_start > '100 ms'`,
  );
  return rows[0];
};

/** Asks for slow rows. It may be taken for too slow for a lane where the machine is busy: then it is asked again. */
async function askInLane(
  client: pg.Client,
  values: readonly number[],
): Promise<{ readonly pid: number; readonly asked: Promise<pg.QueryResult> }> {
  for (;;) {
    for (let round = 0; round < 30; round += 1) await client.query(slowRows, [1, 1, 1]);
    const asked = client.query(slowRows, [...values]);
    asked.catch(() => undefined);
    let seen: AtWork | undefined;
    await until(async () => (seen = await atWork()) !== undefined);
    if (seen!.in_lane) return { pid: seen!.pid, asked };
    await cancel(stage.proxy.port, client);
    await asked.catch(() => undefined);
  }
}

test('the backend that works for it is shown', async () => {
  await askBeside(clients, async () => {
    const client = await agent('watched');
    const { pid, asked } = await askInLane(client, [10, 200_000, 100]);
    const { rows } = await stage.admin.query(
      "SELECT engine_pid FROM _hatidata_status.clients WHERE agent = 'watched' AND state = 'active'",
    );
    expect(rows).toEqual([{ engine_pid: pid }]);
    expect((await asked).rows).toHaveLength(100);
  });
});

test('a key that ends in the middle of an answer hears why, and nobody else feels it', async () => {
  const revoked: string[] = [];
  await askBeside(clients, async () => {
    for (const name of ['first', 'second', 'third']) {
      const client = await agent(name);
      const { asked } = await askInLane(client, [12_000, 200_000, 1_000]);
      await sleep(50);
      await stage.admin.query('SELECT revoke_api_key($1)', [name]);
      revoked.push(await codeOf(asked));
      await until(async () => (await atWork()) === undefined);
    }
  });
  // The engine has a tenth of a second for its last words; who is busier than that cuts the client off.
  expect(revoked).toContain('28P01');
  for (const code of revoked) expect(code).toMatch(/^28P01|Connection terminated/);
});
