/** Keys in bulk, put into the control store around the product: no hash of theirs is anybody's, but they are found and listed like others. */
import type pg from 'pg';

export interface Stock {
  readonly store: pg.Pool;
  /** The first environment, which is measured. */
  readonly envId: string;
  /** Of a secret that nobody has. */
  readonly hash: string;
}

/** Environments beside the first one, once they are asked for. */
const others = 9;

/**
 * Of a hundred: one is revoked, one has expired, ten end within a day, which has been told, ten rotate next month, and five have an old
 * secret that ends within a day, which has been told.
 */
export async function storeKeys(
  { store, envId, hash }: Stock,
  before: number,
  now: number,
): Promise<void> {
  await store.query(
    `WITH numbers AS (
       SELECT n, 'key_b' || lpad(n::text, 11, '0') AS key_id, now() - n * interval '1 second' AS at
         FROM generate_series($1::int, $2::int) AS n),
     keys AS (
       INSERT INTO hatidata.api_keys (key_id, env_id, agent_id, scope, description, created_by, created_at, given_scopes,
           expires_at, expired_at, expiry_told_at, revoked_at, revoked_by, rotate_every_days, next_rotation_at)
         SELECT key_id, $3, 'stored-' || n, 'query:read', 'one of many', 'bench', date_trunc('milliseconds', at), '{query:read}',
                CASE WHEN n % 100 = 1 THEN at WHEN n % 10 = 2 THEN now() + interval '20 hours' END,
                CASE WHEN n % 100 = 1 THEN at END,
                CASE WHEN n % 100 = 1 OR n % 10 = 2 THEN now() END,
                CASE WHEN n % 100 = 0 THEN now() END, CASE WHEN n % 100 = 0 THEN 'bench' END,
                CASE WHEN n % 10 = 3 THEN 30 END, CASE WHEN n % 10 = 3 THEN now() + interval '30 days' END
           FROM numbers)
     INSERT INTO hatidata.api_key_secrets (secret_id, key_id, prefix, hash, issued_at, expires_at, expiry_told_at, ended_at)
       SELECT gen_random_uuid(), key_id, 'hd_live_' || substr(md5(n || suffix), 1, 8) || n || suffix, $4, at - age, until, now(),
              CASE WHEN n % 100 < 2 THEN at END
         FROM numbers, LATERAL (
           SELECT '' AS suffix, interval '0' AS age, NULL::timestamptz AS until
           UNION ALL SELECT 'o', interval '1 hour', now() + interval '20 hours' WHERE n % 20 = 4) AS secrets`,
    [before + 1, now, envId, hash],
  );
  await store.query('VACUUM (ANALYZE) hatidata.api_keys, hatidata.api_key_secrets');
}

/** Nine tenths of them go to environments of the same organization. */
export async function spreadKeys({ store, envId }: Stock): Promise<void> {
  await store.query(
    `INSERT INTO hatidata.environments (env_id, org_id, name, slug, kind, engine)
       SELECT 'env_bench' || n, org_id, 'Bench ' || n, 'bench-' || n, 'staging', 'configured'
         FROM hatidata.environments, generate_series(1, $2::int) AS n WHERE env_id = $1`,
    [envId, others],
  );
  await store.query(
    `UPDATE hatidata.api_keys SET env_id = 'env_bench' || right(key_id, 4)::int % $1
      WHERE created_by = 'bench' AND right(key_id, 4)::int % $1 > 0`,
    [others + 1],
  );
  await store.query('VACUUM (ANALYZE) hatidata.api_keys, hatidata.api_key_secrets');
}
