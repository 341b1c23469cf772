import { sql, type Transaction } from 'kysely';
import type { ControlSchema } from '../../database/schema.ts';
import type { SecretId } from '../../ports.ts';
import { nextRotation } from './store.ts';

/** What may be changed of a key that there is. */
export interface KeyChange {
  readonly description?: string;
  readonly networks?: readonly string[];
  /** null: it is not rotated any more. */
  readonly rotateEveryDays?: number | null;
}

/** The channel on which every proxy hears from where a secret may be used now. The payload is JSON. */
export const networksChannel = 'hatidata_key_networks';

export interface ChangedNetworks {
  readonly secret: SecretId;
  readonly networks: readonly string[];
}

export async function changeKey(
  tx: Transaction<ControlSchema>,
  keyId: string,
  now: Date,
  { description, networks, rotateEveryDays }: KeyChange,
): Promise<void> {
  await tx
    .updateTable('api_keys')
    .set((eb) => ({ version: eb('version', '+', 1) }))
    .set({
      ...(description !== undefined && { description }),
      ...(networks && { ip_allowlist: [...networks] }),
      ...(rotateEveryDays !== undefined && {
        rotate_every_days: rotateEveryDays,
        next_rotation_at: nextRotation(now, rotateEveryDays),
      }),
    })
    .where('key_id', '=', keyId)
    .execute();
  if (networks) await tellNetworks(tx, keyId, networks);
}

async function tellNetworks(
  tx: Transaction<ControlSchema>,
  keyId: string,
  networks: readonly string[],
): Promise<void> {
  const secrets = await tx
    .selectFrom('api_key_secrets')
    .select('secret_id')
    .where('key_id', '=', keyId)
    .where('ended_at', 'is', null)
    .execute();
  for (const { secret_id: secret } of secrets) {
    const payload = JSON.stringify({ secret, networks });
    await sql`SELECT pg_catalog.pg_notify(${networksChannel}, ${payload})`.execute(tx);
  }
}
