/**
 * Built-in functions that a transaction READ ONLY does not stop from having an effect, or that run SQL hidden in a
 * string: signals, advisory locks, notifications, large objects, WAL messages, slots, statistics, query_to_xml and its
 * kin. PostgreSQL lets everybody call them; here the writer keeps that right and the reader loses it.
 *
 * Denied is the default: every VOLATILE built-in that is not known to be harmless, and the few that are declared
 * STABLE and belong here all the same. A function that a minor release adds is denied until it is listed.
 *
 * pg_dump writes out privileges of built-ins that differ from pg_init_privs; the new ones are recorded there, so that a
 * dump of this database restores elsewhere.
 */

/** Regular expressions over whole names. */
const harmless = [
  'amvalidate|currtid2|current_query|timeofday|clock_timestamp',
  'random|random_normal|setseed|array_sample|array_shuffle|gen_random_uuid|uuidv4|uuidv7',
  // Guarded by the privileges of the sequence, which the reader does not have.
  'nextval|setval|currval|lastval',
  // Needed by every driver; what may be set is not a question of EXECUTE.
  'set_config',
  'pg_sleep|pg_sleep_for|pg_sleep_until',
  // Gives back only what the session has itself; part of drivers' reset.
  'pg_advisory_unlock_all',
  'pg_(database|tablespace|relation|table|indexes|total_relation)_size',
  'pg_get_.*|pg_control_.*|pg_current_wal_.*|pg_last_.*|pg_is_.*|pg_stat_get_.*|pg_xact_.*',
  'pg_stat_clear_snapshot|pg_stat_force_next_flush',
  'pg_blocking_pids|pg_safe_snapshot_blocking_pids|pg_isolation_test_session_is_blocked',
  'pg_lock_status|pg_prepared_xact|pg_notification_queue_usage|pg_jit_available',
  'pg_(database_)?collation_actual_version|pg_partition_ancestors|pg_partition_tree',
  'pg_sequence_last_value|pg_available_wal_summaries|pg_wal_summary_contents|txid_status',
];

const harmfulThoughStable = [
  '(table|schema|database)_to_xml(schema|_and_xmlschema)?',
  // Show what other sessions run.
  'pg_stat_get_activity|pg_stat_get_backend_activity',
  'txid_current|pg_current_xact_id',
];

/** Built-ins have object ids below FirstNormalObjectId (transam.h). */
const firstUserObject = 16384;

const matches = (patterns: readonly string[]) => `proname ~ '^(${patterns.join('|')})$'`;

/** @param trusted the role that keeps the right, in the database where this is run; `restricted` loses it. */
export const functionPrivilegesSql = (trusted: string, restricted: string): string => `
SET LOCAL allow_system_table_mods = on;

DO $privileges$
DECLARE
  target record;
BEGIN
  FOR target IN
    SELECT oid, oid::regprocedure::text AS signature
    FROM pg_catalog.pg_proc
    WHERE pronamespace = 'pg_catalog'::regnamespace AND oid < ${firstUserObject} AND prokind = 'f'
      AND (provolatile = 'v' AND NOT ${matches(harmless)} OR ${matches(harmfulThoughStable)})
      -- Handlers and trigger functions cannot be called by a statement.
      AND NOT prorettype = ANY ('{trigger,event_trigger,language_handler,internal,index_am_handler,table_am_handler,tsm_handler}'::regtype[])
      AND NOT 'internal'::regtype = ANY (proargtypes)
      -- What everybody may call: the rest is the superuser's already.
      AND EXISTS (
        SELECT FROM aclexplode(coalesce(proacl, acldefault('f', proowner)))
        WHERE grantee = 0 AND privilege_type = 'EXECUTE')
  LOOP
    EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', target.signature);
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO ${trusted}', target.signature);
    DELETE FROM pg_catalog.pg_init_privs
    WHERE classoid = 'pg_catalog.pg_proc'::regclass AND objoid = target.oid AND objsubid = 0;
    INSERT INTO pg_catalog.pg_init_privs (objoid, classoid, objsubid, privtype, initprivs)
    SELECT oid, 'pg_catalog.pg_proc'::regclass, 0, 'i', proacl
    FROM pg_catalog.pg_proc WHERE oid = target.oid;
  END LOOP;

  -- DO runs code of the caller's own.
  IF has_language_privilege('${restricted}', 'plpgsql', 'USAGE') THEN
    REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC;
    GRANT USAGE ON LANGUAGE plpgsql TO ${trusted};
    DELETE FROM pg_catalog.pg_init_privs
    WHERE classoid = 'pg_catalog.pg_language'::regclass
      AND objoid = (SELECT oid FROM pg_catalog.pg_language WHERE lanname = 'plpgsql');
    INSERT INTO pg_catalog.pg_init_privs (objoid, classoid, objsubid, privtype, initprivs)
    SELECT oid, 'pg_catalog.pg_language'::regclass, 0, 'e', lanacl
    FROM pg_catalog.pg_language WHERE lanname = 'plpgsql';
  END IF;
END
$privileges$;
`;
