import type { Kysely } from 'kysely';
import { refreshTokenDays, sessionDays, ssoSessionHours } from '../../api/auth.ts';
import type { Role } from '../../api/permissions.ts';
import type { ControlSchema } from '../../database/schema.ts';
import { HatiError } from '../../errors.ts';
import type { Clock } from '../../shared/clock.ts';
import { newId } from '../../shared/ids.ts';
import type { Act } from '../act.ts';
import type { LoginMethod, UserCaller } from '../caller.ts';
import { dayMs, digestOf, hourMs, newRefreshToken, type Change } from './model.ts';
import { insertRefreshToken, lockRefreshToken, markUsed } from './refresh-store.ts';
import {
  endSessions,
  findSession,
  firstEnvironmentOf,
  forgetSessions,
  insertSession,
} from './store.ts';
import type { AccessTokens, Sign } from './tokens.ts';

/** A login that is over; who it was is settled. */
export interface SessionWish {
  readonly userId: string;
  readonly orgId: string;
  readonly role: Role;
  readonly method: LoginMethod;
  readonly hasSecondFactor: boolean;
  readonly source: string;
  readonly userAgent: string | undefined;
}

export interface SessionTokens {
  readonly access_token: string;
  readonly refresh_token: string;
  readonly expires_in: number;
}

export interface SessionsParts {
  readonly db: Kysely<ControlSchema>;
  readonly tokens: AccessTokens;
  readonly clock: Clock;
}

/** What follows a login, however it was done: tokens, each good for a while, until the session ends. */
export class Sessions {
  private readonly parts: SessionsParts;

  constructor(parts: SessionsParts) {
    this.parts = parts;
  }

  /** Before the act in which a session is started. */
  signer(): Promise<Sign> {
    return this.parts.tokens.signer();
  }

  async start(act: Act, sign: Sign, wish: SessionWish): Promise<SessionTokens> {
    const { tx, now } = act;
    const { userId, orgId } = wish;
    const sessionId = newId('sess_');
    const lastsMs = wish.method === 'sso' ? ssoSessionHours * hourMs : sessionDays * dayMs;
    const endsAt = new Date(now.getTime() + lastsMs);
    await forgetSessions(tx, new Date(now.getTime() - sessionDays * dayMs));
    await insertSession(tx, { sessionId, createdAt: now, endsAt, ...wish });
    await tx
      .updateTable('users')
      .set({ last_login_at: now })
      .where('user_id', '=', userId)
      .execute();
    act.record({
      action: 'session.started',
      actor: userId,
      target: sessionId,
      orgId,
      detail: {
        method: wish.method,
        hasSecondFactor: wish.hasSecondFactor,
        userAgent: wish.userAgent ?? null,
      },
    });
    return await issue(act, sign, { sessionId, endsAt, ...wish });
  }

  /** Throws `refresh_refused`. */
  async refresh(change: Change, refreshToken: string): Promise<SessionTokens> {
    const sign = await this.signer();
    const hash = digestOf(refreshToken);
    const tokens = await change(async (act) => {
      const { tx, now } = act;
      const found = await lockRefreshToken(tx, hash);
      if (found === undefined) return undefined;
      const session = await findSession(tx, found.session_id, now);
      if (session === undefined) return undefined;
      if (found.used_at !== null) {
        await endReused(act, session);
        return undefined;
      }
      if (found.expires_at <= now) return undefined;
      await markUsed(tx, hash, now);
      return await issue(act, sign, session);
    });
    if (tokens === undefined) throw new HatiError('refresh_refused');
    return tokens;
  }

  async end(act: Act, { sessionId, orgId }: UserCaller): Promise<void> {
    await endSessions(act.tx, { at: act.now, reason: 'logout', sessionId });
    act.record({
      action: 'session.ended',
      target: sessionId,
      orgId,
      detail: { reason: 'logout' },
    });
  }

  /** Whose token it is, where it and all that it depends on are still good. */
  readonly authenticate = async (jwt: string): Promise<UserCaller | undefined> => {
    const token = await this.parts.tokens.read(jwt);
    if (token === undefined) return undefined;
    const { db, clock } = this.parts;
    const session = await findSession(db, token.sessionId, clock());
    const isSame = session?.userId === token.userId && session.orgId === token.orgId;
    return isSame ? session : undefined;
  };
}

interface TokenWish {
  readonly sessionId: string;
  readonly userId: string;
  readonly orgId: string;
  readonly role: Role;
  readonly endsAt: Date;
}

async function issue({ tx, now }: Act, sign: Sign, wish: TokenWish): Promise<SessionTokens> {
  const { sessionId, orgId, endsAt } = wish;
  const refreshToken = newRefreshToken();
  const lasts = Math.min(now.getTime() + refreshTokenDays * dayMs, endsAt.getTime());
  await insertRefreshToken(tx, {
    hash: digestOf(refreshToken),
    sessionId,
    issuedAt: now,
    expiresAt: new Date(lasts),
  });
  const env = await firstEnvironmentOf(tx, orgId);
  const { token, expiresIn } = await sign({ ...wish, env }, now);
  return { access_token: token, refresh_token: refreshToken, expires_in: expiresIn };
}

async function endReused(act: Act, { sessionId, userId, orgId }: UserCaller): Promise<void> {
  await endSessions(act.tx, { at: act.now, reason: 'refresh_token_reused', sessionId });
  act.record({
    action: 'session.reused',
    actor: userId,
    target: sessionId,
    orgId,
    detail: { reason: 'refresh_token_reused' },
  });
}
