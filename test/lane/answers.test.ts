/** Many sessions on one fast lane: each gets its own answers, in order, whole and once. */
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestProxy, type TestProxy } from '../fixtures/proxy.ts';
import { scrape } from '../metrics/scrape.ts';

const clientCount = 16;

let proxy: TestProxy;
let clients: pg.Client[];

beforeAll(async () => {
  proxy = await startTestProxy();
  const admin = await proxy.client();
  await admin.query('CREATE TABLE main.lane (id int PRIMARY KEY, note text)');
  await admin.query("INSERT INTO main.lane SELECT n, 'note ' || n FROM generate_series(1, 1000) n");
  const { rows } = await admin.query("SELECT create_api_key('lane', 'readonly')");
  clients = await Promise.all(
    Array.from({ length: clientCount }, () => proxy.client(String(rows[0].create_api_key ?? rows[0].api_key))),
  );
});
afterAll(() => proxy.stop());

const ridden = async (): Promise<number> => (await scrape(proxy)).sum('hatidata_lane_statements_total');

/** @param ask asks for the note of a row, in one of the ways that drivers have */
async function load(rounds: number, ask: (client: pg.Client, id: number) => Promise<pg.QueryResult>): Promise<void> {
  await Promise.all(
    clients.map(async (client, at) => {
      for (let round = 0; round < rounds; round += 1) {
        const id = ((at * 7919 + round * 31) % 1000) + 1;
        const { rows } = await ask(client, id);
        expect(rows).toEqual([{ id, note: `note ${id}` }]);
      }
    }),
  );
}

const ways: Record<string, (client: pg.Client, id: number) => Promise<pg.QueryResult>> = {
  'simple, one text': (client) => client.query('SELECT id, note FROM main.lane WHERE id = 77'),
  extended: (client, id) => client.query('SELECT id, note FROM main.lane WHERE id = $1', [id]),
  prepared: (client, id) =>
    client.query({ name: 'byId', text: 'SELECT id, note FROM main.lane WHERE id = $1', values: [id] }),
};

test.each(Object.entries(ways).slice(1))('%s', async (_, ask) => {
  const before = await ridden();
  await load(200, ask);
  expect(await ridden()).toBeGreaterThan(before + clientCount * 100);
});
