/** A proxy that is told to stop lets open transactions end, and tells idle clients at once. */
import type pg from 'pg';
import { describe, expect, test } from 'vitest';
import { startTestProxy } from '../fixtures/proxy.ts';

function endOf(client: pg.Client): Promise<{ code?: string } & Error> {
  return new Promise((resolve) => client.once('error', resolve));
}

describe('stop with patience', () => {
  test('idle clients hear it at once, a transaction may end, nobody comes in', async () => {
    const proxy = await startTestProxy();
    const [idle, pinned, busy] = [await proxy.client(), await proxy.client(), await proxy.client()];
    await pinned.query('LISTEN x');
    await busy.query('CREATE TABLE kept (id int)');
    await busy.query('BEGIN');
    const ends = [endOf(idle), endOf(pinned)];
    const last = endOf(busy);
    let hasStopped = false;
    const stopping = proxy.running.stop(20_000).then(() => {
      hasStopped = true;
    });
    for (const error of await Promise.all(ends)) expect(error.code).toBe('57P01');
    await expect(proxy.client()).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await busy.query('INSERT INTO kept VALUES (1)');
    expect(hasStopped).toBe(false);
    expect((await busy.query('COMMIT')).command).toBe('COMMIT');
    expect((await last).code).toBe('57P01');
    await stopping;
  });

  test('no longer than it lasts, and less when it is asked for again', async () => {
    const proxy = await startTestProxy();
    const [one, two] = [await proxy.client(), await proxy.client()];
    await one.query('BEGIN');
    const running = expect(two.query('SELECT pg_sleep(60)')).rejects.toMatchObject({
      code: '57P01',
    });
    const end = endOf(one);
    const stopping = proxy.running.stop(3_600_000);
    await new Promise((resolve) => setTimeout(resolve, 200));
    await proxy.running.stop(50);
    await stopping;
    await running;
    expect((await end).code).toBe('57P01');
  });
});
