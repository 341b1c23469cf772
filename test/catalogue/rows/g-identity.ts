/** G: who is let in, and as whom. */
import { expect } from 'vitest';
import { frontend as f, RawClient, show } from '../../fixtures/raw-client.ts';
import { act, inStore, loginAs, newKey, refusedKey } from '../keys.ts';
import type { Row } from '../model.ts';
import { exchange, expectSeen } from '../run-rows.ts';
import { superuserOfStore } from '../store.ts';
import { engineMajor, type World } from '../world.ts';

export const identity: readonly Row[] = [
  {
    id: 'G04',
    title: 'user and database say nothing',
    cases: [
      ...[
        { user: 'hatidata_superuser', database: 'hatidata_control' },
        { user: 'agent-admin', database: 'template1' },
        { user: 'postgres', database: 'postgres', hatidata_agent_id: 'agent-admin' },
        { user: '', database: '' },
      ].map((parameters) => ({
        name: `a readonly key with ${JSON.stringify(parameters)}`,
        run: async (world: World) => {
          const client = await world.login('readonly', parameters);
          expect(
            await exchange(client, [
              f.query(
                "SELECT session_user, current_database(), current_setting('hatidata.agent_id')",
              ),
            ]),
          ).toContain('D hatidata_reader|hatidata|agent-readonly');
          client.close();
        },
      })),
      {
        name: 'one text for every bad key',
        run: async (world) => {
          const gone = await newKey(world, 'gone');
          await act(world, 'revoke_api_key', 'gone');
          const { readonly: good, admin } = world.keys;
          for (const key of [
            ...[
              gone,
              `${good.slice(0, -1)}${good.endsWith('a') ? 'b' : 'a'}`,
              `hd_ro_${'a'.repeat(32)}`,
              'hd_ro_',
              'x',
              `${good} `,
              ` ${good}`,
            ],
            ...[
              good.toUpperCase(),
              good.replace('hd_ro_', 'hd_admin_'),
              admin.replace('hd_admin_', 'hd_ro_'),
              `${good}\u0000x`,
              'é'.repeat(3_000),
            ],
          ]) {
            expectSeen(
              [await loginAs(world.proxy.port, key)],
              [key.includes('\0') ? /^08P01 |^28P01 / : refusedKey],
              key,
            );
          }
        },
      },
    ],
  },
  {
    id: 'G05',
    title: 'our own look-ups under the settings of a client',
    cases: [
      {
        name: 'a schema with relations and functions by our names deceives nobody',
        run: async (world) => {
          await world.admin.query(`
            CREATE SCHEMA decoy;
            CREATE TABLE decoy.api_keys (key_id text, agent_id text, scope text);
            CREATE VIEW decoy.active_keys AS SELECT 'decoy'::text AS agent_id;
            CREATE TABLE decoy.pg_proc (oid oid, proname name); CREATE TABLE decoy.pg_authid (rolname name);
            CREATE FUNCTION decoy.create_api_key(text, text) RETURNS text LANGUAGE sql AS $$ SELECT 'hd_admin_decoy' $$;
            CREATE FUNCTION decoy.current_setting(varchar) RETURNS text LANGUAGE sql AS $$ SELECT 'decoy' $$;`);
          try {
            const client = await world.login('admin', { search_path: 'decoy' });
            const keys = await exchange(client, [
              f.query('SELECT agent_id FROM _hatidata_keys.active_keys ORDER BY 1'),
            ]);
            expect(keys).toEqual(expect.arrayContaining(['D agent-admin', 'D agent-readonly']));
            expect(keys).not.toContain('D decoy');
            const made = await exchange(client, [
              f.query("SELECT create_api_key('under-decoy', 'readonly')"),
            ]);
            expect(made.find((line) => line.startsWith('D '))).toMatch(/^D hd_ro_[a-z0-9]{32}/);
            expect(
              await exchange(client, [f.query("SELECT revoke_api_key('under-decoy')")]),
            ).toContain('C SELECT 1');
            client.close();
          } finally {
            await world.admin.query('DROP SCHEMA decoy CASCADE');
          }
        },
      },
    ],
  },
  {
    id: 'G06',
    title: 'addresses that are only claimed',
    cases: [
      ['PROXY v1', Buffer.from('PROXY TCP4 10.1.2.3 10.0.0.1 56324 5432\r\n')],
      ['PROXY v2', Buffer.from('0d0a0d0a000d0a515549540a2111000c0a0102030a000001dc041538', 'hex')],
      ['HTTP', Buffer.from('GET / HTTP/1.1\r\nX-Forwarded-For: 10.1.2.3\r\n\r\n')],
    ].map(([name, header]) => ({
      name: `${String(name)} before the startup packet ends the connection, and the address is recorded nowhere`,
      run: async (world) => {
        const client = new RawClient(world.proxy.port);
        client.send(
          header as Buffer,
          f.startup({ user: 'agent' }),
          f.password(world.keys.readonly),
        );
        const seen = show(await client.rest());
        expect(seen.length).toBeLessThanOrEqual(1);
        for (const line of seen) expect(line).toMatch(/^E (08P01|54000|0A000) /);
        expect(await loginAs(world.proxy.port, world.keys.readonly)).toBe('Z I');
        const { rows } = await inStore(world, (store) =>
          store.query('SELECT DISTINCT source FROM hatidata.iam_audit'),
        );
        expect(rows).toEqual([{ source: '127.0.0.1' }]);
      },
    })),
  },
  {
    id: 'G09',
    title: 'nothing fails open',
    cases: [
      {
        name: 'with the store away, a key that is not remembered is not let in, and one that is wrong neither',
        // The switch that takes the store away.
        changes: engineMajor < 18 ? [] : ['pg_database'],
        run: async (world) => {
          const fresh = await newKey(world, 'while-away');
          const allow = (yes: boolean): Promise<void> => onStoreServer(world, yes);
          await allow(false);
          try {
            for (const key of [fresh, `hd_ro_${'b'.repeat(32)}`]) {
              expectSeen(
                [await loginAs(world.proxy.port, key)],
                [/^57P03 the control store cannot be reached/],
              );
            }
            // Judged without the store: still refused.
            const open = await world.login('readonly');
            expectSeen(await exchange(open, [f.query('DELETE FROM u')]), [
              '42501 Permission denied: readonly scope cannot execute DELETE',
              'Z I',
            ]);
            open.close();
          } finally {
            await allow(true);
          }
          await expect
            .poll(() => loginAs(world.proxy.port, fresh), { timeout: 20_000 })
            .toBe('Z I');
        },
      },
    ],
  },
  {
    id: 'G14',
    title: 'keys are made by admins only',
    cases: [
      {
        name: 'a readonly key makes, changes, ends and lists none',
        run: async (world) => {
          const client = await world.login('readonly');
          for (const [text, what] of [
            ["SELECT create_api_key('child', 'admin')", 'create_api_key'],
            ["SELECT create_api_key('child', 'readonly')", 'create_api_key'],
            ["SELECT rotate_api_key('agent-admin')", 'rotate_api_key'],
            ["SELECT revoke_api_key('agent-admin')", 'revoke_api_key'],
            ['SELECT * FROM _hatidata_keys.active_keys', '_hatidata_keys.active_keys'],
          ] as const) {
            expectSeen(
              await exchange(client, [f.query(text)]),
              [new RegExp(`^42501 Permission denied: ${what} needs the scope key:\\w+$`), 'Z I'],
              text,
            );
            const batch = [f.parse('', text), f.bind('', ''), f.execute(''), f.sync()];
            expectSeen(
              await exchange(client, batch),
              [new RegExp(`^42501 Permission denied: ${what} needs the scope key:\\w+$`), 'Z I'],
              text,
            );
          }
          client.close();
        },
      },
      {
        name: 'a key makes, changes and ends none that may do more than itself',
        run: async (world) => {
          const key = await newKey(world, 'clerk', 'query:read,key:*');
          const client = await RawClient.login(world.proxy.port, key);
          for (const text of [
            "SELECT create_api_key('child', 'admin')",
            "SELECT create_api_key('child', 'query:*')",
            "SELECT create_api_key('child', 'query:read,query:write')",
            "SELECT rotate_api_key('agent-admin')",
            "SELECT revoke_api_key('agent-admin')",
          ]) {
            const seen = await exchange(client, [f.query(text)]);
            expectSeen(seen, [/^42501 /, 'Z I'], text);
          }
          const made = await exchange(client, [
            f.query("SELECT create_api_key('child', 'query:read')"),
          ]);
          expect(made.at(-1)).toBe('Z I');
          expect(made.find((line) => line.startsWith('D '))).toMatch(/^D hd_/);
          for (const agent of ['child', 'clerk']) await act(world, 'revoke_api_key', agent);
          client.close();
        },
      },
      {
        name: 'no key is made with a scope that does not exist',
        run: async (world) => {
          for (const scope of [
            'superuser',
            'ADMIN!',
            '',
            'query:everything',
            'query:read;admin',
            '*:*x',
          ]) {
            await expect(newKey(world, 'odd-scope', scope), scope).rejects.toMatchObject({
              code: '22023',
            });
          }
        },
      },
    ],
  },
];

/** The store's server is the embedded one, always. */
async function onStoreServer(world: World, allow: boolean): Promise<void> {
  await superuserOfStore(world.proxy, async (client) => {
    await client.query(`ALTER DATABASE hatidata_control ALLOW_CONNECTIONS ${allow}`);
    if (!allow) {
      await client.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'hatidata_control'",
      );
    }
  });
}
