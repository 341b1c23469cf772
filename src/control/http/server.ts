import { createServer, maxHeaderSize } from 'node:http';
import type { AddressInfo } from 'node:net';
import helmet from '@fastify/helmet';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import type { Kysely } from 'kysely';
import { errorEnvelope } from '../../api/envelope.ts';
import type { Route } from '../../api/route.ts';
import type { Tier } from '../../api/tiers.ts';
import type { ControlSchema } from '../../database/schema.ts';
import { HatiError } from '../../errors.ts';
import type { Clock } from '../../shared/clock.ts';
import { newId } from '../../shared/ids.ts';
import type { Logger } from '../../shared/log.ts';
import type { Act, ActOrigin, Acts } from '../act.ts';
import { idOf, type Caller } from '../caller.ts';
import type { Once } from '../once.ts';
import { callerOf, type Authenticators } from './authenticate.ts';
import type { Binding, Call } from './binding.ts';
import { acceptJson, type BodyRules } from './bodies.ts';
import { faultOf, sendFault } from './faults.ts';
import { refuseWithoutHost } from './malformed.ts';
import { RateLimits } from './rate-limits.ts';
import { HttpSockets, type HttpsCertificate } from './sockets.ts';
import { addDocument, apiDocument, schemaOf } from './openapi.ts';
import { addPage, type Page } from './pages.ts';
import { placeFor } from './place.ts';
import { referencePage, referencePath } from './reference/page.ts';
import { sourceOf } from './source.ts';
import { refuseUnknownRoute } from './unknown-route.ts';

export interface ControlServerParts {
  readonly db: Kysely<ControlSchema>;
  readonly acts: Acts;
  readonly once: Once;
  readonly authenticators: Authenticators;
  readonly bindings: readonly Binding[];
  readonly pages: readonly Page[];
  /** Undefined: there is no TLS. */
  readonly certificate: HttpsCertificate | undefined;
  /** Networks whose X-Forwarded-For is believed. */
  readonly trustedProxies: readonly string[];
  readonly clock: Clock;
  readonly log: Logger;
}

/** Bytes of a body. */
const longestBody = 256 * 1024;

interface Context {
  readonly begunAt: number;
  /** As `sourceOf`. */
  readonly source: string;
  caller: Caller | undefined;
}

/**
 * The control plane over HTTP. The way of a request: who is it → is there an allowance left → may he do this there → is it well formed →
 * the handler → the answer, or the one envelope that all errors have.
 */
export class ControlServer {
  private readonly parts: ControlServerParts;
  private readonly limits: RateLimits;
  private readonly app: FastifyInstance;
  private readonly contexts = new WeakMap<FastifyRequest, Context>();
  private sockets!: HttpSockets;

  constructor(parts: ControlServerParts) {
    this.parts = parts;
    this.limits = new RateLimits(() => parts.clock().getTime());
    this.app = Fastify({
      serverFactory: (handler) => {
        this.sockets = new HttpSockets(handler, parts.certificate, parts.clock);
        // Nobody listens on it: the sockets come from outside.
        return createServer(handler);
      },
      logger: false,
      bodyLimit: longestBody,
      // As long as Node lets a path be: an id that is too long is not there, like others.
      routerOptions: { maxParamLength: maxHeaderSize },
      // Before there is a route, and so without what the hooks do.
      frameworkErrors: (error, request, reply) => {
        this.begin(request, reply);
        void sendFault(reply, faultOf(error, request, longestBody), request.id, parts.clock());
      },
      genReqId: () => newId('req_'),
      return503OnClosing: true,
    });
  }

  /** Before anything else. */
  async prepare(): Promise<void> {
    const { app } = this;
    app.setValidatorCompiler(validatorCompiler);
    app.setSerializerCompiler(serializerCompiler);
    acceptJson(app);
    const routes = this.parts.bindings.map(({ route }) => route);
    await app.register(helmet, { contentSecurityPolicy: contentPolicy });
    app.addHook('onRequest', (request, reply, done) => {
      this.begin(request, reply);
      refuseWithoutHost(request.raw);
      done();
    });
    app.addHook('onResponse', (request, reply, done) => {
      this.note(request, reply);
      done();
    });
    await addDocument(app, routes);
    // Before Fastify has rules of its own for what some methods must bring along.
    app.addHook('onRequest', (request, reply, done) => {
      if (request.is404) refuseUnknownRoute(routes, request, reply);
      done();
    });
    app.setErrorHandler((error, request, reply) => {
      const fault = faultOf(error, request, longestBody);
      if (fault.http >= 500)
        this.parts.log.error({ err: error, requestId: request.id }, 'a request failed');
      return sendFault(reply, fault, request.id, this.parts.clock());
    });
    for (const binding of this.parts.bindings) this.add(binding);
    for (const page of this.parts.pages) addPage(app, page.path, () => page);
    addPage(app, referencePath, () => referencePage(apiDocument(app)));
    app.get('/', { schema: { hide: true } }, (_request, reply) =>
      reply.redirect(referencePath.slice(1)),
    );
    await app.ready();
  }

  /** As `HttpSockets.listen`. */
  listen(socket: object): Promise<AddressInfo> {
    return this.sockets.listen(socket);
  }

  /** Requests that are under way are answered. */
  async close(): Promise<void> {
    await this.sockets.close();
    await this.app.close();
  }

