/** Proxies of one store: their numbers, their cancel keys, and what they tell each other. */
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CancelKeys } from '../../src/control/instances/cancel-keys.ts';
import {
  largestNumber,
  livingNumbers,
  renewNumber,
  signOfLife,
  takeIdentity,
} from '../../src/control/instances/identity.ts';
import { GossipedCounts } from '../../src/control/instances/session-counts.ts';
import { connectControlDatabase, type ControlDatabase } from '../../src/database/connect.ts';
import { migrate } from '../../src/database/migrate.ts';
import { StoreChannel } from '../../src/database/store-channel.ts';
import { startEmbeddedServer, type EmbeddedServer } from '../../src/engine/embedded/server.ts';
import type { KeyId } from '../../src/ports.ts';
import { createLogger } from '../../src/shared/log.ts';
import { enterableDirectory } from '../fixtures/enterable-directory.ts';
import { until } from '../pool/small-pool.ts';

const log = createLogger({ level: 'fatal', destination: { write: () => undefined } });

let root: string;
let engine: EmbeddedServer;
let control: ControlDatabase;

beforeAll(async () => {
  root = enterableDirectory('hati-instances-');
  engine = await startEmbeddedServer({ directory: join(root, '.hati'), log });
  const config = { ...engine.connection('control'), ssl: false };
  await migrate(config, log);
  control = connectControlDatabase(config, log);
});
afterAll(async () => {
  await control.close();
  await engine.stop();
  rmSync(root, { recursive: true, force: true });
});

describe('numbers', () => {
  test('who starts at the same time gets different ones, and the same secret', async () => {
    const all = await Promise.all(Array.from({ length: 30 }, () => takeIdentity(control.db)));
    expect(new Set(all.map(({ number }) => number)).size).toBe(30);
    expect(new Set(all.map(({ secret }) => secret.toString('hex'))).size).toBe(1);
    expect(all[0]!.secret).toHaveLength(32);
  });

  test('when all have been taken, that which was renewed longest ago comes next', async () => {
    const { db } = control;
    const living = await takeIdentity(db);
    const numbers = Array.from({ length: largestNumber }, (_, index) => index + 1);
    await db
      .insertInto('instances')
      .values(numbers.map((number) => ({ number, renewed_at: new Date() })))
      .onConflict((conflict) => conflict.doNothing())
      .execute();
    await db
      .updateTable('instances')
      .set({ renewed_at: new Date(2_000, 1) })
      .execute();
    await db
      .updateTable('instances')
      .set({ renewed_at: new Date(1_999, 1) })
      .where('number', '=', 77)
      .execute();
    await renewNumber(db, living.number);
    expect((await takeIdentity(db)).number).toBe(77);
    const next = await Promise.all(Array.from({ length: 50 }, () => takeIdentity(db)));
    expect(next.map(({ number }) => number)).not.toContain(living.number);
  });
});

describe('cancel keys', () => {
  const secret = randomBytes(32);
  const one = new CancelKeys({ number: 1, secret });
  const last = new CancelKeys({ number: largestNumber, secret });
  const stranger = new CancelKeys({ number: 1, secret: randomBytes(32) });
  const none = (): boolean => false;

  test.each([4, 32] as const)('of %i bytes are known to others of the store alone', (bytes) => {
    for (let round = 0; round < 1_000; round += 1) {
      const key = last.issue(bytes, none);
      expect(key.processId).toBeGreaterThan(0);
      expect(key.processId).toBeLessThanOrEqual(0x7f_ff_ff_ff);
      expect(one.issuedElsewhere(key)).toBe(largestNumber);
      // Its own sessions are looked for where they are.
      expect(last.issuedElsewhere(key)).toBeUndefined();
    }
    expect(stranger.issuedElsewhere(last.issue(32, none))).toBeUndefined();
  });

  test('forged ones of 4 bytes: few pass; of 32 bytes, and of other lengths: none', () => {
    const { processId } = last.issue(4, none);
    const passed = (bytes: number): number => {
      let count = 0;
      for (let tries = 0; tries < 20_000; tries += 1) {
        const forged = { processId, secret: randomBytes(bytes) };
        if (one.issuedElsewhere(forged) !== undefined) count += 1;
      }
      return count;
    };
    expect(passed(4)).toBeLessThan(8);
    expect(passed(32)).toBe(0);
    for (const bytes of [0, 2, 8, 256])
      expect(one.issuedElsewhere({ processId, secret: Buffer.alloc(bytes) })).toBeUndefined();
    for (const odd of [-1, 0, 0xff_ff_ff_ff])
      expect(one.issuedElsewhere({ processId: odd, secret: randomBytes(32) })).toBeUndefined();
  });

  test('one of a session is none of another', () => {
    const key = last.issue(32, none);
    const other = last.issue(32, (processId) => processId === key.processId);
    expect(one.issuedElsewhere({ ...key, processId: other.processId })).toBeUndefined();
  });
});

test('3,000 keys are told in pieces, to those who come later too', async () => {
  const config = { ...engine.connection('control'), ssl: false };
  const joined = async (
    number: number,
  ): Promise<{ counts: GossipedCounts; leave: () => Promise<void> }> => {
    const channel = new StoreChannel({ config, log });
    const identity = { number, secret: Buffer.alloc(32) };
    channel.beginWith(signOfLife(number));
    const living = (): Promise<Set<number>> => livingNumbers(control.db);
    const counts = new GossipedCounts({ identity, channel, living, log });
    await channel.start();
    return {
      counts,
      leave: async () => {
        await counts.stop();
        await channel.stop();
      },
    };
  };
  const keys = Array.from(
    { length: 3_000 },
    (_, index) => `key_${String(index).padStart(12, 'x')}` as KeyId,
  );
  const sender = await joined(1);
  const early = await joined(2);
  for (const [index, key] of keys.entries()) sender.counts.changeHere(100_000, key, 90_000 + index);
  const knows = ({ counts }: typeof sender): boolean =>
    keys.every((key, index) => counts.elsewhere(key).ofKey === 90_000 + index);
  await until(() => knows(early));
  const late = await joined(3);
  await until(() => knows(late));
  for (const key of keys.slice(1)) sender.counts.changeHere(1, key, 0);
  await until(() => keys.slice(1).every((key) => late.counts.elsewhere(key).ofKey === 0));
  expect(late.counts.elsewhere(keys[0])).toEqual({ total: 1, ofKey: 90_000 });
  expect(late.counts.instances).toBe(2);
  expect(await livingNumbers(control.db)).toEqual(new Set([1, 2, 3]));
  await late.counts.freshen();
  expect(late.counts.instances).toBe(2);
  await sender.leave();
  await until(() => late.counts.instances === 1 && early.counts.instances === 1);
  expect(late.counts.elsewhere(keys[0])).toEqual({ total: 0, ofKey: 0 });
  await early.leave();
  await late.leave();
});
