import type { z, ZodObject, ZodType } from 'zod';
import type { Permission } from './permissions.ts';

/**
 * A route is a value: what it takes, what it gives, who may use it. The server, the checks of its input, the types of its handler and
 * the OpenAPI document are all made from it.
 */
export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** With `{name}` for each parameter. `{org_id}` and `{env_id}` say where the permission must hold. */
  readonly path: `/${string}`;
  /** One line for the reference. */
  readonly summary: string;
  readonly description?: string;
  readonly tag: Tag;
  readonly access: Access;
  readonly params?: ZodObject;
  readonly query?: ZodObject;
  readonly body?: ZodObject;
  /** All fields of the body may be left out, and so may the body. */
  readonly hasOptionalBody?: true;
  /** The body may be called text/plain, as `fetch` does where it is not told. */
  readonly takesPlainText?: true;
  /** What it answers when all is well. */
  readonly status: 200 | 201 | 202 | 302;
  readonly response: ZodType;
  /** It may also send a browser on (302). */
  readonly redirects?: true;
  /** It makes something: with an Idempotency-Key it can be sent again. */
  readonly creates?: true;
  /** Statuses of the error envelope beside those that every route has. */
  readonly errors?: readonly number[];
}

/** In the order of the reference. */
export const tags = {
  Authentication: 'Logging in, tokens, passwords, second factors',
  'Single sign-on': 'Logging in at the provider of an organization, by OpenID Connect',
  Organizations: 'Whom everything belongs to',
  Users: 'Who is in an organization, and what he may do',
  Environments: 'Each with an engine, keys and settings of its own',
  'API keys': 'For programs: over REST, and as the password on the wire',
  Webhooks: 'Being told of what happens',
  Audit: 'What was done, and by whom',
  Service: 'The server itself',
} as const;

export type Tag = keyof typeof tags;

export type Access =
  /** Whoever asks; no credential is looked at. */
  | 'public'
  /** Anybody with a good credential. */
  | 'authenticated'
  /** A user that has logged in; not a key. */
  | 'user'
  /** One whose login was by the account's own password: what this changes counts in other organizations as well. */
  | 'account'
  | Permission;

/** Keeps the precise type. */
export function defineRoute<const R extends Route>(route: R): R {
  return route;
}

type Parsed<T> = T extends ZodType ? z.output<T> : undefined;

export type ParamsOf<R extends Route> = Parsed<R['params']>;
export type QueryOf<R extends Route> = Parsed<R['query']>;
export type BodyOf<R extends Route> = Parsed<R['body']>;
export type ReplyOf<R extends Route> = z.input<R['response']>;
