import { HatiError } from '../../errors.ts';
import { covers, type Authority } from '../../policy/authority.ts';
import { liesWithin } from '../../shared/networks.ts';
import type { KeyBounds } from './store.ts';

/** Who may do what he does: nobody makes, replaces or ends a key that may more than he may himself. */
export interface KeyActor {
  /** As the key's maker is shown. */
  readonly id: string;
  /** Who knows the secrets that he is given: a user's id; of a key, the id of its secret that was shown, since others may know others. */
  readonly receiver: string;
  readonly authority: Authority;
  /** Of a key that acts: it gives no secret that is good from elsewhere, or for longer. */
  readonly bounds?: KeyBounds | undefined;
}

/** Whoever got the secret of a stronger key would have become stronger; and nobody ends the keys of those above. */
export function refuseStronger({ authority }: KeyActor, key: Authority, name: string): void {
  if (!covers(authority, key)) throw new HatiError('key_stronger', { params: { agent: name } });
}

export function refuseWider(
  { bounds }: KeyActor,
  { networks, expiresAt }: KeyBounds,
  name: string,
): void {
  if (bounds === undefined) return;
  const ends = bounds.expiresAt === null || (expiresAt !== null && expiresAt <= bounds.expiresAt);
  if (ends && liesWithin(networks, bounds.networks)) return;
  throw new HatiError('key_stronger', { params: { agent: name } });
}
