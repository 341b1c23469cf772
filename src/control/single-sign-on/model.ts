import { createHash, randomBytes } from 'node:crypto';

/** What the client secret of an organization is sealed for. */
export function secretPurpose(orgId: string): string {
  return `sso:${orgId}`;
}

/** 256 bits. */
export function newSecret(): string {
  return randomBytes(32).toString('base64url');
}

/** As PKCE has it: S256. */
export function challengeOf(verifier: string): string {
  return createHash('sha256').update(verifier).digest('base64url');
}

/** What only the browser that began can bring along: the store has but its digest. @param browser its secret */
export function derived(browser: string, purpose: 'nonce' | 'verifier'): string {
  return challengeOf(`${purpose}:${browser}`);
}

/** Of a login: several may be under way in one browser. */
function cookieName(state: string, isSecure: boolean): string {
  const name = `hati_sso_${state.slice(0, 16)}`;
  // With this prefix no other host, and nothing without TLS, can have set it.
  return isSecure ? `__Host-${name}` : name;
}

/** @param seconds 0: it is over */
export function cookieOf(
  { state, browser, seconds }: { state: string; browser: string; seconds: number },
  isSecure: boolean,
): string {
  const attributes = `Path=/; Max-Age=${seconds}; HttpOnly; SameSite=Lax`;
  const cookie = `${cookieName(state, isSecure)}=${browser}; ${attributes}`;
  return isSecure ? `${cookie}; Secure` : cookie;
}

/** @param header as it came */
export function browserOf(
  header: string | undefined,
  state: string,
  isSecure: boolean,
): string | undefined {
  const start = `${cookieName(state, isSecure)}=`;
  const found = header?.split(/; */).find((each) => each.startsWith(start));
  return found?.slice(start.length);
}
