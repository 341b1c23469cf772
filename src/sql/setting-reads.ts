import type { Node, SelectStmt } from '@pgsql/types';
import { nameParts, qualifiedName, stringConstantOf } from './constants.ts';
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
  if (source === undefined) return undefined;
  const names = conjuncts(select.whereClause)
    .map(namesIn)
    .find((found) => found !== undefined);
  return names && { source, names };
}

function settingsSource(from: Node): object | undefined {
  if ('RangeVar' in from) {
    const { schemaname, relname = '' } = from.RangeVar;
    return isSettingsRelation(schemaname, relname) ? from.RangeVar : undefined;
  }
  if (!('RangeFunction' in from)) return undefined;
  const [pair, ...more] = from.RangeFunction.functions ?? [];
  const call = pair && 'List' in pair && more.length === 0 ? pair.List.items?.[0] : undefined;
  if (!call || !('FuncCall' in call)) return undefined;
  const { schema, name } = qualifiedName(call.FuncCall.funcname);
  return isSettingsFunction(schema, name) ? call.FuncCall : undefined;
}

function conjuncts(where: Node | undefined): readonly Node[] {
  if (!where) return [];
  const all =
    'BoolExpr' in where && where.BoolExpr.boolop === 'AND_EXPR' ? where.BoolExpr.args : undefined;
  return all ?? [where];
}

/** `name = 'constant'`, `name IN ('constant', …)`. */
function namesIn(condition: Node): readonly string[] | undefined {
  if (!('A_Expr' in condition)) return undefined;
  const { kind, name, lexpr, rexpr } = condition.A_Expr;
  if (nameParts(name).at(-1) !== '=' || !isNameColumn(lexpr) || !rexpr) return undefined;
  if (kind === 'AEXPR_OP') return constants([rexpr]);
  if (kind === 'AEXPR_IN' && 'List' in rexpr) return constants(rexpr.List.items ?? []);
  return undefined;
}

function isNameColumn(node: Node | undefined): boolean {
  const last = node && 'ColumnRef' in node ? node.ColumnRef.fields?.at(-1) : undefined;
  return last !== undefined && 'String' in last && last.String.sval === 'name';
}

function constants(nodes: readonly Node[]): readonly string[] | undefined {
  const names = nodes.map(stringConstantOf);
  return names.every((each) => each !== undefined) ? names : undefined;
}
