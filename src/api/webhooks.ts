import { z } from 'zod';
import { defaultEvents, subscribable } from './events.ts';
import { description, orgId, time, webhookId } from './fields.ts';
import { pageOf, pageQuery } from './paging.ts';
import { defineRoute } from './route.ts';

/** Most of them in one organization. */
export const mostWebhooks = 100;

const deliveryId = z
  .string()
  .regex(/^whd_[a-z0-9]{1,40}$/)
  .describe('A delivery: one event on its way to one webhook');

const url = z
  .url({ protocol: /^https?$/ })
  .max(2_048)
  .describe('HTTPS; plain HTTP only to this machine');

const events = z
  .array(z.enum(subscribable))
  .min(1)
  .max(subscribable.length)
  .describe('`policy.changed` stands for policy.created, policy.updated and policy.deleted');

const created = {
  webhook_id: webhookId,
  url: z.string(),
  description: z.string(),
  events: z.array(z.string()),
  status: z.enum(['active', 'disabled']),
  created_at: time,
};

const webhook = z
  .object({
    ...created,
    last_delivered_at: time.nullable(),
    last_status_code: z.int().nullable(),
    failure_count: z.int().describe('Tries since the last one that went well'),
  })
  .meta({ id: 'Webhook' });

const signingSecret = z.string().describe('`whsec_…`. It is shown this once');

const delivery = z
  .object({
    delivery_id: deliveryId,
    webhook_id: webhookId,
    event_id: z.uuid(),
    event_type: z.string(),
    state: z
      .enum(['pending', 'delivered', 'failed'])
      .describe('`failed`: it was tried for so long that it was given up'),
    attempts: z.int(),
    next_attempt_at: time.nullable().describe('While it waits'),
    last_attempt_at: time.nullable(),
    last_status_code: z.int().nullable(),
    last_error: z.string().nullable(),
    duration_ms: z.int().nullable().describe('Of the last try'),
    delivered_at: time.nullable(),
    created_at: time,
  })
  .meta({ id: 'WebhookDelivery' });

const inOrganization = z.object({ org_id: orgId });
const oneWebhook = z.object({ org_id: orgId, webhook_id: webhookId });
const oneDelivery = z.object({ org_id: orgId, webhook_id: webhookId, delivery_id: deliveryId });

const collection = '/v1/organizations/{org_id}/webhooks';
const single = `${collection}/{webhook_id}` as const;

export const listWebhooks = defineRoute({
  method: 'GET',
  path: collection,
  summary: 'List webhooks',
  description: 'Newest first. Never their secrets.',
  tag: 'Webhooks',
  access: 'webhook:read',
  params: inOrganization,
  query: z.strictObject(pageQuery),
  status: 200,
  response: pageOf(webhook),
});

export const createWebhook = defineRoute({
  method: 'POST',
  path: collection,
  summary: 'Create a webhook',
  description:
    'It is told of each event from now on: docs/webhooks.md shows what it receives and how to verify it.',
  tag: 'Webhooks',
  access: 'webhook:write',
  params: inOrganization,
  body: z.strictObject({
    url,
    description: description.default(''),
    events: events.default([...defaultEvents]),
  }),
  status: 201,
  response: z.object({ ...created, signing_secret: signingSecret }).meta({ id: 'CreatedWebhook' }),
  creates: true,
  errors: [409],
});

export const readWebhook = defineRoute({
  method: 'GET',
  path: single,
  summary: 'Read a webhook',
  tag: 'Webhooks',
  access: 'webhook:read',
  params: oneWebhook,
  status: 200,
  response: webhook,
});

export const updateWebhook = defineRoute({
  method: 'PATCH',
  path: single,
  summary: 'Change a webhook',
  description: 'What waits goes to the new URL. `disabled`: it is told of nothing that happens.',
  tag: 'Webhooks',
  access: 'webhook:write',
  params: oneWebhook,
  body: z
    .strictObject({
      url,
      description,
      events,
      status: z.enum(['active', 'disabled']).describe('`active` starts its queue again'),
    })
    .partial(),
  status: 200,
  response: webhook,
  errors: [412],
});

export const deleteWebhook = defineRoute({
  method: 'DELETE',
  path: single,
  summary: 'Delete a webhook',
  description: 'With what waits for it.',
  tag: 'Webhooks',
  access: 'webhook:write',
  params: oneWebhook,
  status: 200,
  response: z.object({ webhook_id: webhookId, deleted: z.literal(true), deleted_at: time }),
});

export const enableWebhook = defineRoute({
  method: 'POST',
  path: `${single}/enable`,
  summary: 'Enable a webhook again',
  description: 'What waits is sent. Of what happened while it was disabled it is not told.',
  tag: 'Webhooks',
  access: 'webhook:write',
  params: oneWebhook,
  status: 200,
  response: webhook,
});

export const testWebhook = defineRoute({
  method: 'POST',
  path: `${single}/test`,
  summary: 'Send a webhook a test event',
  description: 'A `webhook.test`, behind what waits already. The delivery shows how it went.',
  tag: 'Webhooks',
  access: 'webhook:write',
  params: oneWebhook,
  status: 202,
  response: delivery,
  creates: true,
  errors: [409],
});

export const longestSecretGraceHours = 168;

export const rotateWebhookSecret = defineRoute({
  method: 'POST',
  path: `${single}/rotate-secret`,
  summary: 'Replace the signing secret of a webhook',
  description: 'Until the grace period is over, deliveries are signed with both.',
  tag: 'Webhooks',
  access: 'webhook:write',
  params: oneWebhook,
  body: z.strictObject({
    grace_period_hours: z
      .int()
      .min(0)
      .max(longestSecretGraceHours)
      .default(24)
      .describe('How long deliveries are signed with the old one as well'),
  }),
  hasOptionalBody: true,
  status: 200,
  response: z.object({
    webhook_id: webhookId,
    signing_secret: signingSecret,
    previous_secret_expires_at: time,
    grace_period_hours: z.int(),
    rotated_at: time,
  }),
  creates: true,
});

export const listDeliveries = defineRoute({
  method: 'GET',
  path: `${single}/deliveries`,
  summary: 'List what a webhook was sent',
  description: 'Newest first; kept for 30 days.',
  tag: 'Webhooks',
  access: 'webhook:read',
  params: oneWebhook,
  query: z.strictObject({
    ...pageQuery,
    state: z.enum(['pending', 'delivered', 'failed']).optional().describe('Only these'),
  }),
  status: 200,
  response: pageOf(delivery),
});

export const redeliver = defineRoute({
  method: 'POST',
  path: `${single}/deliveries/{delivery_id}/redeliver`,
  summary: 'Send it again',
  description: 'With the same event id, behind what waits already.',
  tag: 'Webhooks',
  access: 'webhook:write',
  params: oneDelivery,
  status: 202,
  response: delivery,
  creates: true,
  errors: [409],
});
