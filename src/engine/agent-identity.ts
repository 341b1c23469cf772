/**
 * `hatidata.agent_id()`: which agent acts, for the database's own triggers, policies and defaults; unforgeable.
 *
 * The setting of that name is not enough: PostgreSQL has no privilege on custom settings, so code that an admin key runs
 * (DO, a function) can change it. But no code can change what RESET returns to when the value came with the startup
 * packet, which is the proxy's to write. The function asks for that by setting the parameter to NULL, so it also
 * puts a changed setting right. This is why a connection of the writer's must never serve two agents.
 */
import type { EngineRole } from './roles.ts';

/**
 * May be repeated, by the same administrator or a superuser. The body is in SQL's own form: resolved once, here, so no
 * search_path of a caller changes what it calls. Unsafe in parallel plans, which may not set anything.
 */
export const agentIdentitySql = ({
  reader,
  writer,
}: Readonly<Record<EngineRole, string>>): readonly string[] => [
  'CREATE SCHEMA IF NOT EXISTS hatidata',
  // An admin key may have made it. A control store in the same database has its tables here, and keeps the schema.
  `DO $$ BEGIN
  IF EXISTS (SELECT FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_roles r ON r.oid = n.nspowner
              WHERE n.nspname = 'hatidata' AND r.rolname IN ('${reader}', '${writer}')) THEN
    ALTER SCHEMA hatidata OWNER TO CURRENT_USER;
  END IF;
END $$`,
  `REVOKE CREATE ON SCHEMA hatidata FROM PUBLIC, ${reader}, ${writer}`,
  // Triggers call it for whoever changes the table, also for those who don't come through HatiData.
  'GRANT USAGE ON SCHEMA hatidata TO PUBLIC',
  `CREATE OR REPLACE FUNCTION hatidata.agent_id() RETURNS text LANGUAGE sql STABLE PARALLEL UNSAFE
RETURN CASE WHEN SESSION_USER IN ('${reader}', '${writer}')
       THEN NULLIF(pg_catalog.set_config('hatidata.agent_id', NULL, false), '') END`,
  'ALTER FUNCTION hatidata.agent_id() OWNER TO CURRENT_USER',
  'GRANT EXECUTE ON FUNCTION hatidata.agent_id() TO PUBLIC',
  `COMMENT ON FUNCTION hatidata.agent_id() IS 'The agent that HatiData let in; NULL for other connections.'`,
];
