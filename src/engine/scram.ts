/**
 * SCRAM-SHA-256 verifiers as PostgreSQL stores them (RFC 5803; src/common/scram-common.c), so that a password is set
 * without ever standing in a statement.
 */
import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';

export const scramIterations = 4096;

/** Passwords here are base64url, on which SASLprep changes nothing. */
export function scramVerifier(
  password: string,
  salt: Buffer = randomBytes(16),
  iterations: number = scramIterations,
): string {
  const salted = pbkdf2Sync(password, salt, iterations, 32, 'sha256');
  const hmac = (text: string) => createHmac('sha256', salted).update(text).digest();
  const storedKey = createHash('sha256').update(hmac('Client Key')).digest('base64');
  const serverKey = hmac('Server Key').toString('base64');
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${storedKey}:${serverKey}`;
}

export function matchesVerifier(password: string, verifier: string | null): boolean {
  const match = verifier?.match(/^SCRAM-SHA-256\$(\d+):([A-Za-z0-9+/=]+)\$/);
  if (match?.[1] === undefined || match[2] === undefined) return false;
  return scramVerifier(password, Buffer.from(match[2], 'base64'), Number(match[1])) === verifier;
}
