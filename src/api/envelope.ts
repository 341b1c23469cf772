import { z } from 'zod';
import type { HatiError } from '../errors.ts';

/** The names that go with a status, by which programs go, and what it means. */
export const errorKinds: Readonly<Record<number, { code: string; means: string }>> = {
  400: { code: 'VALIDATION_ERROR', means: 'something in the request is not as it must be' },
  401: { code: 'UNAUTHORIZED', means: 'there is no good credential' },
  403: { code: 'FORBIDDEN', means: 'the role, or the scopes of the key, do not allow it' },
  404: { code: 'NOT_FOUND', means: 'there is no such thing, or it belongs to somebody else' },
  405: { code: 'METHOD_NOT_ALLOWED', means: 'the path is not for this method' },
  408: { code: 'REQUEST_TIMEOUT', means: 'the request did not arrive in time' },
  409: { code: 'CONFLICT', means: 'there is one already, or its state does not allow it' },
  410: { code: 'GONE', means: 'it was there, and has ended' },
  412: { code: 'PRECONDITION_FAILED', means: 'somebody else has changed it meanwhile' },
  413: { code: 'PAYLOAD_TOO_LARGE', means: 'the body is too long' },
  415: { code: 'UNSUPPORTED_MEDIA_TYPE', means: 'the body is not JSON' },
  422: { code: 'POLICY_VIOLATION', means: 'a policy does not allow it' },
  429: { code: 'RATE_LIMITED', means: 'too many requests; Retry-After says when to try again' },
  431: { code: 'HEADERS_TOO_LONG', means: 'the request line and the headers are too long' },
  500: { code: 'INTERNAL_ERROR', means: 'a fault of the server; its log has the request_id' },
  503: { code: 'SERVICE_UNAVAILABLE', means: 'the server cannot answer now' },
};

const codes = Object.values(errorKinds).map(({ code }) => code);

export const errorEnvelope = z
  .object({
    error: z.object({
      code: z.enum(codes as [string, ...string[]]),
      message: z.string(),
      details: z
        .record(z.string(), z.unknown())
        .describe(
          'What a program can go by: `field` and `constraint` of a fault, `hint`, `reason` …',
        ),
      request_id: z.string(),
      status: z.int(),
      timestamp: z.iso.datetime(),
    }),
  })
  .meta({ id: 'Error' });

export type ErrorEnvelope = z.infer<typeof errorEnvelope>;

/** `details.reason` is the name of the fault in docs/errors.md. */
export function envelopeOf(error: HatiError, requestId: string, now: Date): ErrorEnvelope {
  const { http, code, message, hint, details } = error;
  return {
    error: {
      code: (errorKinds[http] ?? errorKinds[500]!).code,
      message,
      details: { reason: code, ...(hint !== undefined && { hint }), ...details },
      request_id: requestId,
      status: http,
      timestamp: now.toISOString(),
    },
  };
}
