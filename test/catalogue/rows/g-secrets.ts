/** G: where keys are not. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { expect } from 'vitest';
import { errorRegistry } from '../../../src/errors.ts';
import { frontend as f, RawClient, show } from '../../fixtures/raw-client.ts';
import type { Row } from '../model.ts';
import { expectSeen } from '../run-rows.ts';
import { ownEngine } from '../world.ts';
import { loginAs, records } from '../keys.ts';

export const secrets: readonly Row[] = [
  {
    id: 'G15',
    title: 'a key is found nowhere',
    cases: [
      {
        name: 'not in the log, the records, errors, the activity view, or the statement log of an engine that logs all',
        run: async (world) => {
          const engine = await ownEngine([
            ...[
              'logging_collector=on',
              'log_directory=log',
              'log_statement=all',
              'log_min_duration_statement=0',
            ],
            ...[
              'log_connections=on',
              'log_min_messages=debug1',
              'log_error_verbosity=verbose',
              'log_line_prefix=%a %u %d ',
            ],
            ...[
              'log_parameter_max_length=-1',
              'log_parameter_max_length_on_error=-1',
              'track_activity_query_size=100kB',
            ],
          ]);
          const proxy = await world.another({ engine: engine.engine });
          try {
            const key: string = (
              await world.admin.query("SELECT create_api_key('canary', 'admin', 'told')")
            ).rows[0].api_key;
            const told = await misplace(proxy.port, key);
            const watcher = new pg.Client({ connectionString: engine.url });
            await watcher.connect();
            const open = await RawClient.login(proxy.port, key, {
              application_name: key,
              options: `-c hatidata_api_key=${key}`,
            });
            open.send(f.query('SELECT pg_sleep(1)'));
            await new Promise((resolve) => setTimeout(resolve, 300));
            const activity = JSON.stringify(
              (await watcher.query('SELECT * FROM pg_stat_activity')).rows,
            );
            expect(activity).toContain('pg_sleep');
            await watcher.end();
            open.close();
            const rotated: string = (await world.admin.query("SELECT rotate_api_key('canary')"))
              .rows[0].api_key;
            await world.admin.query("SELECT revoke_api_key('canary')");
            const sinks = {
              errors: told,
              activity,
              'log of the proxies': world.proxy.logged() + proxy.logged(),
              records: JSON.stringify(await records(world, 'true')),
              'log of the engine': serverLog(engine.dataDirectory),
            };
            for (const [name, text] of Object.entries(sinks)) {
              expect(text.length, name).toBeGreaterThan(100);
              // The body behind the eight characters by which a key is found.
              for (const secret of [key, rotated])
                expect(text.includes(secret.slice(-24)), name).toBe(false);
            }
            expect(sinks['log of the engine']).toContain('hati:canary');
          } finally {
            await proxy.stop();
            await engine.stop();
          }
        },
      },
      {
        name: 'not as the name of an agent either, where somebody mixed the arguments up',
        run: async (world) => {
          const key = `hd_admin_${'k'.repeat(32)}`;
          for (const call of [
            `create_api_key('${key}', 'readonly')`,
            `rotate_api_key('${key}')`,
            `revoke_api_key('${key}')`,
          ]) {
            const told = await world.admin.query(`SELECT ${call}`).catch(String);
            expect(JSON.stringify(told), call).not.toContain('k'.repeat(24));
          }
          expect(JSON.stringify(await records(world, 'true'))).not.toContain('k'.repeat(24));
        },
      },
      {
        name: 'no error text has room for one',
        run: () => {
          const placeholders = Object.values(errorRegistry).flatMap(
            ({ text }) => text.match(/\{\w+\}/g) ?? [],
          );
          expect(placeholders.length).toBeGreaterThan(10);
          expect(placeholders.filter((name) => /key|secret|password/i.test(name))).toEqual([]);
          return Promise.resolve();
        },
      },
    ],
  },
];

/** A key in every place where it does not belong; what came back. */
async function misplace(port: number, key: string): Promise<string> {
  const client = await RawClient.login(port, key);
  const told: string[] = [];
  for (const text of [
    ...[
      `SET application_name = '${key}'`,
      `SET hatidata.api_key = '${key}'`,
      `SET hatidata_api_key = '${key}'`,
    ],
    ...[
      'SHOW hatidata_api_key',
      "SELECT create_api_key('x', 'nonsense')",
      "SELECT nothing FROM nowhere WHERE it = 'is told'",
    ],
  ]) {
    client.send(f.query(text));
    told.push(...show(await client.untilReady()));
  }
  client.close();
  const startups: Record<string, string>[] = [
    { application_name: key },
    { user: key },
    { database: key },
    { options: `-c x.y=1 -c ${key}=1` },
  ];
  for (const parameters of startups) {
    told.push(await loginAs(port, `${key}x`, parameters));
  }
  expectSeen(told.slice(-1), [/^28P01 |^42501 /]);
  return told.join('\n');
}

function serverLog(dataDirectory: string): string {
  const directory = join(dataDirectory, 'log');
  return readdirSync(directory)
    .map((name) => readFileSync(join(directory, name), 'utf8'))
    .join('');
}
