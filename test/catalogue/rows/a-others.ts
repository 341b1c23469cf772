/** A: the ways to a session, a database or a statement that is somebody else’s. */
import { expect } from 'vitest';
import { cancelRequest } from '../../../src/wire/frontend-messages.ts';
import { frontend as f, RawClient, show } from '../../fixtures/raw-client.ts';
import { all, cannot } from '../model.ts';
import { startup } from '../startup-case.ts';
import type { Row } from '../model.ts';
import type { World } from '../world.ts';

/** The engine's process behind a session, and the session's own way to be cancelled. */
async function cancelKey(
  world: World,
  minor: 0 | 2,
): Promise<{ client: RawClient; processId: number; secret: Buffer }> {
  const client = new RawClient(world.proxy.port);
  client.send(f.startup({ user: 'agent' }, minor), f.password(world.keys.admin));
  const greeting = await client.untilReady();
  const { body } = greeting.find(({ type }) => type === 'K')!;
  return { client, processId: body.readInt32BE(0), secret: body.subarray(4) };
}

async function cancel(world: World, processId: number, secret: Buffer): Promise<void> {
  const canceller = new RawClient(world.proxy.port);
  canceller.send(cancelRequest(processId, secret));
  expect(await canceller.rest()).toEqual([]);
}

export const others: readonly Row[] = [
  {
    id: 'A36',
    title: 'cancelling what is not yours',
    cases: [
      {
        name: 'a key of 256 bits under 3.2, ours and not the engine’s; guesses and the keys of others do nothing',
        run: async (world) => {
          const victim = await cancelKey(world, 2);
          const other = await cancelKey(world, 2);
          expect(victim.secret).toHaveLength(32);
          expect(victim.secret.equals(other.secret)).toBe(false);
          const [pid] = await world.observer.ask<number>(
            "SELECT pid FROM pg_stat_activity WHERE application_name = 'hati:agent-admin' ORDER BY backend_start DESC OFFSET 1 LIMIT 1",
          );
          expect(victim.processId).not.toBe(pid);
          victim.client.send(f.query('SELECT pg_sleep(3)'));
          for (const [processId, secret] of [
            [victim.processId, other.secret],
            [victim.processId, Buffer.alloc(32)],
            [victim.processId, victim.secret.subarray(0, 4)],
            [other.processId, victim.secret],
            [pid!, victim.secret],
          ] as const) {
            await cancel(world, processId, secret);
          }
          expect(show(await victim.client.untilReady())).toEqual(['T', 'D ', 'C SELECT 1', 'Z I']);
          victim.client.send(f.query('SELECT pg_sleep(60)'));
          await new Promise((resolve) => setTimeout(resolve, 300));
          await cancel(world, victim.processId, victim.secret);
          expect(show(await victim.client.untilReady()).at(-2)).toMatch(/^E 57014 /);
          victim.client.close();
          other.client.close();
        },
      },
    ],
  },
  {
    id: 'A38',
    title: 'databases and statements of other proxies’ administrators',
    cases: [
      ...['pgbouncer', 'pgdog', 'template1', 'hatidata_control', 'postgres', 'admin'].map(
        (database) => startup({ database }, 'D hatidata', 'SELECT current_database()'),
      ),
      ...all(
        /^42601 /,
        'KILL_CLIENT 1',
        'KILL hatidata',
        'RELOAD',
        'PAUSE',
        'SHUTDOWN',
        'SHOW POOLS EXTENDED',
      ),
      ...all(/^(42704|42501) /, 'SHOW pools', 'SHOW clients').map((each) => ({
        ...each,
        by: 'engine' as const,
      })),
    ],
  },
  {
    id: 'A27',
    title: 'statements that nobody thinks of',
    cases: unusual(),
  },
];

/** One of each kind that changes something; the grammar's own list is held against our table in test/sql/grammar.test.ts. */
function unusual(): Row['cases'] {
  return all(
    cannot('DDL'),
    ...[
      'CREATE DATABASE z',
      'ALTER DATABASE hatidata CONNECTION LIMIT 1',
      'DROP DATABASE postgres',
      "CREATE TABLESPACE z LOCATION '/z'",
    ],
    ...[
      'CREATE ROLE z',
      'DROP ROLE hatidata_writer',
      'GRANT hatidata_writer TO hatidata_reader',
      'REASSIGN OWNED BY hatidata_writer TO hatidata_reader',
    ],
    ...[
      'DROP OWNED BY hatidata_reader',
      'ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC',
      'CREATE POLICY z ON t',
      'ALTER TABLE t ENABLE ROW LEVEL SECURITY',
    ],
    ...[
      'CREATE STATISTICS z ON id, amount FROM t',
      'ALTER STATISTICS z SET STATISTICS 1',
      'CREATE COLLATION z FROM "C"',
      "CREATE CONVERSION z FOR 'UTF8' TO 'LATIN1' FROM utf8_to_iso8859_1",
    ],
    ...[
      'CREATE ACCESS METHOD z TYPE INDEX HANDLER bthandler',
      'CREATE OPERATOR CLASS z FOR TYPE int USING btree AS STORAGE int',
      'CREATE OPERATOR FAMILY z USING btree',
      'CREATE LANGUAGE z',
    ],
    ...[
      'CREATE TRANSFORM FOR int LANGUAGE sql (FROM SQL WITH FUNCTION z(internal))',
      'CREATE PUBLICATION z FOR ALL TABLES',
      'ALTER SUBSCRIPTION z DISABLE',
      'CREATE TEXT SEARCH CONFIGURATION z (COPY = simple)',
    ],
    ...[
      "CREATE TYPE z AS ENUM ('a')",
      'ALTER TYPE pair ADD ATTRIBUTE c int',
      'ALTER INDEX mv_id SET (fillfactor = 50)',
      'ALTER SEQUENCE s RESTART',
      'ALTER VIEW v RENAME TO z',
    ],
    ...[
      'ALTER FUNCTION f_sd() SECURITY INVOKER',
      'DROP AGGREGATE agg_writes (int)',
      'DROP CAST (int AS pair)',
      'DROP OPERATOR === (int, int)',
      'ALTER EXTENSION plpgsql UPDATE',
    ],
    ...[
      "SECURITY LABEL ON TABLE t IS 'x'",
      "COMMENT ON COLUMN t.ssn IS 'x'",
      'IMPORT FOREIGN SCHEMA x FROM SERVER y INTO main',
      'ALTER LARGE OBJECT 4711 OWNER TO hatidata_reader',
    ],
  );
}
