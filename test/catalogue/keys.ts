/** Keys as the rows of section G make, use and end them, and what is recorded of it. */
import pg from 'pg';
import { frontend as f, RawClient, show } from '../fixtures/raw-client.ts';
import type { World } from './world.ts';

export const refusedKey = '28P01 Authentication failed: invalid API key';

export async function newKey(world: World, agent: string, scope = 'readonly'): Promise<string> {
  return (await world.admin.query('SELECT create_api_key($1, $2)', [agent, scope])).rows[0].api_key;
}

export async function act(
  world: World,
  name: 'rotate_api_key' | 'revoke_api_key',
  agent: string,
): Promise<string> {
  return (await world.admin.query(`SELECT ${name}($1)`, [agent])).rows[0][
    name === 'rotate_api_key' ? 'api_key' : name
  ];
}

/** The last word of a login. */
export async function loginAs(
  port: number,
  key: string,
  parameters: Record<string, string> = {},
): Promise<string> {
  const client = new RawClient(port);
  client.send(f.startup({ user: 'agent', ...parameters }), f.password(key));
  for (let last = 'nothing'; ;) {
    const message = await client.next();
    if (message === undefined) return last;
    [last] = show([message]) as [string];
    if (message.type === 'Z') {
      client.close();
      return last;
    }
  }
}

/** A control connection of the store's own role. */
export async function inStore<T>(world: World, work: (store: pg.Client) => Promise<T>): Promise<T> {
  const store = new pg.Client(world.proxy.direct('control'));
  await store.connect();
  try {
    return await work(store);
  } finally {
    await store.end();
  }
}

export const records = (world: World, where: string): Promise<Record<string, unknown>[]> =>
  inStore(
    world,
    async (store) =>
      (await store.query(`SELECT * FROM hatidata.iam_audit WHERE ${where} ORDER BY sequence`)).rows,
  );
