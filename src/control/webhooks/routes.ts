import type { Kysely } from 'kysely';
import type { z } from 'zod';
import {
  createWebhook,
  deleteWebhook,
  enableWebhook,
  listDeliveries,
  listWebhooks,
  readWebhook,
  redeliver,
  rotateWebhookSecret,
  testWebhook,
  updateWebhook,
} from '../../api/webhooks.ts';
import { pageFrom } from '../../api/paging.ts';
import type { ControlSchema } from '../../database/schema.ts';
import { HatiError } from '../../errors.ts';
import type { Act } from '../act.ts';
import { idOf } from '../caller.ts';
import { bind, type Binding } from '../http/binding.ts';
import { positionBehind } from '../http/cursor.ts';
import { refuseOtherVersion } from '../http/version.ts';
import { findDelivery, listDeliveryRows, type DeliveryRow } from './delivery-store.ts';
import type { WebhookService } from './service.ts';
import { findWebhook, listWebhookRows, lockWebhook, type WebhookRow } from './store.ts';

export interface WebhookRoutesParts {
  readonly db: Kysely<ControlSchema>;
  readonly webhooks: WebhookService;
}

export function webhookBindings({ db, webhooks }: WebhookRoutesParts): readonly Binding[] {
  return [
    bind(listWebhooks, async ({ params, query: { limit, cursor } }) => {
      const behind = positionBehind(cursor, 'wh_');
      const { rows, total } = await listWebhookRows(db, params.org_id, { limit, behind });
      const position = (row: WebhookRow) => [row.created_at.toISOString(), row.webhook_id];
      return { body: pageFrom(rows, { limit, total, item: shown, position }) };
    }),
    bind(createWebhook, async ({ params, body, caller, change }) =>
      change(async (act) => {
        const wish = { ...body, orgId: params.org_id, createdBy: idOf(caller) };
        const { row, secret } = await webhooks.create(act, wish);
        return { body: { ...created(row), signing_secret: secret }, version: row.version };
      }),
    ),
    bind(readWebhook, async ({ params }) => {
      const row = (await findWebhook(db, params.org_id, params.webhook_id)) ?? unknownWebhook();
      return { body: shown(row), version: row.version };
    }),
    bind(updateWebhook, async ({ params, body, ifVersion, change }) => {
      const row = await change(async (act) => {
        const before = await locked(act, params);
        refuseOtherVersion(before.version, ifVersion);
        return await webhooks.update(act, before, definedOf(body));
      });
      return { body: shown(row), version: row.version };
    }),
    bind(deleteWebhook, async ({ params, change }) => {
      const deletedAt = await change(async (act) => {
        await webhooks.remove(act, await locked(act, params));
        return act.now;
      });
      const { webhook_id: id } = params;
      return {
        body: { webhook_id: id, deleted: true as const, deleted_at: deletedAt.toISOString() },
      };
    }),
    bind(enableWebhook, async ({ params, change }) => {
      const row = await change(async (act) => {
        const before = await locked(act, params);
        return before.status === 'active'
          ? before
          : webhooks.update(act, before, { status: 'active' });
      });
      return { body: shown(row), version: row.version };
    }),
    bind(testWebhook, async ({ params, change }) =>
      change(async (act) => ({
        body: shownDelivery(await webhooks.test(act, await locked(act, params))),
      })),
    ),
    bind(rotateWebhookSecret, async ({ params, body, change }) => {
      const graceHours = body?.grace_period_hours ?? 24;
      return await change(async (act) => {
        const row = await locked(act, params);
        const { secret, previousEndsAt } = await webhooks.rotateSecret(act, row, graceHours);
        return {
          body: {
            webhook_id: row.webhook_id,
            signing_secret: secret,
            previous_secret_expires_at: previousEndsAt.toISOString(),
            grace_period_hours: graceHours,
            rotated_at: act.now.toISOString(),
          },
        };
      });
    }),
    bind(listDeliveries, async ({ params, query: { limit, cursor, state } }) => {
      const { webhook_id: webhookId } = params;
      if ((await findWebhook(db, params.org_id, webhookId)) === undefined) unknownWebhook();
      const behind = positionBehind(cursor, 'whd_');
      const { rows, total } = await listDeliveryRows(db, { webhookId, state, limit, behind });
      const position = (row: DeliveryRow) => [row.created_at.toISOString(), row.delivery_id];
      return { body: pageFrom(rows, { limit, total, item: shownDelivery, position }) };
    }),
    bind(redeliver, async ({ params, change }) =>
      change(async (act) => {
        const row = await locked(act, params);
        const delivery = await findDelivery(act.tx, row.webhook_id, params.delivery_id);
        if (delivery === undefined)
          throw new HatiError('resource_unknown', { params: { what: 'delivery' } });
        return { body: shownDelivery(await webhooks.redeliver(act, row, delivery)) };
      }),
    ),
  ];
}

async function locked(
  { tx }: Act,
  { org_id: orgId, webhook_id: id }: { readonly org_id: string; readonly webhook_id: string },
): Promise<WebhookRow> {
  return (await lockWebhook(tx, orgId, id)) ?? unknownWebhook();
}

function unknownWebhook(): never {
  throw new HatiError('resource_unknown', { params: { what: 'webhook' } });
}

/** Fields that were sent: zod gives the others as undefined. */
function definedOf({ url, description, events, status }: z.infer<(typeof updateWebhook)['body']>) {
  return {
    ...(url !== undefined && { url }),
    ...(description !== undefined && { description }),
    ...(events !== undefined && { events }),
    ...(status !== undefined && { status }),
  };
}

function created(row: WebhookRow) {
  return {
    webhook_id: row.webhook_id,
    url: row.url,
    description: row.description,
    events: row.events,
    // Deleted ones are not found.
    status: row.status === 'active' ? ('active' as const) : ('disabled' as const),
    created_at: row.created_at.toISOString(),
  };
}

function shown(row: WebhookRow) {
  return {
    ...created(row),
    last_delivered_at: row.last_delivered_at?.toISOString() ?? null,
    last_status_code: row.last_status_code,
    failure_count: row.failure_count,
  };
}

function shownDelivery(row: DeliveryRow) {
  return {
    delivery_id: row.delivery_id,
    webhook_id: row.webhook_id,
    event_id: row.event_id,
    event_type: row.type,
    state: row.state,
    attempts: row.attempt,
    next_attempt_at: row.state === 'pending' ? row.next_at.toISOString() : null,
    last_attempt_at: row.attempted_at?.toISOString() ?? null,
    last_status_code: row.status_code,
    last_error: row.error,
    duration_ms: row.duration_ms,
    delivered_at: row.delivered_at?.toISOString() ?? null,
    created_at: row.created_at.toISOString(),
  };
}
