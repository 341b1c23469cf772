import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { LookupFunction } from 'node:net';
import { refuseLiteral } from './targets.ts';

export interface Message {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What came of it. `status` is undefined where there was no answer, or not all of it in time. */
export interface Outcome {
  readonly status: number | undefined;
  readonly error: string | undefined;
}

export interface SendOptions {
  /** For everything together: name, connection, TLS, answer. */
  readonly limitMs: number;
  /** Checks where it goes; undefined: it may go anywhere. */
  readonly lookup: LookupFunction | undefined;
  /** Whoever sends is stopping. */
  readonly signal: AbortSignal;
}

const longestAnswer = 64 * 1024;
const longestError = 300;

/** One try. Never rejects. Each has a connection of its own: its address is looked at anew. Redirects are not followed. */
export async function send(
  { url, headers, body }: Message,
  { limitMs, lookup, signal }: SendOptions,
): Promise<Outcome> {
  const limit = AbortSignal.timeout(limitMs);
  try {
    const target = new URL(url);
    if (lookup !== undefined) refuseLiteral(target);
    const status = await new Promise<number>((resolve, reject) => {
      const request = (target.protocol === 'https:' ? httpsRequest : httpRequest)(target, {
        method: 'POST',
        headers: { ...headers, 'content-length': String(Buffer.byteLength(body)) },
        agent: false,
        signal: AbortSignal.any([limit, signal]),
        ...(lookup && { lookup }),
      });
      request.on('error', reject);
      // Whatever else ends it (an answer of 101) ends it too.
      request.on('close', () => reject(new Error('the connection was closed')));
      request.on('response', (response) => {
        const done = (): void => resolve(response.statusCode!);
        let read = 0;
        response.on('data', (chunk: Buffer) => {
          read += chunk.length;
          if (read <= longestAnswer) return;
          done();
          response.destroy();
        });
        response.on('end', done);
        response.on('error', reject);
      });
      request.end(body);
    });
    const isGood = status >= 200 && status < 300;
    return { status, error: isGood ? undefined : `the answer was ${status}` };
  } catch (error) {
    return {
      status: undefined,
      error: limit.aborted ? `no answer within ${limitMs / 1_000} s` : reasonOf(error),
    };
  }
}

/** Several addresses that were tried are one error. */
function reasonOf(error: unknown): string {
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error;
  return (first instanceof Error ? first.message : String(first)).slice(0, longestError);
}
