/** Cancels, failures and floods at the moment when a connection changes hands. */
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { cancelRequest } from '../../../src/wire/frontend-messages.ts';
import { MessageWriter } from '../../../src/wire/writer.ts';
import { frontend as f, RawClient, show } from '../../fixtures/raw-client.ts';
import { codeOf, sleep, smallPool, startRelayed, value } from '../small-pool.ts';
import { play, query, run, Stage, step } from './stage.ts';

vi.setConfig({ testTimeout: 30_000 });

let stage: Stage;

beforeAll(async () => {
  stage = await Stage.open(2, 'CREATE TABLE t (i int)');
});
afterAll(() => stage.close());

test('a cancel that comes late for a SET ends no session, and its value is kept', async () => {
  const client = await RawClient.login(stage.proxy.port);
  const { processId, secret } = client.cancelKey;
  const cancel = async (): Promise<void> => {
    const canceller = connect({ host: '127.0.0.1', port: stage.proxy.port });
    canceller.end(cancelRequest(processId, secret));
    await new Promise((resolve) => canceller.once('close', resolve));
  };
  const wrong: unknown[] = [];
  for (let round = 0; round < 300; round += 1) {
    client.send(f.query(`SET my.a = '${round}'`));
    await sleep(round % 3);
    const sent = Promise.all([cancel(), round % 2 === 0 ? cancel() : undefined]);
    const answer = show(await client.untilReady());
    await sent;
    const [seen] = await play(client, [query("SELECT current_setting('my.a', true)")]);
    const isSet = answer[0] === 'C SET';
    const isCancelled = answer[0]!.startsWith('E 57014');
    // One that is later still meets this statement instead.
    const isSeen = seen![0]!.startsWith('E 57014') || seen!.includes(`D ${round}`) === isSet;
    if (isSet === isCancelled || !isSeen) wrong.push([round, answer, seen]);
  }
  expect(wrong).toEqual([]);
  client.close();
});

test('Syncs without end in a COPY are not kept', async () => {
  const client = await RawClient.login(stage.proxy.port);
  client.send(f.query('COPY t FROM STDIN'), f.copyData('1\n'));
  client.send(...Array.from({ length: 5_000 }, () => f.sync()));
  expect(show(await client.rest()).at(-1)).toMatch(/^E 08P01/);
  const admin = await stage.proxy.client();
  expect(await value(admin, 'SELECT count(*)::int FROM t')).toBe(0);
  await admin.end();
});

test('a statement of HatiData outlives what an error discards', async () => {
  const own = 'SELECT count(*) > 0 FROM _hatidata_status.pools';
  const answers = await stage.atProxy([
    step(f.parse('', own), f.parse('o', own), f.parse('s', 'SELECT 8'), f.sync()),
    step(f.execute('nope'), f.parse('', 'SELECT 8'), f.sync()),
    run(''),
    query('BEGIN'),
    step(f.bind('', 'o'), f.sync()),
    query('SAVEPOINT s'),
    step(f.execute('nope'), f.bind('', 's'), f.sync()),
    query('ROLLBACK TO s'),
    step(f.execute(''), f.sync()),
  ]);
  expect(answers.filter((each) => each.includes('D t'))).toHaveLength(2);
});

