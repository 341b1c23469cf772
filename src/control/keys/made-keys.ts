import { sql } from 'kysely';
import type { SecretId } from '../../ports.ts';
import type { Act } from '../act.ts';
import { tellEnded } from './secret-store.ts';

/** Whose keys end, where, and who ends them. */
export interface Departure {
  readonly orgId: string;
  readonly maker: string;
  readonly by: string;
}

/** The ids of keys. */
export interface Ended {
  readonly keysRevoked: readonly string[];
  /** Of which a secret ended, but which are not his: others may still know one, and make a new one. */
  readonly keysLosingSecrets: readonly string[];
}

interface RevokedKey {
  readonly keyId: string;
  readonly envId: string;
  readonly name: string;
}

/**
 * What somebody leaves behind in an organization: keys that he made, secrets of other keys that he was given, and what was made or given by
 * means of these. Whoever could make or rotate a key could otherwise have provided for the day on which he loses his own.
 */
export class MadeKeys {
  private readonly onEnded: (secrets: readonly SecretId[]) => void;

  /** @param onEnded told in this process at once; the others hear of it from the store. */
  constructor(onEnded: (secrets: readonly SecretId[]) => void) {
    this.onEnded = onEnded;
  }

  /** At once. */
  async end(act: Act, departure: Departure): Promise<Ended> {
    const { orgId, by } = departure;
    const { keys, secrets } = await endAll(act, departure);
    const ids = secrets.map(({ secretId }) => secretId);
    await tellEnded(act.tx, ids);
    act.afterwards(() => this.onEnded(ids));
    const revokedAt = act.now.toISOString();
    for (const { keyId, envId, name } of keys) {
      const data = { key_id: keyId, name, revoked_at: revokedAt, revoked_by: by };
      act.emit({ type: 'key.revoked', orgId, envId, data });
    }
    const revoked = new Set(keys.map(({ keyId }) => keyId));
    const losing = new Set(secrets.map(({ keyId }) => keyId).filter((id) => !revoked.has(id)));
    return { keysRevoked: [...revoked], keysLosingSecrets: [...losing] };
  }
}

interface EndedSecret {
  readonly secretId: SecretId;
  readonly keyId: string;
}

interface Row {
  readonly key_id: string;
  /** Null in the row of a secret, like the name. */
  readonly env_id: string | null;
  readonly agent_id: string | null;
  readonly secret_id: string | null;
}

/**
 * Until there are no more: a key may have made another one while this waited for it. What is reached is a secret, or (without one) a whole
 * key, which is one that was made by him or with something that is reached.
 */
async function endAll(
  { tx, now }: Act,
  { orgId, maker, by }: Departure,
): Promise<{ readonly keys: readonly RevokedKey[]; readonly secrets: readonly EndedSecret[] }> {
  const keys: RevokedKey[] = [];
  const secrets: EndedSecret[] = [];
  for (;;) {
    const { rows } = await sql<Row>`
      WITH RECURSIVE reached AS (
        (SELECT k.key_id, NULL::uuid AS secret_id
           FROM hatidata.api_keys k JOIN hatidata.environments e USING (env_id)
          WHERE e.org_id = ${orgId} AND k.created_by = ${maker}
         UNION ALL
         SELECT s.key_id, s.secret_id
           FROM hatidata.api_key_secrets s JOIN hatidata.api_keys k USING (key_id)
           JOIN hatidata.environments e USING (env_id)
          WHERE e.org_id = ${orgId} AND s.given_to = ${maker})
        UNION
        SELECT next.key_id, next.secret_id FROM reached r CROSS JOIN LATERAL (
          SELECT k.key_id, NULL::uuid AS secret_id
            FROM hatidata.api_keys k WHERE r.secret_id IS NULL AND k.created_by = r.key_id
          UNION ALL
          SELECT s.key_id, s.secret_id
            FROM hatidata.api_key_secrets s WHERE r.secret_id IS NULL AND s.key_id = r.key_id
          UNION ALL
          SELECT s.key_id, s.secret_id
            FROM hatidata.api_key_secrets s WHERE s.given_to = r.secret_id::text
          UNION ALL
          SELECT k.key_id, NULL
            FROM hatidata.api_key_secrets s JOIN hatidata.api_keys k USING (key_id)
           WHERE s.given_to = r.secret_id::text AND s.issued_at = k.created_at) next),
      revoked AS (
        UPDATE hatidata.api_keys k SET revoked_at = ${now}, revoked_by = ${by}
          FROM reached r WHERE k.key_id = r.key_id AND r.secret_id IS NULL AND k.revoked_at IS NULL
        RETURNING k.key_id, k.env_id, k.agent_id),
      ended AS (
        UPDATE hatidata.api_key_secrets s SET ended_at = ${now}
          FROM reached r WHERE s.secret_id = r.secret_id AND s.ended_at IS NULL
        RETURNING s.key_id, s.secret_id),
      forgotten AS (
        DELETE FROM hatidata.uncollected_secrets u USING reached r WHERE u.secret_id = r.secret_id)
      SELECT key_id, env_id, agent_id, NULL AS secret_id FROM revoked
      UNION ALL SELECT key_id, NULL, NULL, secret_id::text FROM ended`.execute(tx);
    if (rows.length === 0) return { keys, secrets };
    for (const { secret_id, key_id: keyId, env_id, agent_id } of rows) {
      if (secret_id === null) keys.push({ keyId, envId: env_id!, name: agent_id! });
      else secrets.push({ secretId: secret_id as SecretId, keyId });
    }
  }
}
