import { randomUUID } from 'node:crypto';
import { sql, type Transaction } from 'kysely';
import { namesOf, type eventBody, type NewEvent } from '../../api/events.ts';
import type { ControlSchema } from '../../database/schema.ts';
import type { z } from 'zod';

/** On which whoever delivers hears that there is something to deliver. */
export const dueChannel = 'hatidata_delivery_due';

/** Written with what they tell of: either both are there or neither. What nobody has subscribed to is kept all the same. */
export async function publishEvents(
  tx: Transaction<ControlSchema>,
  now: Date,
  events: readonly NewEvent[],
): Promise<void> {
  let deliveries = 0n;
  for (const event of events) {
    const eventId = await insertEvent(tx, now, event);
    const subscribed = await tx
      .insertInto('deliveries')
      .columns(['webhook_id', 'event_id', 'next_at', 'created_at'])
      .expression(
        tx
          .selectFrom('webhooks')
          .select([
            'webhook_id',
            sql<string>`${eventId}::uuid`.as('event_id'),
            sql<Date>`${now}::timestamptz`.as('next_at'),
            sql<Date>`${now}::timestamptz`.as('created_at'),
          ])
          .where('org_id', '=', event.orgId)
          .where('status', '=', 'active')
          .where(sql<boolean>`events && ${[...namesOf(event.type)]}::text[]`),
      )
      .executeTakeFirst();
    deliveries += subscribed.numInsertedOrUpdatedRows ?? 0n;
  }
  if (deliveries > 0n) await tellDue(tx);
}

export async function insertEvent(
  tx: Transaction<ControlSchema>,
  now: Date,
  { type, orgId, envId, data }: NewEvent,
): Promise<string> {
  const eventId = randomUUID();
  const body: z.input<typeof eventBody> = {
    event_id: eventId,
    type,
    created_at: now.toISOString(),
    org_id: orgId,
    env_id: envId ?? null,
    data,
  };
  await tx
    .insertInto('events')
    .values({
      event_id: eventId,
      type,
      org_id: orgId,
      env_id: envId ?? null,
      body: JSON.stringify(body),
      created_at: now,
    })
    .execute();
  return eventId;
}

/** When the transaction commits. */
export async function tellDue(tx: Transaction<ControlSchema>): Promise<void> {
  await sql`SELECT pg_catalog.pg_notify(${dueChannel}, '')`.execute(tx);
}
