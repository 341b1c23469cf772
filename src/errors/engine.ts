import type { ErrorDefinition } from './definition.ts';

/** The engine, its connections, and what else stands behind a session. */
export const engineErrors = {
  pool_exhausted: {
    sqlstate: '53300',
    http: 503,
    blame: 'proxy',
    text: 'no engine connection became free within {seconds} s: all {size} are in use',
    hint: 'Transactions that are left open, LISTEN, temporary tables and the like each keep one. Shorten them, or raise the size of the pool.',
  },
  session_not_restored: {
    sqlstate: '08006',
    http: 503,
    blame: 'engine',
    text: 'the settings of this session cannot be restored on another engine connection: {reason}',
    hint: 'Connect again.',
  },
  pinning_refused: {
    sqlstate: '0A000',
    http: 400,
    blame: 'client',
    text: 'pool.mode is "transaction", and {what} would keep an engine connection for this session',
    hint: 'Use pool.mode = "auto" or "session".',
  },
  query_canceled: {
    sqlstate: '57014',
    http: 408,
    blame: 'client',
    text: 'canceling statement due to user request',
  },
  shutting_down: {
    sqlstate: '57P01',
    http: 503,
    blame: 'proxy',
    text: 'terminating connection: the proxy is shutting down',
  },
  engine_unreachable: {
    sqlstate: '08006',
    http: 503,
    blame: 'engine',
    text: 'the database engine cannot be reached: {reason}',
  },
  environment_unavailable: {
    sqlstate: '57P03',
    http: 503,
    blame: 'proxy',
    text: 'the environment of this key cannot be used: {reason}',
  },
  engine_full: {
    sqlstate: '53300',
    http: 503,
    blame: 'engine',
    text: 'the database engine has no more connections to give: {reason}',
    hint: 'Make pool.readers and pool.writers smaller, or the limit of the engine or its role larger.',
  },
  engine_lost: {
    sqlstate: '08006',
    http: 503,
    blame: 'engine',
    text: 'the connection to the database engine was lost; the statement in flight may or may not have taken effect',
  },
  engine_settings_unsafe: {
    sqlstate: '08006',
    http: 503,
    blame: 'engine',
    text: 'the database engine reported {parameter} = {value}; the session was ended because statements could no longer be judged',
  },
  store_unreachable: {
    sqlstate: '57P03',
    http: 503,
    blame: 'store',
    text: 'the control store cannot be reached, so nothing can be decided; try again shortly',
  },
  internal: {
    sqlstate: 'XX000',
    http: 500,
    blame: 'proxy',
    text: 'internal error; the log has the details under reference {reference}',
  },
} as const satisfies Record<string, ErrorDefinition>;
