import type { ErrorDefinition } from './definition.ts';

/** Messages, startup packets, features. */
export const protocolErrors = {
  protocol_violation: {
    sqlstate: '08P01',
    http: 400,
    blame: 'client',
    text: 'protocol violation: {reason}',
  },
  message_too_long: {
    sqlstate: '54000',
    http: 413,
    blame: 'client',
    text: 'a message of {bytes} bytes is over the limit of {limit}',
    hint: 'Raise limits.message_bytes.',
  },
  feature_not_supported: {
    sqlstate: '0A000',
    http: 400,
    blame: 'client',
    text: '{feature} is not supported by HatiData',
  },
  client_encoding_fixed: {
    sqlstate: '0A000',
    http: 400,
    blame: 'client',
    text: 'client_encoding must be UTF8, not {value}',
    hint: 'HatiData reads statements as UTF-8 so that what it judges is what the engine runs.',
  },
  startup_parameter_refused: {
    sqlstate: '42501',
    http: 400,
    blame: 'client',
    text: 'startup parameter {parameter} cannot be set through HatiData',
  },
  startup_value_refused: {
    sqlstate: '22023',
    http: 400,
    blame: 'client',
    text: 'the database engine refused a startup parameter: {reason}',
  },
  proxy_header_refused: {
    sqlstate: '08P01',
    http: 400,
    blame: 'client',
    text: 'the connection comes from a load balancer of proxy.trusted_proxies, and its PROXY protocol header is refused: {reason}',
    hint: 'The load balancer has to begin each connection with a header of version 2 for TCP over IPv4 or IPv6 (HAProxy: send-proxy-v2).',
  },
  startup_timeout: {
    sqlstate: '08006',
    http: 408,
    blame: 'client',
    text: 'the connection was not authenticated within {seconds} seconds',
  },
} as const satisfies Record<string, ErrorDefinition>;
