/** Sessions that share a fast lane, and what they check of each other. */
import type { Socket } from 'node:net';
import type pg from 'pg';
import { expect } from 'vitest';
import type { Config } from '../../src/config.ts';
import { cancelRequest } from '../../src/wire/frontend-messages.ts';
import { startTestProxy, type TestProxy } from '../fixtures/proxy.ts';
import { RawClient } from '../fixtures/raw-client.ts';
import { scrape } from '../metrics/scrape.ts';

const rowCount = 1000;

export interface LaneStage {
  readonly proxy: TestProxy;
  /** The local administrator, whose statements are in a lane of another key. */
  readonly admin: pg.Client;
  /** A session of the key whose lane is looked at. */
  client(): Promise<pg.Client>;
  /** Of all lanes, a counter by name, and its reason where it has one. */
  count(name: 'statements' | 'reissued' | 'closings', reason?: string): Promise<number>;
  stop(): Promise<void>;
}

export async function startLaneStage(more: Partial<Config> = {}): Promise<LaneStage> {
  const proxy = await startTestProxy(more);
  const admin = await proxy.client();
  await admin.query('CREATE TABLE main.lane (id int PRIMARY KEY, note text)');
  await admin.query(
    `INSERT INTO main.lane SELECT n, 'note ' || n FROM generate_series(1, ${rowCount}) n`,
  );
  const { rows } = await admin.query("SELECT create_api_key('lane', 'readonly') AS key");
  return {
    proxy,
    admin,
    client: () => proxy.client(String(rows[0].key)),
    count: async (name, reason = '') =>
      (await scrape(proxy)).sum(`hatidata_lane_${name}_total`, reason),
    stop: () => proxy.stop(),
  };
}

export function socketOf(client: pg.Client): Socket {
  return (client as unknown as { connection: { stream: Socket } }).connection.stream;
}

/** Ways in which drivers ask for a row. */
export const ways = {
  extended: (client: pg.Client, id: number) =>
    client.query('SELECT id, note FROM main.lane WHERE id = $1', [id]),
  prepared: (client: pg.Client, id: number) =>
    client.query({
      name: 'byId',
      text: 'SELECT id, note FROM main.lane WHERE id = $1',
      values: [id],
    }),
  simple: (client: pg.Client, id: number) =>
    client.query(`SELECT id, note FROM main.lane WHERE id = ${id}`),
} as const;
export type Way = keyof typeof ways;

/** Asks for one row after the other until told to stop, and checks each answer. @returns how long each took, in milliseconds */
export async function ask(
  client: pg.Client,
  way: Way,
  isOver: (asked: number) => boolean,
): Promise<number[]> {
  const took: number[] = [];
  let id = Math.floor(Math.random() * rowCount);
  while (!isOver(took.length)) {
    id = (id * 31 + 7) % rowCount;
    const begun = performance.now();
    const { rows } = await ways[way](client, id + 1);
    took.push(performance.now() - begun);
    expect(rows).toEqual([{ id: id + 1, note: `note ${id + 1}` }]);
  }
  return took;
}

/** Several sessions that ask while something else happens. @returns how long each of all answers took */
export async function askBeside(
  clients: readonly pg.Client[],
  disturb: () => Promise<void>,
): Promise<number[]> {
  let isOver = false;
  const kinds = Object.keys(ways) as Way[];
  const asking = clients.map((client, at) => ask(client, kinds[at % kinds.length]!, () => isOver));
  try {
    await disturb();
  } finally {
    isOver = true;
  }
  return (await Promise.all(asking)).flat();
}

/** Resolves when the request has been taken. */
export async function cancel(port: number, client: pg.Client): Promise<void> {
  const { processID, secretKey } = client as unknown as { processID: number; secretKey: number };
  const secret = Buffer.alloc(4);
  secret.writeInt32BE(secretKey);
  const canceller = new RawClient(port);
  canceller.send(cancelRequest(processID, secret));
  await canceller.next();
  canceller.close();
}
