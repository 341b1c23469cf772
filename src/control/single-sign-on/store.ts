import { sql, type Kysely, type Selectable, type Transaction } from 'kysely';
import type { ControlSchema } from '../../database/schema.ts';

export type SsoRow = Selectable<ControlSchema['single_sign_on']>;
export type SsoChange = Omit<SsoRow, 'org_id' | 'version' | 'created_at'>;

/** Of an organization that is active. */
export async function findSso(
  db: Kysely<ControlSchema>,
  orgId: string,
): Promise<SsoRow | undefined> {
  return await active(db).where('s.org_id', '=', orgId).executeTakeFirst();
}

/** @param org its slug or id */
export async function findSsoOf(
  db: Kysely<ControlSchema>,
  org: string,
): Promise<(SsoRow & { readonly slug: string }) | undefined> {
  return await active(db)
    .select('o.slug')
    .where((eb) => eb.or([eb('o.slug', '=', org), eb('o.org_id', '=', org)]))
    .executeTakeFirst();
}

function active(db: Kysely<ControlSchema>) {
  return db
    .selectFrom('single_sign_on as s')
    .innerJoin('organizations as o', 'o.org_id', 's.org_id')
    .selectAll('s')
    .where('o.status', '=', 'active');
}

/** Until the transaction ends it stays as it is; undefined where it is not as it was. */
export async function holdSso(
  tx: Transaction<ControlSchema>,
  { org_id: orgId, version, created_at: createdAt }: SsoRow,
): Promise<SsoRow | undefined> {
  return await active(tx)
    .where('s.org_id', '=', orgId)
    .where('s.version', '=', version)
    .where('s.created_at', '=', createdAt)
    .forShare('s')
    .executeTakeFirst();
}

/** The organization is locked. */
export async function putSso(
  tx: Transaction<ControlSchema>,
  orgId: string,
  change: SsoChange,
): Promise<SsoRow> {
  return await tx
    .insertInto('single_sign_on')
    .values({ org_id: orgId, ...change, created_at: change.updated_at })
    .onConflict((conflict) =>
      conflict
        .column('org_id')
        .doUpdateSet({ ...change, version: sql`hatidata.single_sign_on.version + 1` }),
    )
    .returningAll()
    .executeTakeFirstOrThrow();
}

/** Logins that are under way: what they were begun with does not hold any more. */
export async function forgetUnderWay(tx: Transaction<ControlSchema>, orgId: string): Promise<void> {
  await tx.deleteFrom('sso_logins').where('org_id', '=', orgId).execute();
  await tx.deleteFrom('sso_codes').where('org_id', '=', orgId).execute();
}

export type BegunLogin = Selectable<ControlSchema['sso_logins']>;

export async function insertLogin(
  tx: Transaction<ControlSchema>,
  login: BegunLogin,
  now: Date,
): Promise<void> {
  await sql`DELETE FROM hatidata.sso_logins WHERE state_hash IN (
    SELECT state_hash FROM hatidata.sso_logins WHERE expires_at <= ${now}
     ORDER BY expires_at LIMIT ${mostForgotten} FOR UPDATE SKIP LOCKED)`.execute(tx);
  await tx.insertInto('sso_logins').values(login).execute();
}

/** A few at a time, since each login does it. */
const mostForgotten = 50;

/** It is over with that: of two who come with one state, the second one finds nothing. Whoever is not its browser does not end it. */
export async function takeLogin(
  tx: Transaction<ControlSchema>,
  { state, browser, orgId }: { readonly state: Buffer; readonly browser: Buffer; orgId: string },
  now: Date,
): Promise<BegunLogin | undefined> {
  return await tx
    .deleteFrom('sso_logins')
    .where('state_hash', '=', state)
    .where('browser_hash', '=', browser)
    .where('org_id', '=', orgId)
    .where('expires_at', '>', now)
    .returningAll()
    .executeTakeFirst();
}

export type LoginCode = Selectable<ControlSchema['sso_codes']>;

export async function insertCode(
  tx: Transaction<ControlSchema>,
  code: LoginCode,
  now: Date,
): Promise<void> {
  await sql`DELETE FROM hatidata.sso_codes WHERE code_hash IN (
    SELECT code_hash FROM hatidata.sso_codes WHERE expires_at <= ${now}
     ORDER BY expires_at LIMIT ${mostForgotten} FOR UPDATE SKIP LOCKED)`.execute(tx);
  await tx.insertInto('sso_codes').values(code).execute();
}

/** It is good once, whoever comes with it. */
export async function takeCode(
  tx: Transaction<ControlSchema>,
  hash: Buffer,
  now: Date,
): Promise<LoginCode | undefined> {
  return await tx
    .deleteFrom('sso_codes')
    .where('code_hash', '=', hash)
    .where('expires_at', '>', now)
    .returningAll()
    .executeTakeFirst();
}
