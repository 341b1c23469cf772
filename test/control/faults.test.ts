/** What becomes of faults: our own mistakes, what the store can't do for a while, and a store that is away. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { sql } from 'kysely';
import { z } from 'zod';
import { defineRoute } from '../../src/api/route.ts';
import { Acts, type Act } from '../../src/control/act.ts';
import { bind } from '../../src/control/http/binding.ts';
import { ControlServer } from '../../src/control/http/server.ts';
import { Once } from '../../src/control/once.ts';
import { connectControlDatabase, type ControlDatabase } from '../../src/database/connect.ts';
import { createLogger } from '../../src/shared/log.ts';
import { someAddress } from '../fixtures/control-plane.ts';
import { silent, startTestStore, type TestStore } from '../fixtures/control-store.ts';
import { Relay } from '../fixtures/relay.ts';

const route = defineRoute({
  method: 'POST',
  path: '/v1/whatever',
  summary: 'Whatever the test wants',
  tag: 'Service',
  access: 'public',
  status: 200,
  response: z.object({ at: z.string() }),
});

let store: TestStore;
let relay: Relay;
let control: ControlDatabase;
let server: ControlServer;
let url: string;
let logged = '';
let work: (act: Act) => Promise<unknown>;

beforeAll(async () => {
  store = await startTestStore();
  const { config, clock, box } = store;
  relay = await Relay.start(`${config.host}/.s.PGSQL.${config.port}`);
  const [host, port] = relay.address.split(':');
  control = connectControlDatabase({ ...config, host: host!, port: Number(port) }, silent);
  const { db } = control;
  const acts = new Acts({ db, clock });
  server = new ControlServer({
    db,
    acts,
    once: new Once({ db, acts, box, clock }),
    authenticators: {
      key: () => Promise.resolve(undefined),
      token: () => Promise.resolve(undefined),
    },
    bindings: [
      bind(route, async ({ change }) => ({
        body: await change(async (act) => {
          await work(act);
          return { at: act.now.toISOString() };
        }),
      })),
    ],
    pages: [],
    certificate: undefined,
    trustedProxies: ['127.0.0.1/32'],
    clock,
    log: createLogger({
      level: 'warn',
      destination: {
        write: (line: string) => {
          logged += line;
        },
      },
    }),
  });
  await server.prepare();
  const address = await server.listen({ host: '127.0.0.1', port: 0 });
  url = `http://127.0.0.1:${address.port}${route.path}`;
});
afterAll(async () => {
  await server.close();
  await control.close();
  relay.stop();
  await store.stop();
});
afterEach(() => {
  logged = '';
});

async function ask() {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'x-forwarded-for': someAddress() },
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, body: JSON.parse(text) };
}

test.each([
  ['an Error', new Error('secret hd_admin_abcdefghijklmnopqrstuvwxyz012345')],
  ['a TypeError', new TypeError('secret')],
  ['what looks like a socket', Object.assign(new Error('secret'), { code: 'ECONNREFUSED' })],
])('a mistake of ours is 500, told by its number only: %s', async (_, error) => {
  work = () => Promise.reject(error);
  const { status, headers, text, body } = await ask();
  expect(status).toBe(500);
  expect(body.error).toMatchObject({ code: 'INTERNAL_ERROR', details: { reason: 'internal' } });
  expect(body.error.request_id).toBe(headers.get('x-request-id'));
  expect(headers.get('retry-after')).toBeNull();
  expect(text).not.toContain('secret');
  expect(logged).toContain(body.error.request_id);
  expect(logged).toContain('secret');
  expect(logged).not.toContain('hd_admin_abcdefghijklmnopqrstuvwxyz012345');
});

test('a statement that the store does not understand is a mistake of ours', async () => {
  work = ({ tx }) => sql`SELECT nonsense`.execute(tx);
  expect((await ask()).status).toBe(500);
  expect(logged).toContain('nonsense');
});

test.each([
  ['53100', 'the disk is full'],
  ['53300', 'too many connections'],
  ['57014', 'too slow'],
  ['58030', 'the disk is broken'],
  ['25006', 'it became a standby'],
])('what the store cannot do now is 503, with when to ask again: %s, %s', async (code, why) => {
  work = ({ tx }) =>
    sql`DO ${sql.raw(`$$ BEGIN RAISE '${why}' USING ERRCODE = '${code}'; END $$`)}`.execute(tx);
  const { status, headers, body, text } = await ask();
  expect(status).toBe(503);
  expect(body.error).toMatchObject({
    code: 'SERVICE_UNAVAILABLE',
    details: { reason: 'store_unreachable' },
  });
  expect(headers.get('retry-after')).toBe('5');
  expect(text).not.toContain(why);
  expect(logged).toContain(why);
});

test('an act whose connection the store ends is undone, and is 503', async () => {
  work = async ({ tx }) => {
    await tx
      .insertInto('login_networks')
      .values({ account: Buffer.from('x'), network: 'undone', last_at: store.clock() })
      .execute();
    await sql`SELECT pg_terminate_backend(pg_backend_pid())`.execute(tx);
  };
  expect((await ask()).status).toBe(503);
  const left = await control.db
    .selectFrom('login_networks')
    .selectAll()
    .where('network', '=', 'undone')
    .execute();
  expect(left).toEqual([]);
});

test('a store that is away is 503, and all is well when it is back', async () => {
  work = () => Promise.resolve();
  relay.refuse();
  relay.cut();
  const { status, headers, body } = await ask();
  expect([status, headers.get('retry-after')]).toEqual([503, '5']);
  expect(body.error.details.reason).toBe('store_unreachable');
  await relay.listen();
  expect((await ask()).status).toBe(200);
});

test('a store that falls silent is 503, and its connections are given up', async () => {
  work = () => Promise.resolve();
  expect((await ask()).status).toBe(200);
  relay.freeze();
  const begun = performance.now();
  expect((await ask()).status).toBe(503);
  expect(performance.now() - begun).toBeLessThan(14_000);
  expect((await ask()).status).toBe(200);
}, 30_000);

test('a store that says nothing is 503 as well, in good time', async () => {
  work = () => Promise.resolve();
  relay.set({ arrivals: 'silence' });
  relay.cut();
  const begun = performance.now();
  expect((await ask()).status).toBe(503);
  expect(performance.now() - begun).toBeLessThan(8_000);
  relay.set({});
  relay.cut();
  expect((await ask()).status).toBe(200);
}, 20_000);
