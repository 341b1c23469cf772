/**
 * What a proxy shows of itself: its sessions and engine connections. Nothing of it is stored. Whoever reads a view through a proxy
 * gets the rows in a setting of the session (`control/system/status-setting.ts`); without it, reading is an error.
 */
export const sql = `
CREATE SCHEMA _hatidata_status;

CREATE VIEW _hatidata_status.clients AS
  SELECT * FROM pg_catalog.jsonb_to_recordset(pg_catalog.current_setting('_hatidata_status.clients')::jsonb) AS t (
    instance integer,
    client_id integer,
    principal text,
    key_id text,
    agent text,
    scope text,
    source text,
    application_name text,
    tls text,
    state text,
    since timestamptz,
    connected_at timestamptz,
    pool text,
    engine_pid integer,
    pin_reason text,
    pin_detail text,
    prepared_statements integer,
    bytes_in bigint,
    bytes_out bigint);

CREATE VIEW _hatidata_status.pools AS
  SELECT * FROM pg_catalog.jsonb_to_recordset(pg_catalog.current_setting('_hatidata_status.pools')::jsonb) AS t (
    instance integer,
    pool text,
    mode text,
    size integer,
    in_use integer,
    pinned integer,
    idle integer,
    opening integer,
    waiting integer,
    longest_wait_seconds double precision,
    asked bigint,
    waited bigint,
    waited_seconds double precision,
    timed_out bigint,
    opened bigint,
    not_opened bigint,
    closed bigint,
    broken bigint,
    cleaned bigint,
    engine_away boolean);

CREATE VIEW _hatidata_status.servers AS
  SELECT * FROM pg_catalog.jsonb_to_recordset(pg_catalog.current_setting('_hatidata_status.servers')::jsonb) AS t (
    instance integer,
    pool text,
    engine_pid integer,
    agent text,
    scope text,
    state text,
    since timestamptz,
    opened_at timestamptz,
    client_id integer,
    pin_reason text,
    prepared_statements integer,
    needs_cleaning boolean);

CREATE VIEW _hatidata_status.statements AS
  SELECT * FROM pg_catalog.jsonb_to_recordset(pg_catalog.current_setting('_hatidata_status.statements')::jsonb) AS t (
    instance integer,
    fingerprint text,
    statement text,
    class text,
    runs bigint,
    texts integer,
    bytes bigint);
`;
