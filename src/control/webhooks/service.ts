import { mostWebhooks } from '../../api/webhooks.ts';
import { HatiError } from '../../errors.ts';
import type { SecretBox } from '../../shared/secret-box.ts';
import type { Act } from '../act.ts';
import {
  addDelivery,
  dropWaiting,
  queueAgain,
  tryNow,
  type DeliveryRow,
} from './delivery-store.ts';
import { checkedUrl, newSigningSecret, newWebhookId, originOf, secretPurpose } from './model.ts';
import { insertEvent } from './outbox.ts';
import {
  changeWebhook,
  countWebhooks,
  insertWebhook,
  lockOrganization,
  type WebhookRow,
} from './store.ts';

export interface WebhookWish {
  readonly orgId: string;
  readonly url: string;
  readonly description: string;
  readonly events: readonly string[];
  readonly createdBy: string;
}

export type WebhookChange = Partial<{
  readonly url: string;
  readonly description: string;
  readonly events: readonly string[];
  readonly status: 'active' | 'disabled';
}>;

const hourMs = 3_600_000;
const nothing = Buffer.alloc(0);

/** Webhooks as those who own them see them. Each act is part of its caller's transaction, and the webhook is locked in it. */
export class WebhookService {
  private readonly box: SecretBox;
  private readonly allowsPrivate: boolean;

  /** @param allowsPrivate `api.webhook_private_targets` */
  constructor(box: SecretBox, allowsPrivate: boolean) {
    this.box = box;
    this.allowsPrivate = allowsPrivate;
  }

  async create(act: Act, wish: WebhookWish): Promise<{ row: WebhookRow; secret: string }> {
    const { orgId, description, createdBy } = wish;
    const url = checkedUrl(wish.url, this.allowsPrivate);
    await lockOrganization(act.tx, orgId);
    if ((await countWebhooks(act.tx, orgId)) >= mostWebhooks)
      throw new HatiError('too_many_webhooks', {
        params: { limit: mostWebhooks },
        details: { limit: mostWebhooks },
      });
    const webhookId = newWebhookId();
    const secret = newSigningSecret();
    const events = [...new Set(wish.events)];
    const row = await insertWebhook(act.tx, {
      webhook_id: webhookId,
      org_id: orgId,
      url,
      description,
      events,
      secret: this.box.seal(secret, secretPurpose(webhookId)),
      created_at: act.now,
      created_by: createdBy,
      updated_at: act.now,
    });
    const detail = { origin: originOf(url), description, events };
    act.record({ action: 'webhook.created', target: webhookId, orgId, detail });
    return { row, secret };
  }

  async update(act: Act, row: WebhookRow, change: WebhookChange): Promise<WebhookRow> {
    if (Object.keys(change).length === 0) return row;
    const { webhook_id: webhookId, org_id: orgId } = row;
    const { description, status } = change;
    const url = change.url === undefined ? undefined : checkedUrl(change.url, this.allowsPrivate);
    const changed = await changeWebhook(act.tx, webhookId, {
      ...(url !== undefined && { url }),
      ...(description !== undefined && { description }),
      ...(change.events && { events: [...new Set(change.events)] }),
      ...(status !== undefined && { status }),
      ...(status === 'active' && row.status !== 'active' && noFailures),
      updated_at: act.now,
    });
    if (changed.status === 'active' && (url !== undefined || status !== undefined))
      await tryNow(act.tx, webhookId, act.now);
    const detail = { before: shown(row), after: shown(changed) };
    act.record({ action: 'webhook.updated', target: webhookId, orgId, detail });
    return changed;
  }

  async remove(act: Act, { webhook_id: webhookId, org_id: orgId, url }: WebhookRow): Promise<void> {
    await changeWebhook(act.tx, webhookId, {
      status: 'deleted',
      secret: nothing,
      previous_secret: null,
      previous_secret_until: null,
      updated_at: act.now,
    });
    await dropWaiting(act.tx, webhookId);
    const detail = { origin: originOf(url) };
    act.record({ action: 'webhook.deleted', target: webhookId, orgId, detail });
  }

  async rotateSecret(
    act: Act,
    { webhook_id: webhookId, org_id: orgId, secret: previous }: WebhookRow,
    graceHours: number,
  ): Promise<{ secret: string; previousEndsAt: Date }> {
    const secret = newSigningSecret();
    const previousEndsAt = new Date(act.now.getTime() + graceHours * hourMs);
    await changeWebhook(act.tx, webhookId, {
      secret: this.box.seal(secret, secretPurpose(webhookId)),
      previous_secret: graceHours === 0 ? null : previous,
      previous_secret_until: graceHours === 0 ? null : previousEndsAt,
      updated_at: act.now,
    });
    const detail = { graceHours, previousEndsAt };
    act.record({ action: 'webhook.secret_rotated', target: webhookId, orgId, detail });
    return { secret, previousEndsAt };
  }

  async test(act: Act, row: WebhookRow): Promise<DeliveryRow> {
    refuseDisabled(row);
    const { webhook_id: webhookId, org_id: orgId } = row;
    const { tx, now } = act;
    const data = { webhook_id: webhookId, message: 'This is a test.' };
    const eventId = await insertEvent(tx, now, { type: 'webhook.test', orgId, data });
    const delivery = await addDelivery(tx, { webhookId, eventId, now });
    await tryNow(tx, webhookId, now);
    act.record({ action: 'webhook.tested', target: webhookId, orgId, detail: { eventId } });
    return delivery;
  }

  async redeliver(act: Act, row: WebhookRow, delivery: DeliveryRow): Promise<DeliveryRow> {
    refuseDisabled(row);
    const { webhook_id: webhookId, org_id: orgId } = row;
    const { delivery_id: deliveryId, event_id: eventId, state } = delivery;
    if (state === 'pending')
      throw new HatiError('conflict', {
        params: { message: 'the delivery is under way already' },
        details: { state },
      });
    const again = await queueAgain(act.tx, delivery, act.now);
    await tryNow(act.tx, webhookId, act.now);
    const detail = { deliveryId, eventId };
    act.record({ action: 'webhook.redelivered', target: webhookId, orgId, detail });
    return again;
  }
}

const noFailures = { failure_count: 0, failing_since: null };

function refuseDisabled({ status }: WebhookRow): void {
  if (status !== 'active')
    throw new HatiError('conflict', {
      params: { message: 'the webhook is disabled: enable it first' },
      details: { status },
    });
}

/** In the record. */
function shown({ url, description, events, status }: WebhookRow) {
  return { origin: originOf(url), description, events, status };
}
