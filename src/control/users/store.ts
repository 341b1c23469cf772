import { sql, type Kysely, type Transaction } from 'kysely';
import type { Position } from '../../api/paging.ts';
import type { Role } from '../../api/permissions.ts';
import type { ControlSchema } from '../../database/schema.ts';
import { memberOf, type Member } from './model.ts';

function membersOf(db: Kysely<ControlSchema>, orgId: string) {
  return db
    .selectFrom('memberships as m')
    .innerJoin('users as u', 'u.user_id', 'm.user_id')
    .select([
      'u.user_id',
      'u.email',
      'u.name',
      'm.role',
      'm.status',
      'u.totp_confirmed_at',
      'u.last_login_at',
      'm.invited_name',
      'm.invitation_expires_at',
      'm.version',
      'm.created_at',
    ])
    .where('m.org_id', '=', orgId);
}

export interface MemberListing {
  readonly orgId: string;
  readonly role: Role | undefined;
  readonly status: Member['status'] | undefined;
  readonly limit: number;
  /** Behind this one: its creation and its id. */
  readonly behind: Position | undefined;
}

/** Oldest first; one more than asked for where there are more. */
export async function listMembers(
  db: Kysely<ControlSchema>,
  { orgId, role, status, limit, behind }: MemberListing,
): Promise<{ members: Member[]; total: number }> {
  const counts = sql<boolean>`
    (${role ?? null}::text IS NULL OR m.role = ${role ?? null}) AND
    (${status ?? null}::text IS NULL OR m.status = ${status ?? null})`;
  // Outside of the store times have milliseconds.
  const createdAt = sql`date_trunc('milliseconds', m.created_at)`;
  let page = membersOf(db, orgId)
    .where(counts)
    .orderBy(createdAt)
    .orderBy('m.user_id')
    .limit(limit + 1);
  if (behind !== undefined) {
    const [time, userId] = behind;
    page = page.where(sql<boolean>`(${createdAt}, m.user_id) > (${time}::timestamptz, ${userId})`);
  }
  const [rows, { total }] = await Promise.all([
    page.execute(),
    db
      .selectFrom('memberships as m')
      .select((eb) => eb.fn.countAll<string>().as('total'))
      .where('m.org_id', '=', orgId)
      .where(counts)
      .executeTakeFirstOrThrow(),
  ]);
  return { members: rows.map(memberOf), total: Number(total) };
}

export async function findMember(
  db: Kysely<ControlSchema>,
  orgId: string,
  userId: string,
): Promise<Member | undefined> {
  const row = await membersOf(db, orgId).where('m.user_id', '=', userId).executeTakeFirst();
  return row && memberOf(row);
}

/** Until the transaction ends. What this user has under way is done by then, or will find that he is not there any more. */
export async function lockMember(
  tx: Transaction<ControlSchema>,
  orgId: string,
  userId: string,
): Promise<Member | undefined> {
  const row = await membersOf(tx, orgId)
    .where('m.user_id', '=', userId)
    .forUpdate('m')
    .executeTakeFirst();
  return row && memberOf(row);
}

/** Whatever kind of account it is. */
export async function findMemberByEmail(
  db: Kysely<ControlSchema>,
  orgId: string,
  email: string,
): Promise<Member | undefined> {
  const row = await membersOf(db, orgId)
    .where(sql<boolean>`lower(u.email) = lower(${email})`)
    .executeTakeFirst();
  return row && memberOf(row);
}

/** The account of its own with this address, which is made where there is none. */
export async function userWithEmail(
  tx: Transaction<ControlSchema>,
  { email, newId, now }: { readonly email: string; readonly newId: string; readonly now: Date },
): Promise<string> {
  const known = () =>
    tx
      .selectFrom('users')
      .select('user_id')
      .where(sql<boolean>`lower(email) = lower(${email})`)
      .where('home_org_id', 'is', null)
      .executeTakeFirst();
  const before = await known();
  if (before !== undefined) return before.user_id;
  await tx
    .insertInto('users')
    .values({
      user_id: newId,
      email,
      name: '',
      password_hash: null,
      totp_secret: null,
      totp_confirmed_at: null,
      created_at: now,
      last_login_at: null,
    })
    // Another organization may be inviting him at this moment.
    .onConflict((conflict) =>
      conflict
        .expression(sql`lower(email)`)
        .where('home_org_id', 'is', null)
        .doNothing(),
    )
    .execute();
  return (await known())!.user_id;
}

/** Invited and suspended ones as well. */
export async function countMembers(tx: Transaction<ControlSchema>, orgId: string): Promise<number> {
  const { count } = await tx
    .selectFrom('memberships')
    .select((eb) => eb.fn.countAll<string>().as('count'))
    .where('org_id', '=', orgId)
    .executeTakeFirstOrThrow();
  return Number(count);
}

export interface NewInvitation {
  readonly orgId: string;
  readonly userId: string;
  readonly role: Role;
  readonly name: string;
  readonly hash: Buffer;
  readonly expiresAt: Date;
  readonly at: Date;
}

export async function insertInvitation(
  tx: Transaction<ControlSchema>,
  invitation: NewInvitation,
): Promise<void> {
  await tx
    .insertInto('memberships')
    .values({
      org_id: invitation.orgId,
      user_id: invitation.userId,
      role: invitation.role,
      status: 'invited',
      invited_name: invitation.name,
      invitation_hash: invitation.hash,
      invitation_expires_at: invitation.expiresAt,
      created_at: invitation.at,
    })
    .execute();
}

/** Whatever he was there before. */
export async function makeOwner(
  tx: Transaction<ControlSchema>,
  { orgId, userId, at }: { readonly orgId: string; readonly userId: string; readonly at: Date },
): Promise<void> {
  const owning = {
    role: 'owner',
    status: 'active',
    invitation_hash: null,
    invitation_expires_at: null,
  } as const;
  await tx
    .insertInto('memberships')
    .values({ org_id: orgId, user_id: userId, created_at: at, ...owning })
    .onConflict((conflict) =>
      conflict
        .columns(['org_id', 'user_id'])
        .doUpdateSet((eb) => ({ ...owning, version: eb('memberships.version', '+', 1) })),
    )
    .execute();
}

type MembershipChange = Partial<{
  role: Role;
  status: Member['status'];
  invitation_hash: Buffer;
  invitation_expires_at: Date;
}>;

export async function changeMember(
  tx: Transaction<ControlSchema>,
  orgId: string,
  userId: string,
  change: MembershipChange,
): Promise<Member> {
  await tx
    .updateTable('memberships')
    .set({ ...change, version: sql`version + 1` })
    .where('org_id', '=', orgId)
    .where('user_id', '=', userId)
    .execute();
  return (await findMember(tx, orgId, userId))!;
}

export async function deleteMember(
  tx: Transaction<ControlSchema>,
  orgId: string,
  userId: string,
): Promise<void> {
  await tx
    .deleteFrom('memberships')
    .where('org_id', '=', orgId)
    .where('user_id', '=', userId)
    .execute();
}
