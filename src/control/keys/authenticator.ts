import type { Kysely } from 'kysely';
import type { Tier } from '../../api/tiers.ts';
import type { ControlSchema } from '../../database/schema.ts';
import { HatiError } from '../../errors.ts';
import { allowsAddress } from '../../shared/networks.ts';
import type { KeyDirectory } from '../../ports.ts';
import type { KeyCaller } from '../caller.ts';

export interface KeyAuthenticatorParts {
  readonly db: Kysely<ControlSchema>;
  readonly directory: Pick<KeyDirectory, 'verify'>;
}

/** Keys as credentials of requests: the same ones, verified the same way, as on the wire. */
export class KeyAuthenticator {
  private readonly parts: KeyAuthenticatorParts;

  constructor(parts: KeyAuthenticatorParts) {
    this.parts = parts;
  }

  readonly authenticate = async (
    secret: string,
    source: string,
  ): Promise<KeyCaller | undefined> => {
    const principal = await this.parts.directory.verify(secret, source);
    if (principal?.kind !== 'key') return undefined;
    if (!allowsAddress(principal.networks, source))
      throw new HatiError('address_not_allowed', { params: { address: source } });
    const place = await this.placeOf(principal.environment);
    if (place === undefined) return undefined;
    const { keyId, secretId, agent: name, environment: envId, authority } = principal;
    return { kind: 'key', keyId, secretId, name, envId, authority, ...place };
  };

  /** Whether it is active is asked each time: what a key may do ends with its organization. */
  private async placeOf(envId: string): Promise<{ orgId: string; tier: Tier } | undefined> {
    const row = await this.parts.db
      .selectFrom('environments as e')
      .innerJoin('organizations as o', 'o.org_id', 'e.org_id')
      .select(['o.org_id', 'o.tier'])
      .where('e.env_id', '=', envId)
      .where('e.status', '=', 'active')
      .where('o.status', '=', 'active')
      .executeTakeFirst();
    return row && { orgId: row.org_id, tier: row.tier };
  }
}
