import { sql, type Kysely, type Selectable, type Transaction } from 'kysely';
import type { Position } from '../../api/paging.ts';
import type { Role } from '../../api/permissions.ts';
import type { ControlSchema } from '../../database/schema.ts';

export type OrganizationRow = Selectable<ControlSchema['organizations']>;

export function findOrganization(
  db: Kysely<ControlSchema>,
  orgId: string,
): Promise<OrganizationRow | undefined> {
  return db
    .selectFrom('organizations')
    .selectAll()
    .where('org_id', '=', orgId)
    .where('status', '=', 'active')
    .executeTakeFirst();
}

/**
 * Locked until the transaction ends: acts that count an organization's users, or change what they are, go one after the other.
 * Undefined where it is not active any more.
 */
export function lockOrganization(
  tx: Transaction<ControlSchema>,
  orgId: string,
): Promise<OrganizationRow | undefined> {
  return tx
    .selectFrom('organizations')
    .selectAll()
    .where('org_id', '=', orgId)
    .where('status', '=', 'active')
    .forNoKeyUpdate()
    .executeTakeFirst();
}

export async function insertOrganization(
  tx: Transaction<ControlSchema>,
  organization: Omit<OrganizationRow, 'version'>,
): Promise<void> {
  await tx.insertInto('organizations').values(organization).execute();
}

export async function hasSlug(tx: Transaction<ControlSchema>, slug: string): Promise<boolean> {
  const found = await tx
    .selectFrom('organizations')
    .select('org_id')
    .where('slug', '=', slug)
    .where('status', '<>', 'deleted')
    .executeTakeFirst();
  return found !== undefined;
}

type Changeable =
  | 'name'
  | 'slug'
  | 'billing_email'
  | 'mfa_required'
  | 'enforce_sso'
  | 'status'
  | 'updated_at';

export function changeOrganization(
  tx: Transaction<ControlSchema>,
  orgId: string,
  change: Partial<Pick<OrganizationRow, Changeable>>,
): Promise<OrganizationRow> {
  return tx
    .updateTable('organizations')
    .set({ ...change, version: sql`version + 1` })
    .where('org_id', '=', orgId)
    .returningAll()
    .executeTakeFirstOrThrow();
}

/** @returns those that there were */
export async function archiveEnvironments(
  tx: Transaction<ControlSchema>,
  orgId: string,
  now: Date,
): Promise<readonly string[]> {
  const rows = await tx
    .updateTable('environments')
    .set({ status: 'archived', version: sql`version + 1`, updated_at: now })
    .where('org_id', '=', orgId)
    .where('status', '<>', 'archived')
    .returning('env_id')
    .execute();
  return rows.map((row) => row.env_id);
}

/** Nothing is sent for it any more. */
export async function deleteWebhooks(tx: Transaction<ControlSchema>, orgId: string): Promise<void> {
  await tx.updateTable('webhooks').set({ status: 'deleted' }).where('org_id', '=', orgId).execute();
}

/** What its users log in by; undefined where it has no single sign-on. */
export async function ssoProviderOf(
  db: Kysely<ControlSchema>,
  orgId: string,
): Promise<string | undefined> {
  const row = await db
    .selectFrom('single_sign_on')
    .select('provider')
    .where('org_id', '=', orgId)
    .executeTakeFirst();
  return row?.provider;
}

/** With its secret, and the logins that are under way. */
export async function deleteSso(tx: Transaction<ControlSchema>, orgId: string): Promise<void> {
  await tx.deleteFrom('single_sign_on').where('org_id', '=', orgId).execute();
}

/** Whether one of its environments has the engine of the configuration. */
export async function holdsFirstEnvironment(
  tx: Transaction<ControlSchema>,
  orgId: string,
): Promise<boolean> {
  const found = await tx
    .selectFrom('environments')
    .select('env_id')
    .where('org_id', '=', orgId)
    .where('is_first', '=', true)
    .executeTakeFirst();
  return found !== undefined;
}

export async function ownerOf(tx: Transaction<ControlSchema>, orgId: string): Promise<string> {
  const { user_id: userId } = await tx
    .selectFrom('memberships')
    .select('user_id')
    .where('org_id', '=', orgId)
    .where('role', '=', 'owner')
    .executeTakeFirstOrThrow();
  return userId;
}

/** Whether one of its users has an account that single sign-on has made. */
export async function isOfSso(
  tx: Transaction<ControlSchema>,
  orgId: string,
  userId: string,
): Promise<boolean> {
  const found = await tx
    .selectFrom('users')
    .select('user_id')
    .where('user_id', '=', userId)
    .where('home_org_id', '=', orgId)
    .executeTakeFirst();
  return found !== undefined;
}

/** The owner becomes an admin, and an active user the owner; false where he is not one. */
export async function changeOwner(
  tx: Transaction<ControlSchema>,
  orgId: string,
  { from, to }: { readonly from: string; readonly to: string },
): Promise<boolean> {
  const roleOf = (userId: string, role: Role) =>
    tx
      .updateTable('memberships')
      .set({ role, version: sql`version + 1` })
      .where('org_id', '=', orgId)
      .where('user_id', '=', userId)
      .where('status', '=', 'active')
      .returning('user_id')
      .execute();
  // In this order: there is one owner at any time.
  await roleOf(from, 'admin');
  return (await roleOf(to, 'owner')).length > 0;
}

export type ListedRow = OrganizationRow & { readonly role: string };

/** Of which a user is an active member, oldest first; one more than asked for where there are more. */
export async function listOrganizationsOf(
  db: Kysely<ControlSchema>,
  userId: string,
  { limit, behind }: { readonly limit: number; readonly behind: Position | undefined },
): Promise<{ rows: ListedRow[]; total: number }> {
  const mine = db
    .selectFrom('organizations as o')
    .innerJoin('memberships as m', 'm.org_id', 'o.org_id')
    .where('m.user_id', '=', userId)
    .where('m.status', '=', 'active')
    .where('o.status', '<>', 'deleted');
  let page = mine
    .selectAll('o')
    .select('m.role')
    // Outside of the store times have milliseconds.
    .orderBy(sql`date_trunc('milliseconds', o.created_at)`)
    .orderBy('o.org_id')
    .limit(limit + 1);
  if (behind !== undefined) {
    const [createdAt, orgId] = behind;
    page = page.where(
      sql<boolean>`(date_trunc('milliseconds', o.created_at), o.org_id) > (${createdAt}::timestamptz, ${orgId})`,
    );
  }
  const [rows, { total }] = await Promise.all([
    page.execute(),
    mine.select((eb) => eb.fn.countAll<string>().as('total')).executeTakeFirstOrThrow(),
  ]);
  return { rows, total: Number(total) };
}
