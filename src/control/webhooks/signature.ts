import { createHmac } from 'node:crypto';

/** `sha256=` and the hex HMAC-SHA256 of the body; the key is the whole secret, `whsec_` included. */
export function signatureOf(body: string, secret: string): string {
  return `sha256=${createHmac('sha256', secret).update(body, 'utf8').digest('hex')}`;
}

/** While two secrets are valid there are two, with a comma between: the newer first. */
export function signaturesOf(body: string, secrets: readonly string[]): string {
  return secrets.map((secret) => signatureOf(body, secret)).join(',');
}
