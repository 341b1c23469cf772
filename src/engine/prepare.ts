/**
 * `hati engine prepare`: makes the two roles that HatiData logs in with, in a PostgreSQL of the user's own, and the
 * function by which triggers and policies learn the agent.
 *
 * The writer may do what an application may: use and create objects in the user schemas, not administer the server.
 * The reader may read. Everything can be repeated: what is there already is left as it is or put right, and passwords
 * change only when asked for. Passwords travel as SCRAM verifiers, so that no server log ever holds one.
 */
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { agentIdentitySql } from './agent-identity.ts';
import { engineRoles } from './roles.ts';
import { scramVerifier } from './scram.ts';

export interface PrepareOptions {
  /** Only say what would be done. */
  readonly dryRun: boolean;
  /** Give both roles new passwords although they exist; whoever uses the old ones is locked out. */
  readonly newPasswords: boolean;
}

export interface Preparation {
  /** What was run, or would be, in order; passwords left out. */
  readonly statements: readonly string[];
  /** URLs for HatiData; undefined for a role whose password was left as it is. */
  readonly urls: { readonly writer: string | undefined; readonly reader: string | undefined };
  /** Sentences about what an administrator may want to do besides. */
  readonly notes: readonly string[];
}

interface PlannedStatement {
  readonly sql: string;
  readonly shown?: string;
}

interface Plan {
  readonly statements: readonly PlannedStatement[];
  readonly passwords: ReadonlyMap<string, string>;
  readonly notes: readonly string[];
}

/** @param url an administrator's: it may create roles and grant on the user schemas. */
export async function prepareEngine(url: string, options: PrepareOptions): Promise<Preparation> {
  const client = new pg.Client({
    connectionString: url,
    application_name: 'hati engine prepare',
    enableChannelBinding: true,
    connectionTimeoutMillis: 10_000,
    options: '-c search_path=pg_catalog',
  });
  // A connection that breaks is reported by the query that is running.
  client.on('error', () => undefined);
  await client.connect();
  try {
    const plan = await makePlan(client, options);
    if (!options.dryRun) await run(client, plan.statements);
    return {
      statements: plan.statements.map(({ sql, shown }) => shown ?? sql),
      urls: {
        writer: roleUrl(url, engineRoles.writer, plan.passwords),
        reader: roleUrl(url, engineRoles.reader, plan.passwords),
      },
      notes: plan.notes,
    };
  } finally {
    await client.end();
  }
}

async function run(client: pg.Client, statements: readonly PlannedStatement[]): Promise<void> {
  await client.query('BEGIN');
  try {
    for (const { sql } of statements) await client.query(sql);
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  }
}

async function makePlan(client: pg.Client, options: PrepareOptions): Promise<Plan> {
  const facts = await readFacts(client);
  const passwords = new Map<string, string>();
  const statements: PlannedStatement[] = [];
  for (const role of [engineRoles.writer, engineRoles.reader]) {
    const exists = facts.roles.has(role);
    const attributes = 'LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS';
    // PostgreSQL lets only a superuser name some of these, even to deny them; they are the default.
    const named = facts.isSuperuser ? attributes : 'LOGIN NOCREATEDB NOCREATEROLE';
    if (!exists || options.newPasswords) {
      const password = randomBytes(24).toString('base64url');
      passwords.set(role, password);
      const start = `${exists ? 'ALTER' : 'CREATE'} ROLE ${role} ${named} PASSWORD`;
      statements.push({ sql: `${start} '${scramVerifier(password)}'`, shown: `${start} '…'` });
    } else {
      statements.push({ sql: `ALTER ROLE ${role} ${named}` });
    }
  }
  const identity = facts.foreignOwner === null ? agentIdentitySql(engineRoles) : [];
  statements.push(...[...grants(facts), ...identity].map((sql) => ({ sql })));
  return { statements, passwords, notes: notes(facts) };
}

interface Facts {
  readonly database: string;
  readonly isSuperuser: boolean;
  readonly roles: ReadonlySet<string>;
  /** User schemas, quoted. */
  readonly schemas: readonly string[];
  /** Roles other than the writer that own tables and are no superusers, quoted. */
  readonly owners: readonly string[];
  /** Who owns the schema `hatidata`, quoted, when that is somebody for whom this administrator can't act. */
  readonly foreignOwner: string | null;
}

