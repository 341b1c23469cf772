import {
  sql,
  type Insertable,
  type Kysely,
  type Selectable,
  type Transaction,
  type Updateable,
} from 'kysely';
import type { Position } from '../../api/paging.ts';
import type { ControlSchema } from '../../database/schema.ts';

export type WebhookRow = Selectable<ControlSchema['webhooks']>;

function webhooksOf(db: Kysely<ControlSchema>, orgId: string) {
  return db.selectFrom('webhooks').where('org_id', '=', orgId).where('status', '<>', 'deleted');
}

export interface Listing {
  readonly limit: number;
  /** Behind this one: its creation and its id. */
  readonly behind: Position | undefined;
}

/** Newest first; one more than asked for where there are more. */
export async function listWebhookRows(
  db: Kysely<ControlSchema>,
  orgId: string,
  { limit, behind }: Listing,
): Promise<{ rows: WebhookRow[]; total: number }> {
  let page = webhooksOf(db, orgId)
    .selectAll()
    .orderBy('created_at', 'desc')
    .orderBy('webhook_id', 'desc')
    .limit(limit + 1);
  if (behind !== undefined) {
    const [createdAt, id] = behind;
    page = page.where(sql<boolean>`(created_at, webhook_id) < (${createdAt}::timestamptz, ${id})`);
  }
  const [rows, total] = await Promise.all([page.execute(), countWebhooks(db, orgId)]);
  return { rows, total };
}

export async function countWebhooks(db: Kysely<ControlSchema>, orgId: string): Promise<number> {
  const { total } = await webhooksOf(db, orgId)
    .select((eb) => eb.fn.countAll<string>().as('total'))
    .executeTakeFirstOrThrow();
  return Number(total);
}

/** So that no two count at once. */
export async function lockOrganization(
  tx: Transaction<ControlSchema>,
  orgId: string,
): Promise<void> {
  await tx
    .selectFrom('organizations')
    .select('org_id')
    .where('org_id', '=', orgId)
    .forNoKeyUpdate()
    .execute();
}

export function findWebhook(
  db: Kysely<ControlSchema>,
  orgId: string,
  webhookId: string,
): Promise<WebhookRow | undefined> {
  return webhooksOf(db, orgId).selectAll().where('webhook_id', '=', webhookId).executeTakeFirst();
}

/** Until the end of the transaction; acts that write deliveries for it need not wait. */
export function lockWebhook(
  tx: Transaction<ControlSchema>,
  orgId: string,
  webhookId: string,
): Promise<WebhookRow | undefined> {
  return webhooksOf(tx, orgId)
    .selectAll()
    .where('webhook_id', '=', webhookId)
    .forNoKeyUpdate()
    .executeTakeFirst();
}

export async function insertWebhook(
  tx: Transaction<ControlSchema>,
  row: Insertable<ControlSchema['webhooks']>,
): Promise<WebhookRow> {
  return await tx.insertInto('webhooks').values(row).returningAll().executeTakeFirstOrThrow();
}

/** Something that its owner decides: there is a new version. */
export async function changeWebhook(
  tx: Transaction<ControlSchema>,
  webhookId: string,
  change: Updateable<ControlSchema['webhooks']>,
): Promise<WebhookRow> {
  return await tx
    .updateTable('webhooks')
    .set(change)
    .set((eb) => ({ version: eb('version', '+', 1) }))
    .where('webhook_id', '=', webhookId)
    .returningAll()
    .executeTakeFirstOrThrow();
}
