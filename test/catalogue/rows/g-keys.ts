/** G: how long a key is good. */
import { expect } from 'vitest';
import { frontend as f, RawClient, show } from '../../fixtures/raw-client.ts';
import { act, inStore, loginAs, newKey, refusedKey } from '../keys.ts';
import type { Row } from '../model.ts';
import { exchange, expectSeen } from '../run-rows.ts';
import { type World } from '../world.ts';

/** The bound within which a session must be over. */
const boundMs = 1_000;

const backends = (world: World, agent: string): Promise<number[]> =>
  world.observer.ask(
    `SELECT count(*)::int FROM pg_stat_activity WHERE application_name LIKE 'hati:${agent}%'`,
  );

export const keys: readonly Row[] = [
  {
    id: 'G01',
    title: 'a key that is revoked ends its sessions',
    cases: [
      ['idle', []],
      ['in a transaction', [f.query('BEGIN'), f.query('SELECT 1')]],
      [
        'in the middle of a statement',
        [f.query('SELECT count(*) FROM generate_series(1, 10000000000)')],
      ],
      [
        'in an open batch',
        [f.parse('', 'SELECT * FROM t'), f.bind('', ''), f.execute('', 1), f.flush()],
      ],
      [
        'with messages sent ahead',
        [f.query('SELECT count(*) FROM generate_series(1, 10000000000)'), f.query('SELECT 2')],
      ],
    ].map(([name, messages]) => ({
      name: `within a second, ${String(name)}`,
      run: async (world) => {
        const agent = `revoked ${String(name)}`;
        const client = await RawClient.login(world.proxy.port, await newKey(world, agent));
        client.send(...(messages as Buffer[]));
        await new Promise((resolve) => setTimeout(resolve, 200));
        const rest = client.rest();
        const start = performance.now();
        await act(world, 'revoke_api_key', agent);
        expectSeen(show(await rest).slice(-1), [refusedKey]);
        expect(performance.now() - start).toBeLessThan(boundMs);
        await expect.poll(() => backends(world, agent), { timeout: boundMs }).toEqual([0]);
        const audited = await inStore(world, (store) =>
          store.query(
            "SELECT actor FROM hatidata.iam_audit WHERE target = $1 AND action LIKE '%revoke%'",
            [agent],
          ),
        );
        expect(audited.rows).toHaveLength(1);
      },
    })),
  },
  {
    id: 'G03',
    title: 'rotation: no overlap, the old key is dead at once',
    cases: [
      {
        name: 'rotated twice',
        run: async (world) => {
          const keys = [await newKey(world, 'rotated')];
          for (let turn = 0; turn < 2; turn += 1) {
            const open = await RawClient.login(world.proxy.port, keys.at(-1));
            keys.push(await act(world, 'rotate_api_key', 'rotated'));
            expectSeen(show(await open.rest()).slice(-1), [refusedKey]);
            const outcomes = await Promise.all(keys.map((key) => loginAs(world.proxy.port, key)));
            expectSeen(outcomes, [...keys.slice(1).map(() => refusedKey), 'Z I']);
          }
          await act(world, 'revoke_api_key', 'rotated');
          expectSeen([await loginAs(world.proxy.port, keys.at(-1)!)], [refusedKey]);
        },
      },
    ],
  },
  {
    id: 'G10',
    title: 'what changes between Parse and Execute',
    cases: [
      {
        name: 'the key',
        run: async (world) => {
          const client = await RawClient.login(world.proxy.port, await newKey(world, 'between'));
          await exchange(client, [f.parse('s', 'SELECT ssn FROM t'), f.sync()]);
          await act(world, 'revoke_api_key', 'between');
          client.send(f.bind('', 's'), f.execute(''), f.sync());
          expectSeen(show(await client.rest()), [refusedKey]);
        },
      },
      {
        name: 'the view that was read',
        run: async (world) => {
          await world.admin.query('CREATE VIEW changing AS SELECT 1 AS x');
          const client = await world.login('readonly');
          await exchange(client, [f.parse('s', 'SELECT x FROM changing'), f.sync()]);
          await world.admin.query(`
            CREATE FUNCTION later() RETURNS int LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN DELETE FROM u; RETURN 2; END $$;
            CREATE OR REPLACE VIEW changing AS SELECT later() AS x`);
          const seen = await exchange(client, [f.bind('', 's'), f.execute(''), f.sync()]);
          await world.admin.query('DROP VIEW changing; DROP FUNCTION later()');
          expect(seen.at(-2)).toMatch(/^E 42501 /);
          client.close();
        },
      },
    ],
  },
];