async function readFacts(client: pg.Client): Promise<Facts> {
  const { rows } = await client.query<{
    database: string;
    superuser: boolean;
    roles: string[];
    schemas: string[];
    owners: string[];
    foreignOwner: string | null;
  }>(
    `SELECT quote_ident(current_database()) AS database,
            r.rolsuper AS superuser,
            ARRAY(SELECT rolname::text FROM pg_roles WHERE rolname = ANY ($1::text[])) AS roles,
            ARRAY(SELECT quote_ident(nspname) FROM pg_namespace
                   WHERE nspname NOT LIKE 'pg\\_%' AND nspname NOT IN ('information_schema', 'hatidata')
                     AND has_schema_privilege(oid, 'USAGE WITH GRANT OPTION') ORDER BY 1) AS schemas,
            ARRAY(SELECT DISTINCT quote_ident(o.rolname) FROM pg_class c
                    JOIN pg_namespace n ON n.oid = c.relnamespace
                    JOIN pg_roles o ON o.oid = c.relowner AND NOT o.rolsuper
                   WHERE c.relkind IN ('r', 'p') AND n.nspname NOT LIKE 'pg\\_%'
                     AND n.nspname <> 'information_schema'
                     AND o.rolname <> $2 ORDER BY 1) AS owners,
            (SELECT quote_ident(o.rolname) FROM pg_namespace n JOIN pg_roles o ON o.oid = n.nspowner
              WHERE n.nspname = 'hatidata' AND NOT pg_has_role(o.oid, 'USAGE')) AS "foreignOwner"
       FROM pg_roles r WHERE r.rolname = current_user`,
    [Object.values(engineRoles), engineRoles.writer],
  );
  const row = rows[0]!;
  return {
    database: row.database,
    isSuperuser: row.superuser,
    roles: new Set(row.roles),
    schemas: row.schemas,
    owners: row.owners,
    foreignOwner: row.foreignOwner,
  };
}

function grants({ database, schemas, isSuperuser }: Facts): string[] {
  const { reader, writer } = engineRoles;
  return [
    `ALTER ROLE ${reader} SET default_transaction_read_only = on`,
    `GRANT CONNECT ON DATABASE ${database} TO ${reader}, ${writer}`,
    `GRANT CREATE, TEMPORARY ON DATABASE ${database} TO ${writer}`,
    // What admin keys create is for readonly keys to read. Not pg_read_all_data, which also reads pg_authid.
    ...(isSuperuser
      ? [
          `ALTER DEFAULT PRIVILEGES FOR ROLE ${writer} GRANT USAGE ON SCHEMAS TO ${reader}`,
          `ALTER DEFAULT PRIVILEGES FOR ROLE ${writer} GRANT SELECT ON TABLES TO ${reader}`,
          // Code that admin keys make is not run by readonly keys, unless it is granted by name.
          `ALTER DEFAULT PRIVILEGES FOR ROLE ${writer} REVOKE EXECUTE ON ROUTINES FROM PUBLIC`,
        ]
      : []),
    ...schemas.flatMap((schema) => [
      `GRANT USAGE ON SCHEMA ${schema} TO ${reader}, ${writer}`,
      `GRANT CREATE ON SCHEMA ${schema} TO ${writer}`,
      `GRANT SELECT ON ALL TABLES IN SCHEMA ${schema} TO ${reader}`,
      `GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES ON ALL TABLES IN SCHEMA ${schema} TO ${writer}`,
      `GRANT USAGE, SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA ${schema} TO ${writer}`,
      `GRANT SELECT ON ALL SEQUENCES IN SCHEMA ${schema} TO ${reader}`,
      `ALTER DEFAULT PRIVILEGES IN SCHEMA ${schema} GRANT SELECT ON TABLES TO ${reader}`,
      `ALTER DEFAULT PRIVILEGES IN SCHEMA ${schema} GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES ON TABLES TO ${writer}`,
      `ALTER DEFAULT PRIVILEGES IN SCHEMA ${schema} GRANT USAGE, SELECT, UPDATE ON SEQUENCES TO ${writer}`,
    ]),
  ];
}

function notes({ owners, isSuperuser, foreignOwner }: Facts): string[] {
  const { reader, writer } = engineRoles;
  const list: string[] = [];
  list.push(
    'Admin keys can change the data of existing tables; ALTER and DROP stay with their owners.' +
      owners
        .map((owner) => ` To let admin keys do that too: GRANT ${owner} TO ${writer}.`)
        .join(''),
  );
  if (!isSuperuser) {
    list.push(
      `Tables that admin keys create are readable for ${reader} only after, as ${writer}:` +
        ` ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO ${reader}`,
    );
  }
  if (foreignOwner !== null) {
    list.push(
      `The schema hatidata belongs to ${foreignOwner}, so hatidata.agent_id() was left as it is.` +
        ` To make it or renew it, run this again as ${foreignOwner} or as a superuser.`,
    );
  }
  return list;
}

function roleUrl(
  url: string,
  role: string,
  passwords: ReadonlyMap<string, string>,
): string | undefined {
  const password = passwords.get(role);
  if (password === undefined) return undefined;
  const own = new URL(url);
  own.username = role;
  own.password = password;
  return own.href;
}
