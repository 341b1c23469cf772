import pg from 'pg';
import type { Logger } from 'pino';

/** How the proxy logs in to the engine: one role for each scope. */
export interface EngineLogins {
  readonly reader: pg.ClientConfig;
  readonly writer: pg.ClientConfig;
}

/** Statements are read with the grammar of PostgreSQL 18; below 14 its roles and settings are missing. */
const oldestMajor = 14;

/** A sentence for the operator: the engine can't be used as it is configured. */
export class EngineUnusable extends Error {
  override readonly name = 'EngineUnusable';
}

interface LoginFacts {
  readonly user: string;
  readonly superuser: boolean;
  readonly canWrite: boolean;
  readonly holdsControlStore: boolean;
  readonly version: number;
}

/** Looks at both logins before any client does. Throws EngineUnusable. */
export async function checkEngineLogins(logins: EngineLogins, log: Logger): Promise<void> {
  const writer = await readFacts(logins.writer, 'engine URL');
  const reader =
    logins.reader === logins.writer ? writer : await readFacts(logins.reader, 'reader URL');
  for (const facts of [writer, reader]) {
    if (facts.version < oldestMajor * 10_000) {
      throw new EngineUnusable(
        `The engine is older than PostgreSQL ${oldestMajor}, which HatiData needs.`,
      );
    }
    if (facts.holdsControlStore) {
      throw new EngineUnusable(
        'The control store lies in the very database that clients use. Give it a database of its own: HATIDATA_CONTROL_DATABASE_URL.',
      );
    }
    if (facts.superuser) {
      throw new EngineUnusable(
        `Role ${facts.user} is a superuser, and HatiData never runs a client's statement as one.` +
          ' Run `hati engine prepare <url>` with this URL: it makes two roles for HatiData and prints their URLs.',
      );
    }
  }
  if (reader.canWrite) {
    log.warn(
      { role: reader.user },
      'readonly keys log in to the engine as a role that can write: the classifier is the only lock.' +
        ' `hati engine prepare` makes a reader role; give its URL as engine.reader_url',
    );
  }
}

async function readFacts(config: pg.ClientConfig, what: string): Promise<LoginFacts> {
  const client = new pg.Client({
    ...config,
    application_name: 'hatidata start',
    enableChannelBinding: true,
    connectionTimeoutMillis: 10_000,
    options: '-c search_path=pg_catalog',
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<LoginFacts>(`
      SELECT r.rolname AS "user",
             r.rolsuper AS superuser,
             EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                      WHERE n.nspname = 'hatidata' AND c.relname = 'api_key_secrets') AS "holdsControlStore",
             pg_catalog.current_setting('server_version_num')::int AS version,
             pg_catalog.current_setting('default_transaction_read_only') = 'off'
               OR EXISTS (SELECT FROM pg_catalog.pg_class c
                           WHERE c.relkind IN ('r', 'p') AND c.relnamespace <> 'pg_catalog'::regnamespace
                             AND pg_catalog.has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE')) AS "canWrite"
        FROM pg_catalog.pg_roles r WHERE r.rolname = current_user`);
    return rows[0]!;
  } catch (error) {
    const reason = error instanceof Error ? error.message || String(error) : String(error);
    throw new EngineUnusable(`The engine cannot be used with the ${what}: ${reason}`, {
      cause: error,
    });
  } finally {
    await client.end().catch(() => undefined);
  }
}
