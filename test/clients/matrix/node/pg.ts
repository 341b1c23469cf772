/** node-postgres. */
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { commonFeatures } from './common.ts';
import type { Address, Bench, Client, Driver, Fault } from './matrix.ts';
import { pgBulkFeatures } from './pg-bulk.ts';
import { pgStatementFeatures } from './pg-statements.ts';
import { pgTypeFeatures } from './pg-types.ts';
import { sessionFeatures } from './session-features.ts';
import { expectThat, others } from './steps.ts';

export interface PgBench extends Bench {
  readonly open: (
    config?: pg.ClientConfig & { binary?: boolean; pipeline?: boolean },
  ) => Promise<pg.Client>;
}

export const pgDriver: Driver<PgBench> = {
  name: 'pg',
  package: 'pg',
  bench,
  features: {
    connect: async ({ open }) => {
      const client = await open();
      const shown = `SELECT current_database(), session_user, current_user, current_setting('server_version'),
                            current_setting('server_encoding'), current_setting('client_encoding'), pg_is_in_recovery()`;
      return (await client.query({ text: shown, rowMode: 'array' })).rows;
    },

    reconnect: async ({ open }) => {
      const seen: unknown[] = [];
      for (let round = 0; round < 10; round += 1) {
        const client = await open();
        const text = `SELECT ${round}::int + $1::int AS sum`;
        seen.push((await client.query({ name: 'again', text, values: [1] })).rows);
        await client.end();
      }
      return seen;
    },

    isolation: async ({ open, faultOf }) => {
      const client = await open();
      await client.query('BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE');
      const shown = `SELECT current_setting('transaction_isolation'), current_setting('transaction_read_only')`;
      const { rows } = await client.query({ text: shown, rowMode: 'array' });
      const write = await client.query('CREATE TABLE never (id int)').catch(faultOf);
      await client.query('ROLLBACK');
      const after = await client.query({ text: shown, rowMode: 'array' });
      return [rows, 'sqlstate' in write ? write.sqlstate : 'written', after.rows];
    },

    'listen-notify': async (target) => {
      const [listener, neighbour] = [await target.open(), await target.open()];
      const heard: unknown[] = [];
      const both = Promise.withResolvers<void>();
      listener.on('notification', ({ channel, payload }) => {
        heard.push([channel, payload]);
        if (payload === 'second') both.resolve();
      });
      await listener.query('LISTEN news');
      await others(target);
      await neighbour.query("NOTIFY news, 'first'");
      await neighbour.query("SELECT pg_notify('other', 'not for us')");
      await listener.query('BEGIN');
      await listener.query('COMMIT');
      await neighbour.query('SELECT pg_notify($1, $2)', ['news', 'second']);
      await both.promise;
      await listener.query('UNLISTEN news');
      await neighbour.query("NOTIFY news, 'third'");
      await listener.query('SELECT 1');
      return heard;
    },

    ...commonFeatures,
    ...sessionFeatures,
    ...pgStatementFeatures,
    ...pgBulkFeatures,
    ...pgTypeFeatures,
  },
};

function bench(address: Address): PgBench & { close(): Promise<void> } {
  const clients: pg.Client[] = [];
  const open: PgBench['open'] = async (config = {}) => {
    const client = new pg.Client({ ...address, ssl: false, ...config });
    client.on('error', () => undefined);
    await client.connect();
    clients.push(client);
    return client;
  };
  return {
    address,
    open,
    // Reads `this.address`, so that a feature may ask for another password.
    async client() {
      return plainClient(await open({ ...this.address }));
    },
    faultOf,
    close: async () => {
      await Promise.all(clients.map((client) => client.end().catch(() => undefined)));
    },
  };
}

function plainClient(client: pg.Client): Client {
  return {
    query: async (text, values) => {
      // A fresh name now and then, so that unnamed and named statements take turns.
      const name = values !== undefined && values.length > 1 ? randomBytes(6).toString('hex') : '';
      const query = { text, rowMode: 'array' as const, ...(name === '' ? {} : { name }) };
      const result = await client.query<unknown[]>(query, values as unknown[] | undefined);
      expectThat(!Array.isArray(result), 'one statement');
      return result.rows;
    },
    end: () => client.end(),
    destroy: () => {
      (
        client as unknown as { connection: { stream: { destroy(): void } } }
      ).connection.stream.destroy();
    },
  };
}

export function faultOf(error: unknown): Fault {
  const fault = error as Partial<pg.DatabaseError>;
  return {
    severity: fault.severity,
    sqlstate: fault.code,
    message: String(fault.message),
    detail: fault.detail,
    table: fault.table,
    constraint: fault.constraint,
    position: fault.position,
  };
}
