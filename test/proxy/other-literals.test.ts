/** Texts that differ in literals alone share what is known of them, and nothing else: each client gets its own rows. */
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestProxy, type TestProxy } from '../fixtures/proxy.ts';
import { smallPool } from '../pool/small-pool.ts';

let proxy: TestProxy;
let admin: pg.Client;
let clients: readonly pg.Client[];

beforeAll(async () => {
  proxy = await startTestProxy({ pool: smallPool });
  admin = await proxy.client('');
  await admin.query(
    "CREATE TABLE t AS SELECT g AS id, 'n' || g AS name FROM generate_series(1, 50) g",
  );
  const { rows } = await admin.query<{ key: string }>(
    "SELECT create_api_key('r', 'readonly') AS key",
  );
  clients = await Promise.all([1, 2, 3, 4].map(() => proxy.client(rows[0]!.key)));
});
afterAll(async () => {
  await Promise.all([admin, ...clients].map((client) => client.end()));
  await proxy.stop();
});

const rowsOf = async (
  client: pg.Client,
  id: number,
  statement?: string,
): Promise<readonly unknown[]> => {
  const text = `SELECT name, '${id}' AS id FROM t WHERE id = ${id} AND name <> '-${id}'`;
  const query = statement === undefined ? { text } : { text, name: statement };
  return (await client.query<{ name: string; id: string }>(query)).rows;
};

const rounds = Array.from({ length: 25 }, (_none, round) => round);

describe('rows are those of the own text', () => {
  test.each<[string, (round: number) => string | undefined]>([
    ['simple', () => undefined],
    ['prepared under names', (round) => `s${round}`],
  ])('%s', async (_how, statement) => {
    // The second time they are known, on whichever connection that is.
    for (const round of [...rounds, ...rounds])
      await Promise.all(
        clients.map(async (client, at) => {
          const id = 1 + ((round * 7 + at * 13) % 50);
          expect(await rowsOf(client, id, statement(round))).toEqual([
            { name: `n${id}`, id: String(id) },
          ]);
        }),
      );
  });

  test('unnamed, with parameters beside literals', async () => {
    for (const id of rounds.map((round) => round + 1))
      expect(
        (await clients[0]!.query(`SELECT name, ${id} AS id FROM t WHERE id = $1`, [id])).rows,
      ).toEqual([{ name: `n${id}`, id }]);
  });
});

test('what one key may run is refused to another', async () => {
  await admin.query("INSERT INTO t VALUES (100, 'a')");
  await admin.query("INSERT INTO t VALUES (101, 'b')");
  for (const id of [100, 101, 102])
    await expect(clients[0]!.query(`INSERT INTO t VALUES (${id}, 'c')`)).rejects.toMatchObject({
      code: '42501',
    });
  expect((await admin.query('SELECT count(*)::int AS n FROM t')).rows).toEqual([{ n: 52 }]);
});

test("PostgreSQL's errors point into the own text", async () => {
  for (const [value, position] of [
    ["'1'", '13'],
    ["'12345678'", '20'],
  ] as const)
    await expect(clients[0]!.query(`SELECT ${value}, nowhere FROM t`)).rejects.toMatchObject({
      code: '42703',
      position,
    });
});
