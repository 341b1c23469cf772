import type { Alias, FuncCall, Node, SelectStmt } from '@pgsql/types';
import { nameParts, qualifiedName, stringConstantOf } from './constants.ts';
import { readablePattern } from './readable-settings.ts';
import { settingName } from './setting-changes.ts';
import type { SettingChange } from './statement.ts';

/** Reading settings: SHOW, current_setting, and the relation that has them all. */

export function readOf(name: string | undefined): SettingChange {
  return {
    operation: 'show',
    name: name === undefined ? undefined : settingName(name),
    values: [],
    local: false,
    target: 'session',
  };
}

export function isSettingsRelation(schema: string | undefined, name: string): boolean {
  return name === 'pg_settings' && (schema ?? 'pg_catalog') === 'pg_catalog';
}

export function isSettingsFunction(schema: string | undefined, name: string): boolean {
  return name === 'pg_show_all_settings' && (schema ?? 'pg_catalog') === 'pg_catalog';
}

/**
 * Tools ask for one setting or a few: `SELECT … FROM pg_settings WHERE name = 'constant'`. The settings are known when that
 * relation stands alone in FROM, and the condition, or a part of it that is joined by AND, gives their names.
 * @returns the node of FROM, so that it is not taken for a reading of all settings, and the names.
 */
export function namedSettings(
  select: SelectStmt,
): { readonly source: object; readonly names: readonly string[] } | undefined {
  const [from, ...more] = select.fromClause ?? [];
  const source = from && more.length === 0 ? settingsSource(from) : undefined;
  // Columns that the alias renames may make another one `name`.
  if (source === undefined || source.alias?.colnames?.length) return undefined;
  const called = source.alias?.aliasname ?? source.called;
  const names = conjuncts(select.whereClause)
    .map((condition) => namesIn(condition, called))
    .find((found) => found !== undefined);
  return names && { source: source.node, names };
}

/**
 * `current_setting(s.name)`, where FROM has nothing but `s`, the readable settings: what `\\dconfig` of psql asks once
 * `stand-in-views.ts` has filtered them.
 */
export function readableCalls(select: SelectStmt): readonly FuncCall[] {
  const [from, ...more] = select.fromClause ?? [];
  if (!from || !('RangeSubselect' in from) || more.length > 0) return [];
  const { subquery, alias } = from.RangeSubselect;
  const inner = subquery && 'SelectStmt' in subquery ? subquery.SelectStmt : undefined;
  if (!inner || namedSettings(inner)?.names.length !== 0 || alias?.colnames?.length) return [];
  return (select.targetList ?? []).flatMap((target) => {
    const value = 'ResTarget' in target ? target.ResTarget.val : undefined;
    if (!value || !('FuncCall' in value)) return [];
    const { funcname, args = [] } = value.FuncCall;
    const { schema = 'pg_catalog', name } = qualifiedName(funcname);
    const [arg] = args;
    const path = arg && 'ColumnRef' in arg ? nameParts(arg.ColumnRef.fields) : [];
    const isIts =
      path.length === 2 && path[0] === alias?.aliasname && path[1] === 'name' && args.length === 1;
    return isIts && schema === 'pg_catalog' && name === 'current_setting' ? [value.FuncCall] : [];
  });
}

interface Source {
  readonly node: object;
  readonly alias: Alias | undefined;
  /** What its columns are qualified with when there is no alias. */
  readonly called: string;
}

function settingsSource(from: Node): Source | undefined {
  if ('RangeVar' in from) {
    const { schemaname, relname = '', alias } = from.RangeVar;
    if (!isSettingsRelation(schemaname, relname)) return undefined;
    return { node: from.RangeVar, alias, called: relname };
  }
  if (!('RangeFunction' in from)) return undefined;
  const { functions, alias, coldeflist } = from.RangeFunction;
  const [pair, ...more] = functions ?? [];
  const call = pair && 'List' in pair && more.length === 0 ? pair.List.items?.[0] : undefined;
  if (!call || !('FuncCall' in call) || coldeflist?.length) return undefined;
  const { schema, name } = qualifiedName(call.FuncCall.funcname);
  if (!isSettingsFunction(schema, name)) return undefined;
  return { node: call.FuncCall, alias, called: name };
}

function conjuncts(where: Node | undefined): readonly Node[] {
  if (!where) return [];
  const all =
    'BoolExpr' in where && where.BoolExpr.boolop === 'AND_EXPR' ? where.BoolExpr.args : undefined;
  return all ?? [where];
}

/** `name = 'constant'`, `name IN ('constant', …)`; none for the filter that `stand-in-views.ts` puts there. */
function namesIn(condition: Node, called: string): readonly string[] | undefined {
  if (!('A_Expr' in condition)) return undefined;
  const { kind, name, lexpr, rexpr } = condition.A_Expr;
  const operator = nameParts(name).join('.');
  const isFilter = kind === 'AEXPR_OP' && operator === 'pg_catalog.~';
  if (isFilter && isNameColumn(lexpr, called) && rexpr)
    return stringConstantOf(rexpr) === readablePattern ? [] : undefined;
  if (operator !== '=' && operator !== 'pg_catalog.=') return undefined;
  if (!isNameColumn(lexpr, called) || !rexpr) return undefined;
  if (kind === 'AEXPR_OP') return constants([rexpr]);
  if (kind === 'AEXPR_IN' && 'List' in rexpr) return constants(rexpr.List.items ?? []);
  return undefined;
}

/** `name`, which the relation itself has, so that no outer one is meant; or qualified by what FROM calls it. */
function isNameColumn(node: Node | undefined, called: string): boolean {
  const path = node && 'ColumnRef' in node ? nameParts(node.ColumnRef.fields) : [];
  return path.at(-1) === 'name' && (path.length === 1 || (path.length === 2 && path[0] === called));
}

function constants(nodes: readonly Node[]): readonly string[] | undefined {
  const names = nodes.map(stringConstantOf);
  return names.every((each) => each !== undefined) ? names : undefined;
}
