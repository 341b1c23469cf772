import { sql, type Kysely, type Transaction } from 'kysely';
import type { Role } from '../../api/permissions.ts';
import type { ControlSchema } from '../../database/schema.ts';

export interface PendingInvitation {
  readonly orgId: string;
  readonly organization: string;
  readonly userId: string;
  readonly email: string;
  readonly role: Role;
  readonly name: string;
  readonly expiresAt: Date;
  readonly passwordHash: string | null;
  /** He has never been anywhere: nobody's account is meant yet. */
  readonly isNewUser: boolean;
}

/** @param hash of its token */
export async function findInvitation(
  db: Kysely<ControlSchema>,
  hash: Buffer,
): Promise<PendingInvitation | undefined> {
  const row = await db
    .selectFrom('memberships as m')
    .innerJoin('organizations as o', 'o.org_id', 'm.org_id')
    .innerJoin('users as u', 'u.user_id', 'm.user_id')
    .select([
      'm.org_id',
      'o.name as organization',
      'u.user_id',
      'u.email',
      'm.role',
      'm.invited_name',
      'm.invitation_expires_at',
      'u.password_hash',
    ])
    .select(
      sql<boolean>`u.password_hash IS NULL AND u.last_login_at IS NULL AND NOT EXISTS (
        SELECT FROM hatidata.memberships other WHERE other.user_id = u.user_id AND other.status <> 'invited')`.as(
        'is_new',
      ),
    )
    .where('m.invitation_hash', '=', hash)
    .where('m.status', '=', 'invited')
    .where('o.status', '=', 'active')
    .executeTakeFirst();
  if (row === undefined) return undefined;
  return {
    orgId: row.org_id,
    organization: row.organization,
    userId: row.user_id,
    email: row.email,
    role: row.role as Role,
    name: row.invited_name,
    expiresAt: row.invitation_expires_at!,
    passwordHash: row.password_hash,
    isNewUser: row.is_new,
  };
}

/** The invitation becomes a membership; false where it was used, sent again or withdrawn meanwhile. */
export async function activateInvitation(
  tx: Transaction<ControlSchema>,
  hash: Buffer,
): Promise<boolean> {
  const { numUpdatedRows } = await tx
    .updateTable('memberships')
    .set({
      status: 'active',
      invitation_hash: null,
      invitation_expires_at: null,
      version: sql`version + 1`,
    })
    .where('invitation_hash', '=', hash)
    .where('status', '=', 'invited')
    .executeTakeFirstOrThrow();
  return numUpdatedRows > 0n;
}

/** False where he has chosen one by another invitation meanwhile. */
export async function setFirstPassword(
  tx: Transaction<ControlSchema>,
  userId: string,
  { name, hash }: { readonly name: string; readonly hash: string },
): Promise<boolean> {
  const { numUpdatedRows } = await tx
    .updateTable('users')
    .set({ name, password_hash: hash })
    .where('user_id', '=', userId)
    .where('password_hash', 'is', null)
    .executeTakeFirstOrThrow();
  return numUpdatedRows > 0n;
}
