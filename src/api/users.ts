import { z } from 'zod';
import { email, orgId, text, time, userId } from './fields.ts';
import { pageOf, pageQuery } from './paging.ts';
import { roles } from './permissions.ts';
import { defineRoute } from './route.ts';

const status = z.enum(['active', 'invited', 'suspended']);
const role = z.enum(roles);
const wishedRole = role.describe('What the user may do; docs/roles.md');

const fields = {
  user_id: userId,
  email: z.string(),
  name: z.string(),
  role,
  status,
  mfa_enabled: z.boolean(),
  last_login: time.nullable(),
  created_at: time.describe('When he was invited here'),
};

const user = z.object(fields).meta({ id: 'User' });

const invitedUser = z
  .object({
    ...fields,
    invitation_expires_at: time,
    mail: z
      .enum(['sent', 'failed', 'off', 'unknown'])
      .describe(
        'What became of the mail. `failed`: resend it; `off`: this server sends none; `unknown`: this is the answer to an earlier request',
      ),
    invitation_link: z
      .string()
      .optional()
      .describe(
        'Where this server sends no mails: to be handed to the user. It is shown this once',
      ),
  })
  .meta({ id: 'InvitedUser' });

const inOrganization = z.object({ org_id: orgId });
const oneUser = z.object({ org_id: orgId, user_id: userId });

export const listUsers = defineRoute({
  method: 'GET',
  path: '/v1/organizations/{org_id}/users',
  summary: 'List users',
  description: 'Oldest first.',
  tag: 'Users',
  access: 'user:read',
  params: inOrganization,
  query: z.strictObject({
    ...pageQuery,
    role: role.optional().describe('Only these'),
    status: status.optional().describe('Only these'),
  }),
  status: 200,
  response: pageOf(user),
});

export const readUser = defineRoute({
  method: 'GET',
  path: '/v1/organizations/{org_id}/users/{user_id}',
  summary: 'Read a user',
  tag: 'Users',
  access: 'user:read',
  params: oneUser,
  status: 200,
  response: user,
});

export const inviteUser = defineRoute({
  method: 'POST',
  path: '/v1/organizations/{org_id}/users',
  summary: 'Invite a user',
  description:
    'Only the owner invites an admin; nobody, another owner. An invitation is good for seven days.',
  tag: 'Users',
  access: 'user:write',
  params: inOrganization,
  body: z.strictObject({
    email,
    role: wishedRole,
    name: text(100).optional().describe('Of the user, if he has no account yet'),
  }),
  status: 201,
  response: invitedUser,
  creates: true,
  errors: [409],
});

export const resendInvitation = defineRoute({
  method: 'POST',
  path: '/v1/organizations/{org_id}/users/{user_id}/resend',
  summary: 'Invite a user again',
  description: 'With a new link, for another seven days. The old link ends.',
  tag: 'Users',
  access: 'user:write',
  params: oneUser,
  status: 200,
  response: invitedUser,
  errors: [409],
});

export const changeRole = defineRoute({
  method: 'PUT',
  path: '/v1/organizations/{org_id}/users/{user_id}/role',
  summary: "Change a user's role",
  description:
    'Only the owner makes an admin, or changes one; an admin may step down. The owner changes by a transfer of the organization.',
  tag: 'Users',
  access: 'user:write',
  params: oneUser,
  body: z.strictObject({ role: wishedRole }),
  status: 200,
  response: user,
  errors: [412],
});

export const suspendUser = defineRoute({
  method: 'POST',
  path: '/v1/organizations/{org_id}/users/{user_id}/suspend',
  summary: 'Suspend a user',
  description:
    'At once, with his sessions; API keys that he made, and those that these made, are revoked. Resuming him does not bring them back.',
  tag: 'Users',
  access: 'user:write',
  params: oneUser,
  status: 200,
  response: user,
  errors: [409],
});

export const resumeUser = defineRoute({
  method: 'POST',
  path: '/v1/organizations/{org_id}/users/{user_id}/resume',
  summary: 'Let a suspended user in again',
  tag: 'Users',
  access: 'user:write',
  params: oneUser,
  status: 200,
  response: user,
  errors: [409],
});

export const removeUser = defineRoute({
  method: 'DELETE',
  path: '/v1/organizations/{org_id}/users/{user_id}',
  summary: 'Remove a user',
  description:
    'From the organization, at once, with his sessions and with API keys that he made. An invitation ends the same way.',
  tag: 'Users',
  access: 'user:write',
  params: oneUser,
  status: 200,
  response: z.object({
    user_id: userId,
    removed: z.literal(true),
    removed_at: time,
    removed_by: z.string(),
  }),
});
