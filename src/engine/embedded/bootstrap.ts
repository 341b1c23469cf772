/**
 * What every start makes sure of inside the server: roles, databases, privileges, and the few names that legacy
 * clients expect. All of it may be repeated: nothing changes when it is as it should be, and what a client changed
 * about its own role (ALTER ROLE … SET, a password) is put right.
 *
 * This is the only code that connects as the superuser.
 */
import { Client } from 'pg';
import { agentIdentitySql } from '../agent-identity.ts';
import { compatibilitySql } from './compatibility.ts';
import { EmbeddedServerError } from './error.ts';
import { functionPrivilegesSql } from './function-privileges.ts';
import { matchesVerifier, scramVerifier } from '../scram.ts';
import { readerFunctionsSql } from './reader-functions.ts';
import { roleNames, type EmbeddedRole, type Secrets } from './secrets.ts';

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

export const databaseNames = { data: 'hatidata', control: 'hatidata_control' } as const;

const { reader, writer, control, system } = roleNames;
const clientRoles = [
  'reader',
  'writer',
  'control',
  'system',
] as const satisfies readonly EmbeddedRole[];

export async function bootstrap(endpoint: Endpoint, secrets: Secrets): Promise<void> {
  await asSuperuser(endpoint, 'postgres', secrets, async (client) => {
    for (const role of clientRoles) await ensureRole(client, roleNames[role], secrets[role]);
    await client.query(rolesSql);
    await ensureDatabase(client, databaseNames.data, writer);
    await ensureDatabase(client, databaseNames.control, control);
    await client.query(databasesSql);
  });
  await asSuperuser(endpoint, databaseNames.data, secrets, async (client) => {
    await client.query('BEGIN');
    await client.query(schemasSql);
    await client.query(readerSql);
    await client.query(agentIdentitySql.join(';'));
    await client.query(hiddenFromDumpsSql);
    await client.query(readerFunctionsSql);
    await client.query(compatibilitySql);
    await client.query(functionPrivilegesSql(writer, reader));
    await client.query('COMMIT');
  });
  await asSuperuser(endpoint, databaseNames.control, secrets, async (client) => {
    await client.query('BEGIN');
    await client.query(functionPrivilegesSql(control, system));
    await client.query('COMMIT');
  });
}

const rolesSql = `
  GRANT pg_signal_backend TO ${control};
  -- For proxies that know this store by its URL, and so have no login of that role.
  GRANT ${system} TO ${control} WITH INHERIT FALSE, SET TRUE;
  ALTER ROLE ${reader} SET default_transaction_read_only = on;
`;

const databasesSql = `
  REVOKE ALL ON DATABASE postgres, template1, ${databaseNames.data}, ${databaseNames.control} FROM PUBLIC;
  GRANT CONNECT ON DATABASE ${databaseNames.data} TO ${reader}, ${writer};
  GRANT CONNECT ON DATABASE ${databaseNames.control} TO ${system};
  -- What we read must be what the engine reads; the owner of a database could say otherwise for every login.
  ALTER DATABASE ${databaseNames.data} RESET standard_conforming_strings;
  ALTER DATABASE ${databaseNames.data} RESET client_encoding;
  -- With another role nobody could log in.
  ALTER DATABASE ${databaseNames.data} RESET role;
  DO $$ BEGIN
    IF NOT EXISTS (
      SELECT FROM pg_catalog.pg_db_role_setting s JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
      WHERE datname = '${databaseNames.data}' AND setrole = 0
        AND EXISTS (SELECT FROM unnest(setconfig) AS item WHERE item LIKE 'search_path=%')
    ) THEN
      ALTER DATABASE ${databaseNames.data} SET search_path = main, public;
    END IF;
  END $$;
`;

const schemasSql = `
  CREATE SCHEMA IF NOT EXISTS main AUTHORIZATION ${writer};
  CREATE SCHEMA IF NOT EXISTS public AUTHORIZATION pg_database_owner;
`;

/**
 * The reader may read what the writer makes, now and later. Not by pg_read_all_data: that role also reads pg_authid,
 * the password verifiers of every role, and whatever else the system catalogues keep closed.
 */
