/** API keys, their secrets, and the append-only record of administrative acts. */
export const sql = `
CREATE TABLE hatidata.api_keys (
  key_id text PRIMARY KEY,
  agent_id text NOT NULL,
  scope text NOT NULL,
  description text NOT NULL DEFAULT '',
  created_at timestamptz NOT NULL DEFAULT now(),
  revoked_at timestamptz,
  last_used_at timestamptz
);
CREATE UNIQUE INDEX api_keys_active_agent ON hatidata.api_keys (agent_id) WHERE revoked_at IS NULL;

-- One row for each secret ever issued; rotation ends one and adds one.
CREATE TABLE hatidata.api_key_secrets (
  secret_id uuid PRIMARY KEY,
  key_id text NOT NULL REFERENCES hatidata.api_keys,
  prefix text NOT NULL UNIQUE,
  hash text NOT NULL,
  issued_at timestamptz NOT NULL DEFAULT now(),
  ended_at timestamptz
);
CREATE INDEX api_key_secrets_key ON hatidata.api_key_secrets (key_id);

CREATE TABLE hatidata.iam_audit (
  sequence bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  action text NOT NULL,
  actor text NOT NULL,
  actor_key_id text,
  source text NOT NULL,
  target text,
  detail jsonb NOT NULL DEFAULT '{}'
);

CREATE FUNCTION hatidata.refuse_change() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
  RAISE EXCEPTION 'hatidata.iam_audit is append-only' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER iam_audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON hatidata.iam_audit
  FOR EACH STATEMENT EXECUTE FUNCTION hatidata.refuse_change();

CREATE SCHEMA _hatidata_keys;
-- created_at is the time of the current secret: a rotated key sorts by its rotation. It is shown in whole seconds, so
-- rows come newest first, for a sort by it to keep that order among equals.
CREATE VIEW _hatidata_keys.active_keys AS
  SELECT k.agent_id,
         k.scope,
         (s.issued_at AT TIME ZONE 'UTC')::timestamp(0) AS created_at,
         (k.last_used_at AT TIME ZONE 'UTC')::timestamp(0) AS last_used_at,
         k.description,
         s.prefix AS key_prefix
    FROM hatidata.api_keys k
    JOIN hatidata.api_key_secrets s ON s.key_id = k.key_id AND s.ended_at IS NULL
   WHERE k.revoked_at IS NULL
   ORDER BY s.issued_at DESC;
`;
