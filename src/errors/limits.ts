import type { ErrorDefinition } from './definition.ts';

/** Limits of connections and of time. */
export const limitErrors = {
  too_many_logins: {
    sqlstate: '53300',
    http: 429,
    blame: 'client',
    text: 'too many logins from this address are waiting to be checked; try again shortly',
  },
  idle_batch: {
    sqlstate: '25P03',
    http: 408,
    blame: 'client',
    text: 'terminating connection because a batch was left without Sync for too long',
    hint: 'The limit is idle_in_transaction_session_timeout.',
  },
  too_many_arriving: {
    sqlstate: '53300',
    http: 503,
    blame: 'proxy',
    text: 'too many connections are waiting to log in; this one has waited longest',
    hint: 'Connect again, and send the password at once.',
  },
  too_many_connections: {
    sqlstate: '53300',
    http: 503,
    blame: 'proxy',
    text: 'the proxy has reached its limit of {limit} connections',
    hint: 'Close idle connections, or raise limits.connections. The proxies of one control store count together.',
  },
  too_many_connections_of_key: {
    sqlstate: '53300',
    http: 429,
    blame: 'client',
    text: 'agent "{agent}" has reached the limit of {limit} connections for one key',
    hint: 'Close idle connections, or raise limits.connections_per_key.',
  },
  idle_in_transaction: {
    sqlstate: '25P03',
    http: 408,
    blame: 'client',
    text: 'terminating connection: nothing was said in an open transaction for {seconds} s; it was rolled back',
    hint: 'Commit or roll back sooner, or raise limits.idle_in_transaction_seconds.',
  },
  idle_session: {
    sqlstate: '57P05',
    http: 408,
    blame: 'client',
    text: 'terminating connection: the session was idle for {seconds} s',
    hint: 'Connect again when there is something to do, or raise limits.idle_session_seconds.',
  },
  transaction_too_long: {
    sqlstate: '25P04',
    http: 408,
    blame: 'client',
    text: 'terminating connection: the transaction was open for more than {seconds} s; it was rolled back',
    hint: 'Split the transaction, or raise limits.transaction_seconds.',
  },
  statement_too_slow: {
    sqlstate: '57014',
    http: 408,
    blame: 'client',
    text: 'canceling statement: it ran for more than {seconds} s',
    hint: 'Make it do less, or raise limits.statement_seconds.',
  },
  session_too_old: {
    sqlstate: '57P01',
    http: 503,
    blame: 'proxy',
    text: 'terminating connection: the session is more than {seconds} s old',
    hint: 'Connect again. The limit is limits.session_seconds.',
  },
} as const satisfies Record<string, ErrorDefinition>;
