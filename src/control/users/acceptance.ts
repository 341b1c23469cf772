import type { Kysely } from 'kysely';
import { newPassword } from '../../api/fields.ts';
import type { ControlSchema } from '../../database/schema.ts';
import { HatiError } from '../../errors.ts';
import type { Clock } from '../../shared/clock.ts';
import type { Act } from '../act.ts';
import { attempting, forgetAttempts } from '../auth/attempts.ts';
import { attempterOf, type Change } from '../auth/model.ts';
import { refuseUnfitPassword, type Passwords } from '../auth/passwords.ts';
import type { UserCaller } from '../caller.ts';
import { hashOf } from './invitation.ts';
import {
  activateInvitation,
  findInvitation,
  setFirstPassword,
  type PendingInvitation,
} from './invitation-store.ts';

export interface AcceptanceParts {
  readonly db: Kysely<ControlSchema>;
  readonly passwords: Passwords;
  readonly clock: Clock;
}

/** What whoever has the token shows with it. */
export interface Acceptance {
  readonly token: string;
  readonly name: string | undefined;
  readonly password: string;
  readonly source: string;
}

/**
 * Invitations, for whom they are for. The token alone makes nobody somebody who was there before: whoever invites may know it. So an
 * account that there is joins by its own password or login, and only for who has none the token is enough.
 */
export class Acceptances {
  private readonly parts: AcceptanceParts;

  constructor(parts: AcceptanceParts) {
    this.parts = parts;
  }

  /** Throws `invitation_unknown`, `invitation_expired`, `invitation_needs_login`, `confirmation_wrong`, `too_many_attempts`. */
  async accept(change: Change, acceptance: Acceptance): Promise<PendingInvitation> {
    const hash = hashOf(acceptance.token);
    const invitation = await this.pending(hash);
    if (invitation.isNewUser) await this.acceptAsNew(change, hash, invitation, acceptance);
    else await this.acceptAsKnown(change, hash, invitation, acceptance);
    return invitation;
  }

  /** Throws `invitation_unknown`, `invitation_expired`, `invitation_for_another`. */
  async join(change: Change, { userId }: UserCaller, token: string): Promise<PendingInvitation> {
    const hash = hashOf(token);
    const invitation = await this.pending(hash);
    if (invitation.userId !== userId) throw new HatiError('invitation_for_another');
    await change((act) => activate(act, hash, invitation));
    return invitation;
  }

  private async acceptAsNew(
    change: Change,
    hash: Buffer,
    invitation: PendingInvitation,
    { name, password }: Acceptance,
  ): Promise<void> {
    const { userId, email } = invitation;
    refuseWeak(password);
    refuseUnfitPassword(password, email, 'password');
    const passwordHash = await this.parts.passwords.hash(password);
    await change(async (act) => {
      await activate(act, hash, invitation);
      const first = { name: name ?? invitation.name, hash: passwordHash };
      if (!(await setFirstPassword(act.tx, userId, first))) {
        throw new HatiError('conflict', {
          params: { message: 'this user has just chosen a password: give that one' },
        });
      }
    });
  }

  private async acceptAsKnown(
    change: Change,
    hash: Buffer,
    invitation: PendingInvitation,
    { password, source }: Acceptance,
  ): Promise<void> {
    const { email, passwordHash } = invitation;
    if (passwordHash === null) throw new HatiError('invitation_needs_login');
    const who = attempterOf(email, source);
    await attempting(change, who, async () => {
      if (!(await this.parts.passwords.verify(passwordHash, password, who.network))) {
        const what = 'password';
        throw new HatiError('confirmation_wrong', { params: { what }, details: { field: what } });
      }
      await change(async (act) => {
        await activate(act, hash, invitation);
        await forgetAttempts(act, who);
      });
    });
  }

  private async pending(hash: Buffer): Promise<PendingInvitation> {
    const { db, clock } = this.parts;
    const invitation = await findInvitation(db, hash);
    if (invitation === undefined) throw new HatiError('invitation_unknown');
    if (invitation.expiresAt <= clock()) throw new HatiError('invitation_expired');
    return invitation;
  }
}

async function activate(act: Act, hash: Buffer, invitation: PendingInvitation): Promise<void> {
  const { orgId, userId, email, role } = invitation;
  if (!(await activateInvitation(act.tx, hash))) throw new HatiError('invitation_unknown');
  act.record({
    action: 'user.joined',
    actor: userId,
    target: userId,
    orgId,
    detail: { email, role, before: { status: 'invited' }, after: { status: 'active' } },
  });
}

/** Which password it is shows only with the invitation; so the route takes any. */
function refuseWeak(password: string): void {
  const { error } = newPassword.safeParse(password);
  if (error === undefined) return;
  throw new HatiError('request_invalid', {
    params: { message: `password: ${error.issues[0]!.message}` },
    details: { field: 'password', constraint: 'new_password' },
  });
}
