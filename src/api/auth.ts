import { z } from 'zod';
import {
  atMost,
  email,
  envId,
  keyId,
  newPassword,
  orgId,
  password,
  text,
  time,
  userId,
} from './fields.ts';
import { roles } from './permissions.ts';
import { defineRoute } from './route.ts';
import { tierNames } from './tiers.ts';

export const accessTokenSeconds = 3_600;
export const refreshTokenDays = 7;
export const sessionDays = 30;
/** Of a login by single sign-on: the provider is asked again each day. */
export const ssoSessionHours = 24;

const role = z.enum(roles);
const tier = z.enum(tierNames);
const refreshToken = atMost(200).min(1).describe('Of the login, or of the refresh before');
const code = z
  .string()
  .regex(/^\d{6}$/, 'must be six digits')
  .describe('What the authenticator shows');
const anyCode = z
  .string()
  .regex(
    /^(?:\d{6}|[a-z0-9]{5}(?:-[a-z0-9]{5}){4})$/i,
    'must be six digits, or a recovery code such as a1b2c-d3e4f-g5h6i-j7k8l-m9n0o',
  )
  .describe('What the authenticator shows, or a recovery code');
const recoveryCodes = z
  .array(z.string())
  .describe('Each is good once in place of what the authenticator shows. They are shown this once');

const tokens = {
  access_token: z.string().describe('Send it as Authorization: Bearer'),
  refresh_token: z
    .string()
    .describe(`For POST /v1/auth/refresh: once, and for ${refreshTokenDays} days`),
  expires_in: z.int().describe('Seconds that the access token is good for'),
};

/** What every login answers. */
export const loggedIn = z.object({
  token: z.string().describe('The same as access_token'),
  ...tokens,
  user: z.object({ id: userId, email: z.string(), name: z.string(), role }),
  org: z.object({ id: orgId, name: z.string(), slug: z.string(), tier }),
});

export const logIn = defineRoute({
  method: 'POST',
  path: '/v1/auth/login',
  summary: 'Log in',
  description: `A session of ${sessionDays} days at the most, in one organization: org_id, or else the one that the user joined first.`,
  tag: 'Authentication',
  access: 'public',
  body: z.strictObject({
    email,
    password,
    org_id: orgId.optional().describe('Where to log in'),
    totp_code: anyCode.optional().describe('Where the account has a second factor'),
  }),
  // The public TypeScript client logs in so.
  takesPlainText: true,
  status: 200,
  response: loggedIn,
  errors: [401, 403, 404],
});

export const refreshTokens = defineRoute({
  method: 'POST',
  path: '/v1/auth/refresh',
  summary: 'Replace an access token',
  description: 'A refresh token is good once. One that comes a second time ends the session.',
  tag: 'Authentication',
  access: 'public',
  body: z.strictObject({ refresh_token: refreshToken }),
  status: 200,
  response: z.object(tokens),
  errors: [401],
});

export const logOut = defineRoute({
  method: 'POST',
  path: '/v1/auth/logout',
  summary: 'Log out',
  description: 'Its tokens are worth nothing from then on.',
  tag: 'Authentication',
  access: 'user',
  status: 200,
  response: z.object({ session_id: z.string(), ended_at: time }),
});

const membership = z.object({ org_id: orgId, name: z.string(), slug: z.string(), role, tier });

export const readCaller = defineRoute({
  method: 'GET',
  path: '/v1/auth/me',
  summary: 'Who am I',
  tag: 'Authentication',
  access: 'authenticated',
  status: 200,
  response: z.discriminatedUnion('kind', [
    z.object({
      kind: z.literal('user'),
      user_id: userId,
      email: z.string(),
      name: z.string(),
      org_id: orgId,
      role,
      tier,
      mfa_enabled: z.boolean(),
      memberships: z.array(membership).describe('Where the user may log in'),
    }),
    z.object({
      kind: z.literal('key'),
      user_id: z.null(),
      email: z.null(),
      key_id: keyId,
      name: z.string(),
      env_id: envId,
      org_id: orgId,
      role: z.literal('service_account'),
      scopes: z.array(z.string()),
      tier,
    }),
  ]),
});

