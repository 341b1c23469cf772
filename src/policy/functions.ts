import type { FunctionRef, OperatorRef } from '../sql/statement.ts';
import {
  builtinFields,
  builtinFunctions,
  builtinOperators,
  informationSchemaFunctions,
} from './builtin-functions.ts';
import { functionFamilies } from './function-families.ts';
import { adminHint, type Refusal } from './refusal.ts';
import type { Scope } from './scope.ts';

/**
 * Functions, judged by how they are spelt. For readonly keys this is an allow-list of PostgreSQL's own: a function
 * of the user's or of an extension may do anything inside, so none is called.
 */

const hint = `Only PostgreSQL's own functions without side effects run in the readonly scope. ${adminHint}`;
const fieldHint =
  'PostgreSQL calls a function of that name when the value has no such field. ' +
  'If it is a field, select it by name from a sub-select: (SELECT (value).*).';

export function judgeFunction(scope: Scope, ref: FunctionRef): Refusal | undefined {
  if (isNeverCallable(ref))
    return { code: 'never_allowed', params: { verb: `function ${ref.name}` } };
  if (scope === 'admin' || isReviewed(ref)) return undefined;
  const name = ref.schema === undefined ? ref.name : `${ref.schema}.${ref.name}`;
  return {
    code: 'function_not_allowed',
    params: { function: name },
    hint: ref.notation === 'field' ? fieldHint : hint,
  };
}

/** Only computes or tells something, as far as its name says. */
function isReviewed({ schema, name, notation }: FunctionRef): boolean {
  if (schema === 'information_schema') return informationSchemaFunctions.has(name);
  if (schema !== undefined && schema !== 'pg_catalog') return false;
  return builtinFunctions.has(name) || (notation === 'field' && builtinFields.has(name));
}

function isNeverCallable({ schema, name }: FunctionRef): boolean {
  if (schema !== undefined && schema !== 'pg_catalog') return false;
  return functionFamilies.some(
    (family) => family.refusedFor === 'never' && family.names.test(name),
  );
}

/** Of pgvector, pg_trgm and hstore: they compare or compute, and analytics on those types needs them. */
const reviewedExtensionOperators: ReadonlySet<string> = new Set([
  ...['<=>', '<#>', '<+>', '<~>', '<%>'],
  ...['%', '<%', '%>', '<<%', '%>>', '<->>', '<<->', '<<<->', '<->>>'],
]);

/** An operator runs a function: one of another schema or of an unknown name may run anything. */
export function judgeOperator(scope: Scope, { schema, name }: OperatorRef): Refusal | undefined {
  if (scope === 'admin') return undefined;
  const builtin = schema === undefined || schema === 'pg_catalog';
  if (builtin && (builtinOperators.has(name) || reviewedExtensionOperators.has(name)))
    return undefined;
  const spelt = schema === undefined ? name : `${schema}.${name}`;
  return { code: 'function_not_allowed', params: { function: `operator ${spelt}` }, hint };
}
