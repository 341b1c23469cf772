/** Proxies that share the store: numbers to be told apart by, and what they alone know. */
export const sql = `
CREATE TABLE hatidata.instances (
  number integer PRIMARY KEY,
  renewed_at timestamptz NOT NULL
);
CREATE TABLE hatidata.shared_secrets (
  name text PRIMARY KEY,
  value bytea NOT NULL
);
`;
