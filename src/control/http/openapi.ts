import swagger from '@fastify/swagger';
import type { FastifyInstance, FastifySchema } from 'fastify';
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod';
import { z, type ZodType } from 'zod';
import { permissions } from '../../api/permissions.ts';
import { tags, type Route } from '../../api/route.ts';
import { packageVersion } from '../../shared/version.ts';
import { answerHeaders, completed } from './openapi-completion.ts';
import type { ApiDocument } from './openapi-document.ts';
import { eventsDocument } from './openapi-events.ts';

const security = [{ token: [] }, { apiKey: [] }, { apiKeyInAuthorization: [] }];

/** The document of all routes that are added to the server after this. */
export async function addDocument(app: FastifyInstance, routes: readonly Route[]): Promise<void> {
  await app.register(swagger, {
    openapi: documentOf(packageVersion(), routes),
    transform: jsonSchemaTransform,
    transformObject: (document) => {
      // The library's types know less of a document than ours.
      const whole = jsonSchemaTransformObject(document) as unknown as ApiDocument;
      return completed(whole, routes) as unknown as ReturnType<typeof jsonSchemaTransformObject>;
    },
  });
  app.get('/v1/openapi.json', { schema: { hide: true } }, () => app.swagger());
}

/** Once all routes are there. */
export function apiDocument(app: FastifyInstance): ApiDocument {
  return app.swagger() as unknown as ApiDocument;
}

function documentOf(version: string, routes: readonly Route[]) {
  const used = new Set<string>(routes.map(({ tag }) => tag));
  return {
    openapi: '3.1.0',
    info: {
      title: 'HatiData control plane',
      version,
      description:
        'Organizations, users, environments, API keys and webhooks. Bodies are JSON, times are ISO 8601 in UTC. Every error has the envelope `Error`.',
    },
    tags: Object.entries(tags)
      .filter(([name]) => used.has(name))
      .map(([name, description]) => ({ name, description })),
    webhooks: eventsDocument(),
    components: {
      headers: answerHeaders,
      securitySchemes: {
        token: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description: 'Of POST /v1/auth/login. An API key is taken in its place',
        },
        apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
        apiKeyInAuthorization: {
          type: 'apiKey',
          in: 'header',
          name: 'Authorization',
          description: '`ApiKey` and the key',
        },
      },
    },
  } as const;
}

/** Of errors that any route may answer with. */
function statusesOf({ access, path, method, creates, errors = [] }: Route): readonly number[] {
  const statuses = new Set([400, 429, 500, 503, ...errors]);
  // An Idempotency-Key that was used for something else.
  if (creates === true) statuses.add(409);
  if (access !== 'public') for (const each of [401, 403]) statuses.add(each);
  if (path.includes('{')) statuses.add(404);
  if (method !== 'GET' && method !== 'DELETE') for (const each of [413, 415]) statuses.add(each);
  return [...statuses].toSorted((a, b) => a - b);
}

export function schemaOf(route: Route, envelope: ZodType): FastifySchema {
  const { summary, tag, status, response, params, query, body, hasOptionalBody } = route;
  const headers = headersOf(route);
  const failures = statusesOf(route).map((each) => [each, envelope] as const);
  return {
    summary,
    description: describe(route),
    tags: [tag],
    operationId: operationOf(route),
    security: route.access === 'public' ? [] : security,
    ...(params && { params }),
    // What is not named is refused.
    querystring: query ?? z.strictObject({}),
    ...(body && { body: hasOptionalBody === true ? body.nullish() : body }),
    // Loose: what is validated takes the place of all headers.
    ...(Object.keys(headers).length > 0 && { headers: z.looseObject(headers) }),
    response: {
      [status]: response,
      ...(route.redirects === true && { 302: sentOn }),
      ...Object.fromEntries(failures),
    },
  };
}

function headersOf({ creates, errors = [] }: Route) {
  return {
    ...(creates === true && { 'idempotency-key': idempotencyKey }),
    ...(errors.includes(412) && { 'if-match': ifMatch }),
  };
}

const idempotencyKey = z
  .string()
  .regex(/^[\x21-\x7e]{1,255}$/)
  .optional()
  .describe('The same one with the same request: done once, and answered alike, for 24 hours');

const ifMatch = z
  .string()
  .regex(/^(?:\*|"\d{1,9}")$/, 'must be an ETag that was sent with the resource')
  .optional()
  .describe('Its ETag: where somebody else has changed it since, nothing is done');

const sentOn = z.null().describe('The header Location says where to');

function describe({ access, description }: Route): string {
  return [description, needs(access)].filter((each) => each !== undefined).join('\n\n');
}

function needs(access: Route['access']): string {
  if (access === 'public') return 'Needs no credential.';
  if (access === 'authenticated') return 'Needs a token or an API key.';
  if (access === 'user') return 'Needs a token.';
  if (access === 'account') return 'Needs a token of a login by password, not by single sign-on.';
  const { roles, scope } = permissions[access];
  const key = scope === null ? 'Not for API keys.' : `API keys need \`${scope}\`.`;
  return `Needs the permission \`${access}\`: ${roles.join(', ')}. ${key}`;
}

/** `GET /v1/environments/{env_id}/api-keys` is `getEnvironmentsEnvIdApiKeys`; `GET /health` is not that of version 1. */
function operationOf({ method, path }: Route): string {
  const words = path
    .split(/[/.-]/)
    .filter((part) => part !== '' && part !== 'v1')
    .map((part) => part.replaceAll(/[{}]/g, '').split('_').map(capital).join(''));
  const first = path.startsWith('/v1/') ? [] : ['Unversioned'];
  return method.toLowerCase() + [...first, ...words].map(capital).join('');
}

function capital(word: string): string {
  return word.slice(0, 1).toUpperCase() + word.slice(1);
}
