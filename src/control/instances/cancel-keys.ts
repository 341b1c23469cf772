import { createHmac, randomBytes, randomInt, timingSafeEqual } from 'node:crypto';
import type { CancelKey } from '../../ports.ts';
import type { Identity } from './identity.ts';

/**
 * What clients present to cancel: the process id and the secret of BackendKeyData.
 *
 * The process id is the number of the instance that holds the session, and 19 random bits. The secret is half a random value and half an
 * HMAC over it and the process id, under what only the instances of the store know. So each of them can tell, without asking anybody,
 * whether a key is one that some instance has given out: nobody else's is passed on. Whether the session is still the one that
 * got it, only its own instance knows; there the whole secret is compared.
 *
 * With protocol 3.0 the secret has 4 bytes, so one of 65,536 forged ones is passed on, and then found to be wrong. With 3.2 it has 32.
 */
export class CancelKeys {
  private readonly identity: Identity;

  constructor(identity: Identity) {
    this.identity = identity;
  }

  /** @param isTaken whether a session has that process id. */
  issue(secretBytes: 4 | 32, isTaken: (processId: number) => boolean): CancelKey {
    for (;;) {
      const processId = this.identity.number * slots + randomInt(slots);
      if (isTaken(processId)) continue;
      const nonce = randomBytes(secretBytes / 2);
      return { processId, secret: Buffer.concat([nonce, this.mac(processId, nonce)]) };
    }
  }

  /** @returns the instance that has given the key out; undefined for what none has, and for our own. */
  issuedElsewhere({ processId, secret }: CancelKey): number | undefined {
    const number = Math.floor(processId / slots);
    if (number === this.identity.number || (secret.length !== 4 && secret.length !== 32))
      return undefined;
    const half = secret.length / 2;
    const expected = this.mac(processId, secret.subarray(0, half));
    return timingSafeEqual(expected, secret.subarray(half)) ? number : undefined;
  }

  private mac(processId: number, nonce: Buffer): Buffer {
    const hmac = createHmac('sha256', this.identity.secret);
    return hmac.update(`cancel ${processId} `).update(nonce).digest().subarray(0, nonce.length);
  }
}

/** Process ids of one instance; all of them are positive, as clients take them for signed. */
const slots = 2 ** 19;
