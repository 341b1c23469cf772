import type { FastifyInstance, FastifyRequest } from 'fastify';
import { HatiError } from '../../errors.ts';

/** Of a route, for Fastify. */
export interface BodyRules {
  readonly takesPlainText: boolean;
}

type Done = (error: Error | null, body?: unknown) => void;

/**
 * Bodies are JSON and nothing else. Many clients say of every request that it is JSON: where there is no body, it is none. Some say
 * nothing, which `fetch` makes text/plain: a few routes take that as JSON too.
 */
export function acceptJson(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  const parse = app.getDefaultJsonParser('error', 'error');
  const asJson = (request: FastifyRequest, body: Buffer, done: Done): void => {
    if (!isPlainUtf8(request)) return done(new HatiError('media_type_unknown'));
    let text;
    try {
      text = utf8.decode(body);
    } catch (error) {
      return done(error as Error);
    }
    if (text === '') done(null);
    else void parse(request, text, done);
  };
  const asBytes = { parseAs: 'buffer' } as const;
  app.addContentTypeParser('application/json', asBytes, (request, body, done) =>
    asJson(request, body as Buffer, done),
  );
  app.addContentTypeParser('text/plain', asBytes, (request, body, done) => {
    const { takesPlainText } = request.routeOptions.config as Partial<BodyRules>;
    if (takesPlainText === true) asJson(request, body as Buffer, done);
    else done(new HatiError('media_type_unknown'));
  });
}

/** Throws where others put U+FFFD in place of what is none. */
const utf8 = new TextDecoder('utf-8', { fatal: true });

function isPlainUtf8({ headers }: FastifyRequest): boolean {
  const { 'content-type': type = '', 'content-encoding': encoding = 'identity' } = headers;
  const charset = /;\s*charset\s*=\s*"?([^\s;"]*)/i.exec(type)?.[1] ?? 'utf-8';
  return encoding.toLowerCase() === 'identity' && charset.toLowerCase() === 'utf-8';
}
