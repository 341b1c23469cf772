/** Codes of an authenticator (RFC 6238): six digits, thirty seconds, one step early or late; each is taken once. */
import { Secret, TOTP } from 'otpauth';
import type { SecretBox } from '../../shared/secret-box.ts';
import type { Act } from '../act.ts';
import { forgetRecoveryCodes, takeRecoveryCode } from './recovery-codes.ts';
import type { UserRow } from './store.ts';

const issuer = 'HatiData';
const secretBytes = 20;
const windowSteps = 1;

export interface NewSecondFactor {
  /** Base32. */
  readonly secret: string;
  readonly uri: string;
}

export function newSecondFactor(email: string): NewSecondFactor {
  const secret = new Secret({ size: secretBytes });
  return { secret: secret.base32, uri: totpOf(secret.base32, email).toString() };
}

function totpOf(secret: string, email: string): TOTP {
  return new TOTP({ issuer, label: email, secret: Secret.fromBase32(secret) });
}

export function secondFactorPurpose(userId: string): string {
  return `totp:${userId}`;
}

/** A code of the authenticator, or one for who has lost it. @param user locked in this act @returns whether it was right, and not used before */
export async function takeAnyCode(
  act: Act,
  box: SecretBox,
  user: UserRow,
  code: string | undefined,
): Promise<boolean> {
  const isRecovery = code?.includes('-') === true;
  return isRecovery
    ? await takeRecoveryCode(act, user.user_id, code)
    : await takeCode(act, box, user, code);
}

/** Of the authenticator only. */
export async function takeCode(
  { tx, now }: Act,
  box: SecretBox,
  user: UserRow,
  code: string | undefined,
): Promise<boolean> {
  if (code === undefined || user.totp_secret === null) return false;
  const secret = box.open(user.totp_secret, secondFactorPurpose(user.user_id));
  const totp = totpOf(secret, user.email);
  const timestamp = now.getTime();
  const delta = totp.validate({ token: code, timestamp, window: windowSteps });
  if (delta === null) return false;
  const step = totp.counter({ timestamp }) + delta;
  if (user.totp_last_step !== null && step <= Number(user.totp_last_step)) return false;
  await tx
    .updateTable('users')
    .set({ totp_last_step: step })
    .where('user_id', '=', user.user_id)
    .execute();
  return true;
}

/** With the recovery codes. Sessions that had it count as such that don't, from then on; a provider's factors are its own. */
export async function removeSecondFactor(
  act: Act,
  userId: string,
  orgId: string | null,
): Promise<void> {
  await act.tx
    .updateTable('users')
    .set({ totp_secret: null, totp_confirmed_at: null, totp_last_step: null })
    .where('user_id', '=', userId)
    .execute();
  await act.tx
    .updateTable('auth_sessions')
    .set({ has_second_factor: false })
    .where('user_id', '=', userId)
    .where('method', '=', 'password')
    .execute();
  await forgetRecoveryCodes(act, userId);
  act.record({ action: 'user.totp_disabled', target: userId, orgId, detail: {} });
}
