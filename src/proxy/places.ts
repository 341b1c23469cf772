import { HatiError } from '../errors.ts';
import type { KeyId, Principal, SessionCounts } from '../ports.ts';

export interface PlaceLimits {
  /** Sessions at one time, on all instances of the store together. */
  readonly connections: number;
  /** The same of one key; 0: as many as there may be. */
  readonly connectionsPerKey: number;
}

/** Who may have a session: as many as the limits allow. What is here is counted exactly, what is elsewhere as last heard. */
export class Places {
  private readonly limits: PlaceLimits;
  private readonly counts: SessionCounts;
  private total = 0;
  private readonly byKey = new Map<KeyId, number>();

  constructor(limits: PlaceLimits, counts: SessionCounts) {
    this.limits = limits;
    this.counts = counts;
  }

  /** Rejects with what is in the way. */
  async take(principal: Principal): Promise<void> {
    const keyId = keyOf(principal);
    // What is elsewhere may be there no more; nobody else waits for the store.
    if (this.refusal(principal, keyId) !== undefined) await this.counts.freshen();
    const refusal = this.refusal(principal, keyId);
    if (refusal !== undefined) throw refusal;
    this.change(keyId, 1);
  }

  /** Gives the place back, once for each that was taken. */
  leave(principal: Principal): void {
    this.change(keyOf(principal), -1);
  }

  private refusal({ agent }: Principal, keyId: KeyId | undefined): HatiError | undefined {
    const { connections, connectionsPerKey } = this.limits;
    const elsewhere = this.counts.elsewhere(keyId);
    if (this.total + elsewhere.total >= connections)
      return new HatiError('too_many_connections', { params: { limit: connections } });
    const ofKey = keyId === undefined ? 0 : (this.byKey.get(keyId) ?? 0);
    if (connectionsPerKey > 0 && ofKey + elsewhere.ofKey >= connectionsPerKey)
      return new HatiError('too_many_connections_of_key', {
        params: { agent, limit: connectionsPerKey },
      });
    return undefined;
  }

  private change(keyId: KeyId | undefined, by: 1 | -1): void {
    this.total += by;
    const ofKey = keyId === undefined ? 0 : (this.byKey.get(keyId) ?? 0) + by;
    if (keyId !== undefined) {
      if (ofKey > 0) this.byKey.set(keyId, ofKey);
      else this.byKey.delete(keyId);
    }
    this.counts.changeHere(this.total, keyId, ofKey);
  }
}

function keyOf(principal: Principal): KeyId | undefined {
  return principal.kind === 'key' ? principal.keyId : undefined;
}
