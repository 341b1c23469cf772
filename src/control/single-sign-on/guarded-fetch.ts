import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { CustomFetch } from 'openid-client';
import { guardedLookup, hostOf, isLoopbackName, refuseLiteral } from '../webhooks/targets.ts';

/** It could not be asked, or gave no whole answer. */
export class ProviderAway extends Error {
  constructor(cause: unknown) {
    super('the provider cannot be reached', { cause });
    this.name = 'ProviderAway';
  }
}

const longestAnswer = 512 * 1024;
/** Of them `Response` takes no body. */
const withoutBody: ReadonlySet<number> = new Set([204, 205, 304]);

/**
 * As openid-client asks a provider. Whose provider it is also says where it is: like a webhook it may lead to public addresses only,
 * looked at when they are connected to, and no redirect is followed.
 * @param allowsPrivate `api.sso_private_issuers`
 */
export function guardedFetch(allowsPrivate: boolean): CustomFetch {
  const lookup = allowsPrivate ? undefined : guardedLookup();
  return async (address, { method, headers, body, signal }) => {
    try {
      const url = new URL(address);
      if (!allowsPrivate) refuseLiteral(url);
      if (!isEncrypted(url)) throw new Error('it is neither https nor on this machine');
      const { promise, resolve, reject } = Promise.withResolvers<Response>();
      const request = (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, {
        method,
        headers,
        // Each has a connection of its own: its address is looked at anew.
        agent: false,
        ...(signal && { signal }),
        ...(lookup && { lookup }),
      });
      request.on('error', reject);
      request.on('close', () => reject(new Error('the connection was closed')));
      request.on('response', (response) => {
        answerOf(response).then(resolve, reject);
      });
      // All that openid-client sends are forms.
      request.end(body instanceof URLSearchParams ? body.toString() : undefined);
      return await promise;
    } catch (error) {
      throw new ProviderAway(error);
    }
  };
}

/** http is for providers on this machine, where the operator allows them. */
export function isEncrypted(url: URL): boolean {
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopbackName(hostOf(url)));
}

async function answerOf(response: IncomingMessage): Promise<Response> {
  const chunks: Buffer[] = [];
  let read = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    read += chunk.length;
    if (read > longestAnswer) throw new Error(`the answer has more than ${longestAnswer} bytes`);
    chunks.push(chunk);
  }
  const status = response.statusCode!;
  const type = response.headers['content-type'];
  return new Response(withoutBody.has(status) ? null : Buffer.concat(chunks), {
    status,
    headers: { ...(type !== undefined && { 'content-type': type }) },
  });
}
