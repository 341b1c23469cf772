/**
 * Who somebody that a provider has let in is here. What the provider says counts in its own organization alone, since the organization
 * chose it: so who is nobody's user yet gets an account that belongs to the organization, and no account of another place is touched.
 */
import { z } from 'zod';
import { email as emailField, text } from '../../api/fields.ts';
import { HatiError } from '../../errors.ts';
import { newId } from '../../shared/ids.ts';
import type { Act } from '../act.ts';
import type { OrganizationRow } from '../organizations/store.ts';
import type { Member } from '../users/model.ts';
import { refuseTooMany } from '../users/service.ts';
import { findMember, findMemberByEmail, lockMember } from '../users/store.ts';
import {
  giveInvitation,
  homeUser,
  insertIdentity,
  insertMember,
  userOfIdentity,
  type Identity,
} from './identity-store.ts';
import type { Claims } from './provider.ts';
import type { SsoRow } from './store.ts';

/** Somebody whose address is good here. */
interface Person {
  readonly subject: string;
  readonly email: string;
  readonly name: string;
}

/** Where somebody arrives; locked, so that nobody is suspended or removed meanwhile, and two first arrivals of one person are one. */
export interface Place {
  readonly organization: OrganizationRow;
  readonly sso: SsoRow;
}

/** @returns the user's id: an active member. Throws `sso_refused`, `too_many_users`. */
export async function arrive(act: Act, place: Place, claims: Claims): Promise<string> {
  const { sso } = place;
  const person = personOf(sso, claims);
  const identity = { orgId: sso.org_id, issuer: sso.issuer, subject: person.subject };
  const known = await userOfIdentity(act.tx, identity);
  if (known === undefined) return await firstArrival(act, place, identity, person);
  refuseUnfit(sso, await findMember(act.tx, sso.org_id, known));
  return known;
}

const trustedSubject = z.string().min(1).max(255);

function personOf({ email_domains: domains }: SsoRow, claims: Claims): Person {
  const subject = trustedSubject.safeParse(claims.subject);
  const email = emailField.safeParse(claims.email);
  if (!subject.success || !email.success)
    throw refused('email_missing', 'the provider gives no email address; allow the scope email');
  if (claims.emailVerified !== true)
    throw refused('email_unverified', 'the provider has not verified the email address');
  const domain = email.data.slice(email.data.lastIndexOf('@') + 1).toLowerCase();
  if (!domains.includes(domain))
    throw refused('email_domain', `addresses of ${domain} are not allowed in this organization`);
  const name = text(100).safeParse(claims.name);
  return { subject: subject.data, email: email.data, name: name.success ? name.data : '' };
}

async function firstArrival(
  act: Act,
  { organization, sso }: Place,
  identity: Identity,
  person: Person,
): Promise<string> {
  const { tx, now } = act;
  const found = await findMemberByEmail(tx, sso.org_id, person.email);
  // An invitation may be accepted on the other way at this moment.
  const member = found && (await lockMember(tx, sso.org_id, found.userId));
  if (member === undefined) {
    if (sso.default_role === null)
      throw refused('not_a_user', 'you are not a user of this organization; ask to be invited');
    await refuseTooMany(act, organization);
  }
  const userId = await accountFor(act, sso, person, member);
  if (!(await insertIdentity(tx, identity, userId, now)))
    throw refused('other_identity', 'this address belongs to another account of the provider');
  act.record({
    action: 'sso.linked',
    actor: userId,
    target: userId,
    orgId: sso.org_id,
    detail: { email: person.email, issuer: sso.issuer, subject: person.subject },
  });
  return userId;
}

async function accountFor(
  act: Act,
  sso: SsoRow,
  { email, name }: Person,
  member: Member | undefined,
): Promise<string> {
  const { tx, now } = act;
  const { org_id: orgId } = sso;
  if (member !== undefined && member.status !== 'invited') {
    refuseUnfit(sso, member);
    return member.userId;
  }
  if (member?.invitationExpiresAt && member.invitationExpiresAt <= now)
    throw refused('invitation_expired', 'the invitation has expired; ask to be invited again');
  const shown = { orgId, email, name: name === '' ? (member?.name ?? '') : name };
  const userId = await homeUser(tx, shown, newId('usr_'), now);
  const role = member?.role ?? sso.default_role!;
  if (member === undefined) await insertMember(tx, { orgId, userId, role }, now);
  else await giveInvitation(tx, { orgId, from: member.userId, to: userId });
  act.record({
    action: 'user.joined',
    actor: userId,
    target: userId,
    orgId,
    detail: { email, role, by: 'sso', ...(member && { invitedAs: member.userId }) },
  });
  return userId;
}

function refuseUnfit(sso: SsoRow, member: Member | undefined): void {
  if (member?.status === 'suspended')
    throw refused('suspended', 'this user is suspended in the organization');
  if (member?.status !== 'active')
    throw refused('not_a_user', 'you are not a user of this organization; ask to be invited');
  // Or an admin could be the owner, by a provider of his own.
  if (member.role === 'owner' && sso.updated_by !== member.userId)
    throw refused(
      'owner',
      'the owner is let in only where he has set it up himself: log in by password, and save it again',
    );
}

function refused(constraint: string, message: string): HatiError {
  return new HatiError('sso_refused', { params: { message }, details: { constraint } });
}
