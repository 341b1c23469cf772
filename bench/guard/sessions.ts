/** The whole way of statements: clients over TCP, a proxy as the product assembles it, the embedded PostgreSQL. */
import { connect } from 'node:net';
import { startTestProxy, testConfig } from '../../test/fixtures/proxy.ts';
import { frontend as f, RawClient, show } from '../../test/fixtures/raw-client.ts';
import type { Scenario } from './scenario.ts';
import type { SocketCalls } from './socket-calls.ts';

const times = 50;
/** Of all clients together. */
const rounds = 20;
const together = 16;
const rows = 10_000;
const idOf = (count: number): string => String((count % 1_000) + 1_000);

export interface Sessions {
  readonly scenarios: readonly Scenario[];
  readonly close: () => Promise<void>;
}

export async function startSessions({
  fastLane,
  calls,
}: {
  fastLane: boolean;
  calls: SocketCalls;
}): Promise<Sessions> {
  const { pool } = testConfig('');
  const proxy = await startTestProxy({
    pool: { ...pool, fastLane },
    log: { level: 'info', pretty: false },
  });
  const admin = await proxy.client();
  await admin.query('CREATE TABLE main.guard (id int PRIMARY KEY, note text)');
  await admin.query(
    `INSERT INTO main.guard SELECT n, repeat('x', 96) FROM generate_series(1, ${rows}) n`,
  );
  await admin.query('CREATE TABLE main.guard_copied (id int, note text)');
  const key = async (agent: string, scope: string): Promise<string> => {
    const limits = JSON.stringify({ tables: ['main.guard', 'main.guard_copied'] });
    const made = await admin.query<{ key: string }>(
      `SELECT create_api_key('${agent}', '${scope}', 'guard', limits => '${limits}') AS key`,
    );
    return made.rows[0]!.key;
  };
  const reading = await key('guard-reader', 'query:read');
  const writing = await key('guard-writer', 'query:read,query:write');
  await admin.end();

  const login = async (secret: string): Promise<RawClient> => {
    const socket = connect({ host: '127.0.0.1', port: proxy.port, noDelay: true });
    calls.ignore(socket);
    return RawClient.login(socket, secret);
  };
  const clients = await Promise.all(Array.from({ length: together }, () => login(reading)));
  const [client] = clients;
  const writer = await login(writing);
  for (const each of clients) {
    each.send(f.parse('byId', byId), f.sync());
    await answer(each);
  }
  const oneByOne = (name: string, ask: (count: number) => readonly Buffer[]): Scenario => ({
    name,
    units: times,
    run: async () => {
      for (let count = 0; count < times; count += 1) {
        client!.send(...ask(count));
        await answer(client!);
      }
    },
  });
  const lane = fastLane ? 'in the lane' : 'beside it';
  const ways = Object.entries(asks).map(([name, ask]) => oneByOne(`${name}, ${lane}`, ask));
  const all = Object.entries(asks).map(([name, ask]): Scenario => ({
    name: `${name}, ${together} clients, ${lane}`,
    // One read brings the answers that are there.
    ...(fastLane && { timed: ['reads'] }),
    units: rounds * together,
    run: async () => {
      for (let count = 0; count < rounds; count += 1) {
        for (const [at, each] of clients.entries()) each.send(...ask(count + at));
        await Promise.all(clients.map(answer));
      }
    },
  }));
  const others: readonly Scenario[] = [
    {
      name: 'a transaction of five statements',
      units: rounds,
      run: async () => {
        for (let count = 0; count < rounds; count += 1)
          for (const sql of transaction(idOf(count))) {
            writer.send(f.query(sql));
            await answer(writer);
          }
      },
    },
    {
      name: 'COPY in, 10,000 rows',
      isStream: true,
      units: rows,
      run: async () => {
        writer.send(f.query('COPY main.guard_copied FROM STDIN'));
        await writer.until('G');
        for (let sent = 0; sent < rows; sent += 100)
          writer.send(...Array.from({ length: 100 }, () => copied));
        writer.send(f.copyDone());
        await answer(writer);
      },
    },
    {
      name: 'COPY out, 10,000 rows',
      isStream: true,
      units: rows,
      run: async () => {
        client!.send(f.query('COPY main.guard TO STDOUT'));
        await answer(client!);
      },
    },
    {
      // The record of logins goes to the control store once in a while.
      name: 'connecting',
      timed: ['reads', 'writes'],
      units: rounds,
      run: async () => {
        for (let count = 0; count < rounds; count += 1) {
          const another = await login(reading);
          another.send(f.terminate());
          await another.rest();
        }
      },
    },
  ];
  return {
    scenarios: fastLane ? [...ways, ...all] : [...ways, ...all, ...others],
    close: async () => {
      for (const each of [...clients, writer]) each.close();
      await proxy.stop();
    },
  };
}

const byId = 'SELECT note FROM main.guard WHERE id = $1';
const copied = f.copyData(`7\t${'x'.repeat(96)}\n`);

/** As pgbench asks in its three modes. */
const asks: Readonly<Record<string, (count: number) => readonly Buffer[]>> = {
  simple: (count) => [f.query(`SELECT note FROM main.guard WHERE id = ${idOf(count)};`)],
  extended: (count) => [
    f.parse('', byId),
    f.bind('', '', [idOf(count)]),
    f.describe('P', ''),
    f.execute(''),
    f.sync(),
  ],
  prepared: (count) => [
    f.bind('', 'byId', [idOf(count)]),
    f.describe('P', ''),
    f.execute(''),
    f.sync(),
  ],
};

function transaction(id: string): readonly string[] {
  return [
    'BEGIN',
    `UPDATE main.guard SET note = note WHERE id = ${id}`,
    `SELECT note FROM main.guard WHERE id = ${id}`,
    `UPDATE main.guard SET note = note WHERE id = ${id}`,
    'END',
  ];
}

async function answer(client: RawClient): Promise<void> {
  const received = await client.untilReady();
  if (received.some(({ type }) => type === 'E')) throw new Error(show(received).join(' '));
}
