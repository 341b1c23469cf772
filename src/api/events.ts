import { z } from 'zod';
import { envId, keyId, orgId, time, userId, webhookId } from './fields.ts';
import { roles } from './permissions.ts';

/**
 * What webhooks are told of. `data` of each event that there is; `docs/webhooks.md` is printed from it. Never a secret.
 */

const role = z.enum(roles);
const who = z.string().describe('A user, a key, or what else did it');
const key = { key_id: keyId, name: z.string() };
const user = { user_id: userId, email: z.string() };

export const eventData = {
  'key.created': z
    .object({
      ...key,
      prefix: z.string(),
      scopes: z.array(z.string()),
      expires_at: time.nullable(),
      created_by: who,
    })
    .describe('A key was created'),
  'key.rotated': z
    .object({
      ...key,
      new_prefix: z.string(),
      old_key_expires_at: time,
      grace_period_hours: z.int(),
      rotated_at: time,
      rotated_by: who,
      automatic: z.boolean().describe('By its schedule: the new secret waits to be collected'),
    })
    .describe('A key has a new secret'),
  'key.expiring': z
    .object({
      ...key,
      what: z
        .enum(['old_secret', 'key'])
        .describe('The secret that a rotation left for a while, or the key itself'),
      prefix: z.string().describe('Of the secret that ends'),
      expires_at: time,
    })
    .describe('24 hours before an old secret or a key ends, or at once where fewer are left'),
  'key.revoked': z
    .object({ ...key, revoked_at: time, revoked_by: who })
    .describe('A key was revoked, and its sessions ended'),
  'user.invited': z
    .object({ ...user, role, invited_by: who, expires_at: time })
    .describe('Somebody was invited'),
  'user.removed': z.object({ ...user, role, removed_by: who }).describe('A user was removed'),
  'user.role_changed': z
    .object({ ...user, previous_role: role, role, changed_by: who })
    .describe('A user has another role'),
  'webhook.disabled': z
    .object({
      webhook_id: webhookId,
      origin: z.string().describe('Of its URL, whose path may be a secret'),
      reason: z.literal('failures'),
      failure_count: z.int(),
      failing_since: time,
    })
    .describe('Deliveries to another webhook failed for so long that it gets no more'),
  'webhook.test': z
    .object({ webhook_id: webhookId, message: z.string() })
    .describe('Somebody asked for it; sent to one webhook, which need not have subscribed to it'),
} as const;

export type EventType = keyof typeof eventData;

/** An event of one of the types, as who causes it says it. */
export type NewEvent = {
  [Type in EventType]: {
    readonly type: Type;
    readonly orgId: string;
    readonly envId?: string;
    readonly data: z.infer<(typeof eventData)[Type]>;
  };
}[EventType];

/** Can be subscribed to already; they are sent once there is what they tell of. */
const announced = [
  'policy.created',
  'policy.updated',
  'policy.deleted',
  'jit.requested',
  'jit.approved',
  'jit.denied',
  'billing.warning',
  'trigger.fired',
] as const;

/** Stands for several. */
export const umbrellas: Readonly<Record<string, readonly string[]>> = {
  'policy.changed': ['policy.created', 'policy.updated', 'policy.deleted'],
};

const happening = Object.keys(eventData) as EventType[];

export const subscribable = [
  ...happening.filter((type) => type !== 'webhook.test'),
  ...announced,
  ...Object.keys(umbrellas),
] as [string, ...string[]];

/** What a webhook is told of unless it says otherwise. */
export const defaultEvents: readonly string[] = [
  ...happening.filter((type) => /^(?:key|user)\./.test(type) && type !== 'key.created'),
  ...announced,
];

/** Names under which a webhook may have subscribed to an event. */
export function namesOf(type: EventType): readonly string[] {
  const above = Object.entries(umbrellas).filter(([, types]) => types.includes(type));
  return [type, ...above.map(([name]) => name)];
}

/** The body of a delivery. */
export const eventBody = z.object({
  event_id: z.uuid().describe('The same in every delivery of an event'),
  type: z.string(),
  created_at: time,
  org_id: orgId,
  env_id: envId.nullable(),
  data: z.record(z.string(), z.unknown()),
});
