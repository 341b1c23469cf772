/** Keys that the control store has beside the one that is used. */
import { clientOf } from '../../test/cli/workers.ts';
import { queryUrl } from '../../test/fixtures/own-postgres.ts';
import { RawClient } from '../../test/fixtures/raw-client.ts';
import { median } from '../throughput/figures.ts';
import { doublings, type Quantity } from './growth.ts';
import { costOf, type GrowthStage } from './quantities.ts';

/** Keys that log in for the first time, one after the other, in one measurement. */
const newcomers = 5;

export function storedKeys(stage: GrowthStage): Quantity {
  let stored = 0;
  let made = 0;
  return {
    name: 'keys',
    title: 'Statements and connects, by the keys that are stored',
    unit: 'stored keys',
    expected: 'flat',
    levels: doublings(100_000, 6),
    measure: async (level) => {
      await store(stage, stored, level);
      stored = level;
      const statement = await costOf(stage, {});
      const connect = await costOf(stage, { args: ['--select-only', '--connect'], threads: 16 });
      const first: number[] = [];
      for (const key of await newKeys(stage, (made += 1)))
        first.push(await loginMicros(stage, key));
      return {
        'CPU, statement': statement.cpu,
        // A connection for each transaction: most of it is the login.
        'CPU, connect': connect.cpu,
        'first login of a key': median(first),
      };
    },
  };
}

/** In one statement of the superuser's: their hash is nobody's, but they are found like others. */
async function store({ engine }: GrowthStage, before: number, now: number): Promise<void> {
  const control = new URL(engine.superuserUrl);
  control.pathname = new URL(engine.controlUrl).pathname;
  const series = `generate_series(${before + 1}, ${now}) AS n`;
  const sql =
    now >= before
      ? `
    WITH keys AS (
      INSERT INTO hatidata.api_keys (key_id, agent_id, scope)
        SELECT 'key_stored_' || n, 'stored-' || n, 'readonly' FROM ${series} RETURNING key_id)
    INSERT INTO hatidata.api_key_secrets (secret_id, key_id, prefix, hash)
      SELECT gen_random_uuid(), key_id, 'hd_ro_' || key_id, 'none' FROM keys`
      : `
    DELETE FROM hatidata.api_key_secrets WHERE substr(key_id, 1, 11) = 'key_stored_' AND substr(key_id, 12)::int > ${now};
    DELETE FROM hatidata.api_keys WHERE substr(key_id, 1, 11) = 'key_stored_' AND substr(key_id, 12)::int > ${now}`;
  await queryUrl(control.href, sql);
  await queryUrl(control.href, 'ANALYZE hatidata.api_keys, hatidata.api_key_secrets');
}

async function newKeys({ hati }: GrowthStage, set: number): Promise<string[]> {
  const admin = await clientOf(hati);
  const keys: string[] = [];
  for (let number = 0; number < newcomers; number += 1) {
    const { rows } = await admin.query<{ key: string }>(
      `SELECT create_api_key('newcomer-${set}-${number}', 'readonly') AS key`,
    );
    keys.push(rows[0]!.key);
  }
  await admin.end();
  return keys;
}

async function loginMicros({ ours }: GrowthStage, key: string): Promise<number> {
  const begun = performance.now();
  const client = await RawClient.login(ours.login('read', 'simple').port, key);
  const micros = (performance.now() - begun) * 1_000;
  client.close();
  return micros;
}