export const changePassword = defineRoute({
  method: 'POST',
  path: '/v1/auth/password',
  summary: 'Change the password',
  description: 'Ends all other sessions of the user.',
  tag: 'Authentication',
  access: 'account',
  body: z.strictObject({ current_password: password, new_password: newPassword }),
  status: 200,
  response: z.object({ changed_at: time, sessions_ended: z.int() }),
});

export const forgotPassword = defineRoute({
  method: 'POST',
  path: '/v1/auth/password/forgot',
  summary: 'Ask for a new password',
  description:
    'Mails a link that is good once, for an hour, three of them at the most. The answer is the same whether there is such a user or not. Where the server sends no mails, its operator helps: hati admin reset-password.',
  tag: 'Authentication',
  access: 'public',
  body: z.strictObject({ email }),
  status: 202,
  response: z.object({
    mail: z.enum(['unknown', 'off']).describe('off: this server sends no mails'),
  }),
});

export const resetPassword = defineRoute({
  method: 'POST',
  path: '/v1/auth/password/reset',
  summary: 'Choose a new password',
  description: 'With the token of the mail. Ends all sessions of the user; a second factor stays.',
  tag: 'Authentication',
  access: 'public',
  body: z.strictObject({
    token: z
      .string()
      .regex(/^prt_[A-Za-z0-9_-]{43}$/)
      .meta({
        description: "What stands behind the # of the mail's link",
        examples: ['prt_0a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8s9T0uV'],
      }),
    new_password: newPassword,
  }),
  status: 200,
  response: z.object({ changed_at: time, sessions_ended: z.int() }),
  errors: [401],
});

export const beginTotp = defineRoute({
  method: 'POST',
  path: '/v1/auth/totp',
  summary: 'Set up a second factor',
  description: 'It counts once POST /v1/auth/totp/confirm has shown that it works.',
  tag: 'Authentication',
  access: 'account',
  status: 200,
  response: z.object({
    secret: z.string().describe('Base32. It is shown this once'),
    otpauth_uri: z.string().describe('The same for an authenticator, as a QR code'),
  }),
  errors: [409],
});

export const confirmTotp = defineRoute({
  method: 'POST',
  path: '/v1/auth/totp/confirm',
  summary: 'Confirm the second factor',
  description: 'From then on a login needs a code.',
  tag: 'Authentication',
  access: 'account',
  body: z.strictObject({ code }),
  status: 200,
  response: z.object({
    mfa_enabled: z.literal(true),
    confirmed_at: time,
    recovery_codes: recoveryCodes,
  }),
  errors: [409],
});

export const replaceRecoveryCodes = defineRoute({
  method: 'POST',
  path: '/v1/auth/totp/recovery-codes',
  summary: 'Make new recovery codes',
  description: 'Those that there were are worth nothing from then on.',
  tag: 'Authentication',
  access: 'account',
  body: z.strictObject({ password, code: anyCode }),
  status: 200,
  response: z.object({ recovery_codes: recoveryCodes }),
  errors: [409],
});

export const disableTotp = defineRoute({
  method: 'DELETE',
  path: '/v1/auth/totp',
  summary: 'Remove the second factor',
  tag: 'Authentication',
  access: 'account',
  body: z.strictObject({ password, code: anyCode }),
  status: 200,
  response: z.object({ mfa_enabled: z.literal(false) }),
  errors: [409, 413, 415],
});

export const readKeySet = defineRoute({
  method: 'GET',
  path: '/.well-known/jwks.json',
  summary: 'The public keys of access tokens',
  description: 'Those that sign, and those that have signed what is still good.',
  tag: 'Authentication',
  access: 'public',
  status: 200,
  response: z.object({
    keys: z.array(
      z.object({
        kty: z.literal('RSA'),
        use: z.literal('sig'),
        alg: z.literal('RS256'),
        kid: z.string(),
        n: z.string(),
        e: z.string(),
      }),
    ),
  }),
});

const health = z.object({ status: z.literal('ok'), version: text(100) });

export const readHealth = defineRoute({
  method: 'GET',
  path: '/health',
  summary: 'Is it up',
  tag: 'Service',
  access: 'public',
  status: 200,
  response: health,
});

export const checkHealth = defineRoute({
  method: 'GET',
  path: '/v1/health',
  summary: 'Is it up, and is the credential good',
  tag: 'Service',
  access: 'authenticated',
  status: 200,
  response: health,
});
