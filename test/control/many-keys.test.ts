/** What is asked often touches few pages of the control store, however many keys there are. */
import { Kysely, PostgresDialect, type CompiledQuery, type Transaction } from 'kysely';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { storeKeys } from '../../bench/keys/store.ts';
import { findKeyRow, listKeyRows, type KeyListing } from '../../src/control/keys/list.ts';
import {
  dueForRotation,
  endKeys,
  endOldSecrets,
  markEndingKeys,
  markEndingSecrets,
} from '../../src/control/keys/schedule-store.ts';
import { endSecrets } from '../../src/control/keys/secret-store.ts';
import { countKeys, lockActiveKey, lockKey } from '../../src/control/keys/store.ts';
import { activeAmong, findActiveSecret } from '../../src/control/keys/verification-store.ts';
import type { ControlSchema } from '../../src/database/schema.ts';
import type { SecretId } from '../../src/ports.ts';
import { startTestStore, type TestStore } from '../fixtures/control-store.ts';

const count = 20_000;
/** The two tables have some 1,400 of them. */
const few = 120;

let store: TestStore;
let pool: pg.Pool;
/** Tells of what is sent to it. */
let db: Kysely<ControlSchema>;
let sent: CompiledQuery[] = [];
let one: { key_id: string; agent_id: string; prefix: string; secret_id: string };

beforeAll(async () => {
  store = await startTestStore();
  pool = new pg.Pool({ ...store.config, max: 2 });
  pool.on('error', () => undefined);
  db = new Kysely<ControlSchema>({
    dialect: new PostgresDialect({ pool }),
    log: ({ query }) => {
      sent.push(query);
    },
  }).withSchema('hatidata');
  await storeKeys({ store: pool, envId: store.envId, hash: 'none' }, 0, count);
  const { rows } = await pool.query<typeof one>(
    `SELECT key_id, agent_id, prefix, secret_id FROM hatidata.api_keys JOIN hatidata.api_key_secrets USING (key_id)
      WHERE agent_id = $1`,
    [`stored-${count / 2 + 5}`],
  );
  one = rows[0]!;
}, 120_000);
afterAll(async () => {
  await db.destroy();
  await store.stop();
});

type Work = (tx: Transaction<ControlSchema>) => Promise<unknown>;

interface Plan {
  readonly 'Node Type': string;
  readonly 'Shared Hit Blocks': number;
  readonly 'Shared Read Blocks': number;
}

/** Of the statement that touches most. All that is done is taken back. */
async function pagesTouchedBy(work: Work): Promise<number> {
  const undone = new Error('taken back');
  const inTransaction = db.transaction().execute(async (tx) => {
    sent = [];
    await work(tx);
    throw undone;
  });
  await expect(inTransaction).rejects.toBe(undone);
  const statements = sent.filter(({ sql }) =>
    /^\s*(?:select|update|delete|insert|with)/i.test(sql),
  );
  expect(statements).not.toEqual([]);
  return Math.max(...(await Promise.all(statements.map(pagesOf))));
}

async function pagesOf({ sql, parameters }: CompiledQuery): Promise<number> {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    const { rows } = await client.query<{ 'QUERY PLAN': readonly [{ Plan: Plan }] }>(
      `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${sql}`,
      [...parameters],
    );
    const plan = rows[0]!['QUERY PLAN'][0].Plan;
    return plan['Shared Hit Blocks'] + plan['Shared Read Blocks'];
  } finally {
    await client.query('ROLLBACK');
    client.release();
  }
}

const now = new Date();
const when = { now, soon: new Date(now.getTime() + 24 * 3_600_000), most: 100 };

test.each<[string, Work]>([
  ['a secret that logs in', (tx) => findActiveSecret(tx, one.prefix, now)],
  ['secrets that are looked at again', (tx) => activeAmong(tx, [one.secret_id as SecretId], now)],
  ['one key', (tx) => findKeyRow(tx, store.envId, one.key_id)],
  ['the key that is changed', (tx) => lockKey(tx, store.envId, one.key_id)],
  ['the key of a name', (tx) => lockActiveKey(tx, store.envId, one.agent_id)],
  ['the end of its secrets', (tx) => endSecrets(tx, one.key_id, now)],
  ['whether there may be one more', (tx) => countKeys(tx, store.envId, 50)],
  ['keys that are over', (tx) => endKeys(tx, now, 100)],
  ['old secrets that are over', (tx) => endOldSecrets(tx, now, 100)],
  ['keys to rotate', (tx) => dueForRotation(tx, now, 100)],
  ['keys whose end is to be told', (tx) => markEndingKeys(tx, when)],
  ['secrets whose end is to be told', (tx) => markEndingSecrets(tx, when)],
])('%s', async (_, work) => {
  expect(await pagesTouchedBy(work)).toBeLessThan(few);
});

test.each<[string, Partial<KeyListing>]>([
  ['the first page', {}],
  ['active ones', { status: 'active' }],
  ['revoked ones', { status: 'revoked' }],
  ['by name', { name: 'stored-777' }],
])('a list: %s', async (_, wish) => {
  const listing = { envId: store.envId, status: undefined, name: undefined, now, limit: 50 };
  const found = await listKeyRows(db, { ...listing, behind: undefined, ...wish });
  expect(found.rows).not.toEqual([]);
  const last = found.rows[Math.floor(found.rows.length / 2)]!;
  const behind = [last.created_at.toISOString(), last.key_id];
  for (const from of [undefined, behind]) {
    sent = [];
    await listKeyRows(db, { ...listing, behind: from, ...wish });
    // The page, and the total: that one grows with what it counts, but does without the rows.
    expect(sent).toHaveLength(2);
    for (const each of sent) expect(await pagesOf(each)).toBeLessThan(250);
  }
});

test('the newest of the view of active keys, and the one of an agent', async () => {
  for (const rest of ['LIMIT 10', "WHERE agent_id = 'stored-777'"]) {
    const sql = `SELECT * FROM _hatidata_keys.active_keys ${rest}`;
    expect([rest, await pagesOf({ sql, parameters: [] } as never)]).toEqual([
      rest,
      expect.toSatisfy((n: number) => n < few),
    ]);
  }
});
