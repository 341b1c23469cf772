/** What is done to a key over REST is felt on a proxy beside the one that was asked. */
import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestControlPlane, type TestControlPlane } from '../fixtures/control-plane.ts';
import { startBeside, type Beside } from './beside.ts';

let plane: TestControlPlane;
let beside: Beside;
let admin: string;
let names = 0;

beforeAll(async () => {
  plane = await startTestControlPlane();
  beside = await startBeside(plane.proxy);
  const client = await plane.proxy.client();
  const { rows } = await client.query<{ key: string }>(
    "SELECT create_api_key('boss', 'admin') AS key",
  );
  admin = rows[0]!.key;
});
afterAll(async () => {
  await beside.stop();
  await plane.stop();
});

async function create(): Promise<{ key: string; path: string }> {
  const keys = `/v1/environments/${plane.envId}/api-keys`;
  const body = { name: `agent-${(names += 1)}`, scopes: ['query:read'] };
  const made = await plane.request('POST', keys, { as: admin, body });
  expect(made.status).toBe(201);
  return { key: made.body.key, path: `${keys}/${made.body.key_id}` };
}

const endOf = (client: pg.Client): Promise<number> =>
  new Promise((resolve) => client.on('end', () => resolve(performance.now())));

test('a revoked key ends its sessions on both, within 100 ms', async () => {
  const took: number[] = [];
  for (let round = 0; round < 5; round += 1) {
    const { key, path } = await create();
    const clients = [await plane.proxy.client(key), await beside.proxy.client(key)];
    const ends = clients.map(endOf);
    const revoked = await plane.request('DELETE', path, { as: admin });
    const answered = performance.now();
    expect(revoked.status).toBe(200);
    took.push(Math.max(...(await Promise.all(ends))) - answered);
    for (const { proxy } of [plane, beside])
      await expect(proxy.client(key)).rejects.toMatchObject({ code: '28P01' });
  }
  // The middle one: the machine has other things to do as well.
  expect(took.toSorted((a, b) => a - b)[2]).toBeLessThan(100);
});

test('networks that changed while the store was away are found out when it is back', async () => {
  const { key, path } = await create();
  const client = await beside.proxy.client(key);
  const end = endOf(client);
  beside.store.refuse();
  beside.store.cut();
  const body = { ip_allowlist: ['203.0.113.0/24'] };
  expect((await plane.request('PATCH', path, { as: admin, body })).status).toBe(200);
  expect((await client.query('SELECT 1 AS one')).rowCount).toBe(1);
  await beside.store.listen();
  await end;
  await expect(beside.proxy.client(key)).rejects.toMatchObject({ code: '28000' });
});
