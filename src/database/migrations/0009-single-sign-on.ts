/**
 * Logins by an organization's own OpenID Connect provider. Whom it lets in without an account of his own has one that belongs to the
 * organization: two organizations may each have one of the same address, and neither is the account of a person who chose a password.
 */
export const sql = `
CREATE TABLE hatidata.single_sign_on (
  org_id text PRIMARY KEY REFERENCES hatidata.organizations,
  -- What people call it.
  provider text NOT NULL,
  issuer text NOT NULL,
  client_id text NOT NULL,
  -- Sealed (shared/secret-box.ts).
  client_secret bytea NOT NULL,
  -- Lower-case.
  email_domains text[] NOT NULL CHECK (cardinality(email_domains) > 0),
  -- Of who comes for the first time; null: only who is in the organization already, or invited, may come.
  default_role text CHECK (default_role IN ('developer', 'analyst', 'auditor')),
  version integer NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  updated_by text NOT NULL
);

-- Logins that were begun. The secrets of one (nonce, PKCE, its browser) are made from what its browser alone has.
CREATE TABLE hatidata.sso_logins (
  -- SHA-256 of its state.
  state_hash bytea PRIMARY KEY,
  -- SHA-256 of the secret of its browser.
  browser_hash bytea NOT NULL,
  org_id text NOT NULL REFERENCES hatidata.single_sign_on ON DELETE CASCADE,
  -- Where a program on the user's machine waits for it; null: the browser has the answer.
  redirect_uri text,
  code_challenge text,
  client_state text,
  expires_at timestamptz NOT NULL,
  CHECK ((redirect_uri IS NULL) = (code_challenge IS NULL) AND (redirect_uri IS NULL) = (client_state IS NULL))
);
CREATE INDEX sso_logins_organization ON hatidata.sso_logins (org_id);
CREATE INDEX sso_logins_age ON hatidata.sso_logins (expires_at);

-- Logins that a program may collect.
CREATE TABLE hatidata.sso_codes (
  -- SHA-256.
  code_hash bytea PRIMARY KEY,
  org_id text NOT NULL REFERENCES hatidata.single_sign_on ON DELETE CASCADE,
  user_id text NOT NULL REFERENCES hatidata.users ON DELETE CASCADE,
  code_challenge text NOT NULL,
  expires_at timestamptz NOT NULL
);
CREATE INDEX sso_codes_organization ON hatidata.sso_codes (org_id);
CREATE INDEX sso_codes_user ON hatidata.sso_codes (user_id);
CREATE INDEX sso_codes_age ON hatidata.sso_codes (expires_at);

-- Who somebody of a provider is here. Ends with the membership.
CREATE TABLE hatidata.sso_identities (
  org_id text NOT NULL,
  issuer text NOT NULL,
  subject text NOT NULL,
  user_id text NOT NULL,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (org_id, issuer, subject),
  UNIQUE (org_id, user_id, issuer),
  FOREIGN KEY (org_id, user_id) REFERENCES hatidata.memberships (org_id, user_id) ON DELETE CASCADE
);

-- The organization that an account belongs to, where single sign-on has made it; it is good nowhere else.
ALTER TABLE hatidata.users ADD COLUMN home_org_id text REFERENCES hatidata.organizations;
DROP INDEX hatidata.users_email;
CREATE UNIQUE INDEX users_email ON hatidata.users (lower(email)) WHERE home_org_id IS NULL;
CREATE UNIQUE INDEX users_email_at_home ON hatidata.users (home_org_id, lower(email)) WHERE home_org_id IS NOT NULL;

ALTER TABLE hatidata.auth_sessions
  ADD COLUMN method text NOT NULL DEFAULT 'password' CHECK (method IN ('password', 'sso'));
`;