const readerSql = `
  ALTER DEFAULT PRIVILEGES FOR ROLE ${writer} GRANT USAGE ON SCHEMAS TO ${reader};
  ALTER DEFAULT PRIVILEGES FOR ROLE ${writer} GRANT SELECT ON TABLES TO ${reader};
  ALTER DEFAULT PRIVILEGES FOR ROLE ${writer} GRANT SELECT ON SEQUENCES TO ${reader};
  -- Code of the writer's (functions, and what calls them: operators, casts, domains, aggregates) is not the reader's to
  -- run, unless it is granted to it by name.
  ALTER DEFAULT PRIVILEGES FOR ROLE ${writer} REVOKE EXECUTE ON ROUTINES FROM PUBLIC;
  DO $$
  DECLARE
    name text;
  BEGIN
    FOR name IN SELECT quote_ident(nspname) FROM pg_namespace
                 WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema' LOOP
      EXECUTE format('GRANT USAGE ON SCHEMA %s TO ${reader}', name);
      EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA %s TO ${reader}', name);
      EXECUTE format('GRANT SELECT ON ALL SEQUENCES IN SCHEMA %s TO ${reader}', name);
    END LOOP;
  END $$;
`;

/** pg_dump leaves out what belongs to an extension, so a dump of one project restores in another, which has these too. */
const hiddenFromDumpsSql = `
  DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_depend WHERE objid = 'hatidata'::regnamespace AND deptype = 'e') THEN
      ALTER EXTENSION plpgsql ADD SCHEMA hatidata;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_depend WHERE objid = 'hatidata.agent_id'::regproc AND deptype = 'e') THEN
      ALTER EXTENSION plpgsql ADD FUNCTION hatidata.agent_id();
    END IF;
  END $$;
`;

async function ensureRole(client: Client, name: string, password: string): Promise<void> {
  const { rows } = await client.query<{ rolpassword: string | null }>(
    'SELECT rolpassword FROM pg_catalog.pg_authid WHERE rolname = $1',
    [name],
  );
  const verifier = rows[0]?.rolpassword ?? null;
  if (rows.length === 0) await client.query(`CREATE ROLE ${name}`);
  await client.query(
    `ALTER ROLE ${name} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS
       CONNECTION LIMIT -1 VALID UNTIL 'infinity'`,
  );
  if (!matchesVerifier(password, verifier)) {
    await client.query(`ALTER ROLE ${name} PASSWORD '${scramVerifier(password)}'`);
  }
  // Settings that the role could give itself, for all databases and for one.
  await client.query(`ALTER ROLE ${name} RESET ALL`);
  for (const database of Object.values(databaseNames)) {
    const { rowCount } = await client.query(
      'SELECT FROM pg_catalog.pg_database WHERE datname = $1',
      [database],
    );
    if (rowCount === 1) await client.query(`ALTER ROLE ${name} IN DATABASE ${database} RESET ALL`);
  }
}

async function ensureDatabase(client: Client, name: string, owner: string): Promise<void> {
  const { rowCount } = await client.query('SELECT FROM pg_catalog.pg_database WHERE datname = $1', [
    name,
  ]);
  if (rowCount === 0) await client.query(`CREATE DATABASE ${name} OWNER ${owner}`);
  // Its owner can lock everybody out of a database; the next start lets them in again.
  await client.query(`ALTER DATABASE ${name} WITH ALLOW_CONNECTIONS true CONNECTION LIMIT -1`);
}

/** The owner of a database can give it settings of its own (ALTER DATABASE … SET); none of them is for this session. */
const ownSettings = [
  'search_path=pg_catalog',
  'client_min_messages=warning',
  'role=none',
  'default_transaction_read_only=off',
  'statement_timeout=0',
  'transaction_timeout=0',
  'lock_timeout=0',
  'idle_in_transaction_session_timeout=0',
  'idle_session_timeout=0',
  'row_security=off',
]
  .map((setting) => `-c ${setting}`)
  .join(' ');

async function asSuperuser(
  endpoint: Endpoint,
  database: string,
  secrets: Secrets,
  work: (client: Client) => Promise<void>,
): Promise<void> {
  const client = new Client({
    ...endpoint,
    database,
    user: roleNames.superuser,
    password: secrets.superuser,
    application_name: 'hatidata start',
    // Given, so that pg does not look for them in the environment.
    ssl: false,
    options: ownSettings,
  });
  // A connection that breaks is reported by the query that is running.
  client.on('error', () => undefined);
  try {
    await client.connect();
    await work(client);
  } catch (error) {
    throw explainBootstrap(error);
  } finally {
    await client.end();
  }
}

function explainBootstrap(error: unknown): unknown {
  if (!(error instanceof Error) || !('code' in error)) return error;
  switch (error.code) {
    case '28P01':
      return new EmbeddedServerError(
        'The passwords in .hati/secrets.json are not those of the data. Bring back the file that belongs to them, or delete it and start again: new passwords will be made and set, the data stay.',
      );
    case '53100':
      return new EmbeddedServerError(
        'The disk that holds the database is full. Free some space and start again.',
      );
    default:
      return error;
  }
}
