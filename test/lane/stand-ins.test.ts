/** Statements without a name that run, in a lane, as one that was prepared before: nobody can tell but by the time it takes. */
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { scrape } from '../metrics/scrape.ts';
import { startLaneStage, type LaneStage } from './lane.ts';

const clientCount = 8;
const rounds = 60;

let stage: LaneStage;
let clients: pg.Client[];

beforeAll(async () => {
  stage = await startLaneStage();
  clients = await Promise.all(Array.from({ length: clientCount }, () => stage.client()));
});
beforeEach(async () => {
  await stage.admin.query('DROP TABLE IF EXISTS main.changing');
  await stage.admin.query('CREATE TABLE main.changing (id int, note text)');
  await stage.admin.query("INSERT INTO main.changing VALUES (1, 'one'), (2, 'two')");
});
afterAll(() => stage.stop());

/** Beside all proxies, so that nobody is told. */
async function onEngine(...statements: readonly string[]): Promise<void> {
  const engine = new pg.Client(stage.proxy.direct('writer'));
  await engine.connect();
  for (const statement of statements) await engine.query(statement);
  await engine.end();
}

const knownCount = async (): Promise<number> =>
  (await scrape(stage.proxy)).sum('hatidata_pool_prepared_total', 'known');

/** All clients run it so often that it has a stand-in. */
async function runOften<T>(
  run: (client: pg.Client, round: number) => Promise<T>,
  times = rounds,
): Promise<T[]> {
  const results = await Promise.all(
    clients.map(async (client) => {
      const own: T[] = [];
      for (let round = 0; round < times; round += 1) own.push(await run(client, round));
      return own;
    }),
  );
  return results.flat();
}

/** Until most of them have one, which a machine that is busy with other things puts off. */
async function untilStandIns(run: () => Promise<unknown>): Promise<void> {
  for (let before = await knownCount(), known = before; known <= before + rounds;) {
    before = known;
    await run();
    known = await knownCount();
  }
}

test('most of them are not parsed again', async () => {
  await untilStandIns(() =>
    runOften(async (client, round) => {
      const id = (round % 2) + 1;
      const { rows } = await client.query('SELECT note FROM main.changing WHERE id = $1', [id]);
      expect(rows).toEqual([{ note: id === 1 ? 'one' : 'two' }]);
    }),
  );
});

test('each of their constants stands for itself', async () => {
  await runOften(async (client, round) => {
    const { rows } = await client.query(`SELECT ${round % 3} AS n, $1::text AS own`, ['x']);
    expect(rows).toEqual([{ n: round % 3, own: 'x' }]);
  });
});

test('a result with other columns is what it is now, and no error', async () => {
  const read = (client: pg.Client) =>
    client.query('SELECT * FROM main.changing WHERE id = $1', [1]);
  await untilStandIns(() => runOften(read));
  const asking = runOften(read);
  await onEngine('ALTER TABLE main.changing ADD COLUMN more int DEFAULT 7');
  for (const { rows } of await asking)
    expect([
      { id: 1, note: 'one' },
      { id: 1, note: 'one', more: 7 },
    ]).toContainEqual(rows[0]);
  for (const { rows } of await runOften(read))
    expect(rows).toEqual([{ id: 1, note: 'one', more: 7 }]);
  await onEngine('ALTER TABLE main.changing DROP COLUMN note');
  for (const { rows } of await runOften(read)) expect(rows).toEqual([{ id: 1, more: 7 }]);
});

test('a table that is made anew is the new one', async () => {
  const read = (client: pg.Client) =>
    client.query('SELECT note FROM main.changing WHERE id = $1', [1]);
  await runOften(read);
  await onEngine('DROP TABLE main.changing');
  for (const client of clients) await expect(read(client)).rejects.toMatchObject({ code: '42P01' });
  await onEngine(
    'CREATE TABLE main.changing AS SELECT 1 AS id, 2.5::numeric AS note',
    'GRANT SELECT ON main.changing TO PUBLIC',
  );
  for (const { rows } of await runOften(read)) expect(rows).toEqual([{ note: '2.5' }]);
});

test('the time in a constant is that of each run', async () => {
  const results = await runOften(async (client) => {
    const { rows } = await client.query(
      "SELECT 'now'::timestamptz AS then, now() AS now, $1::int",
      [1],
    );
    return Number(rows[0].now) - Number(rows[0].then);
  });
  for (const apart of results) expect(Math.abs(apart)).toBeLessThan(2);
});

test('a constant is understood by the settings of its session', async () => {
  const [first, second] = clients;
  await first!.query("SET datestyle = 'ISO, DMY'");
  await second!.query("SET datestyle = 'ISO, MDY'");
  const read = async (client: pg.Client): Promise<string> => {
    const text = "SELECT extract(month FROM '02/01/2020'::date)::text AS month, $1::int";
    return String((await client.query(text, [1])).rows[0].month);
  };
  for (let round = 0; round < rounds; round += 1)
    expect(await Promise.all([read(first!), read(second!)])).toEqual(['1', '2']);
  for (const client of [first!, second!]) await client.query('RESET datestyle');
});

test('its errors are those of a statement without a name', async () => {
  await runOften((client) => client.query('SELECT 1 + $1::int AS n', [1]));
  const [client] = clients;
  await expect(client!.query('SELECT 1 + $1::int AS n', ['x'])).rejects.toMatchObject({
    code: '22P02',
  });
  await expect(client!.query('SELECT 1 + $1::int AS n', [1, 2])).rejects.toMatchObject({
    code: '08P01',
    message: 'bind message supplies 2 parameters, but prepared statement "" requires 1',
  });
  expect((await client!.query('SELECT 1 + $1::int AS n', [4])).rows).toEqual([{ n: 5 }]);
});

test('one that turns out slow is parsed anew for a while', async () => {
  const text = 'SELECT count(*)::int AS n FROM generate_series(1, $1::int)';
  await untilStandIns(() => runOften((client) => client.query(text, [1])));
  const [client] = clients;
  await client!.query(text, [2_000_000]);
  const before = await knownCount();
  await runOften((each) => each.query(text, [1]), 12);
  expect(await knownCount()).toBe(before);
});
