import { z } from 'zod';
import { orgId, password, text, userId } from './fields.ts';
import { roles } from './permissions.ts';
import { defineRoute } from './route.ts';

const token = z
  .string()
  .regex(/^inv_[A-Za-z0-9_-]{43}$/)
  .describe("What stands behind the # of the invitation's link");

const joined = z
  .object({
    org_id: orgId,
    organization: z.string(),
    user_id: userId,
    email: z.string(),
    role: z.enum(roles),
    status: z.literal('active'),
  })
  .meta({ id: 'Joined' });

export const acceptInvitation = defineRoute({
  method: 'POST',
  path: '/v1/invitations/accept',
  summary: 'Accept an invitation',
  description:
    'Whoever has no account chooses name and password of a new one; whoever has one gives its password. A token is good once.',
  tag: 'Users',
  access: 'public',
  body: z.strictObject({
    token,
    name: text(100).optional().describe('Of a new account'),
    password,
  }),
  status: 200,
  response: joined,
  errors: [403, 404, 409, 410],
});

export const joinByInvitation = defineRoute({
  method: 'POST',
  path: '/v1/invitations/join',
  summary: 'Accept an invitation with the account that is logged in',
  tag: 'Users',
  access: 'account',
  body: z.strictObject({ token }),
  status: 200,
  response: joined,
  errors: [403, 404, 410],
});
