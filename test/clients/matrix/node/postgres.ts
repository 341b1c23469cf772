/** postgres.js. A client here is a pool of one connection, as its users have it; it pipelines by itself. */
import { connect, type Socket } from 'node:net';
import postgres from 'postgres';
import { commonFeatures } from './common.ts';
import type { Address, Bench, Client, Driver, Fault } from './matrix.ts';
import { postgresBulkFeatures } from './postgres-bulk.ts';
import { postgresStatementFeatures } from './postgres-statements.ts';
import { postgresTypeFeatures } from './postgres-types.ts';
import { sessionFeatures } from './session-features.ts';
import { others } from './steps.ts';

export type Sql = postgres.Sql;

export interface PostgresBench extends Bench {
  readonly open: (options?: postgres.Options<Record<string, postgres.PostgresType>>) => Sql;
}

export const postgresDriver: Driver<PostgresBench> = {
  name: 'postgres',
  package: 'postgres',
  bench,
  features: {
    connect: async ({ open }) => {
      const sql = open();
      const rows =
        await sql`SELECT current_database(), session_user, current_user, pg_is_in_recovery()`.values();
      // The agent's name stands before the client's own.
      const reported = Object.entries(sql.parameters).filter(
        ([name]) => name !== 'application_name',
      );
      return [rows, reported.map(([name, value]) => `${name}=${value}`).toSorted()];
    },

    reconnect: async ({ open }) => {
      const seen: unknown[] = [];
      for (let round = 0; round < 10; round += 1) {
        const sql = open();
        // Its statements are named by connection and count, so each new connection uses the same names.
        seen.push(
          await sql
            .unsafe(`SELECT ${round}::int + $1::int AS sum`, [1], { prepare: true })
            .values(),
        );
        await sql.end();
      }
      return seen;
    },

    isolation: async ({ open, faultOf }) => {
      const sql = open();
      const shown = `SELECT current_setting('transaction_isolation'), current_setting('transaction_read_only')`;
      let inside: unknown;
      const write = await sql
        .begin('ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE', async (own) => {
          inside = await own.unsafe(shown).values();
          return own`CREATE TABLE never (id int)`;
        })
        .catch(faultOf);
      return [
        inside,
        'sqlstate' in write ? write.sqlstate : 'written',
        await sql.unsafe(shown).values(),
      ];
    },

    'listen-notify': async (target) => {
      const [listener, neighbour] = [target.open(), target.open()];
      const heard: unknown[] = [];
      const both = Promise.withResolvers<void>();
      const listening = await listener.listen('news', (payload) => {
        heard.push(payload);
        if (payload === 'second') both.resolve();
      });
      await others(target);
      await neighbour.notify('news', 'first');
      await neighbour.notify('other', 'not for us');
      await neighbour.notify('news', 'second');
      await both.promise;
      await listening.unlisten();
      await neighbour.notify('news', 'third');
      await listener`SELECT 1`;
      return heard;
    },

    ...commonFeatures,
    ...sessionFeatures,
    ...postgresStatementFeatures,
    ...postgresBulkFeatures,
    ...postgresTypeFeatures,
  },
};

function bench(address: Address): PostgresBench & { close(): Promise<void> } {
  const opened: Sql[] = [];
  const open: PostgresBench['open'] = (options = {}) => {
    const sql = postgres({ ...address, ssl: false, max: 1, onnotice: () => undefined, ...options });
    opened.push(sql);
    return sql;
  };
  return {
    address,
    open,
    client() {
      return Promise.resolve(plainClient(open, this.address));
    },
    faultOf,
    close: async () => {
      await Promise.all(opened.map((sql) => sql.end({ timeout: 1 }).catch(() => undefined)));
    },
  };
}

function plainClient(open: PostgresBench['open'], address: Address): Client {
  let socket: Socket | undefined;
  const own = () => (socket = connect(address.port, address.host));
  // The option exists, its type does not.
  const sql = open({ ...address, socket: own } as postgres.Options<
    Record<string, postgres.PostgresType>
  >);
  return {
    query: (text, parameters = []) =>
      // By the extended protocol and named, as its template strings do; BEGIN and the like too.
      sql
        .unsafe(text, parameters as postgres.ParameterOrJSON<never>[], { prepare: true })
        .values() as Promise<unknown[][]>,
    end: () => sql.end(),
    destroy: () => socket?.destroy(),
  };
}

function faultOf(error: unknown): Fault {
  const fault = error as Partial<postgres.PostgresError>;
  return {
    severity: fault.severity,
    sqlstate: fault.code,
    message: String(fault.message),
    detail: fault.detail,
    table: fault.table_name,
    constraint: fault.constraint_name,
    position: fault.position,
  };
}
