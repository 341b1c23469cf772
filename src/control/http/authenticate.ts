import type { IncomingMessage } from 'node:http';
import { HatiError } from '../../errors.ts';
import type { Caller, KeyCaller, UserCaller } from '../caller.ts';

/** Where credentials are checked. Each gives undefined for what is not valid, or not any more. */
export interface Authenticators {
  /** @param source the address that it is used from. Throws `address_not_allowed`. */
  key(secret: string, source: string): Promise<KeyCaller | undefined>;
  token(jwt: string): Promise<UserCaller | undefined>;
}

/**
 * Who sent it. Keys come as `X-API-Key`, `Authorization: ApiKey`, `Authorization: Bearer` or as the password of `Basic`; what else a
 * Bearer has is a token. Throws `credential_missing`, `credential_invalid`.
 */
export async function callerOf(
  headers: IncomingMessage['headersDistinct'],
  source: string,
  by: Authenticators,
): Promise<Caller> {
  const credential = credentialIn(headers);
  if (credential === undefined) throw new HatiError('credential_missing');
  const caller = credential.startsWith(keyMark)
    ? await by.key(credential, source)
    : await by.token(credential);
  if (caller === undefined) throw new HatiError('credential_invalid');
  return caller;
}

const keyMark = 'hd_';

function credentialIn({
  'x-api-key': own = [],
  authorization: others = [],
}: IncomingMessage['headersDistinct']): string | undefined {
  // Two of them, and nobody knows which one counts.
  if (own.length + others.length > 1) throw new HatiError('credential_invalid');
  const [key] = own;
  if (key !== undefined) return key.startsWith(keyMark) ? key : '';
  const [authorization] = others;
  if (authorization === undefined) return undefined;
  const [, scheme = '', value = ''] = /^(\S+)\s+(\S+)$/.exec(authorization) ?? [];
  switch (scheme.toLowerCase()) {
    case 'bearer':
      return value;
    case 'apikey':
      return value.startsWith(keyMark) ? value : '';
    case 'basic': {
      const pair = Buffer.from(value, 'base64').toString('utf8');
      const password = pair.slice(pair.indexOf(':') + 1);
      return password.startsWith(keyMark) ? password : '';
    }
    default:
      return '';
  }
}
