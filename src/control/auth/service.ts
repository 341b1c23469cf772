import type { Kysely } from 'kysely';
import type { ControlSchema } from '../../database/schema.ts';
import { HatiError, type ErrorCode } from '../../errors.ts';
import type { SecretBox } from '../../shared/secret-box.ts';
import type { Act } from '../act.ts';
import type { UserCaller } from '../caller.ts';
import { attempting, forgetAttempts } from './attempts.ts';
import { attempterOf, type Change } from './model.ts';
import { forgetResets } from './password-reset-store.ts';
import { refuseUnfitPassword, type Passwords } from './passwords.ts';
import { replaceRecoveryCodes } from './recovery-codes.ts';
import {
  newSecondFactor,
  removeSecondFactor,
  secondFactorPurpose,
  takeAnyCode,
  takeCode,
} from './second-factor.ts';
import type { NewSecondFactor } from './second-factor.ts';
import type { Sessions, SessionTokens } from './sessions.ts';
import { endSessions, findUser, holdMembership, lockUser, membershipsOf } from './store.ts';
import type { Membership, UserRow } from './store.ts';

export interface LoginWish {
  readonly email: string;
  readonly password: string;
  readonly orgId: string | undefined;
  readonly code: string | undefined;
  readonly source: string;
  readonly userAgent: string | undefined;
}

export interface LoggedIn {
  readonly tokens: SessionTokens;
  readonly user: UserRow;
  readonly membership: Membership;
}

/** A caller who shows again who he is. */
export interface Confirming {
  readonly caller: UserCaller;
  readonly source: string;
}

export interface BothFactors {
  readonly password: string;
  readonly code: string;
}

export interface AuthServiceParts {
  readonly db: Kysely<ControlSchema>;
  readonly passwords: Passwords;
  readonly sessions: Sessions;
  readonly box: SecretBox;
}

/** Logging in by password, and what a user changes about it. */
export class AuthService {
  private readonly parts: AuthServiceParts;

  constructor(parts: AuthServiceParts) {
    this.parts = parts;
  }

  /**
   * Throws `login_refused`, the same and as late whether there is no such account or its password is another; `second_factor_missing`,
   * `second_factor_wrong`, `membership_missing`, `too_many_attempts`.
   */
  async logIn(change: Change, wish: LoginWish): Promise<LoggedIn> {
    const { db, passwords, sessions, box } = this.parts;
    const { email, password, orgId, code, source, userAgent } = wish;
    const who = attempterOf(email, source);
    return await attempting(change, who, async () => {
      const user = await findUser(db, email);
      const memberships = await membershipsOf(db, user?.user_id ?? '');
      const asked = memberships.filter((each) => orgId === undefined || each.orgId === orgId);
      const membership = asked.find((each) => each.mayUsePassword) ?? asked[0];
      const refuse = (reason: ErrorCode): Promise<HatiError> =>
        refused(change, reason, { user, membership, wish });
      if (!(await passwords.verify(user?.password_hash, password, who.network)))
        throw await refuse('login_refused');
      if (user!.totp_confirmed_at !== null && code === undefined)
        throw new HatiError('second_factor_missing');
      if (membership === undefined) throw notAMember(orgId);
      if (!membership.mayUsePassword) throw new HatiError('sso_required');
      const sign = await sessions.signer();
      const outcome = await change(async (act) => {
        const now = await lockUser(act.tx, user!.user_id);
        // It was changed since.
        if (now?.password_hash !== user!.password_hash) return 'login_refused';
        const hasSecondFactor = now.totp_confirmed_at !== null;
        if (hasSecondFactor && !(await takeAnyCode(act, box, now, code)))
          return 'second_factor_wrong';
        const role = await holdMembership(act.tx, now.user_id, membership.orgId);
        if (role === undefined) throw notAMember(orgId);
        await forgetAttempts(act, who);
        const tokens = await sessions.start(act, sign, {
          userId: now.user_id,
          orgId: membership.orgId,
          role,
          method: 'password',
          hasSecondFactor,
          source,
          userAgent,
        });
        return { tokens, user: now, membership: { ...membership, role } };
      });
      if (typeof outcome === 'string') throw await refuse(outcome);
      return outcome;
    });
  }

  /** @returns when, and how many other sessions that ended. Throws `confirmation_wrong`. */
  async changePassword(
    change: Change,
    { caller, source }: Confirming,
    { current, next }: { readonly current: string; readonly next: string },
  ): Promise<{ readonly at: Date; readonly ended: number }> {
    const { passwords } = this.parts;
    refuseUnfitPassword(next, caller.email, 'new_password');
    const who = attempterOf(caller.email, source);
    return await attempting(change, who, async () => {
      const verified = await this.verified(caller, current, who.network);
      const hash = await passwords.hash(next);
      return await change(async (act) => {
        const user = await lockUser(act.tx, caller.userId);
        if (user?.password_hash !== verified) throw wrong('password');
        await act.tx
          .updateTable('users')
          .set({ password_hash: hash })
          .where('user_id', '=', caller.userId)
          .execute();
        await forgetResets(act.tx, caller.userId);
        const ended = await endSessions(act.tx, {
          at: act.now,
          reason: 'password_changed',
          userId: caller.userId,
          exceptSessionId: caller.sessionId,
        });
        await forgetAttempts(act, who);
        act.record({
          action: 'user.password_changed',
          target: caller.userId,
          orgId: caller.orgId,
          detail: { sessionsEnded: ended },
        });
        return { at: act.now, ended };
      });
    });
  }

