/** postgres.js, which pipelines: answers must come in order, whoever shares the engine connection. */
import postgres from 'postgres';
import { any, keepAt, same, sleep, soon, writing, type Client } from '../load.ts';

class Undo extends Error {}

export function pipelining(client: Client): Promise<void> {
  const { load, place, id, key } = client;
  return keepAt(client, 'postgres.js pipeline', async () => {
    const sql = postgres({
      ...{
        host: '127.0.0.1',
        port: place.port,
        user: 'agent',
        password: key(),
        database: 'hatidata',
      },
      ...{
        ssl: false,
        // Its own query for them fails where nobody can catch it.
        fetch_types: false,
        max: 1,
        onnotice: () => undefined,
        connection: { application_name: `js ${id}` },
      },
    });
    load.record.connects += 1;
    const asked = <T>(what: string, answer: Promise<T>): Promise<T> => {
      load.record.statements += 1;
      return soon(what, answer);
    };
    try {
      for (let round = 0; round < 20 && !load.ending.aborted; round += 1) {
        const together = Array.from({ length: 10 }, (_, n) =>
          asked(
            'pipelined',
            sql`SELECT ${id}::int AS id, ${n}::int AS n, ${'x'.repeat(any(500))}::text AS x`,
          ),
        );
        const answers = await allOf(together);
        same(
          'pipelined',
          answers.map(([row]) => [row!['id'] as unknown, row!['n'] as unknown]),
          together.map((_, n) => [id, n]),
        );
        await writing(client, async (write) => {
          await asked(
            'begin',
            sql.begin(async (tx) => {
              await tx`INSERT INTO ledger VALUES (${id}, ${write})`;
              const [row] =
                await tx`SELECT count(*)::int AS n FROM ledger WHERE client = ${id} AND write = ${write}`;
              same('own write', row!['n'], 1);
              if (round % 3 === 0) throw new Undo();
            }),
          ).catch((error: unknown) => {
            if (!(error instanceof Undo)) throw error;
          });
          return round % 3 === 0 ? 'rolledBack' : 'committed';
        });
        let sum = 0;
        await asked(
          'cursor',
          sql`SELECT i FROM generate_series(1, 250) AS i`.cursor(40, (rows) => {
            for (const row of rows) sum += row['i'] as number;
          }),
        );
        same('rows of a cursor', sum, 31_375);
        await sleep(any(100));
      }
    } finally {
      await sql.end({ timeout: 1 });
    }
  });
}

/** The first failure, once all have ended: no answer is left unheard. */
async function allOf<T>(answers: readonly Promise<T>[]): Promise<T[]> {
  const settled = await Promise.allSettled(answers);
  return settled.map((each) => {
    if (each.status === 'rejected') throw each.reason;
    return each.value;
  });
}
