import type { ErrorDefinition } from './definition.ts';

/** Requests to the control plane that are not as they have to be, whatever they are for. */
export const httpErrors = {
  request_invalid: {
    sqlstate: '22023',
    http: 400,
    blame: 'client',
    text: '{message}',
  },
  route_unknown: {
    sqlstate: '42704',
    http: 404,
    blame: 'client',
    text: 'there is no {method} {path}',
    hint: 'GET /v1/openapi.json lists what there is.',
  },
  method_unknown: {
    sqlstate: '42704',
    http: 405,
    blame: 'client',
    text: '{path} is not for {method}',
    hint: 'The header Allow says what it is for.',
  },
  body_too_large: {
    sqlstate: '54000',
    http: 413,
    blame: 'client',
    text: 'the body has more than {limit} bytes',
  },
  media_type_unknown: {
    sqlstate: '22023',
    http: 415,
    blame: 'client',
    text: 'the body must be application/json, in UTF-8 and not compressed',
  },
  rate_limited: {
    sqlstate: '53400',
    http: 429,
    blame: 'client',
    text: 'too many requests; try again in {seconds} s',
  },
  request_malformed: {
    sqlstate: '08P01',
    http: 400,
    blame: 'client',
    text: 'this is not a request of HTTP/1.1 ({reason})',
    hint: 'Is it a client of PostgreSQL, or TLS where there is none? This port speaks HTTP.',
  },
  headers_too_long: {
    sqlstate: '54000',
    http: 431,
    blame: 'client',
    text: 'the request line and the headers together have more than {limit} bytes',
  },
  request_timeout: {
    sqlstate: '57014',
    http: 408,
    blame: 'client',
    text: 'the request did not arrive within {seconds} s',
  },
} as const satisfies Record<string, ErrorDefinition>;
