/** D17: credentials. */
import { expect } from 'vitest';
import { frontend as f, show } from '../../fixtures/raw-client.ts';
import { all, cannotRead, closed, relations, type Row } from '../model.ts';
import { extended } from '../run-rows.ts';
import type { World } from '../world.ts';

/** Ways to ask for a column of a catalogue. */
const optionShapes = (relation: string, column: string): string[] => [
  ...[`SELECT ${column} FROM ${relation}`, `SELECT * FROM ${relation}`, `TABLE ${relation}`],
  ...[
    `SELECT x FROM ${relation} x`,
    `SELECT x.*::text FROM ${relation} x`,
    `SELECT ${relation}::text FROM ${relation}`,
  ],
  ...[
    `SELECT to_jsonb(x) FROM ${relation} x`,
    `SELECT (x).${column} FROM ${relation} x`,
    `SELECT ROW(x.*) FROM ${relation} x`,
  ],
  ...[
    `SELECT ${column} FROM pg_catalog.${relation}`,
    `SELECT "${column}" FROM ONLY pg_catalog."${relation}"`,
  ],
  ...[
    `COPY ${relation} TO STDOUT`,
    `COPY pg_catalog.${relation} (${column}) TO STDOUT`,
    `COPY (TABLE ${relation}) TO STDOUT`,
  ],
  ...[
    `WITH x AS (TABLE ${relation}) TABLE x`,
    `SELECT (SELECT ${column}::text FROM ${relation})`,
    `SELECT (SELECT x FROM ${relation} x)`,
  ],
  ...[
    `SELECT y FROM ${relation} x (a, b, c, d, e, f, g, y)`,
    `SELECT x FROM pg_class NATURAL FULL JOIN ${relation} x`,
  ],
  ...[
    `SELECT a.x FROM t, LATERAL (SELECT x FROM ${relation} x) a`,
    `SELECT max(${column}::text) FROM ${relation}`,
  ],
  ...[
    `SELECT ${column}::text::int FROM ${relation}`,
    `EXPLAIN ANALYZE VERBOSE SELECT ${column} FROM ${relation}`,
  ],
  ...[
    `PREPARE p AS TABLE ${relation}; EXECUTE p; DEALLOCATE p`,
    `BEGIN; DECLARE c CURSOR FOR TABLE ${relation}; FETCH c; COMMIT`,
  ],
  ...[
    `SELECT query_to_xml('TABLE ${relation}', true, true, '')`,
    `SELECT * FROM ROWS FROM (jsonb_each((SELECT to_jsonb(x) FROM ${relation} x)))`,
  ],
];

export const credentials: readonly Row[] = [
  {
    id: 'D17',
    title: 'credentials',
    cases: [
      ...relations('pg_authid', 'pg_shadow', 'pg_user_mapping'),
      ...relations('pg_catalog.pg_authid', 'information_schema.user_mapping_options'),
      ...relations('pg_stat_subscription', 'pg_stat_wal_receiver'),
      ...closed('SELECT * FROM information_schema.foreign_server_options'),
      ...all(
        cannotRead('pg_authid'),
        'SELECT (SELECT rolpassword FROM pg_authid LIMIT 1)',
        'WITH x AS (TABLE pg_authid) SELECT 1 FROM x',
        'COPY pg_authid TO STDOUT',
      ),
      ...Object.entries({
        pg_foreign_server: 'srvoptions',
        pg_user_mappings: 'umoptions',
        pg_subscription: 'subconninfo',
      }).map(([relation, column]) => ({
        name: `${relation}.${column} is shown in no shape`,
        run: async (world: World) => {
          const [held] = await world.observer.ask(`SELECT ${column}::text FROM ${relation}`);
          expect(held).toContain('hidden-');
          const client = await world.login('readonly');
          for (const text of optionShapes(relation, column)) {
            for (const messages of [[f.query(text)], extended(text)]) {
              client.send(...messages);
              const raw = await client.untilReady();
              // Refused, or without what is hidden; which of both is for the product to say.
              const told = Buffer.concat(raw.map(({ body }) => body)).toString('latin1');
              expect(told.includes('hidden-'), `${text}: ${show(raw).join()}`).toBe(false);
              expect(show(raw).at(-1), text).toBe('Z I');
            }
          }
          client.close();
        },
      })),
    ],
  },
];
