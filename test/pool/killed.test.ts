/** A backend dies by SIGKILL under load: PostgreSQL ends all of them and recovers. Twenty clients, two connections. */
import type pg from 'pg';
import { expect, test } from 'vitest';
import { startTestProxy } from '../fixtures/proxy.ts';
import { clientCount, codeOf, sleep, smallPool, until, value } from './small-pool.ts';

/** crash_shutdown, the connection lost, engine not reachable, starting up. */
const known: ReadonlySet<string> = new Set(['57P02', '08006', '57P03']);

interface Tally {
  done: number;
  slowestMs: number;
  readonly codes: Set<string>;
  isGone: boolean;
}

async function load(client: pg.Client, isOver: () => boolean): Promise<Tally> {
  const tally: Tally = { done: 0, slowestMs: 0, codes: new Set(), isGone: false };
  client.once('end', () => (tally.isGone = true));
  while (!isOver() && !tally.isGone) {
    const began = Date.now();
    const code = await codeOf(client.query('INSERT INTO ledger VALUES (1)'));
    tally.slowestMs = Math.max(tally.slowestMs, Date.now() - began);
    if (code === 'no error') tally.done += 1;
    else tally.codes.add(code);
    await sleep(2);
  }
  return tally;
}

test('everybody hears of it at once, and who was between two transactions goes on', async () => {
  const proxy = await startTestProxy({ pool: smallPool });
  const admin = await proxy.client();
  await admin.query('CREATE TABLE ledger (n int)');
  const idle = await Promise.all(Array.from({ length: 5 }, () => proxy.client()));
  for (const [n, client] of idle.entries()) await client.query(`SET my.n = '${n}'`);
  let acknowledged = 0;
  for (let round = 0; round < 3; round += 1) {
    const clients = await Promise.all(Array.from({ length: clientCount }, () => proxy.client()));
    let isOver = false;
    const tallies = clients.map((client) => load(client, () => isOver));
    await sleep(300);
    process.kill(Number(await value(admin, 'SELECT pg_backend_pid()')), 'SIGKILL');
    const began = Date.now();
    const newcomer = await proxy.client();
    await sleep(50);
    await until(async () => (await codeOf(newcomer.query('SELECT 1'))) === 'no error');
    expect(Date.now() - began).toBeLessThan(20_000);
    await sleep(500);
    isOver = true;
    const all = await Promise.all(tallies);
    acknowledged += all.reduce((sum, { done }) => sum + done, 0);
    const codes = new Set(all.flatMap((tally) => [...tally.codes]));
    expect([...codes].filter((code) => !known.has(code) && !/terminated/.test(code))).toEqual([]);
    // Two of them had a statement under way; the rest lost nothing but time.
    expect(all.filter(({ isGone }) => isGone).length).toBeLessThanOrEqual(3);
    expect(Math.max(...all.map(({ slowestMs }) => slowestMs))).toBeLessThan(10_000);
    for (const [n, client] of idle.entries())
      expect(await value(client, "SELECT current_setting('my.n')")).toBe(String(n));
    expect(await value(idle[0]!, 'SELECT count(*)::int FROM ledger')).toBeGreaterThanOrEqual(
      acknowledged,
    );
    await Promise.all([newcomer, ...clients].map((client) => client.end().catch(() => undefined)));
  }
  // What the engine says to those who come while it recovers: no crowd.
  const turnedAway =
    proxy.logged().match(/is in recovery mode|starting up|not yet accepting/g) ?? [];
  expect(turnedAway.length).toBeLessThan(150);
  await proxy.stop();
});
