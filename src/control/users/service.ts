import type { Role } from '../../api/permissions.ts';
import { tiers } from '../../api/tiers.ts';
import { HatiError } from '../../errors.ts';
import { newId } from '../../shared/ids.ts';
import type { Act } from '../act.ts';
import { endSessions, type EndReason } from '../auth/store.ts';
import { refuseOtherVersion } from '../http/version.ts';
import type { Ended, MadeKeys } from '../keys/made-keys.ts';
import { lockOrganization, type OrganizationRow } from '../organizations/store.ts';
import { expiryOf, newToken, type SentInvitation } from './invitation.ts';
import type { Member } from './model.ts';
import { refuseGiving, refuseTouching, type Administrator } from './rules.ts';
import {
  changeMember,
  countMembers,
  deleteMember,
  findMember,
  findMemberByEmail,
  insertInvitation,
  lockMember,
  userWithEmail,
} from './store.ts';

export interface InvitationWish {
  readonly email: string;
  readonly role: Role;
  readonly name?: string | undefined;
}

/** Users of an organization, for who administers them. Each act is part of its caller's transaction. */
export class UserService {
  private readonly keys: MadeKeys;

  constructor(keys: MadeKeys) {
    this.keys = keys;
  }

  async invite(
    act: Act,
    by: Administrator,
    orgId: string,
    { email, role, name = '' }: InvitationWish,
  ): Promise<SentInvitation> {
    refuseGiving(by, role);
    const organization = await locked(act, orgId);
    if ((await findMemberByEmail(act.tx, orgId, email)) !== undefined) {
      throw new HatiError('user_is_member', { details: { field: 'email', constraint: 'unique' } });
    }
    const userId = await userWithEmail(act.tx, { email, newId: newId('usr_'), now: act.now });
    await refuseTooMany(act, organization);
    const { token, hash } = newToken();
    const expiresAt = expiryOf(act.now);
    await insertInvitation(act.tx, { orgId, userId, role, name, hash, expiresAt, at: act.now });
    const member = (await findMember(act.tx, orgId, userId))!;
    tellInvited(act, by, orgId, member);
    return { member, token, organization: organization.name };
  }

  /** With a new token: only a digest of the one that there was is known. */
  async resend(
    act: Act,
    by: Administrator,
    orgId: string,
    userId: string,
  ): Promise<SentInvitation> {
    const organization = await locked(act, orgId);
    const before = await lockedMember(act, orgId, userId);
    refuseTouching(by, before);
    if (before.status !== 'invited') throw inState(before);
    const { token, hash } = newToken();
    const member = await changeMember(act.tx, orgId, userId, {
      invitation_hash: hash,
      invitation_expires_at: expiryOf(act.now),
    });
    tellInvited(act, by, orgId, member);
    return { member, token, organization: organization.name };
  }

  async changeRole(
    act: Act,
    by: Administrator,
    {
      orgId,
      userId,
      role,
      ifVersion,
    }: { orgId: string; userId: string; role: Role; ifVersion: number | undefined },
  ): Promise<Member> {
    await locked(act, orgId);
    const before = await lockedMember(act, orgId, userId);
    refuseTouching(by, before);
    if (before.role !== role) refuseGiving(by, role);
    refuseOtherVersion(before.version, ifVersion);
    if (before.role === role) return before;
    const after = await changeMember(act.tx, orgId, userId, { role });
    record(act, 'user.role_changed', orgId, after, {
      before: { role: before.role },
      after: { role },
    });
    act.emit({
      type: 'user.role_changed',
      orgId,
      data: {
        user_id: userId,
        email: after.email,
        previous_role: before.role,
        role,
        changed_by: by.id,
      },
    });
    return after;
  }

