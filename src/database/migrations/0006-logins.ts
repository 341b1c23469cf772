/** Users that log in: the keys that sign their tokens, their sessions, and what is counted against guessing. */
export const sql = `
CREATE TABLE hatidata.signing_keys (
  kid text PRIMARY KEY,
  public_jwk jsonb NOT NULL,
  -- Sealed (shared/secret-box.ts).
  private_jwk bytea NOT NULL,
  created_at timestamptz NOT NULL,
  -- From then on it signs nothing new.
  retired_at timestamptz
);
CREATE UNIQUE INDEX signing_keys_current ON hatidata.signing_keys ((true)) WHERE retired_at IS NULL;

CREATE TABLE hatidata.auth_sessions (
  session_id text PRIMARY KEY,
  user_id text NOT NULL REFERENCES hatidata.users ON DELETE CASCADE,
  org_id text NOT NULL REFERENCES hatidata.organizations,
  created_at timestamptz NOT NULL,
  -- However often it is refreshed.
  ends_at timestamptz NOT NULL,
  ended_at timestamptz,
  end_reason text,
  has_second_factor boolean NOT NULL,
  source text NOT NULL,
  user_agent text,
  CHECK ((ended_at IS NULL) = (end_reason IS NULL))
);
CREATE INDEX auth_sessions_user ON hatidata.auth_sessions (user_id) WHERE ended_at IS NULL;
CREATE INDEX auth_sessions_age ON hatidata.auth_sessions (ends_at);

CREATE TABLE hatidata.refresh_tokens (
  -- SHA-256.
  token_hash bytea PRIMARY KEY,
  session_id text NOT NULL REFERENCES hatidata.auth_sessions ON DELETE CASCADE,
  issued_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  -- A token is good once. One that comes again was stolen, or its thief has used it before.
  used_at timestamptz
);
CREATE INDEX refresh_tokens_session ON hatidata.refresh_tokens (session_id);

-- Attempts that failed, or are not decided yet.
CREATE TABLE hatidata.login_attempts (
  attempt_id uuid PRIMARY KEY,
  -- SHA-256 of the address of whoever it was said to be: those that nobody has count alike.
  account bytea NOT NULL,
  network text NOT NULL,
  at timestamptz NOT NULL
);
CREATE INDEX login_attempts_account ON hatidata.login_attempts (account, at);
CREATE INDEX login_attempts_age ON hatidata.login_attempts (at);

-- Where an account has logged in from.
CREATE TABLE hatidata.login_networks (
  account bytea NOT NULL,
  network text NOT NULL,
  last_at timestamptz NOT NULL,
  PRIMARY KEY (account, network)
);
CREATE INDEX login_networks_age ON hatidata.login_networks (last_at);

-- The time step of the last code that was taken: none is taken twice.
ALTER TABLE hatidata.users ADD COLUMN totp_last_step bigint;
`;
