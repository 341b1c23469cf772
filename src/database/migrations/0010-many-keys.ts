/**
 * With many keys, what is looked for often must not be looked for among those that it can't be: lists leave out revoked keys or want nothing
 * else, and who has been told that he ends is not told again. The view of active keys is read from its newest end.
 */
export const sql = `
DROP INDEX hatidata.api_keys_listed;
CREATE INDEX api_keys_listed ON hatidata.api_keys (env_id, created_at DESC, key_id DESC) WHERE revoked_at IS NULL;
-- By it a list is counted without its rows: most entries are alike, and take next to no room.
CREATE INDEX api_keys_counted ON hatidata.api_keys (env_id, expires_at) WHERE revoked_at IS NULL;
CREATE INDEX api_keys_revoked ON hatidata.api_keys (env_id, created_at DESC, key_id DESC) WHERE revoked_at IS NOT NULL;
CREATE INDEX api_keys_untold ON hatidata.api_keys (expires_at)
  WHERE revoked_at IS NULL AND expires_at IS NOT NULL AND expired_at IS NULL AND expiry_told_at IS NULL;
CREATE INDEX api_key_secrets_untold ON hatidata.api_key_secrets (expires_at)
  WHERE ended_at IS NULL AND expires_at IS NOT NULL AND expiry_told_at IS NULL;
CREATE INDEX api_key_secrets_newest ON hatidata.api_key_secrets (issued_at DESC)
  WHERE ended_at IS NULL AND expires_at IS NULL;
`;
