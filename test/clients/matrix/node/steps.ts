/** What several features do. */
import type { Bench, Client, Fault } from './matrix.ts';

export function expectThat(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(`not so: ${what}`);
}

/** The error that the work ends with. */
export async function fails(bench: Bench, work: () => Promise<unknown>): Promise<Fault> {
  try {
    await work();
  } catch (error) {
    return bench.faultOf(error);
  }
  throw new Error('it did not fail');
}

/** A fresh table. Its name is the same for both targets, which run one after the other. */
export async function table(bench: Bench, name: string, columns: string): Promise<string> {
  const client = await bench.client();
  const whole = `node_${name}`;
  await client.query(`DROP TABLE IF EXISTS ${whole}`);
  await client.query(`CREATE TABLE ${whole} (${columns})`);
  await client.end();
  return whole;
}

/**
 * Neighbours with transactions and settings of their own: where engine connections are shared, the client under test has
 * another one afterwards, or would find there what they left. They stay as long as the feature runs.
 */
export async function others(bench: Bench): Promise<void> {
  let clients = neighbours.get(bench);
  if (clients === undefined) {
    clients = await Promise.all([bench.client(), bench.client()]);
    neighbours.set(bench, clients);
  }
  await Promise.all(clients.map(work));
}

const neighbours = new WeakMap<Bench, readonly Client[]>();

async function work(client: Client): Promise<void> {
  await client.query("SET work_mem = '9MB'");
  await client.query("SET matrix.own = 'a neighbour''s'");
  await client.query('BEGIN');
  await client.query('SELECT $1::text', ['a neighbour']);
  await client.query('SELECT pg_sleep(0.01)');
  await client.query('COMMIT');
}
