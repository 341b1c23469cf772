import type { A_Const, Node, TypeName } from '@pgsql/types';

/**
 * Reads values that stand in the text itself. Whatever is not plainly a constant is `undefined`, and the rules treat
 * that as "computed": nothing is ever guessed.
 */

/** The strings of a name list: `pg_catalog.lower` is ['pg_catalog', 'lower']. */
export function nameParts(names: readonly Node[] | undefined): string[] {
  return (names ?? []).map((part) => ('String' in part ? (part.String.sval ?? '') : ''));
}

export interface QualifiedName {
  readonly schema: string | undefined;
  readonly name: string;
}

/** The last part is the name, the one before it the schema; a database name in front changes nothing. */
export function qualifiedName(names: readonly Node[] | undefined): QualifiedName {
  const parts = nameParts(names);
  return { schema: parts.at(-2), name: parts.at(-1) ?? '' };
}

/** protobuf leaves zero values out of the JSON, so `ival: {}` is 0 and `boolval: {}` is false. */
function valueOf(constant: A_Const): string | null | undefined {
  if (constant.isnull) return null;
  if (constant.sval) return constant.sval.sval ?? '';
  if (constant.ival) return String(constant.ival.ival ?? 0);
  if (constant.fval) return constant.fval.fval ?? '0';
  if (constant.boolval) return constant.boolval.boolval ? 'true' : 'false';
  return undefined;
}

const textTypes: ReadonlySet<string> = new Set(['text', 'varchar']);

/** Casts to these keep a string as it is (a length would cut it, so it must have none). */
export function isTextType(type: TypeName | undefined): boolean {
  if (!type || type.typmods?.length || type.arrayBounds?.length || type.setof) return false;
  const { schema, name } = qualifiedName(type.names);
  return textTypes.has(name) && (schema === undefined || schema === 'pg_catalog');
}

/** The node under casts to text. */
export function withoutTextCasts(node: Node): Node {
  let inner = node;
  while ('TypeCast' in inner && inner.TypeCast.arg && isTextType(inner.TypeCast.typeName))
    inner = inner.TypeCast.arg;
  return inner;
}

/** The text of a constant, null for NULL, `undefined` for anything else. */
export function constantOf(node: Node | undefined): string | null | undefined {
  if (!node) return undefined;
  const inner = withoutTextCasts(node);
  return 'A_Const' in inner ? valueOf(inner.A_Const) : undefined;
}

/** The text of a string constant and of nothing else. */
export function stringConstantOf(node: Node | undefined): string | undefined {
  if (!node) return undefined;
  const inner = withoutTextCasts(node);
  return 'A_Const' in inner && inner.A_Const.sval ? (inner.A_Const.sval.sval ?? '') : undefined;
}

/** No field beside these, so nothing of the node goes unseen. */
export function hasOnly(node: object, fields: readonly string[]): boolean {
  return Object.keys(node).every((field) => fields.includes(field));
}