  async suspend(act: Act, by: Administrator, orgId: string, userId: string): Promise<Member> {
    await locked(act, orgId);
    const before = await lockedMember(act, orgId, userId);
    refuseTouching(by, before);
    if (userId === by.id)
      throw new HatiError('conflict', { params: { message: 'nobody suspends himself' } });
    if (before.status === 'suspended') return before;
    if (before.status === 'invited') throw inState(before);
    const after = await changeMember(act.tx, orgId, userId, { status: 'suspended' });
    const ended = await this.endAll(act, by, { orgId, userId, reason: 'suspended' });
    record(act, 'user.suspended', orgId, after, { ...statusChange(before, after), ...ended });
    return after;
  }

  async resume(act: Act, by: Administrator, orgId: string, userId: string): Promise<Member> {
    await locked(act, orgId);
    const before = await lockedMember(act, orgId, userId);
    refuseTouching(by, before);
    if (before.status === 'active') return before;
    if (before.status === 'invited') throw inState(before);
    const after = await changeMember(act.tx, orgId, userId, { status: 'active' });
    record(act, 'user.resumed', orgId, after, statusChange(before, after));
    return after;
  }

  async remove(act: Act, by: Administrator, orgId: string, userId: string): Promise<void> {
    await locked(act, orgId);
    const before = await lockedMember(act, orgId, userId);
    refuseTouching(by, before);
    await deleteMember(act.tx, orgId, userId);
    const ended = await this.endAll(act, by, { orgId, userId, reason: 'removed' });
    const { email, role, status } = before;
    record(act, 'user.removed', orgId, before, { before: { role, status }, ...ended });
    act.emit({
      type: 'user.removed',
      orgId,
      data: { user_id: userId, email, role, removed_by: by.id },
    });
  }

  /** Whatever lets him in. */
  private async endAll(
    act: Act,
    by: Administrator,
    { orgId, userId, reason }: { orgId: string; userId: string; reason: EndReason },
  ): Promise<Ended & { sessionsEnded: number }> {
    return {
      sessionsEnded: await endSessions(act.tx, { at: act.now, orgId, userId, reason }),
      ...(await this.keys.end(act, { orgId, maker: userId, by: by.id })),
    };
  }
}

async function locked(act: Act, orgId: string): Promise<OrganizationRow> {
  const row = await lockOrganization(act.tx, orgId);
  if (row === undefined)
    throw new HatiError('resource_unknown', { params: { what: 'organization' } });
  return row;
}

async function lockedMember(act: Act, orgId: string, userId: string): Promise<Member> {
  const member = await lockMember(act.tx, orgId, userId);
  if (member === undefined) throw unknownUser();
  return member;
}

export function unknownUser(): HatiError {
  return new HatiError('resource_unknown', { params: { what: 'user' } });
}

export async function refuseTooMany(
  act: Act,
  { org_id: orgId, tier }: OrganizationRow,
): Promise<void> {
  const limit = tiers[tier].users;
  if (limit === Infinity || (await countMembers(act.tx, orgId)) < limit) return;
  throw new HatiError('too_many_users', { params: { limit }, details: { limit } });
}

function inState({ status }: Member): HatiError {
  return new HatiError('conflict', {
    params: { message: `the user is ${status}` },
    details: { state: status },
  });
}

function statusChange(before: Member, after: Member) {
  return { before: { status: before.status }, after: { status: after.status } };
}

function record(
  act: Act,
  action: `user.${'invited' | 'role_changed' | 'suspended' | 'resumed' | 'removed'}`,
  orgId: string,
  { userId, email }: Member,
  detail: Readonly<Record<string, unknown>>,
): void {
  act.record({ action, target: userId, orgId, detail: { email, ...detail } });
}

function tellInvited(act: Act, by: Administrator, orgId: string, member: Member): void {
  const { userId, email, role, invitationExpiresAt } = member;
  const expiresAt = invitationExpiresAt!.toISOString();
  record(act, 'user.invited', orgId, member, { after: { role, status: 'invited', expiresAt } });
  act.emit({
    type: 'user.invited',
    orgId,
    data: { user_id: userId, email, role, invited_by: by.id, expires_at: expiresAt },
  });
}
