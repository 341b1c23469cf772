import { z } from 'zod';
import { atMost, envId, orgId, slug, text, time } from './fields.ts';
import { pageOf, pageQuery } from './paging.ts';
import { defineRoute } from './route.ts';

const dayMs = 86_400_000;

const settings = z.strictObject({
  query_timeout_ms: z
    .union([z.literal(0), z.int().min(1_000).max(dayMs)])
    .describe('0: as the server is configured'),
  max_concurrent_queries: z
    .int()
    .min(0)
    .max(10_000)
    .describe('Engine connections of each kind on each proxy; 0: as the server is configured'),
  cache_enabled: z.literal(false).describe('Results are not cached'),
  fast_lane: z
    .boolean()
    .describe('Short reads of different sessions may go back to back on few engine connections'),
});

/** Each is left as it is where it is not given. */
const someSettings = settings.partial().describe('What is left out stays as it is');

const engineUrl = atMost(2_000).regex(
  /^postgres(?:ql)?:\/\//,
  'must be a URL such as postgres://user:password@host:5432/database',
);

const engineWish = z
  .strictObject({
    url: engineUrl.describe('Of the role for keys that may change something'),
    reader_url: engineUrl.optional().describe('Of the role for keys that may not'),
  })
  .describe(
    'A PostgreSQL of your own, prepared with `hati engine prepare`; without it, a database in the embedded one',
  );

export const environment = z
  .object({
    env_id: envId,
    org_id: orgId,
    name: z.string(),
    slug: z.string(),
    kind: z.enum(['production', 'staging', 'development']),
    status: z.enum(['provisioning', 'active', 'archived']),
    engine: z.enum(['configured', 'embedded', 'url']),
    connection: z.object({ host: z.string(), port: z.int(), database: z.string() }),
    settings: z.object({
      query_timeout_ms: z.int(),
      max_concurrent_queries: z.int(),
      cache_enabled: z.boolean(),
      fast_lane: z.boolean(),
    }),
    created_at: time,
    updated_at: time,
  })
  .meta({ id: 'Environment' });

const inOrganization = z.object({ org_id: orgId });
const oneEnvironment = z.object({ env_id: envId });

export const listEnvironments = defineRoute({
  method: 'GET',
  path: '/v1/organizations/{org_id}/environments',
  summary: 'List environments',
  description: 'Oldest first; archived ones only where they are asked for.',
  tag: 'Environments',
  access: 'environment:read',
  params: inOrganization,
  query: z.strictObject({
    ...pageQuery,
    status: z.enum(['provisioning', 'active', 'archived']).optional().describe('Only these'),
  }),
  status: 200,
  response: pageOf(environment),
});

export const createEnvironment = defineRoute({
  method: 'POST',
  path: '/v1/organizations/{org_id}/environments',
  summary: 'Create an environment',
  description:
    'One with a database in the embedded server is `provisioning` for a moment. Keys of environments of the kind production begin with hd_live_, all others with hd_test_.',
  tag: 'Environments',
  access: 'environment:write',
  params: inOrganization,
  body: z.strictObject({
    name: text(100).describe('For people'),
    slug,
    kind: z
      .enum(['production', 'staging', 'development'])
      .optional()
      .describe('Without it: what the slug is called, else development'),
    settings: someSettings.optional(),
    engine: engineWish.optional(),
  }),
  status: 201,
  response: environment,
  creates: true,
  errors: [409],
});

export const readEnvironment = defineRoute({
  method: 'GET',
  path: '/v1/environments/{env_id}',
  summary: 'Read an environment',
  tag: 'Environments',
  access: 'environment:read',
  params: oneEnvironment,
  status: 200,
  response: environment,
});

export const updateEnvironment = defineRoute({
  method: 'PATCH',
  path: '/v1/environments/{env_id}',
  summary: 'Change an environment',
  description: 'Settings and engine hold for sessions that begin later.',
  tag: 'Environments',
  access: 'environment:write',
  params: oneEnvironment,
  body: z.strictObject({
    name: text(100).optional().describe('For people'),
    settings: someSettings.optional(),
    engine: engineWish.optional(),
  }),
  status: 200,
  response: environment,
  errors: [409, 412],
});

export const archiveEnvironment = defineRoute({
  method: 'DELETE',
  path: '/v1/environments/{env_id}',
  summary: 'Archive an environment',
  description:
    'Its keys are revoked and its sessions end at once. Its database stays. Archiving it again changes nothing.',
  tag: 'Environments',
  access: 'environment:write',
  params: oneEnvironment,
  status: 200,
  response: environment,
  errors: [409],
});

const setting = z.union([z.number(), z.boolean()]);
const difference = z
  .object({ field: z.string(), source: setting, target: setting })
  .meta({ id: 'Difference' });

const promotion = z.object({
  source_env_id: envId,
  target_env_id: envId,
  differences: z.array(difference).describe('What promoting changes in the target'),
});

export const previewPromotion = defineRoute({
  method: 'GET',
  path: '/v1/environments/{env_id}/promotion',
  summary: 'What promoting an environment would change',
  description: 'Its ETag is the version of the target, for If-Match of the promotion.',
  tag: 'Environments',
  access: 'environment:read',
  params: oneEnvironment,
  query: z.strictObject({ target_env_id: envId }),
  status: 200,
  response: promotion,
});

export const promoteEnvironment = defineRoute({
  method: 'POST',
  path: '/v1/environments/{env_id}/promote',
  summary: 'Promote an environment',
  description: 'Copies its settings to another one of the organization. Never data, never keys.',
  tag: 'Environments',
  access: 'environment:promote',
  params: oneEnvironment,
  body: z.strictObject({
    target_env_id: envId,
    differences: z
      .array(z.strictObject(difference.shape))
      .max(100)
      .optional()
      .describe('As they were shown: where they are others by now, nothing is done (412)'),
  }),
  status: 200,
  response: promotion,
  errors: [409, 412],
});
