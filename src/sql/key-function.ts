import type { FuncCall, Node, ResTarget, SelectStmt } from '@pgsql/types';
import { hasOnly, nameParts, withoutTextCasts } from './constants.ts';
import {
  keyFunctionNames,
  type CallArgument,
  type KeyFunctionName,
  type SystemCall,
} from './statement.ts';

/**
 * The forms in which a key function may be called:
 *
 *     SELECT f(args) [AS label]
 *     SELECT * FROM f(args) [alias]
 *     SELECT label FROM f(args) [alias]
 *
 * An argument is a string constant, NULL or $n, bare or cast to text. Everything else in the statement must be absent:
 * the secret is made by us, so there is nothing the engine could compute with it.
 */

const parameters: Readonly<Record<KeyFunctionName, readonly string[]>> = {
  create_api_key: ['agent', 'scope', 'description', 'limits'],
  rotate_api_key: ['agent'],
  revoke_api_key: ['agent'],
};

const required: Readonly<Record<KeyFunctionName, number>> = {
  create_api_key: 2,
  rotate_api_key: 1,
  revoke_api_key: 1,
};

const labels: Readonly<Record<KeyFunctionName, string>> = {
  create_api_key: 'api_key',
  rotate_api_key: 'api_key',
  revoke_api_key: 'revoked',
};

const alone = 'as a statement of its own, with string constants or parameters';

export const keyFunctionForms: Readonly<Record<KeyFunctionName, string>> = {
  create_api_key: `Use SELECT create_api_key('agent', 'readonly', 'description', limits => NULL) ${alone}.`,
  rotate_api_key: `Use SELECT rotate_api_key('agent') ${alone}.`,
  revoke_api_key: `Use SELECT revoke_api_key('agent') ${alone}.`,
};

type KeyFunctionCall = Extract<SystemCall, { kind: 'keyFunction' }>;

/** The call, when the whole statement is one of the forms above. */
export function keyFunctionCall(statement: Node): KeyFunctionCall | undefined {
  if (!('SelectStmt' in statement)) return undefined;
  const select = statement.SelectStmt;
  const target = onlyTarget(select);
  if (!target || !hasOnly(select, ['targetList', 'fromClause', 'limitOption', 'op']))
    return undefined;
  return select.fromClause ? calledInFrom(select.fromClause, target) : calledAsColumn(target);
}

function onlyTarget(select: SelectStmt): ResTarget | undefined {
  const [target, ...more] = select.targetList ?? [];
  return target && more.length === 0 && select.op === 'SETOP_NONE' && 'ResTarget' in target
    ? target.ResTarget
    : undefined;
}

function calledAsColumn(target: ResTarget): KeyFunctionCall | undefined {
  if (!target.val || !('FuncCall' in target.val) || target.indirection) return undefined;
  return callOf(target.val.FuncCall, target.name);
}

function calledInFrom(from: readonly Node[], target: ResTarget): KeyFunctionCall | undefined {
  const [range, ...more] = from;
  if (!range || more.length > 0 || !('RangeFunction' in range)) return undefined;
  const { functions, alias } = range.RangeFunction;
  if (
    !hasOnly(range.RangeFunction, ['functions', 'alias']) ||
    alias?.colnames ||
    functions?.length !== 1
  )
    return undefined;
  const [pair] = functions;
  const call = pair && 'List' in pair ? pair.List.items?.[0] : undefined;
  if (!call || !('FuncCall' in call) || !target.val || !('ColumnRef' in target.val))
    return undefined;
  const [field, ...rest] = target.val.ColumnRef.fields ?? [];
  if (!field || rest.length > 0) return undefined;
  if ('A_Star' in field) return callOf(call.FuncCall, undefined);
  const found = callOf(call.FuncCall, target.name);
  return found && 'String' in field && field.String.sval === labels[found.name] ? found : undefined;
}

function callOf(call: FuncCall, alias: string | undefined): KeyFunctionCall | undefined {
  const [name, ...rest] = nameParts(call.funcname);
  if (!isKeyFunctionName(name) || rest.length > 0) return undefined;
  if (!hasOnly(call, ['funcname', 'args', 'funcformat', 'location'])) return undefined;
  const args = argumentsOf(name, call.args ?? []);
  return args && { kind: 'keyFunction', name, column: alias ?? labels[name], args };
}

function isKeyFunctionName(name: string | undefined): name is KeyFunctionName {
  const names: readonly (string | undefined)[] = keyFunctionNames;
  return names.includes(name);
}

/** Positional arguments first, then named ones, each once; optional ones that are missing are NULL. */
function argumentsOf(name: KeyFunctionName, nodes: readonly Node[]): CallArgument[] | undefined {
  const names = parameters[name];
  const found = new Map<number, CallArgument>();
  for (const [position, node] of nodes.entries()) {
    const named = 'NamedArgExpr' in node ? node.NamedArgExpr : undefined;
    const index = named ? names.indexOf(named.name ?? '') : position;
    const value = argumentOf(named ? named.arg : node);
    if (!value || index < 0 || index >= names.length || found.has(index)) return undefined;
    found.set(index, value);
  }
  const last = Math.max(required[name], ...[...found.keys()].map((index) => index + 1));
  const args = names.slice(0, last).map((_name, index) => {
    return found.get(index) ?? (index < required[name] ? undefined : { value: null });
  });
  return args.every((arg) => arg !== undefined) ? args : undefined;
}

function argumentOf(node: Node | undefined): CallArgument | undefined {
  if (!node) return undefined;
  const inner = withoutTextCasts(node);
  if ('ParamRef' in inner)
    return inner.ParamRef.number ? { parameter: inner.ParamRef.number } : undefined;
  if (!('A_Const' in inner)) return undefined;
  if (inner.A_Const.isnull) return { value: null };
  return inner.A_Const.sval ? { value: inner.A_Const.sval.sval ?? '' } : undefined;
}
