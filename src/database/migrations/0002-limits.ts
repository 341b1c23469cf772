/** Keys can be limited to schemas and tables, and be granted functions: see `policy/limits.ts`. */
export const sql = `
ALTER TABLE hatidata.api_keys ADD COLUMN limits text;
CREATE OR REPLACE VIEW _hatidata_keys.active_keys AS
  SELECT k.agent_id,
         k.scope,
         (s.issued_at AT TIME ZONE 'UTC')::timestamp(0) AS created_at,
         (k.last_used_at AT TIME ZONE 'UTC')::timestamp(0) AS last_used_at,
         k.description,
         s.prefix AS key_prefix,
         k.limits
    FROM hatidata.api_keys k
    JOIN hatidata.api_key_secrets s ON s.key_id = k.key_id AND s.ended_at IS NULL
   WHERE k.revoked_at IS NULL
   ORDER BY s.issued_at DESC;
`;
