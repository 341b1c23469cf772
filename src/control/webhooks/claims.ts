import { sql, type Kysely, type Transaction } from 'kysely';
import type { ControlSchema } from '../../database/schema.ts';

/** Whoever has claimed a delivery and says nothing for so long has died. Longer than any try may take. */
export const leaseMs = 30_000;

/** Under way at one time, so that those whose receivers are slow leave room for the others. */
const mostPerOrganization = 8;

export interface Claim {
  readonly delivery_id: string;
  readonly webhook_id: string;
  /** This try, from 1. Whoever reports it must name it: another may have taken over. */
  readonly attempt: number;
  readonly org_id: string;
  readonly url: string;
  readonly secret: Buffer;
  readonly previous_secret: Buffer | null;
  readonly previous_secret_until: Date | null;
  readonly event_id: string;
  readonly type: string;
  readonly body: string;
  readonly created_at: Date;
}

/**
 * The first waiting delivery of each webhook, where its time has come and nobody has it. Steps from webhook to webhook in the index, so
 * that what it costs does not grow with what waits behind the first.
 */
export async function claimDue(
  db: Kysely<ControlSchema>,
  now: Date,
  most: number,
): Promise<readonly Claim[]> {
  const { rows } = await sql<Claim>`
    WITH RECURSIVE heads AS (
      (SELECT webhook_id, delivery_id FROM hatidata.deliveries
        WHERE state = 'pending' ORDER BY webhook_id, position LIMIT 1)
      UNION ALL
      SELECT next.webhook_id, next.delivery_id FROM heads CROSS JOIN LATERAL (
        SELECT webhook_id, delivery_id FROM hatidata.deliveries
         WHERE state = 'pending' AND webhook_id > heads.webhook_id
         ORDER BY webhook_id, position LIMIT 1) next
    ), ready AS (
      SELECT d.delivery_id, d.next_at, w.org_id,
             coalesce(d.leased_until > ${now}, false) AS is_leased
        FROM heads
        JOIN hatidata.deliveries d ON d.delivery_id = heads.delivery_id
        JOIN hatidata.webhooks w ON w.webhook_id = d.webhook_id
        JOIN hatidata.organizations o ON o.org_id = w.org_id
       WHERE d.next_at <= ${now} AND w.status = 'active' AND o.status = 'active'
    ), turns AS (
      SELECT delivery_id, is_leased,
             count(*) FILTER (WHERE is_leased) OVER (PARTITION BY org_id) AS leased,
             row_number() OVER (PARTITION BY org_id, is_leased ORDER BY next_at) AS turn
        FROM ready
    ), due AS (
      SELECT d.delivery_id
        FROM turns JOIN hatidata.deliveries d ON d.delivery_id = turns.delivery_id
       WHERE NOT is_leased AND turn + leased <= ${mostPerOrganization}
         AND d.state = 'pending' AND d.next_at <= ${now}
         AND (d.leased_until IS NULL OR d.leased_until <= ${now})
       ORDER BY turn, d.next_at
       LIMIT ${most}
         FOR UPDATE OF d SKIP LOCKED
    )
    UPDATE hatidata.deliveries d
       SET attempt = d.attempt + 1, attempted_at = ${now},
           leased_until = ${new Date(now.getTime() + leaseMs)}
      FROM due, hatidata.webhooks w, hatidata.events e
     WHERE d.delivery_id = due.delivery_id AND w.webhook_id = d.webhook_id AND e.event_id = d.event_id
    RETURNING d.delivery_id, d.webhook_id, d.attempt, w.org_id, w.url, w.secret, w.previous_secret,
              w.previous_secret_until, e.event_id, e.type, e.body, e.created_at`.execute(db);
  return rows;
}

/** It was not sent: whoever comes next takes it at once. */
export async function giveBack(
  db: Kysely<ControlSchema>,
  { delivery_id: id, attempt }: Claim,
): Promise<void> {
  await db
    .updateTable('deliveries')
    .set({ leased_until: null, attempt: attempt - 1 })
    .where('delivery_id', '=', id)
    .where('attempt', '=', attempt)
    .where('state', '=', 'pending')
    .execute();
}

export interface Report {
  readonly status: number | undefined;
  readonly error: string | undefined;
  readonly durationMs: number;
  readonly state: 'pending' | 'delivered' | 'failed';
  readonly nextAt?: Date;
  readonly deliveredAt?: Date;
}

/** @returns false where somebody else has taken it over meanwhile, or it is not there any more. */
export async function report(
  tx: Transaction<ControlSchema>,
  { delivery_id: id, attempt }: Claim,
  { status, error, durationMs, state, nextAt, deliveredAt }: Report,
): Promise<boolean> {
  const { numUpdatedRows } = await tx
    .updateTable('deliveries')
    .set({
      state,
      leased_until: null,
      status_code: status ?? null,
      error: error ?? null,
      duration_ms: durationMs,
      delivered_at: deliveredAt ?? null,
      ...(nextAt && { next_at: nextAt }),
    })
    .where('delivery_id', '=', id)
    .where('attempt', '=', attempt)
    .where('state', '=', 'pending')
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}
