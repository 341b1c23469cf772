/**
 * What every start makes sure of for a database of clients' data: the one of the configuration, and those of environments that have
 * one of their own. Its roles belong to it alone.
 */
import type { Client } from 'pg';
import { agentIdentitySql } from '../agent-identity.ts';
import { compatibilitySql } from './compatibility.ts';
import type { DataDatabase } from './environments.ts';
import { functionPrivilegesSql } from './function-privileges.ts';
import { readerFunctionsSql } from './reader-functions.ts';

/** @param client in that database, within a transaction */
export async function fillDataDatabase(client: Client, names: DataDatabase): Promise<void> {
  await client.query(schemasSql(names));
  await client.query(readerSql(names));
  await client.query(agentIdentitySql(names).join(';'));
  await client.query(hiddenFromDumpsSql);
  await client.query(readerFunctionsSql(names));
  await client.query(compatibilitySql);
  await client.query(functionPrivilegesSql(names.writer, names.reader));
}

/** Run in another database of the server. */
export const dataDatabaseSql = ({ database, reader, writer }: DataDatabase): string => `
  ALTER ROLE ${reader} SET default_transaction_read_only = on;
  REVOKE ALL ON DATABASE ${database} FROM PUBLIC;
  GRANT CONNECT ON DATABASE ${database} TO ${reader}, ${writer};
  -- What we read must be what the engine reads; the owner of a database could say otherwise for every login.
  ALTER DATABASE ${database} RESET standard_conforming_strings;
  ALTER DATABASE ${database} RESET client_encoding;
  -- With another role nobody could log in.
  ALTER DATABASE ${database} RESET role;
  DO $$ BEGIN
    IF NOT EXISTS (
      SELECT FROM pg_catalog.pg_db_role_setting s JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
      WHERE datname = '${database}' AND setrole = 0
        AND EXISTS (SELECT FROM unnest(setconfig) AS item WHERE item LIKE 'search_path=%')
    ) THEN
      ALTER DATABASE ${database} SET search_path = main, public;
    END IF;
  END $$;
`;

const schemasSql = ({ writer }: DataDatabase): string => `
  CREATE SCHEMA IF NOT EXISTS main AUTHORIZATION ${writer};
  CREATE SCHEMA IF NOT EXISTS public AUTHORIZATION pg_database_owner;
`;

/**
 * The reader may read what the writer makes, now and later. Not by pg_read_all_data: that role also reads pg_authid,
 * the password verifiers of every role, and whatever else the system catalogues keep closed.
 */
const readerSql = ({ reader, writer }: DataDatabase): string => `
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
