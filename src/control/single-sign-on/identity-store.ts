import { sql, type Kysely, type Transaction } from 'kysely';
import type { ControlSchema } from '../../database/schema.ts';
import type { Member } from '../users/model.ts';

/** Somebody at a provider of an organization. */
export interface Identity {
  readonly orgId: string;
  readonly issuer: string;
  readonly subject: string;
}

/** Who that is here. */
export async function userOfIdentity(
  db: Kysely<ControlSchema>,
  { orgId, issuer, subject }: Identity,
): Promise<string | undefined> {
  const row = await db
    .selectFrom('sso_identities')
    .select('user_id')
    .where('org_id', '=', orgId)
    .where('issuer', '=', issuer)
    .where('subject', '=', subject)
    .executeTakeFirst();
  return row?.user_id;
}

/** False where this user is somebody else at the provider already. */
export async function insertIdentity(
  tx: Transaction<ControlSchema>,
  { orgId, issuer, subject }: Identity,
  userId: string,
  now: Date,
): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await tx
    .insertInto('sso_identities')
    .values({ org_id: orgId, issuer, subject, user_id: userId, created_at: now })
    .onConflict((conflict) => conflict.columns(['org_id', 'user_id', 'issuer']).doNothing())
    .executeTakeFirstOrThrow();
  return numInsertedOrUpdatedRows === 1n;
}

export interface HomeUser {
  readonly orgId: string;
  readonly email: string;
  readonly name: string;
}

/** The account of the organization with this address, which is made where there is none. The organization is locked. */
export async function homeUser(
  tx: Transaction<ControlSchema>,
  { orgId, email, name }: HomeUser,
  newId: string,
  now: Date,
): Promise<string> {
  const known = await tx
    .selectFrom('users')
    .select('user_id')
    .where(sql<boolean>`lower(email) = lower(${email})`)
    .where('home_org_id', '=', orgId)
    .executeTakeFirst();
  if (known !== undefined) return known.user_id;
  await tx
    .insertInto('users')
    .values({
      user_id: newId,
      email,
      name,
      password_hash: null,
      totp_secret: null,
      totp_confirmed_at: null,
      created_at: now,
      last_login_at: null,
      home_org_id: orgId,
    })
    .execute();
  return newId;
}

export async function insertMember(
  tx: Transaction<ControlSchema>,
  { orgId, userId, role }: { orgId: string; userId: string; role: Member['role'] },
  now: Date,
): Promise<void> {
  await tx
    .insertInto('memberships')
    .values({
      org_id: orgId,
      user_id: userId,
      role,
      status: 'active',
      invitation_hash: null,
      invitation_expires_at: null,
      created_at: now,
    })
    .execute();
}

/** An invitation becomes the membership of another account than the one that it was sent to. */
export async function giveInvitation(
  tx: Transaction<ControlSchema>,
  { orgId, from, to }: { readonly orgId: string; readonly from: string; readonly to: string },
): Promise<void> {
  await tx
    .updateTable('memberships')
    .set({
      user_id: to,
      status: 'active',
      invitation_hash: null,
      invitation_expires_at: null,
      version: sql`version + 1`,
    })
    .where('org_id', '=', orgId)
    .where('user_id', '=', from)
    .where('status', '=', 'invited')
    .execute();
}
