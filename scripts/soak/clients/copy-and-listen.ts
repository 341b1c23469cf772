/** COPY in and out, and LISTEN. */
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { from, to } from 'pg-copy-streams';
import { any, keepAt, same, soon, WrongAnswer, withPg, type Client } from '../load.ts';

export function copying(client: Client): Promise<void> {
  const { id, load } = client;
  return keepAt(
    client,
    'COPY in and out',
    () =>
      withPg(client, async (ask, connection) => {
        const rows = 50 + any(400);
        const lines = Array.from(
          { length: rows },
          (_, n) => `${id}\t${n}\t${'y'.repeat(any(200))}\n`,
        );
        await ask('BEGIN');
        await ask('DELETE FROM copied WHERE client = $1', [id]);
        const into = connection.query(from('COPY copied FROM STDIN'));
        await soon('COPY in', pipeline(Readable.from(lines), into));
        if (any(4) === 0) {
          await ask('ROLLBACK');
          return;
        }
        await ask('COMMIT');
        const out = connection.query(
          to(`COPY (SELECT * FROM copied WHERE client = ${id} ORDER BY n) TO STDOUT`),
        );
        same('COPY out', (await soon('COPY out', text(out))) === lines.join(''), true);
        load.record.statements += 2;
      }),
    200,
  );
}

/** Hears its own channel and no other, in order. Another client of the same proxy sends. */
export function listening(client: Client): Promise<void> {
  const channel = `soak_${client.id}`;
  return keepAt(
    client,
    'LISTEN and NOTIFY',
    () =>
      withPg(client, async (listen, listener) => {
        const heard: string[] = [];
        let hear: () => void = () => undefined;
        listener.on('end', () => hear());
        listener.on('notification', (note) => {
          heard.push(`${note.channel} ${note.payload}`);
          hear();
        });
        await listen(`LISTEN ${channel}`);
        await withPg(client, async (notify) => {
          for (let n = 0; n < 20 && !client.load.ending.aborted; n += 1) {
            const next = new Promise<void>((resolve) => (hear = resolve));
            await notify('SELECT pg_notify($1, $2)', [channel, String(n)]);
            await soon(`notification ${n}`, next);
            // Whether it is still there; an error where it is not.
            if (heard.length <= n) same('listener', await listen("SELECT 'here'"), 'here');
            same(
              'heard',
              heard,
              Array.from({ length: n + 1 }, (_, each) => `${channel} ${each}`),
            );
          }
        });
        await listen('UNLISTEN *');
        if (heard.some((each) => !each.startsWith(`${channel} `)))
          throw new WrongAnswer('foreign channel');
      }),
    500,
  );
}
