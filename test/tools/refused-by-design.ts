/** What tools send and a readonly key may not: each with the click that sends it, and why it stays refused. */
export interface Refused {
  readonly click: string;
  readonly text: string;
  readonly reason: string;
  /** All of them are 42501. */
  readonly message: string;
}

const cannot = (what: string): string => `Permission denied: readonly scope cannot ${what}`;

const others = 'it shows what other agents run, values in their statements included';

export const refusedByDesign: readonly Refused[] = [
  {
    click: 'DBeaver: Session Manager; pgAdmin: dashboard, Activity',
    text: 'SELECT sa.* FROM pg_catalog.pg_stat_activity sa',
    reason: others,
    message: cannot('read pg_catalog.pg_stat_activity'),
  },
  {
    click:
      'DataGrip: introspection, the oldest transaction; DBeaver: Lock Manager; pgAdmin: dashboard, Locks',
    text: 'select k.transactionid::varchar::bigint as id from pg_catalog.pg_locks k where k.transactionid is not null limit 1',
    reason: others,
    message: cannot('read pg_catalog.pg_locks'),
  },
  {
    click: 'DataGrip: introspection, how far transactions have come',
    text: 'select case when pg_catalog.pg_is_in_recovery() then null else (pg_catalog.txid_current() % 4294967296)::varchar::bigint end as current_txid',
    reason: 'it assigns a transaction id, which is a write',
    message: cannot('call function pg_catalog.txid_current'),
  },
  {
    click: 'pgAdmin: dashboard, who blocks whom',
    text: "SELECT array_to_string(pg_catalog.pg_blocking_pids(4711), ', ') AS blocking_pids",
    reason: others,
    message: cannot('call function pg_catalog.pg_blocking_pids'),
  },
  {
    click: 'psql, DBeaver: SHOW ALL',
    text: 'SHOW ALL',
    reason: 'it shows how the server is operated; pg_settings shows the rest',
    message: cannot('read setting all'),
  },
  {
    click: 'pgAdmin: Replica nodes',
    text: 'SELECT pid, client_addr FROM pg_catalog.pg_stat_replication ORDER BY pid',
    reason: others,
    message: cannot('read pg_catalog.pg_stat_replication'),
  },
  {
    click: 'DataGrip: introspection of user mappings',
    text: 'SELECT oid AS id, umserver AS server_id, umoptions AS options FROM pg_catalog.pg_user_mapping ORDER BY server_id',
    reason: 'it holds the passwords of other servers',
    message: cannot('read pg_catalog.pg_user_mapping'),
  },
  {
    click: 'Superset: stop; DBeaver: terminate session',
    text: 'SELECT pg_catalog.pg_terminate_backend(4711)',
    reason: 'it ends the statements of others',
    message: cannot('call function pg_catalog.pg_terminate_backend'),
  },
  {
    click:
      'DBeaver: a connection that is marked read-only, in manual commit (pgjdbc with readOnlyMode=always)',
    text: 'SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE',
    reason: 'the key is readonly',
    message: cannot('execute SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE'),
  },
  {
    click: 'DBeaver, pgAdmin: a role for the session; Metabase: impersonation',
    text: 'SET ROLE reporting',
    reason: 'the role on the engine is what keeps the key to reading',
    message: cannot('execute SET ROLE'),
  },
  {
    click: 'DBeaver: edit a cell',
    text: "UPDATE shop.customers SET email = 'x@y' WHERE id = 1",
    reason: 'the key is readonly',
    message: cannot('execute UPDATE'),
  },
  {
    click: 'pgAdmin: validate a constraint',
    text: 'ALTER TABLE IF EXISTS shop.orders VALIDATE CONSTRAINT who_ordered',
    reason: 'the key is readonly',
    message: cannot('execute DDL'),
  },
  {
    click: 'Metabase: model persistence; Tableau: context filters',
    text: 'CREATE TEMPORARY TABLE "#Tableau_1" AS SELECT 1 AS col',
    reason: 'the key is readonly, and temporary tables fill the disk of the engine',
    message: cannot('execute DDL'),
  },
];
