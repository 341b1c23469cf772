/** Answers that are kept for requests that come again: for a day, then not even sealed. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Once } from '../../src/control/once.ts';
import { startTestControlPlane, type TestControlPlane } from '../fixtures/control-plane.ts';
import { startTestStore, tester, type TestStore } from '../fixtures/control-store.ts';
import { loginUrl } from '../fixtures/proxy.ts';
import { until } from '../pool/small-pool.ts';

let store: TestStore;
let once: Once;

beforeAll(async () => {
  store = await startTestStore();
  const { acts, box, clock } = store;
  once = new Once({ db: store.connect().db, acts, box, clock });
});
afterAll(() => store.stop());

const again = (key: string) => ({ caller: 'somebody', key, request: 'POST /v1/whatever\n{}' });

test('within a day a request gets the answer that it got, after that it is a new one', async () => {
  let done = 0;
  const work = () => Promise.resolve((done += 1));
  const ask = async () => (await once.run(tester, again('same'), work)).answer;
  expect([await ask(), await ask()]).toEqual([1, 1]);
  store.pass(24 * 3_600_000 - 60_000);
  expect(await ask()).toBe(1);
  store.pass(120_000);
  expect(await ask()).toBe(2);
});

test('only what is too old is forgotten', async () => {
  const { db } = store.connect();
  await db.deleteFrom('idempotent_calls').execute();
  await once.run(tester, again('old'), () => Promise.resolve('a secret'));
  store.pass(24 * 3_600_000);
  await once.run(tester, again('new'), () => Promise.resolve('another'));
  await once.forgetOld();
  const left = await db.selectFrom('idempotent_calls').select('idempotency_key').execute();
  expect(left).toEqual([{ idempotency_key: 'new' }]);
});

test('a control plane does it by itself', async () => {
  const first = await startTestControlPlane();
  let second: TestControlPlane | undefined;
  try {
    await first.store.query(
      `INSERT INTO hatidata.idempotent_calls (caller, idempotency_key, request_hash, answer, created_at)
       VALUES ('somebody', 'old', '', '', now() - interval '2 days')`,
    );
    second = await startTestControlPlane({
      engine: {
        kind: 'url',
        url: loginUrl(first.proxy.direct('writer')),
        readerUrl: loginUrl(first.proxy.direct('reader')),
      },
      controlDatabaseUrl: loginUrl(first.proxy.direct('control')),
    });
    const left = async () =>
      (await first.store.query('SELECT FROM hatidata.idempotent_calls')).rowCount;
    await until(async () => (await left()) === 0);
    expect(await left()).toBe(0);
  } finally {
    await second?.stop();
    await first.stop();
  }
}, 30_000);
