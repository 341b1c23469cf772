/** What the protocol can do, by clients that share two engine connections with busy neighbours. */
import { connect } from 'node:net';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cancelRequest } from '../../src/wire/frontend-messages.ts';
import { MessageWriter } from '../../src/wire/writer.ts';
import { startTestProxy, type TestProxy } from '../fixtures/proxy.ts';
import { frontend as f, RawClient, show, type Received } from '../fixtures/raw-client.ts';
import { codeOf, sleep, smallPool, startRelayed, value } from './small-pool.ts';

const mb = 1024 * 1024;

let proxy: TestProxy;
let admin: pg.Client;
const neighbours: pg.Client[] = [];
let areBusy = true;
let busy: Promise<unknown> = Promise.resolve();

beforeAll(async () => {
  proxy = await startTestProxy({ pool: { ...smallPool, queueSeconds: 60 } });
  admin = await proxy.client();
  await admin.query('CREATE TABLE t (id int, v text)');
  for (let n = 0; n < 6; n += 1) neighbours.push(await proxy.client());
  busy = Promise.all(
    neighbours.map(async (client, n) => {
      while (areBusy) {
        expect(await value(client, 'SELECT $1::int', [n])).toBe(n);
        await sleep(5);
      }
    }),
  );
});
afterAll(async () => {
  areBusy = false;
  await busy;
  await proxy.stop();
});

async function exchange(client: RawClient, messages: Buffer[], readies = 1): Promise<string[]> {
  client.send(...messages);
  const received: Received[] = [];
  for (let left = readies; left > 0; left -= 1) received.push(...(await client.untilReady()));
  return show(received);
}

interface LoggedIn {
  readonly client: RawClient;
  readonly key: Buffer;
}

async function login(minor: number): Promise<LoggedIn> {
  const client = new RawClient(proxy.port);
  client.send(f.startup({ user: 'agent', database: 'hatidata' }, minor), f.password(''));
  const key = (await client.untilReady()).find(({ type }) => type === 'K')!;
  return { client, key: key.body };
}

describe.each([
  [0, 4],
  [2, 32],
])('protocol 3.%i', (minor, secretBytes) => {
  test(`a cancel key of ${secretBytes} bytes reaches its own statement and no other`, async () => {
    const one = await login(minor);
    expect(one.key.length).toBe(4 + secretBytes);
    // The first result is too large to wait for the second.
    one.client.send(f.query("SELECT repeat('x', 100000); SELECT pg_sleep(60)"));
    await one.client.until('D');
    for (const secret of [Buffer.alloc(secretBytes), one.key.subarray(4)]) {
      const canceller = connect({ host: '127.0.0.1', port: proxy.port });
      canceller.end(cancelRequest(one.key.readInt32BE(0), secret));
      await new Promise((resolve) => canceller.once('close', resolve));
    }
    const seen = show(await one.client.untilReady());
    expect(seen.at(-2)).toBe('E 57014 canceling statement due to user request');
    expect(await exchange(one.client, [f.query('SELECT 1')])).toEqual([
      ...['T', 'D 1', 'C SELECT 1', 'Z I'],
    ]);
    one.client.close();
  });
});

