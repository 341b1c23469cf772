import { z } from 'zod';
import { loggedIn } from './auth.ts';
import { atMost, orgId, text, time } from './fields.ts';
import { defineRoute } from './route.ts';

/** Who comes for the first time is never more than these: whoever says who comes is the provider. */
export const firstRoles = ['developer', 'analyst', 'auditor'] as const;

/** How long a login may take, from its start to its return from the provider. */
export const ssoLoginMinutes = 10;
export const ssoCodeSeconds = 60;

const oneOrganization = z.object({ org_id: orgId });

const longestUrl = 2_000;

const domain = z
  .string()
  .max(253)
  .regex(
    /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]$/,
    'must be a domain such as example.com, in lower case',
  );

const issuer = z
  .url()
  .max(longestUrl)
  .describe('As the provider calls itself: /.well-known/openid-configuration is below it');

const printable = /^[\x20-\x7e]+$/;
const clientId = z
  .string()
  .max(500)
  .regex(printable, 'must be printable ASCII')
  .describe('What the provider calls us');

const singleSignOn = z
  .object({
    org_id: orgId,
    provider: z.string(),
    issuer: z.string(),
    client_id: z.string(),
    email_domains: z.array(z.string()),
    default_role: z.enum(firstRoles).nullable(),
    redirect_uri: z.string().describe('To be registered at the provider'),
    created_at: time,
    updated_at: time,
    updated_by: z.string(),
  })
  .meta({ id: 'SingleSignOn' });

export const readSso = defineRoute({
  method: 'GET',
  path: '/v1/organizations/{org_id}/sso',
  summary: 'Read how an organization logs in by single sign-on',
  description:
    'The secret is not given back. 404 where there is none, with `details.redirect_uri` to be registered at the provider.',
  tag: 'Single sign-on',
  access: 'sso:write',
  params: oneOrganization,
  status: 200,
  response: singleSignOn,
});

export const configureSso = defineRoute({
  method: 'PUT',
  path: '/v1/organizations/{org_id}/sso',
  summary: 'Set up single sign-on, or change it',
  description:
    'Asks the provider for its configuration before anything is stored. Another issuer ends the sessions that came by the one before. With If-Match, only the version that it names.',
  tag: 'Single sign-on',
  access: 'sso:write',
  params: oneOrganization,
  body: z.strictObject({
    issuer,
    client_id: clientId,
    client_secret: z
      .string()
      .max(1_000)
      .regex(printable, 'must be printable ASCII')
      .optional()
      .describe(
        'What the provider knows us by; may be left out while issuer and client_id stay the same',
      ),
    email_domains: z
      .array(domain)
      .min(1)
      .max(50)
      .describe('Of the addresses of those who may come'),
    default_role: z
      .enum(firstRoles)
      .nullable()
      .default(null)
      .describe('Of who comes for the first time; null: only who is a user already, or invited'),
    provider: text(40).optional().describe('What people call it; the host of the issuer'),
  }),
  status: 200,
  response: singleSignOn,
  errors: [409, 412],
});

export const removeSso = defineRoute({
  method: 'DELETE',
  path: '/v1/organizations/{org_id}/sso',
  summary: 'Remove single sign-on',
  description: 'Ends the sessions that came by it. Not while it is enforced.',
  tag: 'Single sign-on',
  access: 'sso:write',
  params: oneOrganization,
  status: 200,
  response: z.object({
    org_id: orgId,
    deleted: z.literal(true),
    deleted_at: time,
    sessions_ended: z.int(),
  }),
  errors: [409, 412],
});

const organization = z
  .string()
  .regex(/^[A-Za-z0-9_-]{2,60}$/)
  .meta({ description: 'Its slug or id', examples: ['acme'] });

const digest = z
  .string()
  .regex(/^[A-Za-z0-9_-]{43}$/)
  .describe('SHA-256 of the code verifier, as base64url (RFC 7636, S256)');

/** Where a program on the user's machine listens (RFC 8252); nothing else can be named. */
const loopback = z
  .string()
  .max(200)
  .regex(
    /^http:\/\/(?:127\.0\.0\.1|\[::1\]):(?:[1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d{2}|655[0-2]\d|6553[0-5])\/[A-Za-z0-9/_-]*$/,
    'must be http://127.0.0.1:<port>/… or http://[::1]:<port>/…, with a port that there is',
  )
  .meta({
    description: 'Where the program listens, on the same machine',
    examples: ['http://127.0.0.1:49152/callback'],
  });

const state = z
  .string()
  .regex(/^[A-Za-z0-9_-]{16,128}$/)
  .describe('Comes back as it was given');

/** Where a program waits, and how it shows that it is the one that began. */
const program = { redirect_uri: loopback, code_challenge: digest, state };

export const startSso = defineRoute({
  method: 'POST',
  path: '/v1/auth/sso/start',
  summary: 'Where a program sends its user to log in by single sign-on',
  description: 'The address is for a browser. The program gets a code at its redirect_uri.',
  tag: 'Single sign-on',
  access: 'public',
  body: z.strictObject({ org_slug: organization, ...program }),
  status: 200,
  response: z.object({ url: z.string().describe('For the browser') }),
  errors: [404],
});

export const beginSso = defineRoute({
  method: 'GET',
  path: '/v1/auth/sso/{org_slug}',
  summary: 'Log in by single sign-on',
  description: `For browsers: goes on to the provider of the organization, and takes ${ssoLoginMinutes} minutes at the most.`,
  tag: 'Single sign-on',
  access: 'public',
  params: z.object({ org_slug: organization }),
  query: z
    .strictObject({
      redirect_uri: program.redirect_uri.optional(),
      code_challenge: program.code_challenge.optional(),
      state: program.state.optional(),
    })
    .refine(
      (given) => [0, 3].includes(Object.values(given).filter((each) => each !== undefined).length),
      'redirect_uri, code_challenge and state go together',
    ),
  status: 302,
  response: z.null().describe('The header Location leads to the provider'),
  redirects: true,
});

export const finishSso = defineRoute({
  method: 'GET',
  path: '/v1/auth/sso/callback/{org_id}',
  summary: 'Where the provider sends the browser back to',
  description:
    'Of a login in a browser it answers as POST /v1/auth/login does. Of a program it sends the browser on to where that listens, with a code or an error.',
  tag: 'Single sign-on',
  access: 'public',
  params: oneOrganization,
  // Providers add parameters of their own.
  query: z.looseObject({ state }),
  status: 200,
  response: loggedIn,
  redirects: true,
  errors: [401, 403, 409],
});

export const exchangeSsoCode = defineRoute({
  method: 'POST',
  path: '/v1/auth/sso/exchange',
  summary: 'Collect a login by single sign-on',
  description: `For programs: a code is good once, for ${ssoCodeSeconds} seconds, and with its code verifier only.`,
  tag: 'Single sign-on',
  access: 'public',
  body: z.strictObject({
    code: atMost(200).min(1).describe('What came to redirect_uri'),
    code_verifier: z
      .string()
      .regex(/^[A-Za-z0-9._~-]{43,128}$/)
      .describe('That of which code_challenge is the digest'),
  }),
  status: 200,
  response: loggedIn,
  errors: [401, 403],
});
