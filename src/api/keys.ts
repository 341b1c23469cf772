import { z } from 'zod';
import { scopeNames } from '../policy/authority.ts';
import { atMost, description, envId, keyId, text, time, visible } from './fields.ts';
import { pageOf, pageQuery } from './paging.ts';
import { defineRoute } from './route.ts';

const areas = [...new Set(scopeNames.map((scope) => scope.slice(0, scope.indexOf(':'))))];

/** One of the scopes, or `<area>:*` for all of an area. */
const scope = z
  .enum([...new Set([...scopeNames, ...areas.map((area) => `${area}:*`)])] as [string, ...string[]])
  .meta({ id: 'Scope' });

const scopes = z
  .array(scope)
  .min(1)
  .max(scopeNames.length)
  .describe('What it may do; docs/scopes.md');

const networks = z
  .array(
    z
      .string()
      .min(2)
      .max(49)
      .describe('A CIDR such as 203.0.113.0/24 or 2001:db8::/32, or one address'),
  )
  .max(100)
  .describe('From where it may be used; none: from anywhere');

const limits = z
  .strictObject({
    schemas: z.array(atMost(200).min(1)).max(1_000).optional().describe('All tables of these'),
    tables: z
      .array(atMost(400).min(1))
      .max(1_000)
      .optional()
      .describe('These tables, each with its schema'),
    functions: z
      .array(atMost(400).min(1))
      .max(1_000)
      .optional()
      .describe('These, each with its schema'),
  })
  .describe('Where the scopes hold, and functions that may be called besides; docs/scopes.md');

const status = z.enum(['active', 'expired', 'revoked']);

/** As the reference has them, in every answer. */
const referenceFields = {
  key_id: keyId,
  name: z.string(),
  prefix: z.string().describe('The beginning of the secret, to recognise it by'),
  scopes: z.array(z.string()),
  ip_allowlist: z.array(z.string()).describe('None: from anywhere'),
  status,
  expires_at: time.nullable().describe('null: never'),
  created_at: time,
  created_by: z.string(),
};

/** Beyond the reference; only where a key has them. */
const ownFields = {
  description: z.string().optional(),
  limits: limits.optional(),
  rotate_every_days: z.int().optional().describe('Where it has a schedule'),
  next_rotation_at: time.optional().describe('Where it has a schedule'),
};

const listedKey = z
  .object({ ...referenceFields, last_used_at: time.nullable(), ...ownFields })
  .meta({ id: 'ApiKey' });

const createdKey = z
  .object({
    ...referenceFields,
    key: z.string().describe('The secret. It is shown this once'),
    ...ownFields,
  })
  .meta({ id: 'CreatedApiKey' });

const inEnvironment = z.object({ env_id: envId });
const oneKey = z.object({ env_id: envId, key_id: keyId });

export const longestExpiryDays = 3_650;
export const longestGraceHours = 168;

const rotateEveryDays = z
  .int()
  .min(1)
  .max(365)
  .describe('Its secret is replaced so often; the old one goes on for 72 hours');

const newSecret = z.object({
  key_id: keyId,
  new_key: z.string().describe('The secret. It is shown this once'),
  new_prefix: z.string(),
  rotated_at: time,
});

export const listKeys = defineRoute({
  method: 'GET',
  path: '/v1/environments/{env_id}/api-keys',
  summary: 'List API keys',
  description: 'Newest first. Never their secrets. Keys made by SQL are among them.',
  tag: 'API keys',
  access: 'key:read',
  params: inEnvironment,
  query: z.strictObject({
    ...pageQuery,
    status: status.optional().describe('Only these; without it, all but the revoked ones'),
    name: visible(63).min(1).optional().describe('Only those of this name'),
  }),
  status: 200,
  response: pageOf(listedKey),
});

export const readKey = defineRoute({
  method: 'GET',
  path: '/v1/environments/{env_id}/api-keys/{key_id}',
  summary: 'Read an API key',
  tag: 'API keys',
  access: 'key:read',
  params: oneKey,
  status: 200,
  response: listedKey,
});

export const createKey = defineRoute({
  method: 'POST',
  path: '/v1/environments/{env_id}/api-keys',
  summary: 'Create an API key',
  description: 'Nobody makes a key that may more than he may himself.',
  tag: 'API keys',
  access: 'key:write',
  params: inEnvironment,
  body: z.strictObject({
    name: text(63).describe('No other key of the environment has it'),
    scopes,
    ip_allowlist: networks.default([]),
    expires_in_days: z
      .int()
      .min(1)
      .max(longestExpiryDays)
      .optional()
      .describe('Days of 24 hours from now; without it, never'),
    description: description.default(''),
    limits: limits.optional(),
    rotate_every_days: rotateEveryDays.optional(),
  }),
  status: 201,
  response: createdKey,
  creates: true,
  errors: [409],
});

export const rotateKey = defineRoute({
  method: 'POST',
  path: '/v1/environments/{env_id}/api-keys/{key_id}/rotate',
  summary: 'Replace the secret of an API key',
  description: 'The old one goes on until the grace period is over.',
  tag: 'API keys',
  access: 'key:write',
  params: oneKey,
  body: z.strictObject({
    grace_period_hours: z
      .int()
      .min(0)
      .max(longestGraceHours)
      .default(72)
      .describe('How long the old secret goes on; 0: it ends at once'),
  }),
  hasOptionalBody: true,
  status: 200,
  response: z.object({
    key_id: keyId,
    new_key: z.string().describe('The secret. It is shown this once'),
    new_prefix: z.string(),
    old_key_expires_at: time,
    grace_period_hours: z.int(),
    rotated_at: time,
    rotated_by: z.string(),
  }),
  creates: true,
  errors: [409],
});

export const revokeKey = defineRoute({
  method: 'DELETE',
  path: '/v1/environments/{env_id}/api-keys/{key_id}',
  summary: 'Revoke an API key',
  description: 'At once, with its sessions. Revoking it again changes nothing.',
  tag: 'API keys',
  access: 'key:write',
  params: oneKey,
  status: 200,
  response: z.object({
    key_id: keyId,
    name: z.string(),
    revoked: z.literal(true),
    revoked_at: time,
    revoked_by: z.string(),
  }),
});

export const updateKey = defineRoute({
  method: 'PATCH',
  path: '/v1/environments/{env_id}/api-keys/{key_id}',
  summary: 'Change an API key',
  description:
    'Sessions that come from where the key may not be used any more end. A schedule counts from now.',
  tag: 'API keys',
  access: 'key:write',
  params: oneKey,
  body: z
    .strictObject({
      description,
      ip_allowlist: networks,
      rotate_every_days: rotateEveryDays.nullable().describe('null: not any more'),
    })
    .partial(),
  status: 200,
  response: listedKey,
  errors: [409, 412],
});

export const collectSecret = defineRoute({
  method: 'POST',
  path: '/v1/environments/{env_id}/api-keys/{key_id}/collect',
  summary: 'Collect the secret that a schedule has made',
  description: 'Once; the event `key.rotated` with `automatic` tells that there is one.',
  tag: 'API keys',
  access: 'key:write',
  params: oneKey,
  status: 200,
  response: newSecret,
  creates: true,
  errors: [409],
});

export const collectOwnSecret = defineRoute({
  method: 'POST',
  path: '/v1/auth/collect-secret',
  summary: 'Collect the next secret of the key that asks',
  description:
    'For whoever uses a key with a schedule: with the old secret, while it is good. Once.',
  tag: 'API keys',
  access: 'authenticated',
  status: 200,
  response: newSecret,
  creates: true,
  errors: [404],
});
