/**
 * What the grammar alone says of a text, told apart from what our classifier says of it: this side of the comparison
 * must not share its mistakes. So it has a walk of its own and knows few things.
 */
import type { RawStmt } from '@pgsql/types';

export interface Shape {
  /** The grammar's names of the statements: SelectStmt … */
  readonly tops: readonly string[];
  /** All of them only read by their form: nothing in them modifies, locks, defines or goes to a file. */
  readonly reads: boolean;
  /** Its effect is on the session and outlives a transaction that is rolled back or should: SET, PREPARE, DISCARD. */
  readonly session: boolean;
  /** The name that PREPARE gives; a prepared statement survives ROLLBACK. */
  readonly prepares: string | undefined;
  /** PREPARE TRANSACTION and its kin would survive us. */
  readonly twoPhase: boolean;
  /** LISTEN and NOTIFY take effect at COMMIT, which never comes here; these functions leave no trace that SQL shows. */
  readonly unseen: readonly string[];
}

type Fields = Readonly<Record<string, unknown>>;

const readers: ReadonlySet<string> = new Set([
  ...['SelectStmt', 'ExplainStmt', 'VariableShowStmt', 'CopyStmt'],
  ...['PrepareStmt', 'ExecuteStmt', 'DeclareCursorStmt', 'FetchStmt'],
]);

const keepsForSession: ReadonlySet<string> = new Set([
  ...['VariableSetStmt', 'PrepareStmt', 'DeallocateStmt', 'DiscardStmt'],
]);

const unseenFunctions =
  /^(pg_notify|pg_logical_emit_message|pg_export_snapshot|pg_(terminate|cancel)_backend|pg_stat_reset\w*|pg_reload_conf|pg_rotate_logfile|pg_switch_wal|pg_log_\w+)$/;

export function shapeOf(parsed: readonly RawStmt[]): Shape {
  const nodes = nodesOf(parsed);
  const tops = parsed.map(({ stmt }) => Object.keys(stmt ?? {})[0] ?? '');
  const [top] = nodes.filter(([name]) => name === 'PrepareStmt');
  return {
    tops,
    reads:
      tops.length > 0 &&
      tops.every((name) => readers.has(name)) &&
      nodes.every(([name, fields]) => onlyReads(name, fields)),
    session: tops.length > 0 && tops.every((name) => keepsForSession.has(name)) && !isLocal(nodes),
    prepares: top === undefined ? undefined : String(top[1]['name']),
    twoPhase: nodes.some(
      ([name, { kind }]) => name === 'TransactionStmt' && /PREPARE/.test(String(kind)),
    ),
    unseen: nodes.flatMap(([name, fields]) => unseenEffect(name, fields)),
  };
}

function onlyReads(name: string, fields: Fields): boolean {
  if (name === 'IntoClause' || name === 'LockingClause' || 'intoClause' in fields) return false;
  if ('lockingClause' in fields) return false;
  if (name === 'CopyStmt')
    return !fields['is_from'] && !fields['filename'] && !fields['is_program'];
  return !name.endsWith('Stmt') || name === 'RawStmt' || readers.has(name);
}

/** SET LOCAL, and SET TRANSACTION, which is over with it. */
function isLocal(nodes: readonly (readonly [string, Fields])[]): boolean {
  return nodes.some(
    ([name, { is_local, kind, name: setting }]) =>
      name === 'VariableSetStmt' &&
      (is_local === true ||
        (kind === 'VAR_SET_MULTI' && String(setting).startsWith('TRANSACTION'))),
  );
}

function unseenEffect(name: string, fields: Fields): string[] {
  if (name === 'ListenStmt' || name === 'NotifyStmt') return [name];
  if (name !== 'FuncCall') return [];
  const parts = fields['funcname'];
  const last: unknown = Array.isArray(parts) ? parts.at(-1) : undefined;
  const called = nameOf(last);
  return unseenFunctions.test(called) ? [called] : [];
}

function nameOf(node: unknown): string {
  if (!isFields(node) || !isFields(node['String'])) return '';
  return String(node['String']['sval']);
}

/** Every object of the tree with its node's name, '' where it has none; without recursion, however deep the tree. */
function nodesOf(tree: unknown): readonly (readonly [string, Fields])[] {
  const found: (readonly [string, Fields])[] = [];
  const stack: (readonly [string, unknown])[] = [['', tree]];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const [name, value] = next;
    if (Array.isArray(value)) {
      for (const element of (value as unknown[]).toReversed()) stack.push(['', element]);
    } else if (isFields(value)) {
      found.push([name, value]);
      for (const [key, child] of Object.entries(value))
        stack.push([/^[A-Z]/.test(key) ? key : '', child]);
    }
  }
  return found;
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
