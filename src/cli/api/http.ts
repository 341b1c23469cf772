import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { text } from 'node:stream/consumers';
import { packageVersion } from '../../shared/version.ts';
import { CommandError } from '../context.ts';

export interface Server {
  /** Without a slash at its end. */
  readonly url: string;
  /** The one certificate that may answer; without it, any that this machine trusts and that has the server's name. */
  readonly certificate?: Buffer;
}

export interface HttpRequest {
  readonly method: string;
  /** From `/v1` on. */
  readonly path: string;
  /** An access token or an API key. */
  readonly credential?: string | undefined;
  readonly body?: unknown;
}

export interface HttpAnswer {
  readonly status: number;
  readonly retryAfterSeconds: number | undefined;
  /** Parsed; undefined where it is not JSON. */
  readonly body: unknown;
}

const timeoutMs = 60_000;

/** Follows no redirect: a credential is for the server that the user named. */
export async function send(server: Server, asked: HttpRequest): Promise<HttpAnswer> {
  const { method, path, credential, body } = asked;
  const url = new URL(server.url + path);
  const request = url.protocol === 'https:' ? requestHttps : requestHttp;
  const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
  const sent = request(
    url,
    {
      method,
      // A command that has its answer must not wait for a connection that is kept.
      agent: false,
      timeout: timeoutMs,
      headers: {
        accept: 'application/json',
        'user-agent': `hati/${packageVersion()}`,
        ...(credential !== undefined && { authorization: `Bearer ${credential}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      // As in client.ts: our own listener is reached by a loopback address, which its certificate need not name.
      ...(server.certificate !== undefined && {
        ca: server.certificate,
        allowPartialTrustChain: true,
        checkServerIdentity: () => undefined,
      }),
    },
    (response) => {
      text(response).then((received) => {
        const retryAfter = Number(response.headers['retry-after']);
        resolve({
          status: response.statusCode!,
          retryAfterSeconds: Number.isFinite(retryAfter) ? retryAfter : undefined,
          body: parse(received),
        });
      }, reject);
    },
  );
  sent.once('error', reject);
  sent.once('timeout', () => sent.destroy(new Error(`no answer within ${timeoutMs / 1_000} s`)));
  sent.end(body === undefined ? undefined : JSON.stringify(body));
  try {
    return await promise;
  } catch (error) {
    throw new CommandError(
      `The control plane at ${server.url} cannot be reached: ${reasonOf(error)}. Is that where it is (--url, HATIDATA_API_URL), and does it run?`,
      { cause: error },
    );
  }
}

function parse(received: string): unknown {
  try {
    return JSON.parse(received);
  } catch {
    return undefined;
  }
}

/** Of `localhost` there are several addresses, and one error for each. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(reasonOf).join(', ');
  return error instanceof Error ? error.message : String(error);
}
