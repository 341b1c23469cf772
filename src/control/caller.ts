import type { Role } from '../api/permissions.ts';
import type { Tier } from '../api/tiers.ts';
import type { Authority } from '../policy/authority.ts';
import type { KeyId, SecretId } from '../ports.ts';

/** Who sent a request, once that is known. */
export type Caller = UserCaller | KeyCaller;

export type LoginMethod = 'password' | 'sso';

/** A person who has logged in. What is said here was true in the control store a moment ago. */
export interface UserCaller {
  readonly kind: 'user';
  readonly userId: string;
  readonly email: string;
  /** The login that the credential comes from. */
  readonly sessionId: string;
  /** A login by single sign-on is good in its own organization alone. */
  readonly method: LoginMethod;
  /** It had a second factor. */
  readonly hasSecondFactor: boolean;
  /** The organization that the login is for, and what the user is there; elsewhere he may be something else. */
  readonly orgId: string;
  readonly role: Role;
  readonly tier: Tier;
}

export interface KeyCaller {
  readonly kind: 'key';
  readonly keyId: KeyId;
  /** The one of its secrets that was shown. */
  readonly secretId: SecretId;
  readonly name: string;
  readonly envId: string;
  readonly orgId: string;
  readonly tier: Tier;
  readonly authority: Authority;
}

/** Where single sign-on is enforced, the owner alone has a password still, for when the provider is broken. */
export function mayUsePassword({
  role,
  enforce_sso: isEnforced,
}: {
  readonly role: string;
  readonly enforce_sso: boolean;
}): boolean {
  return !isEnforced || role === 'owner';
}

/** Its id, as records and limits know it. */
export function idOf(caller: Caller): string {
  return caller.kind === 'user' ? caller.userId : caller.keyId;
}