describe('portals and cursors', () => {
  const numbers = 'SELECT generate_series(1, 5)';

  test('a portal is read in parts over several batches of a transaction', async () => {
    const { client } = await login(0);
    await exchange(client, [f.query('BEGIN')]);
    const open = [f.parse('s', numbers), f.bind('p', 's'), f.execute('p', 2), f.sync()];
    expect(await exchange(client, open)).toEqual(['1', '2', 'D 1', 'D 2', 's', 'Z T']);
    await sleep(20);
    const more = [f.execute('p', 2), f.sync()];
    expect(await exchange(client, more)).toEqual(['D 3', 'D 4', 's', 'Z T']);
    expect(await exchange(client, more)).toEqual(['D 5', 'C SELECT 1', 'Z T']);
    await exchange(client, [f.query('COMMIT')]);
    expect(await exchange(client, more)).toEqual(['E 34000 portal "p" does not exist', 'Z I']);
    client.close();
  });

  test('outside of one it ends with its batch', async () => {
    const { client } = await login(0);
    const open = [f.parse('', numbers), f.bind('p', ''), f.execute('p', 1), f.sync()];
    expect(await exchange(client, open)).toEqual(['1', '2', 'D 1', 's', 'Z I']);
    expect(await exchange(client, [f.execute('p', 1), f.sync()])).toEqual([
      ...['E 34000 portal "p" does not exist', 'Z I'],
    ]);
    client.close();
  });

  test('a cursor is read over several statements of a transaction', async () => {
    const client = await proxy.client();
    await client.query(`BEGIN; DECLARE c SCROLL CURSOR FOR ${numbers}`);
    const seen: unknown[] = [];
    for (const fetch of ['FETCH 2 FROM c', 'FETCH LAST FROM c', 'FETCH PRIOR FROM c']) {
      seen.push((await client.query({ text: fetch, rowMode: 'array' })).rows);
      await sleep(5);
    }
    expect(seen).toEqual([[[1], [2]], [[5]], [[4]]]);
    await client.query('COMMIT');
    expect(await codeOf(client.query('FETCH c'))).toBe('34000');
    await client.end();
  });

  test('a COPY that was bound in one batch is executed in another', async () => {
    const { client, key } = await login(0);
    await exchange(client, [f.query('BEGIN; TRUNCATE t')]);
    const copy = [f.parse('', 'COPY t FROM STDIN'), f.bind('c', ''), f.sync()];
    expect(await exchange(client, copy)).toEqual(['1', '2', 'Z T']);
    // The Sync before the data is ignored, as PostgreSQL does it.
    client.send(f.execute('c'), f.sync());
    await client.until('G');
    const data = [f.copyData('1\tone\n'), f.copyDone(), f.sync()];
    expect(await exchange(client, data)).toEqual(['C COPY 1', 'Z T']);
    expect(await exchange(client, [f.query('COMMIT')])).toEqual(['C COMMIT', 'Z I']);
    // It has given its connection back.
    const { rows } = await admin.query(
      'SELECT count(engine_pid)::int AS held FROM _hatidata_status.clients WHERE client_id = $1',
      [key.readInt32BE(0)],
    );
    expect(rows).toEqual([{ held: 0 }]);
    client.close();
  });
});

test('65,535 parameters', async () => {
  const count = 65_535;
  const { client } = await login(0);
  const list = Array.from({ length: count }, (_, n) => `$${n + 1}`).join();
  const bind = new MessageWriter().cstring('').cstring('').int16(0).add(Buffer.of(0xff, 0xff));
  for (let n = 1; n <= count; n += 1) bind.int32(String(n).length).text(String(n));
  const text = `SELECT count(*), max(x) FROM unnest(ARRAY[${list}]::int[]) x`;
  const batch = [f.parse('', text), bind.int16(0).finish('B'.charCodeAt(0)), f.execute('')];
  expect(await exchange(client, [...batch, f.sync()])).toEqual([
    ...['1', '2', `D ${count}|${count}`, 'C SELECT 1', 'Z I'],
  ]);
  client.close();
});