  /** It counts once it is confirmed; until then, each call makes a new one. */
  async beginSecondFactor(change: Change, caller: UserCaller): Promise<NewSecondFactor> {
    const made = newSecondFactor(caller.email);
    const sealed = this.parts.box.seal(made.secret, secondFactorPurpose(caller.userId));
    await change(async ({ tx }) => {
      refuseSecondFactor(await lockUser(tx, caller.userId), true);
      await tx
        .updateTable('users')
        .set({ totp_secret: sealed, totp_last_step: null })
        .where('user_id', '=', caller.userId)
        .execute();
    });
    return made;
  }

  /** @returns when, and the recovery codes. Throws `confirmation_wrong`. */
  async confirmSecondFactor(
    change: Change,
    { caller, source }: Confirming,
    code: string,
  ): Promise<{ readonly at: Date; readonly codes: readonly string[] }> {
    const who = attempterOf(caller.email, source);
    return await attempting(change, who, () =>
      change(async (act) => {
        const user = await lockUser(act.tx, caller.userId);
        refuseSecondFactor(user, true);
        if (!(await takeCode(act, this.parts.box, user!, code))) throw wrong('code');
        await act.tx
          .updateTable('users')
          .set({ totp_confirmed_at: act.now })
          .where('user_id', '=', caller.userId)
          .execute();
        await forgetAttempts(act, who);
        act.record({
          action: 'user.totp_enabled',
          target: caller.userId,
          orgId: caller.orgId,
          detail: {},
        });
        return { at: act.now, codes: await replaceRecoveryCodes(act, caller.userId) };
      }),
    );
  }

  /** Throws `confirmation_wrong`. Sessions that had it count as such that don't, from then on. */
  async disableSecondFactor(
    change: Change,
    confirming: Confirming,
    shown: BothFactors,
  ): Promise<void> {
    const { caller } = confirming;
    await this.withBothFactors(change, confirming, shown, (act) =>
      removeSecondFactor(act, caller.userId, caller.orgId),
    );
  }

  /** Throws `confirmation_wrong`. */
  async replaceRecoveryCodes(
    change: Change,
    confirming: Confirming,
    shown: BothFactors,
  ): Promise<readonly string[]> {
    const { userId, orgId } = confirming.caller;
    return await this.withBothFactors(change, confirming, shown, async (act) => {
      act.record({ action: 'user.recovery_codes_replaced', target: userId, orgId, detail: {} });
      return await replaceRecoveryCodes(act, userId);
    });
  }

  /** What nobody may do who has found somebody logged in. */
  private async withBothFactors<T>(
    change: Change,
    { caller, source }: Confirming,
    { password, code }: BothFactors,
    work: (act: Act) => Promise<T>,
  ): Promise<T> {
    const who = attempterOf(caller.email, source);
    return await attempting(change, who, async () => {
      const verified = await this.verified(caller, password, who.network);
      return await change(async (act) => {
        const user = await lockUser(act.tx, caller.userId);
        refuseSecondFactor(user, false);
        const isRight =
          user?.password_hash === verified && (await takeAnyCode(act, this.parts.box, user, code));
        if (!isRight) throw wrong('code');
        await forgetAttempts(act, who);
        return await work(act);
      });
    });
  }

  /** @returns the hash that it was found to match */
  private async verified(caller: UserCaller, password: string, network: string): Promise<string> {
    const { db, passwords } = this.parts;
    const user = await findUser(db, caller.email);
    if (!(await passwords.verify(user?.password_hash, password, network))) throw wrong('password');
    return user!.password_hash!;
  }
}

function wrong(what: 'password' | 'code'): HatiError {
  return new HatiError('confirmation_wrong', { params: { what }, details: { field: what } });
}

function notAMember(orgId: string | undefined): HatiError {
  return orgId === undefined
    ? new HatiError('membership_missing')
    : new HatiError('resource_unknown', { params: { what: 'organization' } });
}

function refuseSecondFactor(user: UserRow | undefined, isThere: boolean): void {
  if ((user?.totp_confirmed_at !== null) !== isThere) return;
  const message = isThere
    ? 'there is a second factor already: remove it first'
    : 'there is no second factor';
  throw new HatiError('conflict', { params: { message } });
}

/** Writes it down, with what was given for a name but never the password. */
async function refused(
  change: Change,
  reason: ErrorCode,
  about: {
    readonly user: UserRow | undefined;
    readonly membership: Membership | undefined;
    readonly wish: LoginWish;
  },
): Promise<HatiError> {
  const { user, membership, wish } = about;
  await change((act) => {
    act.record({
      action: 'session.refused',
      target: user?.user_id ?? wish.email,
      orgId: membership?.orgId ?? null,
      detail: { reason, email: wish.email, userAgent: wish.userAgent ?? null },
    });
    return Promise.resolve();
  });
  return new HatiError(reason);
}