  private add({ route, handle }: Binding): void {
    this.app.route({
      method: route.method,
      url: route.path.replaceAll(/\{(\w+)\}/g, ':$1'),
      schema: schemaOf(route, errorEnvelope),
      config: { takesPlainText: route.takesPlainText === true } satisfies BodyRules,
      onRequest: async (request, reply) => this.admit(route, request, reply),
      handler: async (request, reply) => {
        const outcome = await this.run(route, handle, request, reply);
        if ('location' in outcome)
          return reply.headers({ ...outcome.headers }).redirect(outcome.location);
        const { body, version, headers } = outcome;
        if (version !== undefined) reply.header('etag', `"${version}"`);
        return reply
          .headers({ ...headers })
          .code(route.status)
          .send(body);
      },
    });
  }

  private begin(request: FastifyRequest, reply: FastifyReply): void {
    const source = sourceOf(request.raw, this.parts.trustedProxies);
    this.contexts.set(request, { begunAt: performance.now(), source, caller: undefined });
    reply.header('x-request-id', request.id).header('cache-control', 'no-store');
  }

  private async admit(route: Route, request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const context = this.contexts.get(request)!;
    if (route.access === 'public') {
      // Each has an allowance of its own, so that probes of health take nothing from logins.
      this.throttle(`address:${context.source} ${route.path}`, 'free', reply);
      return;
    }
    const caller = await this.identify(request, reply, context.source);
    context.caller = caller;
    this.throttle(idOf(caller), caller.tier, reply);
    const params = request.params as Record<string, string>;
    await placeFor(this.parts.db, route, params, caller);
  }

  /** Whoever tries credentials has an allowance by where he is. */
  private async identify(
    request: FastifyRequest,
    reply: FastifyReply,
    source: string,
  ): Promise<Caller> {
    try {
      return await callerOf(request.raw.headersDistinct, source, this.parts.authenticators);
    } catch (error) {
      if (error instanceof HatiError && error.http === 401) {
        this.throttle(`address:${source}`, 'free', reply);
        reply.header('www-authenticate', 'Bearer realm="hatidata"');
      }
      throw error;
    }
  }

  private throttle(caller: string, tier: Tier, reply: FastifyReply): void {
    const { limit, remaining, resetAt, retryAfter } = this.limits.take(caller, tier);
    reply.headers({
      'x-ratelimit-limit': limit,
      'x-ratelimit-remaining': remaining,
      'x-ratelimit-reset': resetAt,
    });
    if (retryAfter === 0) return;
    reply.header('retry-after', retryAfter);
    throw new HatiError('rate_limited', { params: { seconds: retryAfter } });
  }

  private async run(
    route: Route,
    handle: Binding['handle'],
    request: FastifyRequest,
    reply: FastifyReply,
  ): ReturnType<Binding['handle']> {
    const { caller, source } = this.contexts.get(request)!;
    const { acts, once } = this.parts;
    const origin: ActOrigin = {
      actor: caller === undefined ? 'anonymous' : idOf(caller),
      actorKeyId: caller?.kind === 'key' ? caller.keyId : null,
      source,
      requestId: request.id,
    };
    const again = route.creates === true ? repeatable(request, origin) : undefined;
    const params = request.params as Record<string, string>;
    const change: Call<Route>['change'] = async (work) => {
      // Once more: nothing that was begun is done after who began it was removed, or his key revoked.
      const allowedWork = async (act: Act) => {
        const place =
          caller === undefined ? {} : await placeFor(act.tx, route, params, caller, act.now);
        return await work(act, place);
      };
      if (again === undefined) return acts.run(origin, allowedWork);
      const { answer, isReplay } = await once.run(origin, again, allowedWork);
      if (isReplay) reply.header('idempotent-replayed', 'true');
      return answer;
    };
    const call = {
      params: request.params,
      query: request.query,
      body: request.body,
      caller,
      source,
      userAgent: request.headers['user-agent']?.slice(0, longestUserAgent),
      cookie: request.headers.cookie,
      ifVersion: versionIn(request.headers['if-match']),
      change,
    } as unknown as Call<Route>;
    return await handle(call);
  }

  /** One line for each request, without what could be a secret. */
  private note(request: FastifyRequest, reply: FastifyReply): void {
    const { begunAt, caller, source } = this.contexts.get(request)!;
    this.parts.log.debug(
      {
        requestId: request.id,
        method: request.method,
        route: request.routeOptions.url,
        status: reply.statusCode,
        ms: Math.round(performance.now() - begunAt),
        caller: caller && idOf(caller),
        source,
      },
      'request',
    );
  }
}

const longestUserAgent = 200;

/** Of JSON; pages have policies of their own. */
const contentPolicy = {
  useDefaults: false,
  directives: { 'default-src': ["'none'"], 'frame-ancestors': ["'none'"] },
};

function repeatable(request: FastifyRequest, origin: ActOrigin) {
  const key = request.headers['idempotency-key'];
  if (typeof key !== 'string') return undefined;
  const who = origin.actor === 'anonymous' ? `address:${origin.source}` : origin.actor;
  const body = JSON.stringify(request.body ?? null);
  return { caller: who, key, request: `${request.method} ${request.url}\n${body}` };
}

/** Of one that the route has checked. */
function versionIn(header: string | undefined): number | undefined {
  return header === undefined || header === '*' ? undefined : Number(header.slice(1, -1));
}
