import { sql, type Kysely, type Transaction } from 'kysely';
import type { Role } from '../../api/permissions.ts';
import type { Tier } from '../../api/tiers.ts';
import type { ControlSchema } from '../../database/schema.ts';
import { mayUsePassword, type LoginMethod, type UserCaller } from '../caller.ts';

export interface UserRow {
  readonly user_id: string;
  readonly email: string;
  readonly name: string;
  readonly password_hash: string | null;
  readonly totp_secret: Buffer | null;
  readonly totp_confirmed_at: Date | null;
  readonly totp_last_step: string | null;
}

function users(db: Kysely<ControlSchema>) {
  return db
    .selectFrom('users')
    .select([
      'user_id',
      'email',
      'name',
      'password_hash',
      'totp_secret',
      'totp_confirmed_at',
      'totp_last_step',
    ]);
}

/** The account that logs in by its password; not those that single sign-on has made. */
export async function findUser(
  db: Kysely<ControlSchema>,
  email: string,
): Promise<UserRow | undefined> {
  return await users(db)
    .where((eb) => eb(eb.fn<string>('lower', ['email']), '=', email.toLowerCase()))
    .where('home_org_id', 'is', null)
    .executeTakeFirst();
}

export async function findUserById(
  db: Kysely<ControlSchema>,
  userId: string,
): Promise<UserRow | undefined> {
  return await users(db).where('user_id', '=', userId).executeTakeFirst();
}

/** Locked, so that a login and a change of what it needs go one after the other. */
export async function lockUser(
  tx: Transaction<ControlSchema>,
  userId: string,
): Promise<UserRow | undefined> {
  return await users(tx).where('user_id', '=', userId).forUpdate().executeTakeFirst();
}

export interface Membership {
  readonly orgId: string;
  readonly name: string;
  readonly slug: string;
  readonly tier: Tier;
  readonly role: Role;
  readonly mayUsePassword: boolean;
}

/** Where a user may log in, in the order in which he joined. */
export async function membershipsOf(
  db: Kysely<ControlSchema>,
  userId: string,
): Promise<readonly Membership[]> {
  const rows = await db
    .selectFrom('memberships as m')
    .innerJoin('organizations as o', 'o.org_id', 'm.org_id')
    .select(['o.org_id', 'o.name', 'o.slug', 'o.tier', 'm.role', 'o.enforce_sso'])
    .where('m.user_id', '=', userId)
    .where('m.status', '=', 'active')
    .where('o.status', '=', 'active')
    .orderBy('m.created_at')
    .orderBy('o.org_id')
    .execute();
  return rows.map(({ org_id: orgId, name, slug, tier, role, enforce_sso }) => ({
    orgId,
    name,
    slug,
    tier,
    role: role as Role,
    mayUsePassword: mayUsePassword({ role, enforce_sso }),
  }));
}

/** What a user is in an organization that he may log in to, until the transaction ends: whoever suspends him waits, and ends the session. */
export async function holdMembership(
  tx: Transaction<ControlSchema>,
  userId: string,
  orgId: string,
): Promise<Role | undefined> {
  const row = await tx
    .selectFrom('memberships as m')
    .innerJoin('organizations as o', 'o.org_id', 'm.org_id')
    .select('m.role')
    .where('m.user_id', '=', userId)
    .where('m.org_id', '=', orgId)
    .where('m.status', '=', 'active')
    .where('o.status', '=', 'active')
    .forShare('m')
    .executeTakeFirst();
  return row?.role as Role | undefined;
}

/** The slug of an organization's first environment. */
export async function firstEnvironmentOf(
  db: Kysely<ControlSchema>,
  orgId: string,
): Promise<string | null> {
  const row = await db
    .selectFrom('environments')
    .select('slug')
    .where('org_id', '=', orgId)
    .where('status', '=', 'active')
    .orderBy('is_first', 'desc')
    .orderBy('created_at')
    .orderBy('env_id')
    .limit(1)
    .executeTakeFirst();
  return row?.slug ?? null;
}

