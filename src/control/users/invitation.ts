import { createHash, randomBytes } from 'node:crypto';
import type { Mailer } from '../mail/mailer.ts';
import type { Logger } from '../../shared/log.ts';
import { invitationPath } from './invitation-page.ts';
import type { Member } from './model.ts';

const validMs = 7 * 24 * 3_600_000;

/** One that was made; the token is known to nobody else. */
export interface SentInvitation {
  readonly member: Member;
  readonly token: string;
  /** Its name. */
  readonly organization: string;
}

export function newToken(): { readonly token: string; readonly hash: Buffer } {
  const token = `inv_${randomBytes(32).toString('base64url')}`;
  return { token, hash: hashOf(token) };
}

/** As it lies in the store. It is random, so nothing slower is needed. */
export function hashOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

export function expiryOf(now: Date): Date {
  return new Date(now.getTime() + validMs);
}

/** How an invitation reaches the user, for whoever sent it. */
export type Delivery =
  | { readonly mail: 'sent' | 'failed' | 'unknown' }
  | { readonly mail: 'off'; readonly invitation_link: string };

export interface InvitationMailParts {
  /** Undefined: whoever invites hands the link over himself. */
  readonly mailer: Pick<Mailer, 'send'> | undefined;
  /** What links begin with. */
  readonly publicUrl: string;
  readonly log: Logger;
}

export class InvitationMail {
  private readonly parts: InvitationMailParts;

  constructor(parts: InvitationMailParts) {
    this.parts = parts;
  }

  /** What is known of it before it is sent; the answer to a request that comes again. */
  beforehand(invitation: SentInvitation): Delivery {
    return this.parts.mailer === undefined
      ? { mail: 'off', invitation_link: this.linkOf(invitation) }
      : { mail: 'unknown' };
  }

  /** Once it is in the store. A mail that could not be sent undoes nothing: it can be sent again. */
  async send(invitation: SentInvitation): Promise<Delivery> {
    const { mailer, log } = this.parts;
    if (mailer === undefined) return this.beforehand(invitation);
    try {
      await mailer.send({
        to: invitation.member.email,
        subject: `Invitation to ${invitation.organization} on HatiData`,
        text: this.textOf(invitation),
      });
      return { mail: 'sent' };
    } catch (error) {
      log.error({ err: error, userId: invitation.member.userId }, 'an invitation was not mailed');
      return { mail: 'failed' };
    }
  }

  /** The token is behind the #: browsers keep that to themselves. */
  private linkOf({ token }: SentInvitation): string {
    return `${this.parts.publicUrl}${invitationPath}#${token}`;
  }

  private textOf(invitation: SentInvitation): string {
    const { member, organization } = invitation;
    const until = member.invitationExpiresAt!.toISOString().slice(0, 16).replace('T', ' ');
    return [
      `${organization} invites you to HatiData as ${member.role.replace('_', ' ')}.`,
      '',
      `Accept until ${until} UTC:`,
      '',
      this.linkOf(invitation),
      '',
      'If you did not expect this, there is nothing to do.',
      '',
    ].join('\n');
  }
}
