import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

const algorithm = 'aes-256-gcm';
const nonceBytes = 12;
const tagBytes = 16;
export const secretKeyBytes = 32;

/**
 * Secrets that have to be read again (a webhook's, a second factor's, signing keys) lie in the control store under a key that does not
 * lie there, so that a copy of the store alone is worth little. Sealed: nonce, tag, ciphertext.
 */
export class SecretBox {
  private readonly key: Buffer;

  /** @param key 32 bytes, the same for all proxies of a store */
  constructor(key: Buffer) {
    if (key.length !== secretKeyBytes)
      throw new Error(`a secret key has ${secretKeyBytes} bytes, not ${key.length}`);
    this.key = key;
  }

  /** @param purpose what it is and whose: sealed for one, it opens for no other. */
  seal(text: string, purpose: string): Buffer {
    const nonce = randomBytes(nonceBytes);
    const cipher = createCipheriv(algorithm, this.key, nonce).setAAD(Buffer.from(purpose));
    const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
    return Buffer.concat([nonce, cipher.getAuthTag(), sealed]);
  }

  /** Throws where it was sealed with another key, for another purpose, or changed since. */
  open(sealed: Buffer, purpose: string): string {
    const tagAt = nonceBytes;
    const decipher = createDecipheriv(algorithm, this.key, sealed.subarray(0, nonceBytes), {
      authTagLength: tagBytes,
    });
    decipher.setAAD(Buffer.from(purpose)).setAuthTag(sealed.subarray(tagAt, tagAt + tagBytes));
    const text = decipher.update(sealed.subarray(tagAt + tagBytes));
    return Buffer.concat([text, decipher.final()]).toString('utf8');
  }
}
