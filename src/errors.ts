/**
 * The one registry of everything that HatiData itself may say to a client.
 *
 * A client only ever sees the text of an entry here (with its `{placeholders}` filled in), or the engine's own
 * bytes. Whatever else goes wrong becomes `internal` with a reference, and the details go to the log.
 * `docs/errors.md` is compared with this table by a test, both ways.
 */

/** Which side caused it: the caller's request, a rule that refused it, us, the engine behind us, or the control store. */
export type Blame = 'client' | 'policy' | 'proxy' | 'engine' | 'store';

export interface ErrorDefinition {
  /** Five characters, from PostgreSQL's appendix A. */
  readonly sqlstate: string;
  /** What a REST caller would get for the same fault. */
  readonly http: number;
  readonly blame: Blame;
  /** Client text; `{name}` is replaced by the parameter of that name. */
  readonly text: string;
  /** The way out, where there is one that always applies. */
  readonly hint?: string;
  /** Where PostgreSQL says the same (field `R`), for drivers that look there to know that they may prepare again. */
  readonly routine?: string;
}

export const errorRegistry = {
  invalid_api_key: {
    sqlstate: '28P01',
    http: 401,
    blame: 'client',
    text: 'Authentication failed: invalid API key',
  },
  tls_required: {
    sqlstate: '28000',
    http: 403,
    blame: 'client',
    text: 'this proxy accepts connections from other machines over TLS only',
    hint: 'Connect with sslmode=require.',
  },
  readonly_scope: {
    sqlstate: '42501',
    http: 403,
    blame: 'policy',
    text: 'Permission denied: readonly scope cannot execute {verb}',
  },
  function_not_allowed: {
    sqlstate: '42501',
    http: 403,
    blame: 'policy',
    text: 'Permission denied: {who} cannot call function {function}',
  },
  type_not_allowed: {
    sqlstate: '42501',
    http: 403,
    blame: 'policy',
    text: 'Permission denied: {who} cannot convert to type {type}',
  },
  relation_not_allowed: {
    sqlstate: '42501',
    http: 403,
    blame: 'policy',
    text: 'Permission denied: {who} cannot read {relation}',
  },
  setting_not_allowed: {
    sqlstate: '42501',
    http: 403,
    blame: 'policy',
    text: 'Permission denied: setting {setting} cannot be changed through HatiData',
  },
  setting_not_readable: {
    sqlstate: '42501',
    http: 403,
    blame: 'policy',
    text: 'Permission denied: {who} cannot read setting {setting}',
  },
  setting_value_not_allowed: {
    sqlstate: '42501',
    http: 403,
    blame: 'policy',
    text: 'Permission denied: setting {setting} cannot be set to {value}',
  },
  never_allowed: {
    sqlstate: '42501',
    http: 403,
    blame: 'policy',
    text: 'Permission denied: {verb} is not available through HatiData',
  },
  view_unreadable: {
    sqlstate: '42501',
    http: 403,
    blame: 'policy',
    text: 'Permission denied: the definition of view {relation} could not be read',
    hint: 'Connect with a key of the admin scope, or define the view anew.',
  },
  scope_missing: {
    sqlstate: '42501',
    http: 403,
    blame: 'policy',
    text: 'Permission denied: {what} needs the scope {scope}',
    hint: 'Connect with a key that has it; see docs/scopes.md.',
  },
  relation_beyond_limits: {
    sqlstate: '42501',
    http: 403,
    blame: 'policy',
    text: 'Permission denied: {relation} is outside the limits of this key',
  },
  beyond_limits: {
    sqlstate: '42501',
    http: 403,
    blame: 'policy',
    text: 'Permission denied: {verb} is not for a key limited to {limits}',
    hint: 'Use a key without limits.',
  },
  syntax_error: {
    sqlstate: '42601',
    http: 400,
    blame: 'client',
    text: '{message}',
  },
  invalid_utf8: {
    sqlstate: '22021',
    http: 400,
    blame: 'client',
    text: 'the statement is not valid UTF-8',
    hint: 'HatiData reads and sends statements as UTF-8 only.',
  },
  statement_too_complex: {
    sqlstate: '54001',
    http: 400,
    blame: 'client',
    text: 'the statement is nested too deeply or is too large to be judged: {reason}',
    hint: 'Pass large values as parameters, or split the statement.',
  },
  statement_too_long: {
    sqlstate: '54000',
    http: 400,
    blame: 'client',
    text: 'the statement has {bytes} bytes; the limit is {limit}',
    hint: 'Raise limits.statement_bytes, or load data with COPY.',
  },
  parser_unavailable: {
    sqlstate: '57P03',
    http: 503,
    blame: 'proxy',
    text: 'the statement could not be judged in time, so it was not run; try again',
  },
  answer_too_large: {
    sqlstate: '54000',
    http: 413,
    blame: 'client',
    text: 'the answer has more than {limit} bytes',
    hint: 'Ask for fewer rows or columns.',
  },
  statement_name_too_long: {
    sqlstate: '42622',
    http: 400,
    blame: 'client',
    text: 'the name of the prepared statement "{name}…" has more than {limit} bytes',
  },
  prepared_statement_forgotten: {
    sqlstate: '26000',
    http: 400,
    blame: 'client',
    text: 'prepared statement "{name}" has to be prepared again: the session holds too many, and objects or the search path have changed since',
    hint: 'Close those that are no longer used.',
  },
  system_statement_shape: {
    sqlstate: '0A000',
    http: 400,
    blame: 'client',
    text: '{what} cannot be used in this way',
  },
  key_name_taken: {
    sqlstate: '42710',
    http: 409,
    blame: 'client',
    text: 'agent "{agent}" already has an active key',
    hint: 'Use rotate_api_key to replace it, or revoke_api_key to end it.',
  },
  key_unknown: {
    sqlstate: '42704',
    http: 404,
    blame: 'client',
    text: 'agent "{agent}" has no active key',
    hint: 'SELECT agent_id FROM _hatidata_keys.active_keys lists the agents that have one.',
  },
  key_stronger: {
    sqlstate: '42501',
    http: 403,
    blame: 'policy',
    text: 'Permission denied: the key of agent "{agent}" may do more than this key',
    hint: 'A key makes, replaces and ends only keys whose scopes, limits and functions lie within its own.',
  },
  scope_unknown: {
    sqlstate: '22023',
    http: 400,
    blame: 'client',
    text: 'unknown scope "{scope}"',
    hint: 'The scopes are readonly, admin, or a list such as query:read,schema:*; see docs/scopes.md.',
  },
  agent_name_invalid: {
    sqlstate: '22023',
    http: 400,
    blame: 'client',
    text: 'the agent name must have 1 to 63 characters, none of them invisible, and must not be an API key or local-administrator',
  },
  argument_invalid: {
    sqlstate: '22023',
    http: 400,
    blame: 'client',
    text: '{message}',
  },
  prepared_statement_exists: {
    sqlstate: '42P05',
    http: 409,
    blame: 'client',
    text: 'prepared statement "{name}" already exists',
  },
  prepared_statement_unknown: {
    sqlstate: '26000',
    http: 400,
    blame: 'client',
    text: 'prepared statement "{name}" does not exist',
    routine: 'FetchPreparedStatement',
  },
  prepared_result_changed: {
    sqlstate: '0A000',
    http: 409,
    blame: 'client',
    text: 'cached plan must not change result type',
    hint: 'Prepare the statement again.',
    routine: 'RevalidateCachedQuery',
  },
  prepared_under_others: {
    sqlstate: '0A000',
    http: 409,
    blame: 'client',
    text: 'cached plan must not change result type: the settings that the statement was prepared under, or those in force now, are not known',
    hint: 'Prepare the statement again.',
    routine: 'RevalidateCachedQuery',
  },
  unnamed_statement_unknown: {
    sqlstate: '26000',
    http: 400,
    blame: 'client',
    text: 'unnamed prepared statement does not exist',
  },
  portal_exists: {
    sqlstate: '42P03',
    http: 409,
    blame: 'client',
    text: 'portal "{name}" already exists',
  },
  portal_unknown: {
    sqlstate: '34000',
    http: 400,
    blame: 'client',
    text: 'portal "{name}" does not exist',
  },
  transaction_aborted: {
    sqlstate: '25P02',
    http: 409,
    blame: 'client',
    text: 'current transaction is aborted, commands ignored until end of transaction block',
  },
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
  startup_timeout: {
    sqlstate: '08006',
    http: 408,
    blame: 'client',
    text: 'the connection was not authenticated within {seconds} seconds',
  },
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
  prepared_too_many: {
    sqlstate: '53400',
    http: 429,
    blame: 'client',
    text: 'this session has too many prepared statements: at most {count}, or {bytes} bytes of text',
    hint: 'Close those that are no longer used.',
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

export type ErrorCode = keyof typeof errorRegistry;

export interface HatiErrorOptions {
  /** Values for the `{placeholders}` of the text. */
  readonly params?: Readonly<Record<string, string | number>>;
  /** Shown to the client as DETAIL. */
  readonly detail?: string;
  /** Overrides the registry's hint. */
  readonly hint?: string;
  /** 1-based character position in the statement, as in ErrorResponse field `P`. */
  readonly position?: number;
  /** For the log only. */
  readonly cause?: unknown;
}

/** The only kind of error whose text may reach a client. */
export class HatiError extends Error {
  readonly code: ErrorCode;
  readonly sqlstate: string;
  readonly blame: Blame;
  readonly detail: string | undefined;
  readonly hint: string | undefined;
  readonly routine: string | undefined;
  readonly position: number | undefined;

  constructor(code: ErrorCode, options: HatiErrorOptions = {}) {
    const definition: ErrorDefinition = errorRegistry[code];
    super(fillIn(definition.text, options.params ?? {}), { cause: options.cause });
    this.name = 'HatiError';
    this.code = code;
    this.sqlstate = definition.sqlstate;
    this.blame = definition.blame;
    this.detail = options.detail;
    this.hint = options.hint ?? definition.hint;
    this.routine = definition.routine;
    this.position = options.position;
  }
}

function fillIn(text: string, params: Readonly<Record<string, string | number>>): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(params[name] ?? whole));
}
