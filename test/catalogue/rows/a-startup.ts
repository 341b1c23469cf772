/** A: the first packets, and what they may ask for. */
import { expect } from 'vitest';
import { sslRequest } from '../../../src/wire/frontend-messages.ts';
import { frontend as f, RawClient, show } from '../../fixtures/raw-client.ts';
import { all, cannotSet, cannotSetTo, onlyUtf8 } from '../model.ts';
import { startup } from '../startup-case.ts';
import type { Row, ScriptCase } from '../model.ts';
import { exchange, expectSeen } from '../run-rows.ts';

const refusedReplication = '0A000 a replication connection is not supported by HatiData';

const startupSettings: readonly (readonly [string, string, string])[] = [
  ['statement_timeout', '2h', cannotSetTo('statement_timeout', '2h')],
  ['idle_session_timeout', '0', cannotSetTo('idle_session_timeout', '0')],
  ['default_transaction_read_only', 'off', cannotSetTo('default_transaction_read_only', 'off')],
  ['search_path', 'pg_temp', cannotSetTo('search_path', 'pg_temp')],
  ['session_replication_role', 'replica', cannotSet('session_replication_role')],
  ['role', 'hatidata_writer', cannotSet('role')],
  ['session_authorization', 'hatidata_writer', cannotSet('session_authorization')],
  ['statement_timeout', '0', cannotSetTo('statement_timeout', '0')],
  ['work_mem', '2GB', cannotSetTo('work_mem', '2GB')],
  ['standard_conforming_strings', 'off', cannotSetTo('standard_conforming_strings', 'off')],
  ['client_encoding', 'GBK', onlyUtf8('GBK')],
  ['log_statement', 'none', cannotSet('log_statement')],
  ['local_preload_libraries', 'x', cannotSet('local_preload_libraries')],
  ['nobody_knows_this', '1', cannotSet('nobody_knows_this')],
];

const optionSpellings: readonly ((name: string, value: string) => string)[] = [
  (name, value) => `-c ${name}=${value}`,
  (name, value) => `-c${name}=${value}`,
  (name, value) => `--${name.replaceAll('_', '-')}=${value}`,
  (name, value) => `-c application_name=x  -c ${name.toUpperCase()}=${value}`,
];

export const startups: readonly Row[] = [
  {
    id: 'A30',
    title: 'settings in the startup packet',
    cases: [
      ...startupSettings.map(([name, value, sees]) => startup({ [name]: value }, sees)),
      startup({ search_path: 'evil' }, 'D evil', 'SHOW search_path'),
      startup({ row_security: 'off' }, 'D off', 'SHOW row_security'),
      startup(
        { default_transaction_read_only: 'on' },
        'D on',
        'SHOW default_transaction_read_only',
      ),
    ],
  },
  {
    id: 'A31',
    title: 'settings in options',
    cases: [
      ...startupSettings.flatMap(([name, value, sees]) =>
        optionSpellings.map((spell) => startup({ options: spell(name, value) }, sees)),
      ),
      startup({ options: '-c role=hatidata_writer -c search_path=pg_temp' }, cannotSet('role')),
      ...[
        '-d 5',
        '-B 100',
        '-E',
        '-P',
        '-e',
        '-F',
        '-O',
        '-S 100',
        '-t pa',
        '-W 1',
        '-f s',
        '-i',
        '-n',
        'role=x',
        '--',
        '-c',
      ].map((options) =>
        startup({ options }, /^42501 startup parameter .* cannot be set through HatiData$/),
      ),
      startup(
        { options: '-c search_path=main\\ ,pg_temp' },
        cannotSetTo('search_path', 'main ,pg_temp'),
      ),
      startup(
        { options: '-c default_transaction_read_only=o\\ff' },
        cannotSetTo('default_transaction_read_only', 'off'),
      ),
    ],
  },
  {
    id: 'A32',
    title: 'replication connections',
    cases: [
      ...['database', 'true', 'on', '1', 'yes', 'TRUE', 'nonsense'].map((replication) =>
        startup({ replication }, refusedReplication),
      ),
      // No setting of that name exists; it asks for nothing there.
      startup({ options: '-c replication=database' }, 'D 1'),
      ...all(
        /^42601 /,
        'START_REPLICATION SLOT x LOGICAL 0/0',
        'IDENTIFY_SYSTEM',
        'BASE_BACKUP',
      ).map(({ text }): ScriptCase => ({
        name: text as string,
        run: async (world) => {
          const client = await world.login('readonly');
          expectSeen(await exchange(client, [f.query(text as string)]), [/^42601 /, 'Z I']);
          client.close();
        },
      })),
    ],
  },
  {
    id: 'A33',
    title: 'protocol options and minor versions',
    cases: [2, 3, 9_999].map((minor) => ({
      name: `3.${minor} with _pq_.foo`,
      run: async (world) => {
        const client = new RawClient(world.proxy.port);
        client.send(
          f.startup({ user: 'agent', '_pq_.foo': '1' }, minor),
          f.password(world.keys.readonly),
        );
        const [negotiation] = await client.until('v');
        expect(negotiation!.body.readInt32BE(0)).toBe((3 << 16) | 2);
        expect(negotiation!.body.toString('utf8', 4)).toBe('\0\0\0\u0001_pq_.foo\0');
        expect((await client.untilReady()).at(-1)!.type).toBe('Z');
        client.close();
      },
    })),
  },
  {
    id: 'A34',
    title: 'plain text behind SSLRequest and GSSENCRequest',
    cases: [
      ['SSLRequest', sslRequest],
      ['GSSENCRequest', gssRequest()],
    ].map(([name, request]) => ({
      name: `${String(name)} and a Query in one packet`,
      run: async (world) => {
        const client = new RawClient(world.proxy.port);
        client.send(request as Buffer, f.query('DELETE FROM u'));
        expect(await client.byte()).toBe('N');
        expectSeen(show(await client.rest()), [/^08P01 /]);
      },
    })),
  },
  {
    id: 'A35',
    title: 'GSSENCRequest',
    cases: [
      {
        name: 'is declined, and the connection goes on',
        run: async (world) => {
          const client = new RawClient(world.proxy.port);
          client.send(gssRequest());
          expect(await client.byte()).toBe('N');
          client.send(sslRequest);
          expect(await client.byte()).toBe('N');
          client.send(f.startup({ user: 'agent' }), f.password(world.keys.readonly));
          await client.untilReady();
          expect(await exchange(client, [f.query('SELECT 1')])).toContain('D 1');
          client.close();
        },
      },
    ],
  },
];

function gssRequest(): Buffer {
  return Buffer.from([0, 0, 0, 8, 4, 210, 22, 48]);
}
