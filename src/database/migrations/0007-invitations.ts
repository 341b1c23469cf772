/** What an invitation says of a user before there is anything to know of him; and keys by who made them, to end them with him. */
export const sql = `
ALTER TABLE hatidata.memberships ADD COLUMN invited_name text NOT NULL DEFAULT '';
CREATE INDEX api_keys_made ON hatidata.api_keys (created_by);
`;
