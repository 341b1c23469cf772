import type { HatiError } from '../errors.ts';
import type { Act, ActClass, ClassifiedText, Statement, SystemCall } from '../sql/statement.ts';
import { judgeField } from './fields.ts';
import { judgeFunction } from './functions.ts';
import { judgeOperator } from './operators.ts';
import { adminHint, refusalError, type Refusal } from './refusal.ts';
import { judgeRelation } from './relations.ts';
import type { Scope } from './scope.ts';
import { refuseSetting } from './settings.ts';
import { judgeType } from './types.ts';
import { noUserObjects, type UserObjects } from './user-objects.ts';

/**
 * May this key run this text? One refused statement refuses the whole text, before any of it runs.
 *
 * The table is total: a new class of act does not compile until both scopes have a rule for it, and what the grammar
 * does not know is refused to everybody.
 */
type Verdict = 'allow' | 'refuse' | ((act: Act) => 'allow' | 'refuse');

const rules: Readonly<Record<ActClass, Readonly<Record<Scope, Verdict>>>> = {
  read: { readonly: 'allow', admin: 'allow' },
  write: { readonly: 'refuse', admin: 'allow' },
  ddl: { readonly: 'refuse', admin: 'allow' },
  lock: { readonly: 'refuse', admin: 'allow' },
  routine: { readonly: 'refuse', admin: 'allow' },
  maintenance: { readonly: 'refuse', admin: 'allow' },
  transaction: { readonly: 'allow', admin: 'allow' },
  transactionReadWrite: { readonly: 'refuse', admin: 'allow' },
  twoPhase: { readonly: 'refuse', admin: 'allow' },
  // What they hold is there as acts of its own.
  object: { readonly: 'allow', admin: 'allow' },
  // Judged by name and value below.
  setting: { readonly: 'allow', admin: 'allow' },
  // Only restores the startup options, which carry our clamps.
  reset: { readonly: 'allow', admin: 'allow' },
  identity: { readonly: 'refuse', admin: 'refuse' },
  // LISTEN would hear what other agents say; UNLISTEN * is part of every driver's reset.
  listen: { readonly: (act) => (act.verb === 'UNLISTEN' ? 'allow' : 'refuse'), admin: 'allow' },
  notify: { readonly: 'refuse', admin: 'allow' },
  serverAccess: { readonly: 'refuse', admin: 'refuse' },
  roles: { readonly: 'refuse', admin: 'refuse' },
  unknown: { readonly: 'refuse', admin: 'refuse' },
};

export function authorize(
  scope: Scope,
  text: ClassifiedText,
  objects: UserObjects,
): HatiError | undefined {
  for (const [index, statement] of text.statements.entries()) {
    const refusal = refuseStatement(scope, statement, objects);
    if (!refusal) continue;
    const count = text.statements.length;
    return refusalError(
      refusal,
      count > 1 ? `statement ${index + 1} of ${count}; none was run` : undefined,
    );
  }
  return undefined;
}

function refuseStatement(
  scope: Scope,
  statement: Statement,
  objects: UserObjects,
): Refusal | undefined {
  const { system } = statement;
  // Answered by us from what we read; the engine sees nothing of them.
  if (system?.kind === 'sessionParameter') return undefined;
  if (system?.kind === 'keyFunction') return scope === 'admin' ? undefined : adminOnly(system.name);
  const acts = first(statement.acts, (act) => refuseAct(scope, act));
  if (acts) return acts;
  if (system) return refuseSystemUse(scope, statement, system);
  return refuseReferences(scope, statement, objects);
}

function refuseAct(scope: Scope, act: Act): Refusal | undefined {
  const rule = rules[act.class][scope];
  const verdict = typeof rule === 'function' ? rule(act) : rule;
  if (verdict === 'allow') return undefined;
  const params = { verb: act.verb };
  // No hint: psycopg and asyncpg put it into the error's text, and clients know this sentence word for word.
  return { code: scope === 'readonly' ? 'readonly_scope' : 'never_allowed', params };
}

function refuseSystemUse(
  scope: Scope,
  statement: Statement,
  system: Extract<SystemCall, { kind: 'systemRead' | 'misused' }>,
): Refusal | undefined {
  if (system.kind === 'misused') {
    if (scope === 'readonly' && system.adminOnly) return adminOnly(system.what);
    return { code: 'system_statement_shape', params: { what: system.what }, hint: system.hint };
  }
  if (scope === 'readonly') return adminOnly('_hatidata_keys.active_keys');
  // This read runs beside the control store, so not even an admin key may bring a function that does something. Its
  // search path there is pg_catalog alone.
  const refusal = refuseReferences('readonly', statement, noUserObjects);
  if (!refusal) return undefined;
  const what = refusal.params['function'] ?? refusal.params['relation'] ?? 'a setting';
  const hint = "Only the system catalogues and PostgreSQL's own functions can be used beside it.";
  return {
    code: 'system_statement_shape',
    params: { what: `${what} beside _hatidata_keys.active_keys` },
    hint,
  };
}

function refuseReferences(
  scope: Scope,
  statement: Statement,
  objects: UserObjects,
): Refusal | undefined {
  return (
    first(statement.settings, (change) => refuseSetting(scope, change)) ??
    first(statement.functions, (ref) => judgeFunction(scope, ref, objects)) ??
    first(statement.fieldNames, (name) => judgeField(scope, name, objects)) ??
    first(statement.operators, (ref) => judgeOperator(scope, ref, objects)) ??
    first(statement.types, (type) => judgeType(scope, type, objects)) ??
    (scope === 'readonly' ? first(statement.relations, judgeRelation) : undefined)
  );
}

function adminOnly(what: string): Refusal {
  return { code: 'admin_only', params: { what }, hint: adminHint };
}

function first<T>(
  items: readonly T[],
  judge: (item: T) => Refusal | undefined,
): Refusal | undefined {
  for (const item of items) {
    const refusal = judge(item);
    if (refusal) return refusal;
  }
  return undefined;
}
