/**
 * The state that a corpus file builds up: a database of its own, in which its statements run as the superuser. A second
 * session of the superuser looks after it from outside: gives the reader what hatidata_reader would be given, and ends
 * what hangs.
 */
import pg from 'pg';
import { roles, type ThrowawayServer } from './server.ts';
import { Session, type Outcome } from './session.ts';

/** What a reader role has after DDL: USAGE on each schema, SELECT on each relation. Best effort, object by object. */
const grantSql = `
  DO $grant$
  DECLARE
    statement text;
  BEGIN
    FOR statement IN
      SELECT format('GRANT USAGE ON SCHEMA %I TO ${roles.reader}', nspname) FROM pg_namespace
       WHERE nspname !~ '^pg_(temp|toast)' AND NOT has_schema_privilege('${roles.reader}', oid, 'USAGE')
      UNION ALL
      SELECT format('GRANT SELECT ON %s TO ${roles.reader}', oid::regclass) FROM pg_class
       WHERE oid >= 16384 AND relkind IN ('r', 'v', 'm', 'p', 'f', 'S') AND relpersistence <> 't'
         AND NOT has_table_privilege('${roles.reader}', oid, 'SELECT')
    LOOP
      BEGIN
        EXECUTE statement;
      EXCEPTION WHEN OTHERS THEN
        NULL;
      END;
    END LOOP;
  END
  $grant$`;

/** Moves whenever any transaction that has written ends. */
const writesSql = 'SELECT pg_snapshot_xmax(pg_current_snapshot())::text';

export class CorpusState {
  readonly #corpus: Session;
  readonly #keeper: Session;
  #seenWrites = '';

  constructor(server: ThrowawayServer, database: string) {
    this.#keeper = new Session({
      login: server.login('owner', database, {
        ...{ search_path: 'pg_catalog', statement_timeout: '5000', lock_timeout: '100' },
        ...{ event_triggers: 'off', client_min_messages: 'error' },
      }),
      deadlineMs: 10_000,
      terminate: () => Promise.resolve(),
    });
    this.#corpus = new Session({
      login: server.login('owner', database, {
        statement_timeout: '10000',
        client_min_messages: 'error',
      }),
      deadlineMs: 20_000,
      terminate: (pid) => this.terminate(pid),
    });
  }

  /** Runs a statement of the corpus for good. */
  async run(text: string): Promise<Outcome> {
    return await this.#corpus.run(text);
  }

  /** Whether something was written since the last time that a snapshot of the catalogue could be taken; grants on it. */
  async settle(): Promise<boolean> {
    // What is not committed can't be seen or granted from outside.
    if (this.#corpus.isInTransaction) return false;
    const writes = await this.#writes();
    if (writes === this.#seenWrites) return false;
    await this.#keeper.run(grantSql);
    this.#seenWrites = await this.#writes();
    return true;
  }

  /** A query about the database, from outside. */
  async look(sql: string): Promise<readonly (readonly (string | null)[])[]> {
    return await this.#keeper.rows(sql);
  }

  async terminate(pid: number): Promise<void> {
    await this.#keeper.run(`SELECT pg_terminate_backend(${pid})`);
  }

  async close(): Promise<void> {
    await Promise.all([this.#corpus.close(), this.#keeper.close()]);
  }

  async #writes(): Promise<string> {
    const rows = await this.#keeper.rows(writesSql);
    return rows[0]?.[0] ?? '';
  }
}

export async function createDatabase(server: ThrowawayServer, name: string): Promise<void> {
  await asOwner(server, async (client) => {
    await client.query(`CREATE DATABASE ${name} TEMPLATE template0`);
  });
}

/** Removes the database and what its statements left in the server as a whole, as far as it lets itself be removed. */
export async function dropDatabase(server: ThrowawayServer, name: string): Promise<void> {
  await asOwner(server, async (client) => {
    const attempt = async (sql: string): Promise<void> => {
      await client.query(sql).catch(() => undefined);
    };
    const each = async (sql: string): Promise<void> => {
      const { rows } = await client.query<{ sql: string }>(sql);
      for (const row of rows) await attempt(row.sql);
    };
    await attempt('ALTER SYSTEM RESET ALL');
    await attempt('SELECT pg_reload_conf()');
    await attempt(`DROP DATABASE ${name} WITH (FORCE)`);
    await each(
      `SELECT format('DROP TABLESPACE %I', spcname) AS sql FROM pg_tablespace WHERE oid >= 16384`,
    );
    const others = `FROM pg_roles WHERE oid >= 16384 AND rolname <> ALL ('{${Object.values(roles).join()}}')`;
    await each(`SELECT format('DROP ROLE %I', rolname) AS sql ${others}`);
  });
}

async function asOwner(
  server: ThrowawayServer,
  work: (client: pg.Client) => Promise<void>,
): Promise<void> {
  const client = new pg.Client(server.login('owner', 'postgres', { lock_timeout: '2000' }));
  client.on('error', () => undefined);
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}
