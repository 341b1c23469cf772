import { sql, type Kysely, type Transaction } from 'kysely';
import type { ControlSchema } from '../../database/schema.ts';
import { tellDue } from './outbox.ts';
import type { Listing } from './store.ts';

export interface DeliveryRow {
  readonly delivery_id: string;
  readonly webhook_id: string;
  readonly event_id: string;
  readonly type: string;
  readonly state: 'pending' | 'delivered' | 'failed';
  readonly attempt: number;
  readonly next_at: Date;
  readonly attempted_at: Date | null;
  readonly status_code: number | null;
  readonly error: string | null;
  readonly duration_ms: number | null;
  readonly delivered_at: Date | null;
  readonly created_at: Date;
}

function deliveriesOf(db: Kysely<ControlSchema>, webhookId: string) {
  return db
    .selectFrom('deliveries as d')
    .innerJoin('events as e', 'e.event_id', 'd.event_id')
    .select([
      'd.delivery_id',
      'd.webhook_id',
      'd.event_id',
      'e.type',
      'd.state',
      'd.attempt',
      'd.next_at',
      'd.attempted_at',
      'd.status_code',
      'd.error',
      'd.duration_ms',
      'd.delivered_at',
      'd.created_at',
    ])
    .where('d.webhook_id', '=', webhookId);
}

export interface DeliveryListing extends Listing {
  readonly webhookId: string;
  readonly state: DeliveryRow['state'] | undefined;
}

/** Newest first; one more than asked for where there are more. */
export async function listDeliveryRows(
  db: Kysely<ControlSchema>,
  { webhookId, state, limit, behind }: DeliveryListing,
): Promise<{ rows: DeliveryRow[]; total: number }> {
  let page = deliveriesOf(db, webhookId)
    .orderBy('d.created_at', 'desc')
    .orderBy('d.delivery_id', 'desc')
    .limit(limit + 1);
  let count = db
    .selectFrom('deliveries')
    .select((eb) => eb.fn.countAll<string>().as('total'))
    .where('webhook_id', '=', webhookId);
  if (state !== undefined) {
    page = page.where('d.state', '=', state);
    count = count.where('state', '=', state);
  }
  if (behind !== undefined) {
    const [createdAt, id] = behind;
    page = page.where(
      sql<boolean>`(d.created_at, d.delivery_id) < (${createdAt}::timestamptz, ${id})`,
    );
  }
  const [rows, { total }] = await Promise.all([page.execute(), count.executeTakeFirstOrThrow()]);
  return { rows, total: Number(total) };
}

export function findDelivery(
  db: Kysely<ControlSchema>,
  webhookId: string,
  deliveryId: string,
): Promise<DeliveryRow | undefined> {
  return deliveriesOf(db, webhookId).where('d.delivery_id', '=', deliveryId).executeTakeFirst();
}

/** Of an event that this webhook alone is told of. */
export async function addDelivery(
  tx: Transaction<ControlSchema>,
  delivery: { readonly webhookId: string; readonly eventId: string; readonly now: Date },
): Promise<DeliveryRow> {
  const { webhookId, eventId, now } = delivery;
  const { delivery_id: id } = await tx
    .insertInto('deliveries')
    .values({ webhook_id: webhookId, event_id: eventId, next_at: now, created_at: now })
    .returning('delivery_id')
    .executeTakeFirstOrThrow();
  return (await findDelivery(tx, webhookId, id))!;
}

/** One that is through begins anew, behind those that wait. */
export async function queueAgain(
  tx: Transaction<ControlSchema>,
  { delivery_id: id, webhook_id: webhookId }: DeliveryRow,
  now: Date,
): Promise<DeliveryRow> {
  await tx
    .updateTable('deliveries')
    .set({
      state: 'pending',
      position: sql`nextval(pg_get_serial_sequence('hatidata.deliveries', 'position'))`,
      attempt: 0,
      next_at: now,
      delivered_at: null,
    })
    .where('delivery_id', '=', id)
    .execute();
  return (await findDelivery(tx, webhookId, id))!;
}

/** What waits for a webhook need not wait for its next time. */
export async function tryNow(
  tx: Transaction<ControlSchema>,
  webhookId: string,
  now: Date,
): Promise<void> {
  await tx
    .updateTable('deliveries')
    .set({ next_at: now })
    .where('webhook_id', '=', webhookId)
    .where('state', '=', 'pending')
    .where('next_at', '>', now)
    .execute();
  await tellDue(tx);
}

export async function dropWaiting(
  tx: Transaction<ControlSchema>,
  webhookId: string,
): Promise<void> {
  await tx
    .deleteFrom('deliveries')
    .where('webhook_id', '=', webhookId)
    .where('state', '=', 'pending')
    .execute();
}

/** Events with their deliveries, whether somebody has disabled what they wait for or not, and what is left of deleted webhooks. */
export async function forgetBefore(db: Kysely<ControlSchema>, before: Date): Promise<void> {
  await db.deleteFrom('events').where('created_at', '<', before).execute();
  await db
    .deleteFrom('webhooks as w')
    .where('w.status', '=', 'deleted')
    .where('w.updated_at', '<', before)
    .where((eb) =>
      eb.not(
        eb.exists(
          eb
            .selectFrom('deliveries as d')
            .select('d.event_id')
            .whereRef('d.webhook_id', '=', 'w.webhook_id'),
        ),
      ),
    )
    .execute();
}
