/**
 * The reader may call the writer's functions that declare to change nothing (IMMUTABLE or STABLE, not SECURITY DEFINER),
 * and no others: the same rule as the proxy's `policy/function-trust.ts`, held by the engine itself. Which function is
 * which is known when it is made or changed, so an event trigger grants and revokes.
 *
 * Everything here is the superuser's, and pg_dump leaves it out: functions in pg_catalog (whoever calls them can grant no more
 * than by GRANT), and an event trigger that belongs to the extension plpgsql.
 */
import { engineRoles } from '../roles.ts';

const { reader, writer } = engineRoles;

/** Parts of an aggregate run with the rights of its owner, so they count as the aggregate itself. */
const isHarmless = `
  p.provolatile <> 'v' AND NOT p.prosecdef AND NOT EXISTS (
    SELECT FROM pg_aggregate a, pg_proc part
     WHERE a.aggfnoid = p.oid AND (part.provolatile = 'v' OR part.prosecdef)
       AND part.oid IN (a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggserialfn, a.aggdeserialfn,
                        a.aggmtransfn, a.aggminvtransfn, a.aggmfinalfn))`;

export const readerFunctionsSql = `
CREATE OR REPLACE FUNCTION pg_catalog.hatidata_share_function(routine pg_catalog.oid) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $share$
DECLARE
  harmless boolean;
BEGIN
  SELECT ${isHarmless} INTO harmless
    FROM pg_proc p JOIN pg_roles r ON r.oid = p.proowner
   WHERE p.oid = routine AND r.rolname = '${writer}' AND p.prokind <> 'p'
     AND p.pronamespace <> 'pg_catalog'::regnamespace AND NOT pg_is_other_temp_schema(p.pronamespace);
  IF harmless THEN
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO ${reader}', routine::regprocedure);
  ELSIF NOT harmless THEN
    EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM ${reader}', routine::regprocedure);
  END IF;
END $share$;

CREATE OR REPLACE FUNCTION pg_catalog.hatidata_share_functions() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $trigger$
BEGIN
  PERFORM hatidata_share_function(objid) FROM pg_event_trigger_ddl_commands()
   WHERE classid = 'pg_proc'::regclass;
END $trigger$;

DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_event_trigger WHERE evtname = 'hatidata_share_functions') THEN
    CREATE EVENT TRIGGER hatidata_share_functions ON ddl_command_end
      WHEN TAG IN ('CREATE FUNCTION', 'ALTER FUNCTION', 'ALTER ROUTINE', 'CREATE AGGREGATE', 'ALTER AGGREGATE')
      EXECUTE FUNCTION hatidata_share_functions();
    ALTER EXTENSION plpgsql ADD EVENT TRIGGER hatidata_share_functions;
  END IF;
  -- What was made before this existed.
  PERFORM hatidata_share_function(p.oid) FROM pg_proc p JOIN pg_roles r ON r.oid = p.proowner
    WHERE r.rolname = '${writer}' AND p.prokind <> 'p' AND ${isHarmless}
      AND NOT has_function_privilege('${reader}', p.oid, 'EXECUTE');
END $$;
`;
