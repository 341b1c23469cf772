import { z } from 'zod';
import { loggedIn } from './auth.ts';
import { email, newPassword, orgId, text } from './fields.ts';
import { defineRoute } from './route.ts';

export const signUp = defineRoute({
  method: 'POST',
  path: '/v1/signup',
  summary: 'Sign up',
  description:
    'Makes a user, and an organization that is his own, in the free tier; answers as a login does. Only where the server lets everybody in (`api.signup`).',
  tag: 'Authentication',
  access: 'public',
  body: z.strictObject({
    name: text(200).describe('Of the user'),
    email,
    password: newPassword,
    org_name: text(100).describe('What people call the organization; its slug is made from it'),
    tier: z.literal('free').default('free').describe('Others are given later'),
  }),
  // The public clients may say nothing of what they send.
  takesPlainText: true,
  status: 201,
  response: loggedIn.extend({ org_id: orgId }),
  errors: [403, 409],
});
