import { isJudgedByConstants, type FunctionRef } from '../sql/statement.ts';
import type { Authority } from './authority.ts';
import { builtinTypes } from './builtin-functions.ts';
import type { Surroundings } from './catalogue.ts';
import { mayConvert } from './types.ts';

/**
 * `pg_input_is_valid(value, 'type')` converts to a type that a string names: code of the user's, when it is a domain or made of
 * one. Where the string is a constant and names one of PostgreSQL's own types, it is what a cast to that type is.
 */

/** Of the grammar, which means types of pg_catalog by them wherever they stand. */
const grammarNames: ReadonlySet<string> = new Set([
  ...['int', 'integer', 'smallint', 'bigint', 'real', 'float', 'double precision', 'dec'],
  ...['decimal', 'boolean', 'char', 'character', 'character varying', 'bit varying'],
  ...['timestamp with time zone', 'timestamp without time zone'],
  ...['time with time zone', 'time without time zone'],
]);

/** A name, numbers in brackets, and `[]` for arrays. Whatever else PostgreSQL reads as a type is not understood here. */
const form =
  /^(pg_catalog\.)?([A-Za-z_][A-Za-z0-9_]*(?: [A-Za-z]+)*)(?: ?\(\d{1,6}(?:, ?-?\d{1,6})?\))?(?:\[\d{0,6}\]){0,6}$/;
const longestForm = 80;

export function checksBuiltinType(
  authority: Authority,
  { name, constants }: FunctionRef,
  around: Surroundings,
): boolean {
  const [, type] = constants;
  if (!isJudgedByConstants(name) || constants.length !== 2 || type === undefined) return false;
  const [, schema, spelt] = (type.length <= longestForm && form.exec(type)) || [];
  if (spelt === undefined) return false;
  const known = spelt.toLowerCase();
  if (!builtinTypes.has(known) && !(schema === undefined && grammarNames.has(known))) return false;
  return schema !== undefined || mayConvert(authority, { schema: undefined, name: known }, around);
}