test.each(['p', ''])(
  'mode = "transaction": a Bind that is refused leaves the portal "%s" as it was',
  async (portal) => {
    const setup = 'CREATE FUNCTION f() RETURNS int IMMUTABLE LANGUAGE sql RETURN 1';
    const strict = await Stage.open(2, setup, 'transaction');
    // It is known to the proxy from now on.
    await sleep(2_500);
    const owner = await strict.proxy.client();
    const [one, other] = [await RawClient.login(strict.proxy.port), await strict.proxy.client()];
    try {
      const say = async (...messages: readonly Buffer[]): Promise<string[]> => {
        one.send(...messages, f.sync());
        return show(await one.untilReady());
      };
      const named = (name: string): Promise<string[]> => say(f.bind(name, name), f.execute(name));
      const prepared = { name: 's', text: 'SELECT 4711 AS x' };
      await other.query(prepared);
      await say(f.parse('s', 'SELECT f()'), f.parse('d', 'DEALLOCATE ALL'));
      await say(f.parse('b', 'BEGIN'), f.parse('v', 'SAVEPOINT v'), f.parse('r', 'ROLLBACK TO v'));
      // A Query would take the unnamed portal away.
      await named('b');
      expect(await say(f.bind(portal, 'd'))).toEqual(['2', 'Z T']);
      await named('v');
      const pinning = "VOLATILE LANGUAGE plpgsql AS 'BEGIN RETURN 2; END'";
      await owner.query(`CREATE OR REPLACE FUNCTION f() RETURNS int ${pinning}`);
      await sleep(2_500);
      expect(await say(f.bind(portal, 's'))).toEqual([expect.stringMatching(/^E 0A000/), 'Z E']);
      await named('r');
      expect(await say(f.execute(portal))).toEqual(['C DEALLOCATE ALL', 'Z T']);
      await play(one, [query('COMMIT')]);
      // It was noticed: nobody counts on what is gone.
      for (let round = 0; round < 3; round += 1)
        expect((await other.query(prepared)).rows).toEqual([{ x: 4711 }]);
    } finally {
      one.close();
      await Promise.all([owner.end(), other.end()]);
      await strict.close();
    }
  },
);

/** As an engine says it that is told to end a connection. */
const ended = ['SFATAL', 'VFATAL', 'C57P01', 'Mterminating connection due to administrator command']
  .reduce((writer, field) => writer.cstring(field), new MessageWriter())
  .byte(0)
  .finish('E'.charCodeAt(0));

test('a FATAL right behind ReadyForQuery is nobody’s, and a later loss is told', async () => {
  await using relayed = await startRelayed(stage.proxy);
  const [client, other] = [await relayed.proxy.client(), await relayed.proxy.client()];
  expect(await value(client, 'SELECT 1')).toBe(1);
  let isToCome = true;
  relayed.relay.set({
    shape: (chunk) => {
      if (!isToCome || chunk.at(-6) !== 'Z'.charCodeAt(0)) return [chunk];
      isToCome = false;
      return [Buffer.concat([chunk, ended])];
    },
  });
  expect(await value(client, 'SELECT 2')).toBe(2);
  expect(isToCome).toBe(false);
  for (const each of [client, other, client]) expect(await value(each, 'SELECT 3')).toBe(3);
  await client.query('BEGIN');
  await client.query('SELECT 1');
  const lost = codeOf(client.query('SELECT pg_sleep(20)'));
  await sleep(50);
  relayed.relay.cut();
  expect(await lost).toBe('08006');
});

test('a FATAL in the same breath as the login is nobody’s either', async () => {
  await using relayed = await startRelayed(stage.proxy);
  const client = await relayed.proxy.client();
  // The connection that is there is kept by somebody else, so another one is opened.
  const keeper = await relayed.proxy.client();
  await keeper.query('BEGIN');
  let ends = 0;
  relayed.relay.set({
    shape: (chunk) => {
      // ReadyForQuery behind BackendKeyData: only a login has that.
      if (ends >= 2 || chunk.at(-6) !== 'Z'.charCodeAt(0) || !chunk.includes('K\0\0\0'))
        return [chunk];
      ends += 1;
      return [Buffer.concat([chunk, ended])];
    },
  });
  expect(await value(client, 'SELECT 1')).toBe(1);
  expect(ends).toBe(2);
  await keeper.query('COMMIT');
});

test('mode = "transaction" keeps no connection for a session', async () => {
  const pool = { ...smallPool, mode: 'transaction', writers: 1 } as const;
  await using started = await startRelayed(stage.proxy, { pool });
  const strict = started.proxy;
  const next = await strict.client();
  const many = Array.from({ length: 70 }, (_, n) => `SET my.n${n} = '1'`).join('; ');
  for (const text of [`SET my.big = '${'x'.repeat(20_000)}'`, many]) {
    const client = await strict.client();
    await client.query(text).catch(() => undefined);
    expect(await value(next, 'SELECT 1')).toBe(1);
    expect(await codeOf(client.query('SELECT 1'))).not.toBe('no error');
  }
  for (const options of ['-c statement_timeout=300', '-c search_path=pg_temp'])
    expect(await codeOf(strict.client('', { options }))).toBe('0A000');
  expect(await value(next, 'SELECT 1')).toBe(1);
});
