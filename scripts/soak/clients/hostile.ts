/** Clients that go in the middle of something, and clients that cancel. */
import { once } from 'node:events';
import { connect } from 'node:net';
import type pg from 'pg';
import { frontend as f, RawClient, show } from '../../../test/fixtures/raw-client.ts';
import { any, keepAt, same, sleep, soon, withPg, WrongAnswer, type Client } from '../load.ts';
import { codeOf } from '../record.ts';

/** What is sent before the socket is destroyed. Nothing of it may be done afterwards. */
const moments: readonly ((insert: string) => readonly Buffer[])[] = [
  (insert) => [f.query(`BEGIN; ${insert}`)],
  (insert) => [f.query(`BEGIN; ${insert}; SELECT pg_sleep(5)`)],
  (insert) => [f.query('BEGIN'), f.query(insert), f.query('SELECT 1/0')],
  (insert) => [f.query(`BEGIN; SET my.client = 'foreign'; SET TimeZone = 'Asia/Tokyo'; ${insert}`)],
  (insert) => [f.parse('own', insert), f.bind('', 'own'), f.execute(''), f.flush()],
  (insert) => [
    f.query(`BEGIN; CREATE TEMP TABLE mine (n int); ${insert}`),
    f.query('COMMIT').subarray(0, 4),
  ],
  (insert) => [f.query(`BEGIN; ${insert}; SELECT pg_advisory_lock(77)`), f.query('LISTEN gossip')],
  (insert) => [
    f.query(`BEGIN; ${insert}`),
    f.query('COPY copied FROM STDIN'),
    f.copyData('0\t1\tx\n'),
  ],
  (insert) => [
    f.query(`BEGIN; ${insert}`),
    f.query("COPY (SELECT repeat('x', 1000) FROM generate_series(1, 20000)) TO STDOUT"),
  ],
];

export function destroyed(client: Client): Promise<void> {
  const { load, place, id, key } = client;
  return keepAt(
    client,
    'sockets destroyed',
    async () => {
      load.record.connects += 1;
      load.record.statements += 1;
      const raw = await soon('login', RawClient.login(place.port, key())).catch(
        (error: unknown) => {
          // It reads no error of a login; whatever ended it is told as a lost connection.
          throw error instanceof WrongAnswer
            ? error
            : new Error('Connection terminated', { cause: error });
        },
      );
      const write = load.ledger.begin(id);
      // Nothing of it is committed, however far it comes.
      load.ledger.rolledBack(id, write);
      raw.send(...moments[any(moments.length)]!(`INSERT INTO ledger VALUES (${id}, ${write})`));
      await sleep(any(80));
      if (any(2) === 0) raw.socket.resetAndDestroy();
      else raw.close();
    },
    150,
  );
}

/** Row by row, with Flush and no Sync in between: PortalSuspended each time. */
export function suspending(client: Client): Promise<void> {
  const { load, place, id, key } = client;
  return keepAt(
    client,
    'row-limited Execute',
    async () => {
      load.record.connects += 1;
      const raw = await soon('login', RawClient.login(place.port, key())).catch(
        (error: unknown) => {
          throw error instanceof WrongAnswer
            ? error
            : new Error('Connection terminated', { cause: error });
        },
      );
      try {
        for (let round = 0; round < 10 && !load.ending.aborted; round += 1) {
          load.record.statements += 1;
          const ready = async (): Promise<string[]> => {
            const shown = show(
              await soon(
                'batch',
                raw.untilReady().catch(() => {
                  throw new Error('Connection terminated');
                }),
              ),
            );
            const told = shown.find((line) => line.startsWith('E '));
            if (told === undefined) return shown;
            throw Object.assign(new Error(told), { code: told.slice(2, 7) });
          };
          const sql = `SELECT ${id} + i FROM generate_series(1, 5) AS i`;
          raw.send(
            f.parse('own', sql),
            f.bind('p', 'own'),
            f.execute('p', 2),
            f.execute('p', 2),
            f.execute('p', 2),
          );
          raw.send(f.close('S', 'own'), f.sync());
          const rows = [1, 2, 3, 4, 5].map((n) => `D ${id + n}`);
          const wanted = [
            '1',
            '2',
            ...rows.slice(0, 2),
            's',
            ...rows.slice(2, 4),
            's',
            rows[4]!,
            'C SELECT 1',
            '3',
            'Z I',
          ];
          same('portal', await ready(), wanted);
          await sleep(any(50));
        }
        raw.send(f.terminate());
      } finally {
        raw.close();
      }
    },
    100,
  );
}

/** Cancels its own statements, through either proxy. A cancel that was answered hits nothing later. */
export function cancelling(client: Client, ports: readonly number[]): Promise<void> {
  return keepAt(
    client,
    'cancels',
    () =>
      withPg(client, async (ask, connection) => {
        const last = { port: 0, asked: 0, answered: 0 };
        const cancel = async (): Promise<void> => {
          last.port = ports[any(ports.length)]!;
          last.asked = performance.now();
          await requestCancel(last.port, connection);
          last.answered = performance.now();
        };
        for (let round = 0; round < 10 && !client.load.ending.aborted; round += 1) {
          if (round % 2 === 0) await slow(ask('SELECT pg_sleep(40)'), cancel);
          else {
            // It may come before, in time, or late.
            const quick = ask('SELECT $1::int', [round]).catch((error: unknown) => {
              if (codeOf(error) !== '57014') throw error;
              return round;
            });
            const [answer] = await Promise.all([quick, cancel()]);
            same('quick one', answer, round);
          }
          const next = await ask('SELECT $1::int', [client.id]).catch((error: unknown) => {
            if (codeOf(error) !== '57014') throw error;
            const taken = `${(last.answered - last.asked).toFixed(0)} ms, answered ${(performance.now() - last.answered).toFixed(0)} ms ago`;
            throw new WrongAnswer(
              `a cancel hit the statement behind (${(error as pg.DatabaseError).routine ?? 'said by HatiData'}): ${round % 2 === 0 ? 'slow' : 'quick'}, through ${last.port === client.place.port ? 'its own' : 'the other'} proxy in ${taken}`,
            );
          });
          same('the next one', next, client.id);
        }
      }),
    300,
  );
}

async function slow(answer: Promise<unknown>, cancel: () => Promise<void>): Promise<void> {
  let hasEnded = false;
  const ended = answer.then(
    () => {
      throw new WrongAnswer('a statement that was cancelled went on to its end');
    },
    (error: unknown) => {
      hasEnded = true;
      if (codeOf(error) !== '57014') throw error;
    },
  );
  ended.catch(() => undefined);
  await sleep(any(200));
  const since = Date.now();
  // One that comes before the statement is at work is for nobody.
  while (!hasEnded) {
    if (Date.now() - since > 20_000)
      throw new WrongAnswer('20 s of cancel requests were not heard');
    await cancel();
    await Promise.race([ended, sleep(500)]);
  }
  await ended;
}

async function requestCancel(port: number, connection: pg.Client): Promise<void> {
  const { processID, secretKey } = connection as unknown as {
    processID: number;
    secretKey: number;
  };
  const request = Buffer.alloc(16);
  [16, 80_877_102, processID, secretKey].forEach((value, at) =>
    request.writeInt32BE(value, at * 4),
  );
  const socket = connect({ host: '127.0.0.1', port });
  socket.on('error', () => undefined);
  socket.resume();
  socket.end(request);
  if (!socket.destroyed) await soon('cancel request', once(socket, 'close'));
}
