/** Dispatchers on one store: slow receivers, several at once, one that dies in the middle. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { Dispatcher } from '../../src/control/webhooks/dispatcher.ts';
import { leaseMs } from '../../src/control/webhooks/claims.ts';
import { forgetBefore } from '../../src/control/webhooks/delivery-store.ts';
import { WebhookService } from '../../src/control/webhooks/service.ts';
import { lockWebhook } from '../../src/control/webhooks/store.ts';
import { Acts } from '../../src/control/act.ts';
import {
  silent as log,
  startTestStore,
  tester,
  type TestStore,
} from '../fixtures/control-store.ts';
import { isSignedWith, startReceiver, type Receiver } from '../fixtures/webhook-receiver.ts';

let store: TestStore;
const receivers: Receiver[] = [];
const dispatchers: Dispatcher[] = [];

beforeAll(async () => {
  store = await startTestStore();
});
afterAll(() => store.stop());
afterEach(async () => {
  for (const dispatcher of dispatchers.splice(0)) await dispatcher.stop();
  for (const receiver of receivers.splice(0)) await receiver.close();
  const { db } = store.connect();
  await db.deleteFrom('deliveries').execute();
  await db.deleteFrom('webhooks').execute();
});

/** As another process would have it, with connections of its own. */
function dispatcher(more: { limitMs?: number; allowsPrivate?: boolean } = {}): Dispatcher {
  const { db } = store.connect();
  const { clock, box } = store;
  const acts = new Acts({ db, clock });
  const made = new Dispatcher({ db, acts, box, allowsPrivate: true, clock, log, ...more });
  dispatchers.push(made);
  made.start();
  return made;
}

/** One that can be killed, on the clock of the machine. */
function startProcess(env: NodeJS.ProcessEnv = {}): ChildProcess {
  const entry = resolve(import.meta.dirname, '../fixtures/dispatcher-process.ts');
  return spawn(process.execPath, [entry, JSON.stringify(store.config)], {
    stdio: 'ignore',
    env: { ...process.env, ...env },
  });
}

async function kill(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

async function webhook(): Promise<{ receiver: Receiver; id: string; secret: string }> {
  const receiver = await startReceiver();
  receivers.push(receiver);
  const { row, secret } = await store.acts.run(tester, (act) =>
    new WebhookService(store.box, true).create(act, {
      orgId: store.orgId,
      url: receiver.url,
      description: '',
      events: ['key.revoked'],
      createdBy: 'tester',
    }),
  );
  return { receiver, id: row.webhook_id, secret };
}

async function happen(...names: string[]): Promise<void> {
  for (const name of names) {
    await store.acts.run(tester, (act) => {
      const data = { key_id: 'key_x', name, revoked_by: 'tester', revoked_at: '' };
      act.emit({ type: 'key.revoked', orgId: store.orgId, data });
      return Promise.resolve();
    });
  }
}

async function row(webhookId: string) {
  const { db } = store.connect();
  return await db
    .selectFrom('deliveries')
    .selectAll()
    .where('webhook_id', '=', webhookId)
    .orderBy('position')
    .executeTakeFirstOrThrow();
}

async function until(what: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!(await what())) {
    if (performance.now() > deadline) throw new Error('it did not come');
    await new Promise((wait) => setTimeout(wait, 20));
  }
}

test('an act that fails leaves neither an event nor a delivery', async () => {
  const { receiver } = await webhook();
  const { db } = store.connect();
  const failing = store.acts.run(tester, (act) => {
    const data = { key_id: 'key_x', name: 'never', revoked_by: 'tester', revoked_at: '' };
    act.emit({ type: 'key.revoked', orgId: store.orgId, data });
    // What cannot be written, after one that was.
    const broken = { ...data, name: 1n as unknown as string };
    act.emit({ type: 'key.revoked', orgId: store.orgId, data: broken });
    return Promise.resolve();
  });
  await expect(failing).rejects.toThrow(/BigInt/);
  dispatcher();
  await happen('after');
  await receiver.waitFor(1);
  expect(receiver.received.map(({ body }) => body.data.name)).toEqual(['after']);
  const events = await db.selectFrom('events').select('body').execute();
  expect(events.some(({ body }) => body.includes('never'))).toBe(false);
});

