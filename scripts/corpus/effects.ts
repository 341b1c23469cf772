/** What a statement has done to its transaction and session, as far as PostgreSQL shows it. */

export const guards: Readonly<Record<string, string>> = {
  default_transaction_read_only: 'on',
  row_security: 'on',
  session_replication_role: 'origin',
  client_encoding: 'UTF8',
  standard_conforming_strings: 'on',
};

/** Every name is qualified and operators are left out: the session's search_path is the corpus's. */
export const effectsSql = `
  SELECT pg_catalog.json_build_object(
    'xid', pg_catalog.pg_current_xact_id_if_assigned()::pg_catalog.text,
    'readOnly', pg_catalog.current_setting('transaction_read_only'),
    'users', pg_catalog.json_build_array(session_user, current_user),
    'timeout', pg_catalog.current_setting('statement_timeout'),
    'guards', pg_catalog.json_build_array(${Object.keys(guards)
      .map((name) => `pg_catalog.current_setting('${name}')`)
      .join(', ')}),
    'listening', (SELECT pg_catalog.count(*) FROM pg_catalog.pg_listening_channels()),
    'locks', (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(locktype, mode))
                FROM pg_catalog.pg_locks WHERE pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid()))`;

interface State {
  readonly xid: string | null;
  readonly readOnly: string;
  readonly users: readonly [string, string];
  readonly timeout: string;
  readonly guards: readonly string[];
  readonly listening: number;
  readonly locks: readonly (readonly [type: string, mode: string])[] | null;
}

export interface Expected {
  readonly user: string;
  readonly mode: 'READ ONLY' | 'READ WRITE';
}

/** @param json what `effectsSql` returned, after the statement and in its transaction. */
export function effectsIn(json: string, { user, mode }: Expected): readonly string[] {
  const state = JSON.parse(json) as State;
  const found: string[] = [];
  if (state.xid !== null) found.push('a transaction id was assigned');
  if (mode === 'READ ONLY' && state.readOnly !== 'on') found.push('transaction_read_only is off');
  if (state.users.some((name) => name !== user)) found.push('the role was changed');
  if (isUnbounded(state.timeout)) found.push(`statement_timeout is ${state.timeout}`);
  for (const [index, [name, value]] of Object.entries(guards).entries()) {
    const actual = state.guards[index];
    if (actual !== value) found.push(`${name} is ${actual}`);
  }
  if (state.listening > 0) found.push('listens to a channel');
  return [...found, ...new Set((state.locks ?? []).flatMap(lockEffect))];
}

/** What a SELECT holds; under SERIALIZABLE it leaves marks besides, for which nobody waits. */
const readersLocks: ReadonlySet<string> = new Set(['AccessShareLock', 'SIReadLock']);

function lockEffect([type, mode]: readonly [string, string]): string[] {
  if (type === 'advisory') return ['an advisory lock was taken'];
  const isHeld = type === 'relation' || type === 'tuple' || type === 'object';
  return isHeld && !readersLocks.has(mode) ? [`${mode} on a ${type}`] : [];
}

/** Over the hour that a readonly key may ask for. */
function isUnbounded(timeout: string): boolean {
  const [, amount = '', unit = ''] = /^(\d+)(\w*)$/.exec(timeout) ?? [];
  const seconds: Readonly<Record<string, number>> = {
    ms: 0.001,
    s: 1,
    min: 60,
    h: 3600,
    d: 86_400,
  };
  const value = Number(amount) * (seconds[unit] ?? 0);
  return value === 0 || value > 3600;
}
