/** Ways out of a key's limits that led through what a view runs, or through what others have prepared. None may lead there again. */
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestProxy, testConfig, type TestProxy } from '../fixtures/proxy.ts';
import { sleep } from '../pool/small-pool.ts';

let proxy: TestProxy;
const keys: Record<string, string> = { 'the local administrator': '' };

beforeAll(async () => {
  // One connection for all sessions of a key: what one leaves, the next would find.
  proxy = await startTestProxy({ pool: { ...testConfig('').pool, readers: 1, writers: 1 } });
  const admin = await proxy.client();
  await admin.query(`
    CREATE SCHEMA evil;
    CREATE TABLE acc (v text); INSERT INTO acc VALUES ('right');
    CREATE TABLE evil.acc (v text); INSERT INTO evil.acc VALUES ('wrong');
    CREATE VIEW for_session AS SELECT set_config('search_path', 'evil', false);
    CREATE VIEW for_transaction AS SELECT set_config('search_path', 'evil', true);
    CREATE VIEW outer_view AS SELECT * FROM for_session`);
  // By no key of ours.
  const owner = new pg.Client(proxy.direct('writer'));
  await owner.connect();
  await owner.query(
    'CREATE VIEW main.prepared AS SELECT statement FROM pg_prepared_statement(); GRANT SELECT ON main.prepared TO PUBLIC',
  );
  await owner.end();
  for (const [name, call] of [
    ['readonly', "'ro', 'readonly'"],
    ['admin', "'ad', 'admin'"],
    ['limited readonly', `'lr', 'readonly', limits => '{"schemas": ["main"]}'`],
    ['limited admin', `'la', 'admin', limits => '{"schemas": ["main"]}'`],
  ] as const)
    keys[name] = (await admin.query(`SELECT create_api_key(${call})`)).rows[0].api_key;
  await admin.query('DISCARD ALL');
  await admin.end();
  // What was just made is known to the proxy from now on.
  await sleep(2_500);
});
afterAll(() => proxy.stop());

/** The SQLSTATE, or the first column, by the simple and by the extended protocol. */
async function answers(client: pg.Client, text: string): Promise<unknown[]> {
  const seen: unknown[] = [];
  for (const query of [text, { text, values: [], name: `n${text.length}` }])
    seen.push(
      await client
        .query<Record<string, unknown>>(query)
        .then(({ rows }) => rows.flatMap((row) => Object.values(row)))
        .catch((error: { code: string }) => error.code),
    );
  return seen;
}

describe.each(['limited readonly', 'limited admin'])('a %s key', (who) => {
  test.each([
    'SELECT * FROM for_session',
    'SELECT * FROM for_transaction',
    'SELECT * FROM outer_view',
    'SELECT 1 FROM acc WHERE EXISTS (SELECT FROM for_session)',
    "SELECT set_config('search_path', 'evil', false)",
    'SELECT v FROM evil.acc',
  ])('does not reach another schema by: %s', async (text) => {
    const [one, other] = [await proxy.client(keys[who]), await proxy.client(keys[who])];
    expect(await answers(one, text)).toEqual(['42501', '42501']);
    await one.query('BEGIN');
    await one.query(text).catch(() => undefined);
    await one.query('ROLLBACK');
    for (const client of [one, other])
      expect(await answers(client, 'SELECT v FROM acc')).toEqual([['right'], ['right']]);
    await Promise.all([one.end(), other.end()]);
  });
});

describe.each([
  'readonly',
  'admin',
  'limited readonly',
  'limited admin',
  'the local administrator',
])('what others have prepared is not told to %s', (who) => {
  test.each([
    'SELECT statement FROM pg_prepared_statement()',
    'SELECT (pg_prepared_statement()).statement',
    'SELECT statement FROM pg_catalog.pg_prepared_statement() AS p',
    ...(['readonly', 'limited readonly', 'limited admin'].includes(who)
      ? ['SELECT * FROM prepared']
      : []),
  ])('%s', async (text) => {
    const [other, client] = [await proxy.client(keys[who]), await proxy.client(keys[who])];
    const prepared = "SELECT 'a secret of another'";
    await other.query({ name: 'secret', text: prepared });
    expect(await answers(client, text)).toEqual(['42501', '42501']);
    await Promise.all([other.end(), client.end()]);
  });
});
