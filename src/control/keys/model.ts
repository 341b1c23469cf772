import { longestDescription } from '../../api/fields.ts';
import { HatiError } from '../../errors.ts';
import { newId, randomCharacters } from '../../shared/ids.ts';
import { redactSecrets } from '../../shared/redact.ts';
import {
  authorityOf,
  bundles,
  parseScopes,
  type Authority,
  type BundleName,
} from '../../policy/authority.ts';
import { LimitsFault, noGrants, parseGrants } from '../../policy/limits.ts';

/** Prefixes of SQL-made keys: of the bundles, and of keys with scopes of their own. */
const prefixes: Readonly<Record<BundleName, string>> = { readonly: 'hd_ro_', admin: 'hd_admin_' };
const ownPrefix = 'hd_agent_';

/** Of keys made over REST, by what their environment is for. */
const environmentPrefixes = {
  production: 'hd_live_',
  staging: 'hd_test_',
  development: 'hd_test_',
} as const;

export type EnvironmentKind = keyof typeof environmentPrefixes;

const bodyLength = 32;
/** How much of the body is stored in clear to find the key; the other 24 characters (124 bits) stay secret. */
const lookupLength = 8;
/** Of those, how many are shown. */
const shownLength = 4;

/** As SQL makes them. */
export function newSecret(scope: string): string {
  const prefix = isBundle(scope) ? prefixes[scope] : ownPrefix;
  return prefix + randomCharacters(bodyLength);
}

/** As REST makes them. */
export function newEnvironmentSecret(kind: EnvironmentKind): string {
  return environmentPrefixes[kind] + randomCharacters(bodyLength);
}

/** What may be shown of a secret, from what it is found by. */
export function shownPrefix(prefix: string): string {
  return prefix.slice(0, shownLength - lookupLength);
}

export function newKeyId(): string {
  return newId('key_');
}

/** What a secret that nobody has taken yet is sealed for. */
export function uncollectedPurpose(secretId: string): string {
  return `uncollected:${secretId}`;
}

/** The part of a secret under which it is stored, or undefined for what can't be one of our secrets. */
export function lookupPrefix(secret: string): string | undefined {
  const match = /^(hd_[a-z]{1,16}_)([a-z0-9]{32})$/.exec(secret);
  return match === null ? undefined : match[1]! + match[2]!.slice(0, lookupLength);
}

/** Whom dev mode lets in without a key; no key may be taken for it. */
const localAdministrator = 'local-administrator';

export function checkedAgent(value: string | null): string {
  if (
    value === null ||
    value.trim() === '' ||
    Array.from(value).length > 63 ||
    hasControlCharacter(value) ||
    value === localAdministrator ||
    // Arguments in the wrong order: it would be shown wherever an agent's name is.
    redactSecrets(value) !== value
  ) {
    throw new HatiError('agent_name_invalid');
  }
  return value;
}

function hasControlCharacter(value: string): boolean {
  // Formatting characters are invisible: a name with one looks like another's.
  return /[\p{Cc}\p{Cf}]/u.test(value);
}

function isBundle(scope: string): scope is BundleName {
  return Object.hasOwn(bundles, scope);
}

/** @param limits JSON, see `policy/limits.ts`. */
export function checkedAuthority(
  scope: string | null,
  limits: string | null | undefined,
): Authority {
  const scopes = scope === null ? undefined : parseScopes(scope);
  if (scopes === undefined) {
    throw new HatiError('scope_unknown', { params: { scope: (scope ?? 'NULL').slice(0, 200) } });
  }
  try {
    const grants = limits ? parseGrants(limits) : noGrants;
    return authorityOf(scopes, grants.limits, grants.functions);
  } catch (error) {
    if (!(error instanceof LimitsFault)) throw error;
    throw new HatiError('argument_invalid', {
      params: { message: `the limits can't be used: ${error.message}` },
      hint: 'Write them as {"schemas": ["sales"], "tables": ["main.orders"], "functions": ["main.risk"]}.',
    });
  }
}

export function checkedDescription(value: string | null | undefined): string {
  const description = value ?? '';
  if (Array.from(description).length > longestDescription) {
    throw new HatiError('argument_invalid', {
      params: { message: `the description has more than ${longestDescription} characters` },
    });
  }
  return description;
}