/** A session that is good: neither it nor what it depends on has ended. */
export async function findSession(
  db: Kysely<ControlSchema>,
  sessionId: string,
  now: Date,
): Promise<(UserCaller & { readonly endsAt: Date }) | undefined> {
  const row = await db
    .selectFrom('auth_sessions as s')
    .innerJoin('users as u', 'u.user_id', 's.user_id')
    .innerJoin('memberships as m', (join) =>
      join.onRef('m.user_id', '=', 's.user_id').onRef('m.org_id', '=', 's.org_id'),
    )
    .innerJoin('organizations as o', 'o.org_id', 's.org_id')
    .select([
      's.user_id',
      's.org_id',
      's.ends_at',
      's.has_second_factor',
      's.method',
      'u.email',
      'm.role',
      'o.tier',
      'o.enforce_sso',
    ])
    .where('s.session_id', '=', sessionId)
    .where('s.ended_at', 'is', null)
    .where('s.ends_at', '>', now)
    .where('m.status', '=', 'active')
    .where('o.status', '=', 'active')
    .executeTakeFirst();
  if (row === undefined || (row.method === 'password' && !mayUsePassword(row))) return undefined;
  return {
    kind: 'user',
    userId: row.user_id,
    email: row.email,
    sessionId,
    method: row.method,
    hasSecondFactor: row.has_second_factor,
    orgId: row.org_id,
    role: row.role as Role,
    tier: row.tier,
    endsAt: row.ends_at,
  };
}

export interface NewSession {
  readonly sessionId: string;
  readonly userId: string;
  readonly orgId: string;
  readonly createdAt: Date;
  readonly endsAt: Date;
  readonly method: LoginMethod;
  readonly hasSecondFactor: boolean;
  readonly source: string;
  readonly userAgent: string | undefined;
}

export async function insertSession(
  tx: Transaction<ControlSchema>,
  session: NewSession,
): Promise<void> {
  await tx
    .insertInto('auth_sessions')
    .values({
      session_id: session.sessionId,
      user_id: session.userId,
      org_id: session.orgId,
      created_at: session.createdAt,
      ends_at: session.endsAt,
      ended_at: null,
      end_reason: null,
      method: session.method,
      has_second_factor: session.hasSecondFactor,
      source: session.source,
      user_agent: session.userAgent ?? null,
    })
    .execute();
}

export type EndReason =
  | 'logout'
  | 'refresh_token_reused'
  | 'password_changed'
  | 'password_reset'
  | 'suspended'
  | 'removed'
  | 'organization_deleted'
  | 'sso_enforced'
  | 'sso_changed';

interface WhichSessions {
  readonly userId?: string;
  readonly orgId?: string;
  readonly sessionId?: string;
  readonly exceptSessionId?: string;
  readonly method?: LoginMethod;
  readonly exceptUserId?: string;
}

/** Never all that there are. */
export type EndingSessions = { readonly at: Date; readonly reason: EndReason } & WhichSessions &
  ({ readonly userId: string } | { readonly orgId: string } | { readonly sessionId: string });

/** Those that all of what is given holds for, and have not ended. @returns how many */
export async function endSessions(
  tx: Transaction<ControlSchema>,
  { at, reason, userId, orgId, sessionId, exceptSessionId, method, exceptUserId }: EndingSessions,
): Promise<number> {
  let ending = tx
    .updateTable('auth_sessions')
    .set({ ended_at: at, end_reason: reason })
    .where('ended_at', 'is', null)
    .where('ends_at', '>', at);
  if (userId !== undefined) ending = ending.where('user_id', '=', userId);
  if (orgId !== undefined) ending = ending.where('org_id', '=', orgId);
  if (sessionId !== undefined) ending = ending.where('session_id', '=', sessionId);
  if (exceptSessionId !== undefined) ending = ending.where('session_id', '<>', exceptSessionId);
  if (method !== undefined) ending = ending.where('method', '=', method);
  if (exceptUserId !== undefined) ending = ending.where('user_id', '<>', exceptUserId);
  const { numUpdatedRows } = await ending.executeTakeFirstOrThrow();
  return Number(numUpdatedRows);
}

/** A few at a time; with their refresh tokens. */
const mostForgotten = 50;

/** Sessions whose end is long past. */
export async function forgetSessions(tx: Transaction<ControlSchema>, before: Date): Promise<void> {
  await sql`DELETE FROM hatidata.auth_sessions WHERE session_id IN (
    SELECT session_id FROM hatidata.auth_sessions WHERE ends_at <= ${before}
     ORDER BY ends_at LIMIT ${mostForgotten} FOR UPDATE SKIP LOCKED)`.execute(tx);
}
