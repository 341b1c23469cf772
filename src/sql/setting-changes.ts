import type { FuncCall, Node, SelectStmt, VariableSetStmt } from '@pgsql/types';
import { constantOf, nameParts, qualifiedName, stringConstantOf } from './constants.ts';
import type { SettingChange } from './statement.ts';

/** SET, RESET and set_config as `SettingChange`. PostgreSQL compares the names of settings without ASCII case. */

export function settingName(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

export function changeOfSet(
  statement: VariableSetStmt,
  target: SettingChange['target'],
): SettingChange {
  const base = {
    name: settingName(statement.name ?? ''),
    local: statement.is_local ?? false,
    target,
  };
  switch (statement.kind) {
    case 'VAR_SET_VALUE':
      return { ...base, operation: 'set', values: constants(statement.args) };
    case 'VAR_SET_DEFAULT':
      return { ...base, operation: 'set', values: [] };
    case 'VAR_RESET':
      return { ...base, operation: 'reset', values: [] };
    default:
      // SET … FROM CURRENT, and whatever a later grammar adds: a value nobody can see here.
      return { ...base, operation: 'set', values: undefined };
  }
}

function constants(args: readonly Node[] | undefined): string[] | undefined {
  const values: string[] = [];
  for (const arg of args ?? []) {
    // SET TIME ZONE INTERVAL '1' HOUR: the grammar's only cast here.
    const value = constantOf('TypeCast' in arg && arg.TypeCast.arg ? arg.TypeCast.arg : arg);
    if (typeof value !== 'string') return undefined;
    values.push(value);
  }
  return values;
}

/** `set_config(name, value, is_local)`. A NULL value means the default. */
export function changeOfSetConfig(call: FuncCall, resolvedName: string | undefined): SettingChange {
  const [name, value, local] = call.args ?? [];
  const spelt = stringConstantOf(name) ?? resolvedName;
  const constant = constantOf(value);
  return {
    operation: 'set',
    name: spelt === undefined ? undefined : settingName(spelt),
    values: constant === undefined ? undefined : constant === null ? [] : [constant],
    local: ['true', 't', 'on', 'yes', '1'].includes(constantOf(local) ?? ''),
    target: 'session',
  };
}

/** `UPDATE pg_settings`: a rule of that view calls set_config for every row that matches. */
export const changeOfCatalogueUpdate: SettingChange = {
  operation: 'set',
  name: undefined,
  values: undefined,
  local: false,
  target: 'session',
};

/**
 * pg_dump sets what an older server may not know by
 * `SELECT set_config(name, 'value', false) FROM pg_settings WHERE name = 'constant'`.
 * In exactly this shape the name is that constant. Returns the call and its name.
 */
export function settingOfCatalogueRow(
  select: SelectStmt,
): { call: FuncCall; name: string } | undefined {
  const target = onlyNode(select.targetList);
  const from = onlyNode(select.fromClause);
  const where = select.whereClause;
  if (
    !target ||
    !('ResTarget' in target) ||
    !from ||
    !('RangeVar' in from) ||
    !where ||
    !('A_Expr' in where)
  )
    return;
  const value = target.ResTarget.val;
  const { relname, schemaname, alias } = from.RangeVar;
  if (relname !== 'pg_settings' || (schemaname ?? 'pg_catalog') !== 'pg_catalog' || alias) return;
  if (
    select.withClause ||
    !value ||
    !('FuncCall' in value) ||
    !isColumnName(value.FuncCall.args?.[0])
  )
    return;
  const { kind, name: operator, lexpr, rexpr } = where.A_Expr;
  if (kind !== 'AEXPR_OP' || nameParts(operator).join('.') !== '=' || !isColumnName(lexpr)) return;
  const name = stringConstantOf(rexpr);
  if (name === undefined || qualifiedName(value.FuncCall.funcname).name !== 'set_config') return;
  return { call: value.FuncCall, name };
}

function onlyNode(list: readonly Node[] | undefined): Node | undefined {
  return list?.length === 1 ? list[0] : undefined;
}

function isColumnName(node: Node | undefined): boolean {
  return (
    node !== undefined &&
    'ColumnRef' in node &&
    nameParts(node.ColumnRef.fields).join('.') === 'name'
  );
}
