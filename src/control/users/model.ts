import type { Role } from '../../api/permissions.ts';

/** A user of an organization. */
export interface Member {
  readonly userId: string;
  readonly email: string;
  readonly name: string;
  readonly role: Role;
  readonly status: 'active' | 'invited' | 'suspended';
  readonly hasSecondFactor: boolean;
  readonly lastLoginAt: Date | null;
  readonly invitationExpiresAt: Date | null;
  readonly version: number;
  readonly createdAt: Date;
}

export interface MemberRow {
  readonly user_id: string;
  readonly email: string;
  readonly name: string;
  readonly role: string;
  readonly status: Member['status'];
  readonly totp_confirmed_at: Date | null;
  readonly last_login_at: Date | null;
  readonly invited_name: string;
  readonly invitation_expires_at: Date | null;
  readonly version: number;
  readonly created_at: Date;
}

/** Of who is only invited the organization knows what it wrote itself: he may be somebody elsewhere, which is not its business. */
export function memberOf(row: MemberRow): Member {
  const isInvited = row.status === 'invited';
  return {
    userId: row.user_id,
    email: row.email,
    name: isInvited ? row.invited_name : row.name,
    role: row.role as Role,
    status: row.status,
    hasSecondFactor: !isInvited && row.totp_confirmed_at !== null,
    lastLoginAt: isInvited ? null : row.last_login_at,
    invitationExpiresAt: row.invitation_expires_at,
    version: row.version,
    createdAt: row.created_at,
  };
}

/** As the API shows him. */
export function userOf(member: Member) {
  return {
    user_id: member.userId,
    email: member.email,
    name: member.name,
    role: member.role,
    status: member.status,
    mfa_enabled: member.hasSecondFactor,
    last_login: member.lastLoginAt?.toISOString() ?? null,
    created_at: member.createdAt.toISOString(),
  };
}
