/** The order in which messages and ReadyForQuery may come. */
import { describe, expect, test } from 'vitest';
import { SessionTotals } from '../../src/metrics/session-meter.ts';

const about = { agent: 'a', requestId: () => undefined };

function play(steps: string): { answered: number; state: string } {
  const totals = new SessionTotals();
  const meter = totals.open(about);
  for (const step of steps.split(' ')) {
    if (step === 'ready') meter.ready('idle', false);
    else if (step === 'quiet') meter.ready('idle', true);
    else if (step === 'begun') meter.ready('inTransaction', true);
    else if (step === 'broken') meter.ready('failed', true);
    else meter.received(step.charCodeAt(0));
  }
  const answered = totals.statements.counts.reduce((sum, count) => sum + count, 0);
  return { answered, state: meter.state };
}

describe('a session', () => {
  test.each([
    ['a Query', 'Q quiet', 1, 'idle'],
    ['a Query under way', 'Q', 0, 'active'],
    ['a batch', 'P B D E S quiet', 1, 'idle'],
    ['a batch without its Sync', 'P B E H', 0, 'active'],
    ['two batches and a Query', 'P B E S P B E S Q ready ready quiet', 3, 'idle'],
    ['a Sync alone', 'S quiet', 1, 'idle'],
    ['COPY in', 'Q d d c quiet', 1, 'idle'],
    ['COPY in a batch, with a Sync that is ignored', 'P B E S d c S quiet Q quiet', 2, 'idle'],
    ['BEGIN', 'Q begun', 1, 'in_transaction'],
    ['an error in a transaction', 'Q begun Q broken', 2, 'failed_transaction'],
    ['a Query in a transaction', 'Q begun Q', 1, 'active'],
    ['a ReadyForQuery that nobody asked for', 'quiet', 0, 'idle'],
    ['Terminate', 'X', 0, 'idle'],
  ])('%s', (_name, steps, answered, state) => {
    expect(play(steps)).toEqual({ answered, state });
  });

  test('a batch takes from its first message on', async () => {
    const totals = new SessionTotals();
    const meter = totals.open(about);
    meter.received('P'.charCodeAt(0));
    await new Promise((resolve) => setTimeout(resolve, 30));
    meter.received('S'.charCodeAt(0));
    meter.ready('idle', true);
    expect(totals.statements.sum).toBeGreaterThan(0.02);
  });

  test('is counted until it is closed', () => {
    const totals = new SessionTotals();
    const meters = [totals.open(about), totals.open(about)];
    meters[0]!.close();
    expect([totals.live.size, totals.opened]).toEqual([1, 2]);
  });
});
