import type { FastifyReply, FastifyRequest } from 'fastify';
import {
  hasZodFastifySchemaValidationErrors,
  type ZodFastifySchemaValidationError,
} from 'fastify-type-provider-zod';
import { envelopeOf } from '../../api/envelope.ts';
import { HatiError } from '../../errors.ts';

interface Issue {
  readonly field: string;
  readonly constraint: string;
  readonly message: string;
}

/** What a caller is told of whatever went wrong. Only errors of ours say what it was; the others are in the log. */
export function faultOf(error: unknown, request: FastifyRequest, longestBody: number): HatiError {
  if (hasZodFastifySchemaValidationErrors(error)) {
    const issues = error.validation.map((issue) => issueOf(issue, error.validationContext));
    const [first] = issues;
    return new HatiError('request_invalid', {
      params: { message: `${first!.field}: ${first!.message}` },
      details: { field: first!.field, constraint: first!.constraint, issues },
    });
  }
  switch (codeOf(error)) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new HatiError('body_too_large', { params: { limit: longestBody } });
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new HatiError('media_type_unknown');
    case 'FST_ERR_BAD_URL':
      return new HatiError('request_invalid', {
        params: { message: 'the path is not well encoded' },
        details: { field: 'path', constraint: 'encoding' },
      });
    case 'FST_ERR_CTP_INVALID_JSON_BODY':
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
    case 'ERR_ENCODING_INVALID_ENCODED_DATA':
      return new HatiError('request_invalid', {
        params: { message: 'the body is not JSON' },
        details: { field: 'body', constraint: 'json' },
      });
    default:
      if (error instanceof HatiError) return error;
      return new HatiError('internal', { params: { reference: request.id } });
  }
}

export function sendFault(reply: FastifyReply, fault: HatiError, requestId: string, now: Date) {
  const seconds = fault.details?.['retry_after'] ?? (fault.http === 503 ? awaySeconds : undefined);
  if (typeof seconds === 'number') reply.header('retry-after', seconds);
  return reply.code(fault.http).send(envelopeOf(fault, requestId, now));
}

/** Whatever is away comes back within that as a rule, or stays away for long. */
const awaySeconds = 5;

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}

/** @param context body, querystring or params */
function issueOf(issue: ZodFastifySchemaValidationError, context: string | undefined): Issue {
  const { keys } = issue.params as { keys?: readonly string[] };
  const path = issue.instancePath.split('/').filter((each) => each !== '');
  if (issue.keyword === 'unrecognized_keys' && keys !== undefined) {
    const field = [...path, keys[0]].join('.');
    return { field, constraint: 'unknown', message: 'there is no such field' };
  }
  const field = path.join('.') || (context ?? 'body');
  return { field, constraint: issue.keyword, message: issue.message ?? 'is not valid' };
}
