/** Whom a secret was given to, to end it with him although the key is not his; and ways back for who has lost a password or a second factor. */
export const sql = `
ALTER TABLE hatidata.api_key_secrets
  -- A user's id; of a key that acted, the id of the secret that it showed; or the name of what else it was.
  ADD COLUMN given_to text NOT NULL DEFAULT 'unknown';
UPDATE hatidata.api_key_secrets s SET given_to = k.created_by
  FROM hatidata.api_keys k WHERE k.key_id = s.key_id AND k.created_at = s.issued_at;
CREATE INDEX api_key_secrets_given ON hatidata.api_key_secrets (given_to);

CREATE TABLE hatidata.password_resets (
  -- SHA-256.
  token_hash bytea PRIMARY KEY,
  -- SHA-256 of the address that was given: those that nobody has count alike.
  account bytea NOT NULL,
  -- Null where nobody has it, or has a password to lose.
  user_id text REFERENCES hatidata.users ON DELETE CASCADE,
  created_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL
);
CREATE INDEX password_resets_account ON hatidata.password_resets (account);
CREATE INDEX password_resets_user ON hatidata.password_resets (user_id);
CREATE INDEX password_resets_age ON hatidata.password_resets (expires_at);

CREATE TABLE hatidata.recovery_codes (
  user_id text NOT NULL REFERENCES hatidata.users ON DELETE CASCADE,
  -- SHA-256.
  code_hash bytea NOT NULL,
  PRIMARY KEY (user_id, code_hash)
);
`;
