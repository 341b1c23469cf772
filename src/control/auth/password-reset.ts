import { randomBytes } from 'node:crypto';
import type { Kysely } from 'kysely';
import type { ControlSchema } from '../../database/schema.ts';
import { HatiError } from '../../errors.ts';
import type { Clock } from '../../shared/clock.ts';
import type { Logger } from '../../shared/log.ts';
import type { Act } from '../act.ts';
import { lock } from '../lock.ts';
import type { Mailer } from '../mail/mailer.ts';
import { forgetAttempts } from './attempts.ts';
import { attempterOf, digestOf, hourMs, type Change } from './model.ts';
import { passwordResetPath } from './password-reset-page.ts';
import { refuseUnfitPassword, type Passwords } from './passwords.ts';
import {
  countResets,
  findReset,
  forgetOldResets,
  forgetResets,
  insertReset,
  takeReset,
} from './password-reset-store.ts';
import { endSessions, findUser, membershipsOf } from './store.ts';

const validMs = hourMs;
/** Of an account, within that time. Nobody keeps another one out by asking for more: those that were sent are good. */
const mostAtOnce = 3;

export interface PasswordResetsParts {
  readonly db: Kysely<ControlSchema>;
  readonly passwords: Passwords;
  /** Undefined: whoever has forgotten his password asks the operator. */
  readonly mailer: Pick<Mailer, 'send'> | undefined;
  /** What links begin with. */
  readonly publicUrl: string;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * New passwords for those that are forgotten. Who can read the mail of an address is its user; a second factor stays as it is. Whether there
 * is such a user shows neither in the answer nor in when it comes: the same is written for all, and mails go out behind it.
 */
export class PasswordResets {
  private readonly parts: PasswordResetsParts;
  private readonly sending = new Set<Promise<void>>();

  constructor(parts: PasswordResetsParts) {
    this.parts = parts;
  }

  /** @returns whether this server sends mails at all */
  async ask(change: Change, email: string): Promise<boolean> {
    if (this.parts.mailer === undefined) return false;
    const token = `prt_${randomBytes(32).toString('base64url')}`;
    const address = await change((act) => begin(act, email, token));
    if (address !== undefined) this.send(address, token);
    return true;
  }

  /** Throws `password_reset_refused`. */
  async reset(
    change: Change,
    { token, next, source }: { token: string; next: string; source: string },
  ): Promise<{ readonly at: Date; readonly ended: number }> {
    const { db, passwords, clock } = this.parts;
    const hash = digestOf(token);
    const asked = await findReset(db, hash, clock());
    if (asked === undefined) throw new HatiError('password_reset_refused');
    const { userId, email } = asked;
    refuseUnfitPassword(next, email, 'new_password');
    const passwordHash = await passwords.hash(next);
    return await change(async (act) => {
      if (!(await takeReset(act.tx, hash, act.now))) throw new HatiError('password_reset_refused');
      const ended = await resetPassword(act, userId, { passwordHash, actor: userId });
      await forgetAttempts(act, attempterOf(email, source));
      return { at: act.now, ended };
    });
  }

  /** Resolves when no mail is on its way. */
  async stop(): Promise<void> {
    await Promise.all(this.sending);
  }

  private send(to: string, token: string): void {
    const { mailer, publicUrl, log } = this.parts;
    const text = [
      'Somebody, you as we hope, has asked for a new password on HatiData.',
      '',
      'Choose one within an hour:',
      '',
      // Behind the #, which browsers send to nobody.
      `${publicUrl}${passwordResetPath}#${token}`,
      '',
      'If it was not you, there is nothing to do: the old one goes on.',
      '',
    ].join('\n');
    const sent = mailer!
      .send({ to, subject: 'A new password on HatiData', text })
      .catch((error: unknown) => log.error({ err: error }, 'a password reset was not mailed'))
      .finally(() => this.sending.delete(sent));
    this.sending.add(sent);
  }
}

/** @returns where to send it; undefined where there is nobody to send it to */
async function begin(act: Act, email: string, token: string): Promise<string | undefined> {
  const { tx, now } = act;
  const account = digestOf(email.toLowerCase());
  await lock(tx, `password_reset:${account.toString('hex')}`);
  await forgetOldResets(tx, now);
  const user = await findUser(tx, email);
  const known = user !== undefined && user.password_hash !== null ? user : undefined;
  if ((await countResets(tx, account, now)) >= mostAtOnce) return undefined;
  await insertReset(tx, {
    hash: digestOf(token),
    account,
    userId: known?.user_id ?? null,
    createdAt: now,
    expiresAt: new Date(now.getTime() + validMs),
  });
  act.record({
    action: 'user.password_reset_asked',
    target: known?.user_id ?? email,
    orgId: null,
    detail: { email, isKnown: known !== undefined },
  });
  return known?.email;
}

/** Without the one that there was. Whatever was begun with that ends. @returns how many sessions */
export async function resetPassword(
  act: Act,
  userId: string,
  { passwordHash, actor }: { readonly passwordHash: string; readonly actor?: string },
): Promise<number> {
  const { tx, now } = act;
  await tx
    .updateTable('users')
    .set({ password_hash: passwordHash })
    .where('user_id', '=', userId)
    .execute();
  await forgetResets(tx, userId);
  const ended = await endSessions(tx, { at: now, reason: 'password_reset', userId });
  const [membership] = await membershipsOf(tx, userId);
  act.record({
    action: 'user.password_reset',
    ...(actor !== undefined && { actor }),
    target: userId,
    orgId: membership?.orgId ?? null,
    detail: { sessionsEnded: ended },
  });
  return ended;
}
