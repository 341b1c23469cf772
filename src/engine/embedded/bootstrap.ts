/**
 * What every start makes sure of inside the server: roles, databases, privileges, and the few names that legacy
 * clients expect. All of it may be repeated: nothing changes when it is as it should be, and what a client changed
 * about its own role (ALTER ROLE … SET, a password) is put right.
 *
 * This is the only code that connects as the superuser.
 */
import { Client } from 'pg';
import { dataDatabaseSql, fillDataDatabase } from './data-database.ts';
import {
  databaseOf,
  environmentPassword,
  environmentPrefix,
  firstDatabase,
  type DataDatabase,
} from './environments.ts';
import { EmbeddedServerError } from './error.ts';
import { functionPrivilegesSql } from './function-privileges.ts';
import { matchesVerifier, scramVerifier } from '../scram.ts';
import { roleNames, type EmbeddedRole, type Secrets } from './secrets.ts';

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

export const databaseNames = { data: firstDatabase.database, control: 'hatidata_control' } as const;

const { control, system } = roleNames;
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
    await ensureDatabase(client, databaseNames.data, firstDatabase.writer);
    await ensureDatabase(client, databaseNames.control, control);
    await client.query(databasesSql);
    await client.query(dataDatabaseSql(firstDatabase));
  });
  await fill(endpoint, secrets, firstDatabase);
  await asSuperuser(endpoint, databaseNames.control, secrets, async (client) => {
    await client.query('BEGIN');
    await client.query(functionPrivilegesSql(control, system));
    await client.query('COMMIT');
  });
  for (const environment of await environmentsIn(endpoint, secrets))
    await provisionEnvironment(endpoint, secrets, environment);
}

/** Makes the database of an environment with its roles, or puts right what is there. */
export async function provisionEnvironment(
  endpoint: Endpoint,
  secrets: Secrets,
  environment: string,
): Promise<void> {
  const names = databaseOf(environment);
  await asSuperuser(endpoint, 'postgres', secrets, async (client) => {
    for (const role of ['reader', 'writer'] as const)
      await ensureRole(client, names[role], environmentPassword(secrets.control, names, role));
    await ensureDatabase(client, names.database, names.writer);
    await client.query(dataDatabaseSql(names));
  });
  await fill(endpoint, secrets, names);
}

async function fill(endpoint: Endpoint, secrets: Secrets, names: DataDatabase): Promise<void> {
  await asSuperuser(endpoint, names.database, secrets, async (client) => {
    await client.query('BEGIN');
    await fillDataDatabase(client, names);
    await client.query('COMMIT');
  });
}

async function environmentsIn(endpoint: Endpoint, secrets: Secrets): Promise<string[]> {
  return await asSuperuser(endpoint, 'postgres', secrets, async (client) => {
    const { rows } = await client.query<{ datname: string }>(
      'SELECT datname FROM pg_catalog.pg_database WHERE pg_catalog.starts_with(datname, $1) ORDER BY datname',
      [environmentPrefix],
    );
    return rows.map(({ datname }) => `env_${datname.slice(environmentPrefix.length)}`);
  });
}

const rolesSql = `
  GRANT pg_signal_backend TO ${control};
  -- For proxies that know this store by its URL, and so have no login of that role.
  GRANT ${system} TO ${control} WITH INHERIT FALSE, SET TRUE;
`;

const databasesSql = `
  REVOKE ALL ON DATABASE postgres, template1, ${databaseNames.control} FROM PUBLIC;
  GRANT CONNECT ON DATABASE ${databaseNames.control} TO ${system};
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
  const { rows: databases } = await client.query<{ datname: string }>(
    `SELECT d.datname FROM pg_catalog.pg_db_role_setting s
       JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
       JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
      WHERE r.rolname = $1`,
    [name],
  );
  for (const { datname } of databases)
    await client.query(`ALTER ROLE ${name} IN DATABASE ${datname} RESET ALL`);
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

async function asSuperuser<T>(
  endpoint: Endpoint,
  database: string,
  secrets: Secrets,
  work: (client: Client) => Promise<T>,
): Promise<T> {
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
    return await work(client);
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
