/** A: messages that are broken, cut, or out of place. */
import { expect } from 'vitest';
import { frontend as f, show } from '../../fixtures/raw-client.ts';
import { cannot, cannotRead } from '../model.ts';
import type { ExchangeCase, Row } from '../model.ts';
import { exchange, extended } from '../run-rows.ts';

const secret = 'SELECT ssn FROM t WHERE id = 1';

const row = 'D 123-45-0001';

const done = 'C SELECT 1';

const raw = (type: string, length: number, body = ''): Buffer => {
  const message = Buffer.alloc(5 + body.length);
  message.write(type, 0, 'latin1');
  message.writeInt32BE(length, 1);
  message.write(body, 5, 'latin1');
  return message;
};

const copyFail = raw('f', 7, 'no\0');

const violation = /^08P01 /;

/** Malformed messages: the reason, and the end. */
const broken: readonly (readonly [string, string, Buffer, RegExp])[] = [
  ['A17', 'a NUL inside of a Query', f.query('select 1\0; drop table t'), violation],
  ['A17', 'a NUL inside of a Parse', f.parse('', 'select 1\0; drop table t'), violation],
  ['A18', 'a Query without a terminator', raw('Q', 5, 'a'), violation],
  ['A18', 'a length of 3', raw('Q', 3), violation],
  ['A18', 'a length of 2 GB', raw('Q', 0x7fff_ffff), violation],
  ['A18', 'a negative length', raw('Q', -1), violation],
  ['A18', 'bytes behind the text of a Query', raw('Q', 8, 'a\0bc'), violation],
  ['A18', 'bytes behind a Parse', raw('P', 10, '\0\0\0\0\u0001\u0001'), violation],
  ['A37', 'a type that does not exist', raw('y', 4), violation],
  ['A37', 'a password after the login', f.password('again'), violation],
  ['A37', 'a second StartupMessage', f.startup({ user: 'postgres' }), violation],
];

const brokenOf = (id: string): ExchangeCase[] =>
  broken
    .filter(([of]) => of === id)
    .map(([, name, bytes, reason]) => ({ name, send: [bytes], sees: [reason, 'closed'] }));

export const frames: readonly Row[] = [
  { id: 'A17', title: 'a NUL in the text', cases: brokenOf('A17') },
  {
    id: 'A18',
    title: 'lengths that lie',
    cases: [
      ...brokenOf('A18'),
      {
        name: 'a length of 64 MB that never comes takes no memory',
        run: async (world) => {
          const before = process.memoryUsage().arrayBuffers;
          const clients = await Promise.all(
            Array.from({ length: 20 }, () => world.login('readonly')),
          );
          for (const client of clients) client.send(raw('Q', 60 * 1024 * 1024, 'select'));
          await new Promise((resolve) => setTimeout(resolve, 200));
          expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(100 * 1024 * 1024);
          for (const client of clients) client.close();
        },
      },
    ],
  },
  {
    id: 'A19',
    title: 'frames that are split and merged',
    cases: [
      {
        name: 'the same answers, wherever the bytes are cut',
        run: async (world) => {
          const bytes = Buffer.concat([
            f.query('DELETE FROM u'),
            f.query(secret),
            ...extended('DROP TABLE u'),
            ...extended(secret),
          ]);
          const answers = [
            ...[`E ${cannot('DELETE')}`, 'Z I', 'T', row, done, 'Z I', `E ${cannot('DDL')}`, 'Z I'],
            ...['1', '2', 'T', row, done, 'Z I'],
          ];
          const client = await world.login('readonly');
          expect(await exchange(client, [bytes], 4)).toEqual(answers);
          for (let at = 1; at < bytes.length; at += 1) {
            client.send(bytes.subarray(0, at));
            await new Promise((resolve) => setTimeout(resolve, 2));
            expect(await exchange(client, [bytes.subarray(at)], 4), `cut at ${at}`).toEqual(
              answers,
            );
          }
          for (const byte of bytes) client.send(Buffer.of(byte));
          expect(await exchange(client, [], 4)).toEqual(answers);
          client.close();
        },
      },
    ],
  },
  { id: 'A37', title: 'messages that do not belong here', cases: brokenOf('A37') },
  {
    id: 'A40',
    title: 'messages of COPY in the wrong place',
    cases: [
      // Dropped, as the protocol has it: a client may go on sending after COPY has failed.
      {
        name: 'CopyData, CopyDone and CopyFail outside of COPY change no answer, nor its place',
        send: [
          ...[
            f.copyData('1\t2\n'),
            f.query('SELECT 1'),
            f.copyDone(),
            f.query('DELETE FROM u'),
            copyFail,
          ],
          ...[
            f.query('COPY u FROM STDIN'),
            f.copyData('901\tx\t1\n'),
            f.copyDone(),
            f.query('SELECT 2'),
          ],
        ],
        sees: [
          ...['T', 'D 1', done, 'Z I', cannot('DELETE'), 'Z I', cannot('COPY'), 'Z I'],
          ...['T', 'D 2', done, 'Z I'],
        ],
      },
      {
        name: 'nor in a batch',
        send: [
          f.parse('', 'SELECT 1'),
          copyFail,
          f.bind('', ''),
          f.copyDone(),
          f.execute(''),
          f.copyData('x'),
          f.sync(),
        ],
        sees: ['1', '2', 'D 1', done, 'Z I'],
      },
      {
        name: 'a Query inside of COPY FROM STDIN ends the session, and nothing was copied',
        as: 'admin',
        run: async (world) => {
          const client = await world.login('admin');
          client.send(f.query('COPY u FROM STDIN'));
          await client.until('G');
          client.send(
            f.copyData('900\tx\t1\n'),
            f.query('SELECT 1'),
            f.copyDone(),
            f.query('SELECT 2'),
          );
          const seen = show(await client.rest());
          expect(seen.filter((line) => !line.startsWith('E '))).toEqual([]);
          expect(seen.at(0)).toMatch(/^E 08P01 /);
        },
      },
    ],
  },
  {
    id: 'A41',
    title: 'Describe, to learn of what may not be read',
    cases: [
      {
        name: 'is refused at Parse',
        send: [
          f.parse('s', 'SELECT * FROM pg_authid'),
          f.describe('S', 's'),
          f.sync(),
          f.describe('S', 's'),
          f.sync(),
        ],
        sees: [
          cannotRead('pg_authid'),
          'Z I',
          '26000 prepared statement "s" does not exist',
          'Z I',
        ],
      },
    ],
  },
];
