/**
 * The reader may call the writer's functions that declare to change nothing (IMMUTABLE or STABLE, not SECURITY DEFINER),
 * and no others: the same rule as the proxy's `policy/function-trust.ts`, held by the engine itself. Which function is
 * which is known when it is made or changed, so an event trigger grants and revokes.
 *
 * Everything here is the superuser's, and pg_dump leaves it out: functions in pg_catalog (whoever calls them can grant no more
 * than by GRANT), and an event trigger that belongs to the extension plpgsql.
 */
import type { DataDatabase } from './environments.ts';

/** Parts of an aggregate run with the rights of its owner, so they count as the aggregate itself. */
const isHarmless = `
  p.provolatile <> 'v' AND NOT p.prosecdef AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_aggregate a, pg_catalog.pg_proc part
     WHERE a.aggfnoid = p.oid AND (part.provolatile = 'v' OR part.prosecdef)
       AND part.oid IN (a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggserialfn, a.aggdeserialfn,
                        a.aggmtransfn, a.aggminvtransfn, a.aggmfinalfn))`;

/**
 * The functions run as whoever defines something: its owner, who may grant; but inside a trusted extension's script the
 * superuser. So every name carries its schema, and pg_temp, which is the caller's, comes last and not, unnamed, first.
 */
const searchPath = 'SET search_path = pg_catalog, pg_temp';

export const readerFunctionsSql = ({ reader, writer }: DataDatabase): string => `
CREATE OR REPLACE FUNCTION pg_catalog.hatidata_share_function(routine pg_catalog.oid) RETURNS pg_catalog.void
LANGUAGE plpgsql ${searchPath} AS $share$
DECLARE
  harmless pg_catalog.bool;
BEGIN
  SELECT ${isHarmless} INTO harmless
    FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_roles r ON r.oid = p.proowner
   WHERE p.oid = routine AND r.rolname = '${writer}' AND p.prokind <> 'p'
     AND p.pronamespace <> 11 AND NOT pg_catalog.pg_is_other_temp_schema(p.pronamespace);
  IF harmless THEN
    EXECUTE pg_catalog.format('GRANT EXECUTE ON FUNCTION %s TO ${reader}', routine::pg_catalog.regprocedure);
  ELSIF NOT harmless THEN
    EXECUTE pg_catalog.format('REVOKE EXECUTE ON FUNCTION %s FROM ${reader}', routine::pg_catalog.regprocedure);
  END IF;
END $share$;

CREATE OR REPLACE FUNCTION pg_catalog.hatidata_share_functions() RETURNS pg_catalog.event_trigger
LANGUAGE plpgsql SECURITY INVOKER ${searchPath} AS $trigger$
BEGIN
  PERFORM pg_catalog.hatidata_share_function(c.objid)
     FROM pg_catalog.pg_event_trigger_ddl_commands() c
    WHERE c.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass;
END $trigger$;

DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_event_trigger WHERE evtname = 'hatidata_share_functions') THEN
    CREATE EVENT TRIGGER hatidata_share_functions ON ddl_command_end
      WHEN TAG IN ('CREATE FUNCTION', 'ALTER FUNCTION', 'ALTER ROUTINE', 'CREATE AGGREGATE', 'ALTER AGGREGATE')
      EXECUTE FUNCTION pg_catalog.hatidata_share_functions();
    ALTER EXTENSION plpgsql ADD EVENT TRIGGER hatidata_share_functions;
  END IF;
  -- What was made before this existed.
  PERFORM pg_catalog.hatidata_share_function(p.oid)
     FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_roles r ON r.oid = p.proowner
    WHERE r.rolname = '${writer}' AND p.prokind <> 'p' AND ${isHarmless}
      AND NOT pg_catalog.has_function_privilege('${reader}', p.oid, 'EXECUTE');
END $$;
`;