/** Memory beyond what there was, at the most while it ran; of proxy and client, which are one process here. */
async function memoryOf(work: () => Promise<void>): Promise<number> {
  const now = (): number => {
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  const before = now();
  let most = before;
  const timer = setInterval(() => {
    most = Math.max(most, now());
  }, 10);
  await work();
  clearInterval(timer);
  return most - before;
}

describe('flat memory', () => {
  test('a value of 500 MB', async () => {
    const { client } = await login(0);
    client.socket.removeAllListeners('data');
    const bytes = 500 * mb;
    let seen = 0;
    const grown = await memoryOf(async () => {
      client.send(f.query(`SELECT repeat('x', ${bytes})`));
      await new Promise<void>((resolve) => {
        client.socket.on('data', (chunk: Buffer) => {
          seen += chunk.length;
          if (seen > bytes && chunk.at(-6) === 'Z'.charCodeAt(0)) resolve();
        });
      });
    });
    expect(seen).toBeGreaterThan(bytes);
    expect(seen).toBeLessThan(bytes + 200);
    expect(grown).toBeLessThan(128 * mb);
    client.close();
  });

  test('COPY in to an engine that does not read', async () => {
    await admin.query(`CREATE TABLE slow (v text);
      CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN IF NEW.v LIKE 'first%' THEN PERFORM pg_sleep(2); END IF; RETURN NEW; END $$;
      CREATE TRIGGER wait BEFORE INSERT ON slow FOR EACH ROW EXECUTE FUNCTION wait()`);
    const { client } = await login(0);
    client.send(f.query('COPY slow FROM STDIN'));
    await client.until('G');
    const rows = 2_000;
    const row = f.copyData(`${'y'.repeat(100_000)}\n`);
    let takenWhileAsleep = 0;
    const grown = await memoryOf(async () => {
      client.send(f.copyData('first\n'));
      const asleep = sleep(1_500).then(() => {
        takenWhileAsleep = client.socket.bytesWritten - client.socket.writableLength;
      });
      for (let n = 0; n < rows; n += 1) {
        if (!client.socket.write(row))
          await new Promise((resolve) => client.socket.once('drain', resolve));
      }
      await asleep;
      client.send(f.copyDone());
      expect(show(await client.untilReady())).toEqual([`C COPY ${rows + 1}`, 'Z I']);
    });
    expect(takenWhileAsleep).toBeLessThan(40 * mb);
    expect(grown).toBeLessThan(128 * mb);
    client.close();
  });

  test('COPY out to a client that does not read', async () => {
    const { client } = await login(0);
    client.socket.removeAllListeners('data');
    const rows = 5_000;
    let seen = 0;
    const grown = await memoryOf(async () => {
      client.send(
        f.query(`COPY (SELECT repeat('x', 100000) FROM generate_series(1, ${rows})) TO STDOUT`),
      );
      client.socket.pause();
      await sleep(1_000);
      await new Promise<void>((resolve) => {
        client.socket.on('data', (chunk: Buffer) => {
          seen += chunk.length;
          if (chunk.at(-6) === 'Z'.charCodeAt(0) && chunk.at(-1) === 'I'.charCodeAt(0)) resolve();
        });
        client.socket.resume();
      });
    });
    expect(seen).toBeGreaterThan(rows * 100_001);
    expect(grown).toBeLessThan(128 * mb);
    client.close();
  });
});

test('an engine that sends no BackendKeyData', async () => {
  await using relayed = await startRelayed(proxy);
  relayed.relay.set({ shape: (chunk) => [withoutKey(chunk)] });
  const client = await relayed.proxy.client();
  expect(await value(client, 'SELECT 1')).toBe(1);
  const others = await Promise.all(Array.from({ length: 10 }, () => relayed.proxy.client()));
  const seen = await Promise.all(others.map((each, n) => value(each, 'SELECT $1::int', [n])));
  expect(seen).toEqual(others.map((_, n) => n));
  // Nothing can be cancelled there. The statement ends by itself, and nobody else's does.
  const { processID, secretKey } = client as unknown as { processID: number; secretKey: number };
  const secret = Buffer.alloc(4);
  secret.writeInt32BE(secretKey);
  const running = value(client, 'SELECT 2 FROM pg_sleep(0.5)');
  await sleep(100);
  const canceller = connect({ host: '127.0.0.1', port: relayed.proxy.port });
  canceller.end(cancelRequest(processID, secret));
  expect(await running).toBe(2);
  expect(await value(client, 'SELECT 3')).toBe(3);
  // A key that ends in the middle of a statement.
  const made = "SELECT create_api_key('keyless', 'readonly')";
  const ending = await relayed.proxy.client(String(await value(client, made)));
  const read = codeOf(ending.query('SELECT count(*) FROM generate_series(1, 1000000000)'));
  await sleep(300);
  await client.query("SELECT revoke_api_key('keyless')");
  expect(await read).toBe('28P01');
});

/** Takes a BackendKeyData of protocol 3.0 out of a handshake. */
function withoutKey(chunk: Buffer): Buffer {
  const at = chunk.indexOf(Buffer.from([0x4b, 0, 0, 0, 12]));
  if (at < 0 || chunk.at(-6) !== 0x5a || chunk.at(0) !== 0x52) return chunk;
  return Buffer.concat([chunk.subarray(0, at), chunk.subarray(at + 13)]);
}
