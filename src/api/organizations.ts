import { z } from 'zod';
import { email, orgId, slug, text, time, userId } from './fields.ts';
import { pageOf, pageQuery } from './paging.ts';
import { roles } from './permissions.ts';
import { defineRoute } from './route.ts';
import { tierNames } from './tiers.ts';

const settings = z.object({
  mfa_required: z.boolean().describe('Its users need a second factor'),
  enforce_sso: z.boolean().describe('Its users log in by single sign-on only'),
});

const readSettings = settings.extend({
  sso_provider: z.string().optional().describe('Where single sign-on is set up'),
});

const wishedSettings = z
  .strictObject(settings.partial().shape)
  .describe(
    '`mfa_required` is switched on only by a login that had a second factor, `enforce_sso` only where single sign-on is set up. From then on the owner alone logs in by password; the sessions of others that came by one end.',
  );

const shared = {
  org_id: orgId,
  name: z.string(),
  slug: z.string(),
  cloud_region: z.string(),
  tier: z.enum(tierNames),
  status: z.enum(['active', 'suspended']),
  settings,
  created_at: time,
  updated_at: time,
};

const createdOrganization = z
  .object({ ...shared, billing_email: z.string() })
  .meta({ id: 'CreatedOrganization' });

const organization = z
  .object({
    ...shared,
    settings: readSettings,
    billing_email: z.string(),
    stripe_customer_id: z.string().nullable(),
    stripe_subscription_id: z.string().nullable(),
    quotas: z
      .object({
        monthly_credit_limit: z.int().nullable(),
        used: z.number().describe('Credits of this month'),
        max_concurrent_queries: z.int().nullable(),
        storage_limit_gb: z.int().nullable(),
      })
      .describe('null: without a limit'),
  })
  .meta({ id: 'Organization' });

const listedOrganization = z
  .object({
    ...shared,
    role: z.enum(roles).nullable().describe('What the caller is there; null for an API key'),
  })
  .meta({ id: 'ListedOrganization' });

const cloudRegion = z
  .string()
  .regex(/^[a-z]{2}(?:-[a-z]+){1,3}-\d{1,2}$/, 'must be a region such as us-east-1');

const oneOrganization = z.object({ org_id: orgId });

export const createOrganization = defineRoute({
  method: 'POST',
  path: '/v1/organizations',
  summary: 'Create an organization',
  description: 'Its owner is who creates it. It has no environment yet.',
  tag: 'Organizations',
  access: 'account',
  body: z.strictObject({
    name: text(100).describe('For people'),
    slug,
    billing_email: email.describe('Where bills go'),
    cloud_region: cloudRegion.default('us-east-1').describe('Where it is hosted'),
    settings: wishedSettings.optional(),
  }),
  status: 201,
  response: createdOrganization,
  creates: true,
  errors: [409],
});

export const listOrganizations = defineRoute({
  method: 'GET',
  path: '/v1/organizations',
  summary: 'List organizations',
  description:
    'Those of which the caller is an active member; of an API key or a login by single sign-on, its own. Oldest first.',
  tag: 'Organizations',
  access: 'authenticated',
  query: z.strictObject(pageQuery),
  status: 200,
  response: pageOf(listedOrganization),
});

/** As the connection guide spells it. */
export const listOrgs = defineRoute({
  ...listOrganizations,
  path: '/v1/orgs',
  summary: 'List organizations, by another name',
});

export const readOrganization = defineRoute({
  method: 'GET',
  path: '/v1/organizations/{org_id}',
  summary: 'Read an organization',
  tag: 'Organizations',
  access: 'organization:read',
  params: oneOrganization,
  status: 200,
  response: organization,
});

export const updateOrganization = defineRoute({
  method: 'PATCH',
  path: '/v1/organizations/{org_id}',
  summary: 'Change an organization',
  description:
    'Fields that are left out stay as they are. With If-Match, only the version that it names.',
  tag: 'Organizations',
  access: 'organization:update',
  params: oneOrganization,
  body: z.strictObject({
    name: text(100).optional().describe('For people'),
    slug: slug.optional(),
    billing_email: email.optional().describe('Where bills go'),
    settings: wishedSettings.optional(),
  }),
  status: 200,
  response: organization,
  errors: [409, 412],
});

export const deleteOrganization = defineRoute({
  method: 'DELETE',
  path: '/v1/organizations/{org_id}',
  summary: 'Delete an organization',
  description:
    'Its API keys and the sessions of its users end at once, and its slug is free again. The organization whose environment has the engine of the configuration stays.',
  tag: 'Organizations',
  access: 'organization:delete',
  params: oneOrganization,
  status: 200,
  response: z.object({
    org_id: orgId,
    deleted: z.literal(true),
    deleted_at: time,
    deleted_by: z.string(),
  }),
  errors: [409, 412],
});

export const transferOrganization = defineRoute({
  method: 'POST',
  path: '/v1/organizations/{org_id}/transfer',
  summary: 'Give an organization to another owner',
  description:
    'To one of its active users who has a password. Who owned it is an admin from then on.',
  tag: 'Organizations',
  access: 'organization:transfer',
  params: oneOrganization,
  body: z.strictObject({ user_id: userId }),
  status: 200,
  response: z.object({
    org_id: orgId,
    owner: userId,
    previous_owner: userId,
    transferred_at: time,
  }),
  errors: [409],
});
