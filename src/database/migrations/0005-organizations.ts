/**
 * Whom keys belong to: organizations with their users and environments. Keys that there were belong to the first organization's
 * first environment, whose engine is the one of the configuration; so do those of a new store.
 */
export const sql = `
CREATE FUNCTION hatidata.new_id(prefix text) RETURNS text LANGUAGE sql VOLATILE SET search_path = pg_catalog
  AS $$ SELECT prefix || left(translate(gen_random_uuid()::text, '-', ''), 12) $$;

CREATE TABLE hatidata.organizations (
  org_id text PRIMARY KEY,
  name text NOT NULL,
  slug text NOT NULL,
  billing_email text NOT NULL,
  cloud_region text NOT NULL DEFAULT 'us-east-1',
  tier text NOT NULL DEFAULT 'free' CHECK (tier IN ('free', 'cloud', 'growth', 'enterprise')),
  status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended', 'deleted')),
  mfa_required boolean NOT NULL DEFAULT false,
  enforce_sso boolean NOT NULL DEFAULT false,
  version integer NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now()),
  updated_at timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now())
);
-- The slug of one that is deleted is free again.
CREATE UNIQUE INDEX organizations_slug ON hatidata.organizations (slug) WHERE status <> 'deleted';

CREATE TABLE hatidata.users (
  user_id text PRIMARY KEY,
  email text NOT NULL,
  name text NOT NULL DEFAULT '',
  -- Argon2id; null for who has not chosen one, or comes from elsewhere.
  password_hash text,
  -- Sealed (shared/secret-box.ts); counts once it is confirmed.
  totp_secret bytea,
  totp_confirmed_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now()),
  last_login_at timestamptz
);
CREATE UNIQUE INDEX users_email ON hatidata.users (lower(email));

CREATE TABLE hatidata.memberships (
  org_id text NOT NULL REFERENCES hatidata.organizations,
  user_id text NOT NULL REFERENCES hatidata.users,
  role text NOT NULL CHECK (role IN ('owner', 'admin', 'developer', 'analyst', 'auditor', 'service_account')),
  status text NOT NULL CHECK (status IN ('active', 'invited', 'suspended')),
  -- SHA-256 of the token in the invitation's link.
  invitation_hash bytea UNIQUE,
  invitation_expires_at timestamptz,
  version integer NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now()),
  PRIMARY KEY (org_id, user_id),
  CHECK ((status = 'invited') = (invitation_expires_at IS NOT NULL))
);
CREATE INDEX memberships_user ON hatidata.memberships (user_id);
CREATE UNIQUE INDEX memberships_owner ON hatidata.memberships (org_id) WHERE role = 'owner';

CREATE TABLE hatidata.environments (
  env_id text PRIMARY KEY,
  org_id text NOT NULL REFERENCES hatidata.organizations,
  name text NOT NULL,
  slug text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('production', 'staging', 'development')),
  status text NOT NULL DEFAULT 'active' CHECK (status IN ('provisioning', 'active', 'archived')),
  -- The one whose engine is that of the configuration.
  is_first boolean NOT NULL DEFAULT false,
  -- A database of its own in the embedded server, or what these name, sealed.
  engine text NOT NULL CHECK (engine IN ('configured', 'embedded', 'url')),
  engine_url bytea,
  engine_reader_url bytea,
  query_timeout_ms integer NOT NULL DEFAULT 0,
  max_concurrent_queries integer NOT NULL DEFAULT 0,
  cache_enabled boolean NOT NULL DEFAULT false,
  fast_lane boolean NOT NULL DEFAULT true,
  version integer NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now()),
  updated_at timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now())
);
CREATE UNIQUE INDEX environments_slug ON hatidata.environments (org_id, slug) WHERE status <> 'archived';
CREATE UNIQUE INDEX environments_first ON hatidata.environments (is_first) WHERE is_first;

WITH first AS (
  INSERT INTO hatidata.organizations (org_id, name, slug, billing_email, tier)
  VALUES (hatidata.new_id('org_'), 'My organization', 'my-organization', 'owner@localhost', 'enterprise')
  RETURNING org_id)
INSERT INTO hatidata.environments (env_id, org_id, name, slug, kind, is_first, engine)
  SELECT hatidata.new_id('env_'), org_id, 'Production', 'production', 'production', true, 'configured' FROM first;

ALTER TABLE hatidata.api_keys
  ADD COLUMN env_id text REFERENCES hatidata.environments,
  ADD COLUMN created_by text NOT NULL DEFAULT 'unknown',
  ADD COLUMN revoked_by text,
  ADD COLUMN expires_at timestamptz,
  -- CIDRs; none: from anywhere.
  ADD COLUMN ip_allowlist text[] NOT NULL DEFAULT '{}',
  -- As they were given, wildcards among them; null: as in scope.
  ADD COLUMN given_scopes text[];
-- Lists go on behind a time, and outside of the store times have milliseconds.
UPDATE hatidata.api_keys SET env_id = (SELECT env_id FROM hatidata.environments WHERE is_first),
  created_at = date_trunc('milliseconds', created_at);
ALTER TABLE hatidata.api_keys ALTER COLUMN env_id SET NOT NULL;
DROP INDEX hatidata.api_keys_active_agent;
CREATE UNIQUE INDEX api_keys_active_name ON hatidata.api_keys (env_id, agent_id) WHERE revoked_at IS NULL;
CREATE INDEX api_keys_listed ON hatidata.api_keys (env_id, created_at DESC, key_id DESC);

-- Of a secret that was replaced and goes on for a while: until when.
ALTER TABLE hatidata.api_key_secrets ADD COLUMN expires_at timestamptz;
CREATE INDEX api_key_secrets_expiring ON hatidata.api_key_secrets (expires_at)
  WHERE ended_at IS NULL AND expires_at IS NOT NULL;

ALTER TABLE hatidata.iam_audit
  ADD COLUMN org_id text,
  ADD COLUMN env_id text,
  ADD COLUMN request_id text;
CREATE INDEX iam_audit_organization ON hatidata.iam_audit (org_id, sequence);

-- Answers to creating calls that may be sent again (Idempotency-Key).
CREATE TABLE hatidata.idempotent_calls (
  caller text NOT NULL,
  idempotency_key text NOT NULL,
  -- SHA-256 of method, path and body.
  request_hash bytea NOT NULL,
  -- Sealed: it may hold a secret that is shown this once.
  answer bytea NOT NULL,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (caller, idempotency_key)
);
CREATE INDEX idempotent_calls_age ON hatidata.idempotent_calls (created_at);

CREATE OR REPLACE VIEW _hatidata_keys.active_keys AS
  SELECT k.agent_id,
         k.scope,
         (s.issued_at AT TIME ZONE 'UTC')::timestamp(0) AS created_at,
         (k.last_used_at AT TIME ZONE 'UTC')::timestamp(0) AS last_used_at,
         k.description,
         s.prefix AS key_prefix,
         k.limits
    FROM hatidata.api_keys k
    JOIN hatidata.api_key_secrets s ON s.key_id = k.key_id AND s.ended_at IS NULL AND s.expires_at IS NULL
   WHERE k.revoked_at IS NULL
     AND (k.expires_at IS NULL OR k.expires_at > now())
     AND k.env_id = coalesce(nullif(current_setting('_hatidata_keys.environment', true), ''),
                             (SELECT env_id FROM hatidata.environments WHERE is_first))
   ORDER BY s.issued_at DESC;
`;
