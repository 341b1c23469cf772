import type { FuncCall, Node, SelectStmt, VariableSetStmt } from '@pgsql/types';
import { constantOf, hasOnly, nameParts, qualifiedName, stringConstantOf } from './constants.ts';
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

/** CREATE TABLE without TEMP makes a temporary table once pg_temp stands first in the path. */
export function mayPutTemporaryFirst({ name, values }: SettingChange): boolean {
  if (values === undefined) return name === undefined || name === 'search_path';
  return values.some((value) => value.toLowerCase().includes('pg_temp'));
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
 *
 * Where that is the whole statement, the name is that constant. Every part is compared, and whatever is beside the
 * parts of this shape (a WITH, a second column, a computed argument) makes it another statement: then the name is
 * computed. Names with a dot are left out: `current_setting` could change those while the rows are read.
 */
export function settingOfCatalogueRow(
  select: SelectStmt,
): { call: FuncCall; name: string } | undefined {
  if (!hasOnly(select, ['targetList', 'fromClause', 'whereClause', 'limitOption', 'op'])) return;
  if (select.op !== 'SETOP_NONE' || !isSettingsView(onlyNode(select.fromClause))) return;
  const call = callOnRow(onlyNode(select.targetList));
  const name = nameInCondition(select.whereClause);
  return call && name !== undefined && !name.includes('.') ? { call, name } : undefined;
}

/** `pg_settings`, without alias. */
function isSettingsView(from: Node | undefined): boolean {
  if (!from || !('RangeVar' in from)) return false;
  const { relname, schemaname = 'pg_catalog' } = from.RangeVar;
  const plain = ['schemaname', 'relname', 'inh', 'relpersistence', 'location'];
  return relname === 'pg_settings' && schemaname === 'pg_catalog' && hasOnly(from.RangeVar, plain);
}

/** `set_config(name, constant, constant)`. */
function callOnRow(target: Node | undefined): FuncCall | undefined {
  const value = target && 'ResTarget' in target ? target.ResTarget.val : undefined;
  if (!value || !('FuncCall' in value)) return undefined;
  const call = value.FuncCall;
  const { schema = 'pg_catalog', name } = qualifiedName(call.funcname);
  if (name !== 'set_config' || schema !== 'pg_catalog') return undefined;
  if (!hasOnly(call, ['funcname', 'args', 'funcformat', 'location'])) return undefined;
  const [row, ...constants] = call.args ?? [];
  const plain = constants.length === 2 && constants.every((arg) => 'A_Const' in arg);
  return plain && isColumnName(row) ? call : undefined;
}

/** `name = 'constant'`. */
function nameInCondition(where: Node | undefined): string | undefined {
  if (!where || !('A_Expr' in where)) return undefined;
  const { kind, name: operator, lexpr, rexpr } = where.A_Expr;
  if (kind !== 'AEXPR_OP' || nameParts(operator).join('.') !== '=') return undefined;
  if (!isColumnName(lexpr) || !rexpr || !('A_Const' in rexpr)) return undefined;
  return stringConstantOf(rexpr);
}

function onlyNode(list: readonly Node[] | undefined): Node | undefined {
  return list?.length === 1 ? list[0] : undefined;
}

function isColumnName(node: Node | undefined): boolean {
  if (!node || !('ColumnRef' in node)) return false;
  const field = onlyNode(node.ColumnRef.fields);
  return field !== undefined && 'String' in field && field.String.sval === 'name';
}