test('a receiver that is too slow has failed, whatever it was slow with', async () => {
  const headers = await webhook();
  headers.receiver.answer(() => undefined);
  const body = await webhook();
  body.receiver.answer((response) => response.writeHead(200).write('and'));
  dispatcher({ limitMs: 300 });
  await happen('one');
  for (const { id } of [headers, body]) {
    await until(async () => (await row(id)).error !== null);
    const delivery = await row(id);
    expect(delivery).toMatchObject({ state: 'pending', attempt: 1, leased_until: null });
    expect(delivery.error).toBe('no answer within 0.3 s');
    expect(delivery.next_at.getTime() - store.clock().getTime()).toBeGreaterThan(2_000);
  }
});

test('a webhook that hangs does not hold up another', async () => {
  const stuck = await webhook();
  stuck.receiver.answer(() => undefined);
  const quick = await webhook();
  dispatcher({ limitMs: 20_000 });
  await happen('one', 'two', 'three');
  await quick.receiver.waitFor(3);
  expect(stuck.receiver.received).toHaveLength(1);
});

test('those of one organization leave room for others', async () => {
  const stuck = await Promise.all(Array.from({ length: 10 }, () => webhook()));
  for (const { receiver } of stuck) receiver.answer(() => undefined);
  const each = dispatcher({ limitMs: 20_000 });
  dispatcher({ limitMs: 20_000 });
  await happen('one');
  const busy = () => stuck.filter(({ receiver }) => receiver.received.length > 0).length;
  await until(() => Promise.resolve(busy() === 8));
  each.wake();
  await new Promise((wait) => setTimeout(wait, 1_500));
  expect(busy()).toBe(8);
});

test('a secret that was sealed with another key is a failure like others', async () => {
  const { id } = await webhook();
  const { db } = store.connect();
  await db
    .updateTable('webhooks')
    .set({ secret: Buffer.alloc(60) })
    .where('webhook_id', '=', id)
    .execute();
  dispatcher();
  await happen('one');
  await until(async () => (await row(id)).error !== null);
  expect(await row(id)).toMatchObject({ state: 'pending', attempt: 1, leased_until: null });
  expect((await row(id)).error).toMatch(/control\.secret_key/);
});

