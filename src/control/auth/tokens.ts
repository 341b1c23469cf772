import { errors, jwtVerify, SignJWT } from 'jose';
import { randomUUID } from 'node:crypto';
import { accessTokenSeconds } from '../../api/auth.ts';
import type { Role } from '../../api/permissions.ts';
import type { Clock } from '../../shared/clock.ts';
import { signingAlgorithm, type SigningKeys } from './signing-keys.ts';

const issuer = 'https://api.hatidata.com';
const audience = 'hatidata';

/** What is signed. What the user may do is asked from the store each time; the role in here is for others to read. */
export interface AccessGrant {
  readonly userId: string;
  readonly sessionId: string;
  readonly orgId: string;
  readonly role: Role;
  /** The slug of the organization's first environment. */
  readonly env: string | null;
  /** Of the session. */
  readonly endsAt: Date;
}

export interface IssuedToken {
  readonly token: string;
  /** Seconds. */
  readonly expiresIn: number;
}

export type Sign = (grant: AccessGrant, now: Date) => Promise<IssuedToken>;

export interface ReadToken {
  readonly userId: string;
  readonly sessionId: string;
  readonly orgId: string;
}

/** Access tokens: JWTs of an hour, of one algorithm. */
export class AccessTokens {
  private readonly keys: SigningKeys;
  private readonly clock: Clock;

  constructor(keys: SigningKeys, clock: Clock) {
    this.keys = keys;
    this.clock = clock;
  }

  /** Before an act, for use within it. */
  async signer(): Promise<Sign> {
    const { kid, privateKey } = await this.keys.current();
    return async ({ userId, sessionId, orgId, role, env, endsAt }, now) => {
      const issuedAt = seconds(now);
      const expiresAt = Math.min(issuedAt + accessTokenSeconds, seconds(endsAt));
      const token = await new SignJWT({ org_id: orgId, role, env, sid: sessionId })
        .setProtectedHeader({ alg: signingAlgorithm, typ: 'JWT', kid })
        .setSubject(userId)
        .setIssuer(issuer)
        .setAudience(audience)
        .setIssuedAt(issuedAt)
        .setExpirationTime(expiresAt)
        .setJti(randomUUID())
        .sign(privateKey);
      return { token, expiresIn: expiresAt - issuedAt };
    };
  }

  /** Undefined for what we did not sign, or is over. */
  async read(jwt: string): Promise<ReadToken | undefined> {
    try {
      const { payload } = await jwtVerify<{ sub: string; sid: string; org_id: string }>(
        jwt,
        async ({ kid }) => {
          const key = kid === undefined ? undefined : await this.keys.find(kid);
          if (key === undefined) throw new errors.JWKSNoMatchingKey();
          return key;
        },
        {
          algorithms: [signingAlgorithm],
          typ: 'JWT',
          issuer,
          audience,
          requiredClaims: ['sub', 'sid', 'org_id', 'iat', 'exp', 'jti'],
          currentDate: this.clock(),
        },
      );
      return { userId: payload.sub, sessionId: payload.sid, orgId: payload.org_id };
    } catch (error) {
      if (error instanceof errors.JOSEError) return undefined;
      throw error;
    }
  }
}

function seconds(time: Date): number {
  return Math.floor(time.getTime() / 1_000);
}