test('over TLS, to whoever has a certificate that somebody vouches for', async () => {
  let requests = 0;
  const tls = (name: string) =>
    resolve(import.meta.dirname, `../../fixtures/tls/test-only.${name}.pem`);
  const server = createServer(
    { cert: readFileSync(tls('cert')), key: readFileSync(tls('key')) },
    (_request, response) => {
      requests += 1;
      response.end();
    },
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { id } = await webhook();
  const { db } = store.connect();
  await db
    .updateTable('webhooks')
    .set({ url: `https://localhost:${(server.address() as AddressInfo).port}/` })
    .where('webhook_id', '=', id)
    .execute();
  const refusing = dispatcher();
  await happen('one');
  await until(async () => (await row(id)).error !== null);
  expect((await row(id)).error).toMatch(/certificate/);
  expect(requests).toBe(0);
  await refusing.stop();
  await db.updateTable('deliveries').set({ next_at: new Date() }).execute();
  const child = startProcess({ NODE_EXTRA_CA_CERTS: tls('cert') });
  await until(async () => (await row(id)).state === 'delivered');
  expect([requests, (await row(id)).status_code]).toEqual([1, 200]);
  await kill(child);
  server.close();
});

test('several share the work: each event comes once, and in order', async () => {
  const [one, other] = [await webhook(), await webhook()];
  const all = [dispatcher(), dispatcher(), dispatcher()];
  const names = Array.from({ length: 40 }, (_, number) => `agent-${number}`);
  const waking = setInterval(() => all.forEach((each) => each.wake()), 5);
  await happen(...names);
  for (const { receiver, secret } of [one, other]) {
    const got = await receiver.waitFor(names.length);
    expect(got.map(({ body }) => body.data.name)).toEqual(names);
    expect(got.every((each) => isSignedWith(secret, each))).toBe(true);
  }
  clearInterval(waking);
});

test('what a process had in hand when it was killed is delivered by another', async () => {
  const { receiver, id } = await webhook();
  receiver.answer(() => undefined);
  await happen('one', 'two');
  const child = startProcess();
  await receiver.waitFor(1);
  await kill(child);
  receiver.answer((response) => response.writeHead(204).end());
  dispatcher();
  await new Promise((wait) => setTimeout(wait, 1_500));
  // It may still be alive, for all that others know.
  expect(receiver.received).toHaveLength(1);
  expect((await row(id)).leased_until).not.toBeNull();
  store.pass(leaseMs);
  const got = await receiver.waitFor(3);
  expect(got.map(({ body }) => body.data.name)).toEqual(['one', 'one', 'two']);
  expect(got.map(({ headers }) => headers['x-hatidata-delivery-attempt'])).toEqual(['1', '2', '1']);
});

test('one that is stopped gives back what it has in hand', async () => {
  const { receiver, id } = await webhook();
  receiver.answer(() => undefined);
  const first = dispatcher();
  await happen('one');
  await receiver.waitFor(1);
  await first.stop();
  expect(await row(id)).toMatchObject({ state: 'pending', attempt: 0, leased_until: null });
  receiver.answer((response) => response.writeHead(204).end());
  dispatcher();
  await receiver.waitFor(2);
});

test('private targets are refused when something is sent, too', async () => {
  const { receiver, id } = await webhook();
  dispatcher({ allowsPrivate: false });
  await happen('one');
  await until(async () => (await row(id)).error !== null);
  expect((await row(id)).error).toMatch(/127\.0\.0\.1 is not a public address/);
  expect(receiver.received).toEqual([]);
});

test('a webhook that was deleted meanwhile gets nothing, and an act that was on its way succeeds', async () => {
  const { receiver, id } = await webhook();
  await store.acts.run(tester, async (act) => {
    const found = await lockWebhook(act.tx, store.orgId, id);
    await new WebhookService(store.box, true).remove(act, found!);
  });
  await happen('one');
  dispatcher();
  await new Promise((wait) => setTimeout(wait, 1_200));
  expect(receiver.received).toEqual([]);
});

test('nothing is sent for an organization that is suspended, until it is active again', async () => {
  const { receiver } = await webhook();
  const { db } = store.connect();
  const set = (status: 'active' | 'suspended') =>
    db.updateTable('organizations').set({ status }).where('org_id', '=', store.orgId).execute();
  await set('suspended');
  await happen('one');
  const each = dispatcher();
  await new Promise((wait) => setTimeout(wait, 1_200));
  expect(receiver.received).toEqual([]);
  await set('active');
  each.wake();
  await receiver.waitFor(1);
});

test('old events go, with their deliveries and with webhooks that were deleted', async () => {
  const { id } = await webhook();
  await happen('one');
  const { db } = store.connect();
  await store.acts.run(tester, async (act) => {
    const found = await lockWebhook(act.tx, store.orgId, id);
    await new WebhookService(store.box, true).remove(act, found!);
  });
  await forgetBefore(db, new Date(store.clock().getTime() - 3_600_000));
  expect(await db.selectFrom('webhooks').select('webhook_id').execute()).toHaveLength(1);
  await forgetBefore(db, new Date(store.clock().getTime() + 1_000));
  for (const table of ['events', 'deliveries', 'webhooks'] as const)
    expect(await db.selectFrom(table).selectAll().execute()).toEqual([]);
});
